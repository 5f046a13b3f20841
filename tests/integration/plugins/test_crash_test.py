"""Crash tests find what they are for, in real processes: losses, repeats and disorder, and no more than there is."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.events import Event, EventTypes
from bigchaindb.simulated import crashes
from bigchaindb.simulated.victim import Kill, Killed, Moment
from bigchaindb.testing import crash_test
from tests.integration.plugins.crash_plugins import (
    CAREFUL,
    DOUBLING,
    EXPLICIT,
    GATHERING,
    KEEPING,
    LAGGING,
    RAISING,
    RETURNING,
    STALLING,
    Write,
)


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


# Kills come at a part of the time that the event before took: on a busy machine a thread may wake late.
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
    ("moment", "part", "body", "repeated"),
    [
        (Moment.TAKEN, 0.5, CAREFUL, ()),
        (Moment.DONE, 0.5, CAREFUL, (3, 6)),
        (Moment.DONE, 0.5, EXPLICIT.format(first="write(event.position)", then="event.ack()"), (3, 6)),
        (Moment.DONE, 0.5, EXPLICIT.format(first="write(event.position)", then="queue.ack_many([event])"), (3, 6)),
        (Moment.WORKING, 0.1, SLOW_TO_WRITE, ()),
        (Moment.WORKING, 0.6, SLOW_TO_ASK, (3, 6)),
    ],
)
def test_each_moment_is_the_one_that_it_says(
    moment: Moment,
    part: float,
    body: str,
    repeated: Sequence[int],
    write: Write,
    sink: Callable[[], Sequence[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A seed that never hits between write and acknowledgement would prove a plugin right that is not."""
    monkeypatch.setattr(crashes, "draw_kills", lambda *_: [Kill(moment, 3, part), Kill(moment, 6, part)])
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
