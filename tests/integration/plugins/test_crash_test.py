"""Crash tests find what they are for, in real processes: losses, repeats and disorder, and no more than there is."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.events import Event, EventTypes
from bigchaindb.simulated import crashes
from bigchaindb.simulated.victim import PARKED, Kill, Killed, Moment, write_plan
from bigchaindb.testing import CrashReport, crash_test

Write = Callable[[str, str], ModuleType]

CAREFUL: Final = """
    for event in queue:
        write(event.position)
"""
GATHERING: Final = """
    gathered = []
    for event in queue:
        gathered.append(event.position)
        if len(gathered) == 4:
            write(*gathered)
            gathered.clear()
"""
DOUBLING: Final = """
    for event in queue:
        write(event.position, *([event.position] if event.position == 7 else []))
"""
RAISING: Final = """
    for event in queue:
        if event.position == 7:
            raise ValueError("seven is too much")
        write(event.position)
"""
STALLING: Final = """
    for event in queue:
        write(event.position)
        if event.position == 20:
            time.sleep(3600)
"""
LAGGING: Final = """
    gathered = []
    for event in queue:
        gathered.append(event.position)
        if len(gathered) == 4:
            write(*gathered)
            gathered.clear()
    write(*gathered)


ack_lag = 3
"""
EXPLICIT: Final = """
    for event in queue:
        {first}
        {then}


acknowledge = "explicit"
"""
KEEPING: Final = """
    kept = []
    for event in queue:
        kept.append(event)
        write(event.position)
"""
SWALLOWING: Final = """
    while True:
        try:
            event = queue.get()
        except ValueError:
            return
        except Exception:
            continue
        write(event.position)
"""
STUBBORN: Final = """
    while True:
        try:
            event = queue.get()
        except BaseException:
            event = queue.get()
        write(event.position)
"""
IN_LISTS: Final = """
    while True:
        write(*(event.position for event in queue.get_many(3)))
"""
THREADS: Final = """
    from threading import Thread

    def work():
        for event in queue:
            write(event.position)

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""
COROUTINE: Final = """
    import asyncio

    async def main():
        async for event in queue:
            write(event.position)

    asyncio.run(main())
"""
RETURNING: Final = """
    write(queue.get().position)
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Make a module of a plugin, with a body for its `run`; `write(*positions)` appends to its sink."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, body: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(
            "import time\n\n\n"
            "def write(*positions):\n"
            f"    with open({str(tmp_path / 'sink')!r}, 'a') as file:\n"
            "        file.write(''.join(f'{position}\\n' for position in positions))\n\n\n"
            f"def run(queue):\n{body}"
        )
        return import_module(name)

    return make


@pytest.fixture
def sink(tmp_path: Path) -> Callable[[], Sequence[int]]:
    """Read what the plugin wrote."""

    def read() -> Sequence[int]:
        return [int(line) for line in (tmp_path / "sink").read_text().splitlines()]

    return read


def test_a_careful_plugin_loses_nothing_and_repeats_what_was_in_hand(
    write: Write, sink: Callable[[], Sequence[int]]
) -> None:
    """The kills hit between write and acknowledgement as well: else repeats would be found in production."""
    report = crash_test(write("careful", CAREFUL), read_sink=sink, kills=20, seed=1)
    report.assert_at_least_once()
    report.assert_in_order()
    assert (report.kills, report.ends, report.lost) == (20, 0, ())
    assert report.expected == tuple(range(1, 101))
    assert 0 < len(report.repeated) <= 20
    with pytest.raises(AssertionError, match="repeated"):
        report.assert_exactly_once()


# Kills come half way through the time that the event before took: on a busy machine a thread may wake late.
SLOW_TO_WRITE: Final = """
    for event in queue:
        time.sleep(0.4 * (event.position in (2, 3, 5, 6)))
        write(event.position)
        time.sleep(0.1 * (event.position in (2, 3, 5, 6)))
"""
SLOW_TO_ASK: Final = """
    for event in queue:
        time.sleep(0.1 * (event.position in (2, 3, 5, 6)))
        write(event.position)
        time.sleep(0.4 * (event.position in (2, 3, 5, 6)))
"""
SLOW_TO_BEGIN: Final = """
    for event in queue:
        time.sleep(0.5 * (event.position == 1))
        write(event.position)
