"""The lanes of an asset are its unspent outputs, in whatever pieces and direction they are drawn."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.support import scale
from tests.support.page_verdicts import answers

LANES_MAX: Final = 12
Row = dict[str, Any]


def asset(draw: random.Random) -> list[Row]:
    """Return the transactions of an asset, oldest first: outputs are split, joined, and left alone."""
    unspent: list[str] = []
    rows: list[Row] = []
    breadth = draw.choice([1, 2, 4, 16])
    for number in range(draw.randrange(1, 60)):
        taken = draw.sample(unspent, min(len(unspent), draw.randrange(1, breadth + 1))) if rows else []
        made = [f"{number}:{index}" for index in range(draw.randrange(1, breadth + 1))]
        unspent = [one for one in unspent if one not in taken] + made
        rows.append({"id": str(number), "inputs": taken, "outputs": made})
    return rows


def lanes_by_force(rows: Sequence[Row], count: int, *, newest: bool) -> set[str]:
    """Return the outputs between the first `count` rows and the rest."""
    above, below = rows[:count], rows[count:]
    older, newer = (below, above) if newest else (above, below)
    made = {one for row in older for one in row["outputs"]}
    spent = {one for row in older for one in row["inputs"]}
    if newest:
        return made & {one for row in newer for one in row["inputs"]}
    return made - spent


def cases() -> Iterator[Row]:
    draw = random.Random(scale.seed())
    for _ in range(scale.PROVENANCES):
        rows, newest = asset(draw), draw.random() < 0.5
        shown = rows[::-1] if newest else rows
        yield {"ask": "provenance", "rows": shown, "size": draw.choice([1, 3, 100]), "newest": newest}


def assert_joined(question: Row, strokes: Sequence[Row]) -> None:
    """Require that each lane stays in its column, from the row where it begins to the row where it ends."""
    columns: dict[str, int] = {}
    for number, (row, drawn) in enumerate(zip(question["rows"], strokes, strict=True)):
        ending, beginning = (row[name] for name in ("outputs", "inputs")[:: 1 if question["newest"] else -1])
        ended = {one: columns.pop(one) for one in ending if one in columns}
        assert drawn["above"] == sorted(ended.values())
        assert drawn["through"] == sorted(column for column in columns.values() if column < LANES_MAX)
        assert len(drawn["below"]) == len(beginning)
        begun = dict(zip(beginning, drawn["below"], strict=True))
        assert not {*begun.values()} & {*columns.values()}
        assert drawn["node"] not in columns.values()
        assert drawn["node"] in (drawn["above"][:1] or drawn["below"][:1] or [drawn["node"]])
        hidden = [[c for c in some.values() if c >= LANES_MAX] for some in (columns, ended, begun)]
        assert drawn["more"] == len(hidden[0]) + max(len(hidden[1]), len(hidden[2]))
        columns |= begun
        expected = lanes_by_force(question["rows"], number + 1, newest=question["newest"])
        assert {*columns} == expected


def test_lanes_are_the_unspent_outputs_and_pages_join_up(tmp_path: Path) -> None:
    questions = list(cases())
    for question, answer in zip(questions, answers(questions, tmp_path), strict=True):
        assert_joined(question, answer["strokes"])
        size = question["size"]
        for page, lanes in enumerate(answer["behind"]):
            held = {one for one in lanes if one is not None}
            assert held == lanes_by_force(question["rows"], (page + 1) * size, newest=question["newest"])
        if question["newest"]:
            assert answer["lanes"] == []


def test_what_pages_do_not_show_is_no_lane(tmp_path: Path) -> None:
    """A list may begin in the middle, and an output may be spent in what it does not show."""
    rows = [{"id": "b", "inputs": ["a:0"], "outputs": ["b:0"]}]
    question = {"ask": "provenance", "rows": rows, "size": 1, "newest": False}
    (answer,) = answers([question], tmp_path)
    assert answer["lanes"] == ["b:0"]
    assert answer["strokes"] == [{"node": 0, "above": [], "below": [0], "through": [], "more": 0}]
