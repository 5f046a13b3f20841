"""Crash tests of what is parked or sought: it comes again last, once, and a sink that forgets it is found out."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.events import EventTypes
from bigchaindb.simulated import crashes
from bigchaindb.simulated.victim import PARKED, Kill, Killed, Moment, write_plan
from bigchaindb.testing import CrashReport, crash_test
from tests.integration.plugins.crash_plugins import (
    CAREFUL,
    COROUTINE,
    EXPLICIT,
    IN_LISTS,
    LAGGING,
    STUBBORN,
    SWALLOWING,
    THREADS,
    Write,
)

DATABASE: Final = """
    import sqlite3

    connection = sqlite3.connect({database!r})
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS blocks (n INTEGER PRIMARY KEY, id TEXT UNIQUE)")
        connection.execute("CREATE TABLE IF NOT EXISTS progress (position INTEGER)")
        connection.execute("INSERT INTO progress SELECT 0 WHERE NOT EXISTS (SELECT * FROM progress)")
    for event in queue:
{write}
"""
REFUSING: Final = """
        with connection:
            connection.execute("INSERT INTO blocks (id) VALUES (?) ON CONFLICT DO NOTHING", (event.id,))
"""
ADVANCE: Final = '"UPDATE progress SET position = ? WHERE position < ?", (event.position, event.position)'
HIGH_WATER_MARK: Final = f"""
        with connection:
            if connection.execute({ADVANCE}).rowcount:
                connection.execute("INSERT INTO blocks (id) VALUES (?)", (event.id,))
"""
TAKEN_APART: Final = f"""
        with connection:
            is_new = connection.execute({ADVANCE}).rowcount
        time.sleep(0.5 * (event.position in (2, 3)))
        with connection:
            if is_new:
                connection.execute("INSERT INTO blocks (id) VALUES (?)", (event.id,))