"""


@pytest.mark.parametrize(
    ("moment", "body", "repeated"),
    [
        (Moment.TAKEN, CAREFUL, ()),
        (Moment.DONE, CAREFUL, (3, 6)),
        (Moment.DONE, EXPLICIT.format(first="write(event.position)", then="event.ack()"), (3, 6)),
        (Moment.DONE, EXPLICIT.format(first="write(event.position)", then="queue.ack_many([event])"), (3, 6)),
        (Moment.WORKING, SLOW_TO_WRITE, ()),
        (Moment.WORKING, SLOW_TO_ASK, (3, 6)),
    ],
)
def test_each_moment_is_the_one_that_it_says(
    moment: Moment,
    body: str,
    repeated: Sequence[int],
    write: Write,
    sink: Callable[[], Sequence[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A seed that never hits between write and acknowledgement would prove a plugin right that is not."""
    monkeypatch.setattr(crashes, "draw_kills", lambda *_: [Kill(moment, 3, 0.5), Kill(moment, 6, 0.5)])
    report = crash_test(write("at_a_moment", body), read_sink=sink, kills=2, parked=0, blocks=8)
    assert (report.kills, report.lost, report.repeated) == (2, (), repeated)
    assert [position for position, count in sorted(report.delivered.items()) if count > 1] == [3, 6]
    assert report.killed == (Killed(3, moment), Killed(6, moment))


