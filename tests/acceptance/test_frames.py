"""The kept frames of subscriptions, read and written by Node and Go, so that no language is left out."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.api import subscription_frames
from tests.support import consumers
from tests.support.consumers import LANGUAGES

FILE: Final = Path(__file__).parents[1] / "vectors/subscriptions/frames.json"
KEPT: Final[dict[str, Any]] = json.loads(FILE.read_bytes())
PROGRAMS: Final = {"node": "frames.js", "go": "frames.go"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_kept_frames_are_read_and_written(language: str, tmp_path: Path) -> None:
    texts = {side: [one["text"] for one in KEPT[side]] for side in ("node", "client")}
    program = Path(__file__).with_name("frames") / PROGRAMS[language]
    lines = "".join(f"{text}\n" for text in [*texts["node"], *texts["client"]])
    command = consumers.command(language, tmp_path / "program", program)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=60)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["took"] for one in found] == [taken(text) for text in [*texts["node"], *texts["client"]]]
    for one, text in zip(found[len(texts["node"]) :], texts["client"], strict=True):
        assert subscription_frames.read(one["wrote"].encode()) == subscription_frames.read(text.encode())


def taken(text: str) -> dict[str, Any]:
    """Return what a program has to take from a frame."""
    frame = json.loads(text)
    given = [[one["tag"], one["attempt"], one["event"]["id"]] for one in frame.get("events", [])]
    members: dict[str, Any] = {"tags": [], "stale": [], "ref": None, "lag": 0}
    return {"type": frame["type"], "given": given, **{name: frame.get(name, usual) for name, usual in members.items()}}