"""


@pytest.fixture
def run_on_database(write: Write, tmp_path: Path) -> Callable[..., CrashReport]:
    """Run a crash test of a plugin that writes into a database."""
    database = tmp_path / "sink.db"

    def read() -> list[str]:
        with closing(sqlite3.connect(database)) as connection:
            return [id_ for (id_,) in connection.execute("SELECT id FROM blocks ORDER BY n")]

    def run(name: str, body: str, **settings: int) -> CrashReport:
        plugin = write(name, DATABASE.format(database=str(database), write=body))
        return crash_test(plugin, read_sink=read, **settings)  # type: ignore[arg-type]

    return run


def test_a_sink_that_refuses_an_id_that_it_has_is_exactly_once(run_on_database: Callable[..., CrashReport]) -> None:
    """The recipe that the messages recommend is right."""
    report = run_on_database("exact", REFUSING, kills=12, parked=3, seed=1)
    report.assert_exactly_once()
    report.assert_in_order()
    assert max(report.delivered.values()) > 1
    assert len(report.parked) == 3


def test_a_high_water_mark_is_found_out(run_on_database: Callable[..., CrashReport]) -> None:
    """It survives every kill, and loses what was parked and comes back."""
    report = run_on_database("high_water", HIGH_WATER_MARK, kills=4, seed=1, blocks=30)
    assert report.lost == report.parked
    assert len(report.parked) == 1
    with pytest.raises(AssertionError, match=r"They were parked and came back.*\(a high-water mark\)") as caught:
        report.assert_at_least_once()
    assert "asks for the next" not in str(caught.value)


def test_an_event_noted_as_done_apart_from_its_row_is_found_out(
    run_on_database: Callable[..., CrashReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashes, "draw_kills", lambda *_: [Kill(Moment.WORKING, 3, 0.5)])
    report = run_on_database("apart", TAKEN_APART, kills=1, parked=0, blocks=8)
    assert (report.lost, report.delivered[3]) == ((3,), 2)
    with pytest.raises(AssertionError, match=r"lost: 3\. They were delivered again after a kill.*noted them as done"):
        report.assert_at_least_once()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("plain", CAREFUL),
        ("swallowing", SWALLOWING),
        ("lagging", LAGGING),
        ("explicit", EXPLICIT.format(first="write(event.position)", then="event.ack()")),
        ("in_lists", IN_LISTS),
        ("threads", THREADS),
        ("coroutine", COROUTINE),
    ],
    ids=lambda value: value.partition("\n")[0],
)
def test_parked_events_come_back_last_in_every_mode(
    name: str, body: str, write: Write, sink: Callable[[], Sequence[int]]
) -> None:
    report = crash_test(write(f"parked_{name}", body), read_sink=sink, kills=3, parked=2, blocks=20, seed=3)
    report.assert_at_least_once()
    assert (len(report.parked), report.kills, report.ends) == (2, 3, 0)
    assert {*sink()[-2:]} == {*report.parked}
    assert all(report.delivered[position] == 1 for position in report.parked)


def test_all_comes_again_behind_a_seek(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    """And its kills come there, not on the first way."""
    report = crash_test(write("sought", CAREFUL), read_sink=sink, kills=1, parked=1, seek_kills=2, blocks=20, seed=3)
    report.assert_at_least_once()
    assert report.kills == 3
    assert min(report.delivered[position] for position in range(1, 21)) == 2
    first_way = report.held[: report.held.index(report.parked[0]) + 1]
    assert {*first_way} == {*range(1, 21)}
    assert sum(report.delivered.values()) - 2 * 20 <= 3, "no more than what was in hand"


def test_an_event_is_parked_although_a_kill_comes_with_it(
    write: Write, sink: Callable[[], Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an unlucky seed would try nothing."""
    monkeypatch.setattr(crashes, "draw_kills", lambda *_: [Kill(Moment.TAKEN, 3, 0.0)])
    monkeypatch.setattr(crashes, "draw_parked", lambda *_: [3])
    report = crash_test(write("both", CAREFUL), read_sink=sink, kills=1, blocks=6)
    report.assert_exactly_once()
    assert (report.parked, report.held, report.killed) == ((3,), (1, 2, 4, 5, 6, 3), (Killed(4, "taken"),))


def test_a_process_ends_with_an_event_to_be_parked_although_the_plugin_catches_everything(
    write: Write, sink: Callable[[], Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it went on, it would wait for a next event, and the kills that are left would never come."""
    monkeypatch.setattr(crashes, "draw_kills", lambda *_: [Kill(Moment.TAKEN, 3, 0.0)])
    monkeypatch.setattr(crashes, "draw_parked", lambda *_: [3])
    report = crash_test(write("stubborn", STUBBORN), read_sink=sink, kills=1, blocks=3)
    report.assert_exactly_once()
    assert (report.parked, report.killed) == ((3,), (Killed(0, "taken"),))


def test_an_event_comes_back_last_although_a_kill_kept_the_node_from_parking_it(
    write: Write, sink: Callable[[], Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(folder: Path, *arguments: Any) -> None:
        write_plan(folder, *arguments)
        (folder / PARKED).write_text("3\n")  # what such a process has left

    monkeypatch.setattr(crashes, "write_plan", plan)
    monkeypatch.setattr(crashes, "draw_parked", lambda *_: [3])
    report = crash_test(write("again", CAREFUL), read_sink=sink, kills=0, blocks=5)
    assert (report.parked, report.held) == ((3,), (1, 2, 4, 5, 3))


def test_a_plugin_without_a_matching_event_has_none_parked(write: Write) -> None:
    plugin = write("for_nothing", f"{CAREFUL}\n\nevent_types = {EventTypes.BLOCK_INVALID}\n")
    report = crash_test(plugin, read_sink=list, kills=1, blocks=5, invalid=0.0)
    report.assert_exactly_once()
    assert (report.parked, report.expected) == ((), ())