def test_a_process_is_killed_at_its_start(
    write: Write, sink: Callable[[], Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashes, "draw_kills", lambda *_: [Kill(Moment.STARTED, 8, 0.0)] * 3)
    report = crash_test(write("early", SLOW_TO_BEGIN), read_sink=sink, kills=3, blocks=8)
    report.assert_exactly_once()
    assert report.kills == 3


def test_a_process_that_has_nothing_left_is_killed_all_the_same(
    write: Write, sink: Callable[[], Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a plan with more kills than there are events would never end."""
    monkeypatch.setattr(crashes, "draw_kills", lambda *_: [Kill(Moment.TAKEN, 9, 0.0)] * 3)
    for name, body in (("waiting", CAREFUL), ("gone", RETURNING)):
        report = crash_test(write(name, body), read_sink=sink, kills=3, blocks=4)
        assert (report.kills, report.lost) == (3, ())


def test_a_coroutine_function_loses_nothing(write: Write, sink: Callable[[], Sequence[int]], tmp_path: Path) -> None:
    """Killed at every moment, as an ordinary run is."""
    plugin = write("coroutine_run", CAREFUL)
    source = tmp_path / "coroutine_run.py"
    source.write_text(source.read_text().replace("def run", "async def run").replace("for event", "async for event"))
    report = crash_test(plugin, read_sink=sink, kills=8, seed=3)
    report.assert_at_least_once()
    report.assert_in_order()
    assert (report.kills, report.ends, report.lost) == (8, 0, ())


def test_a_plugin_that_gathers_and_writes_later_is_found_out(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    report = crash_test(write("gathering", GATHERING), read_sink=sink, kills=8, seed=2)
    assert report.lost
    with pytest.raises(AssertionError, match="lost"):
        report.assert_at_least_once()


def test_a_plugin_that_gathers_and_says_so_loses_nothing(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    """What the message for the one above advises is right."""
    report = crash_test(write("lagging", LAGGING), read_sink=sink, kills=8, seed=2)
    report.assert_at_least_once()
    assert report.repeated


def test_a_plugin_that_acknowledges_after_its_write_loses_nothing(
    write: Write, sink: Callable[[], Sequence[int]]
) -> None:
    plugin = write("explicit", EXPLICIT.format(first="write(event.position)", then="event.ack()"))
    report = crash_test(plugin, read_sink=sink, kills=12, seed=2)
    report.assert_at_least_once()
    assert report.repeated


def test_a_plugin_that_acknowledges_before_its_write_is_found_out(
    write: Write, sink: Callable[[], Sequence[int]]
) -> None:
    plugin = write("hasty", EXPLICIT.format(first="event.ack()", then="time.sleep(0.005); write(event.position)"))
    report = crash_test(plugin, read_sink=sink, kills=12, seed=2, blocks=30)
    with pytest.raises(AssertionError, match=r"lost: .* counts as done when it is acknowledged") as caught:
        report.assert_at_least_once()
    assert "asks for the next" not in str(caught.value)


def test_a_plugin_that_keeps_events_is_warned_of(
    write: Write, sink: Callable[[], Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handing events on and asking for the next loses them in a crash, even where this test happened to lose none."""
    monkeypatch.setattr(crashes, "draw_kills", lambda *_: [Kill(Moment.DONE, 20, 0.0)])  # what is left shows nothing
    report = crash_test(write("keeping", KEEPING), read_sink=sink, kills=1, parked=0, blocks=20)
    with pytest.raises(AssertionError, match="the node warned: this plugin keeps events"):
        report.assert_at_least_once()


def test_only_selected_events_are_expected(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    plugin = write("selecting", f"{CAREFUL}\n\nselect = {{'operation': 'TRANSFER'}}\n")
    report = crash_test(plugin, read_sink=sink, kills=1, blocks=20, transactions=1)
    report.assert_at_least_once()
    assert 0 < len(report.expected) < 20


def test_a_plugin_that_writes_twice_is_found_out(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    report = crash_test(write("doubling", DOUBLING), read_sink=sink, kills=0, blocks=10)
    assert report.unexplained == (7,)


def test_a_plugin_that_fails_by_itself_is_named_with_its_error(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    """Instead of a test that waits until the event is given up, on a node after ten minutes."""
    report = crash_test(write("raising", RAISING), read_sink=sink, kills=2, blocks=10)
    with pytest.raises(AssertionError, match=r"ValueError: seven is too much; .*6 of 10 events settled"):
        report.assert_at_least_once()


def test_a_plugin_that_does_not_end_with_its_queue_is_named(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    report = crash_test(write("stalling", STALLING), read_sink=sink, kills=0, blocks=20)
    assert "did not settle the events 20" in report.failure


def test_a_plugin_that_returns_after_each_event_gets_through(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    report = crash_test(write("returning", RETURNING), read_sink=sink, kills=2, blocks=6, invalid=0.0)
    report.assert_at_least_once()
    assert report.ends >= 4


def test_only_events_of_the_plugins_types_are_expected(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    plugin = write("invalid_only", f"{CAREFUL}\n\nevent_types = {EventTypes.BLOCK_INVALID}\n")
    report = crash_test(plugin, read_sink=sink, kills=1, blocks=20, invalid=0.25)
    report.assert_at_least_once()
    assert len(report.expected) == 5


def test_what_a_plugin_passes_over_on_purpose_can_be_said(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    plugin = write(
        "even", "    for event in queue:\n        if event.position % 2 == 0:\n            write(event.position)\n"
    )

    def is_even(event: Event) -> bool:
        return event.position % 2 == 0

    crash_test(plugin, read_sink=sink, kills=1, blocks=10, wanted=is_even).assert_at_least_once()


def test_an_object_of_a_module_can_be_tested_and_configured(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    body = (
        f"{CAREFUL}\n\nclass Plugin:\n"
        "    def configure(self, options):\n        self.factor = options['factor']\n\n"
        "    def run(self, queue):\n        for event in queue:\n            write(event.position * self.factor)\n\n\n"
        "plugin = Plugin()\n"
    )
    name = write("with_object", body).__name__
    report = crash_test(f"{name}:plugin", read_sink=sink, kills=1, blocks=10, options={"factor": 1000})
    assert {1000, 10_000} <= {*report.strange}
    assert report.lost == report.expected


def test_an_installed_plugin_is_found_by_name(
    misbehaving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(misbehaving))
    record = tmp_path / "record"
    report = crash_test(
        "misbehaving",
        options={"record": str(record), "fault": ""},
        read_sink=lambda: [int(line.split()[0]) for line in record.read_text().splitlines()],
        kills=3,
        blocks=20,
    )
    report.assert_at_least_once()


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


def test_a_plugin_that_hangs_is_named_with_the_event(
    write: Write, sink: Callable[[], Sequence[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its author wants to know where, and not in two minutes."""
    monkeypatch.setattr(crashes, "STALL_S", 10.0)
    body = STALLING.replace("20", "9")
    report = crash_test(write("hanging", body), read_sink=sink, kills=0, parked=0, blocks=50)
    assert re.search(
        r"^nothing has happened for 10 s; .*, 8 of 50 events settled, in hand for \d+ s: 9$", report.failure
    )


def test_what_is_no_plugin_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigurationError, match="has no function run"):
        crash_test(pytest, read_sink=list)
    with pytest.raises(ConfigurationError, match="expected 'module:object', found 'json:'"):
        crash_test("json:", read_sink=list)
    with pytest.raises(StartupError, match="ModuleNotFoundError"):
        crash_test("not_there_at_all:plugin", read_sink=list)
    with pytest.raises(ConfigurationError, match="no installed package provides 'sales'"):
        crash_test("sales", read_sink=list)


def test_it_leaves_the_import_path_as_it_was(write: Write, sink: Callable[[], Sequence[int]]) -> None:
    """A later test must not find a plugin that was killed in this one."""
    plugin, before = write("tidy", CAREFUL), list(sys.path)
    crash_test(plugin, read_sink=sink, kills=0, blocks=1)
    assert sys.path == before


def test_each_kill_is_told_on_a_terminal(tmp_path: Path) -> None:
    """Many kills take minutes, which look like a test that hangs; where nobody reads, nothing is printed."""
    (tmp_path / "told.py").write_text("def run(queue):\n    for event in queue:\n        pass\n")
    (tmp_path / "trial.py").write_text(
        "import told\nfrom bigchaindb.testing import crash_test\n\n"
        "if __name__ == '__main__':\n    crash_test(told, read_sink=lambda: [], kills=3, blocks=30)\n"
    )
    main, other = os.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "trial.py"], cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=other
        ) as done:
            os.close(other)
            said = b""
            with suppress(OSError):  # the end of a terminal
                while piece := os.read(main, 4096):
                    said += piece
        assert done.returncode == 0, said
    finally:
        os.close(main)
    numbers = re.findall(r"crash_test: kill (\d) of 3, \w+, event \d+", said.decode())
    assert numbers == ["1", "2", "3"]
    silent = subprocess.run([sys.executable, "trial.py"], cwd=tmp_path, capture_output=True, check=True)
    assert b"crash_test: kill" not in silent.stdout + silent.stderr
