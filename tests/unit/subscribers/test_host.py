"""How a plugin's process says that `run` ended. Source: event-plugin-api.md, section 5; promises P2 and P6."""

import io
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bigchaindb import standard_error
from bigchaindb.errors import Closed, Unavailable
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import EventTypes
from bigchaindb.log_lines import FORMATS, TEXT
from bigchaindb.masking import MASK
from bigchaindb.subscribers import host_output
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.host import _run
from bigchaindb.subscribers.plugins import Plugin as Loaded
from bigchaindb.subscribers.plugins import Wants
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Plugin

TITLE = "events_plugin_sales"


class ForeignError(Exception):
    """Of a library, with an attribute of a name that means something to us."""

    retry_after_s = "30"


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path, ListLog([EventTypes.BLOCK_VALID] * 3), ack_lag=5)


def ending(plugin: Plugin, run: Callable[[Any], object]) -> wire.Report:
    return _run(TITLE, Loaded(run, Wants(ack_lag=5)), plugin.queue, plugin.queue)


def test_what_is_gathered_comes_again_if_the_queue_ends_run(plugin: Plugin) -> None:
    """Asked again after `Closed` it ends what would spin for ever: nothing was written by that."""

    def run(queue: Any) -> None:
        plugin.take(3)
        queue.close()
        while True:
            with suppress(Exception):
                queue.get()

    assert ending(plugin, run) == facts.Returned()
    assert plugin.progress() == Progress(0, 3, (1, 2, 3))


@pytest.mark.parametrize("code", [None, 0])
def test_a_plugin_that_exits_without_an_error_has_returned(plugin: Plugin, code: int | None) -> None:
    def run(queue: Any) -> None:
        plugin.take(3)
        queue.close()
        with pytest.raises(Closed):
            queue.get()
        sys.exit(code)

    assert ending(plugin, run) == facts.Returned()
    assert plugin.progress() == Progress(3, 3)


def returns() -> None:
    """Leave `run` as a child."""


def raises(error: BaseException) -> Callable[[], None]:
    def leave() -> None:
        raise error

    return leave


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("leave", "code"),
    [
        (returns, 0),
        (raises(SystemExit()), 0),
        (raises(SystemExit(7)), 7),
        (raises(SystemExit("no")), 1),
        (raises(ValueError("no")), 1),
    ],
)
def test_a_child_that_leaves_run_settles_nothing_and_says_nothing(
    plugin: Plugin, leave: Callable[[], None], code: int
) -> None:
    """Plugins of 2017 fork for each event. Else the event is lost if its own process dies while it works on it."""
    pid, statuses = os.getpid(), []

    def run(_: Any) -> None:
        plugin.take(1)
        if (forked := os.fork()) == 0:
            leave()
            return
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]))
        raise ValueError("killed while it works on the event")

    report = ending(plugin, run)
    if os.getpid() != pid:
        os._exit(77)  # a child that would run the other tests as well
    assert statuses == [code]
    assert report == facts.Raised("ValueError: killed while it works on the event")
    assert plugin.progress() == Progress(0, 1, (1,))
    assert plugin.reports == []


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize(
    ("error", "report"),
    [
        (Unavailable("no route"), facts.Raised("Unavailable: no route", is_unavailable=True)),
        (
            Unavailable("later", retry_after_s=30),
            facts.Raised("Unavailable: later", is_unavailable=True, retry_after_s=30),
        ),
        (ValueError("bad row"), facts.Raised("ValueError: bad row")),
        (ForeignError("away"), facts.Raised("ForeignError: away")),
        (SystemExit(3), facts.Raised("sys.exit(3)")),
    ],
)
def test_what_ended_run_is_reported_though_nobody_reads_standard_error(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch, error: BaseException, report: wire.Report, *, is_full: bool
) -> None:
    """Else an event is blamed, and set aside in the end, while its target is away."""
    ours, theirs = os.pipe()
    if is_full:
        os.set_blocking(theirs, False)
        with suppress(BlockingIOError):
            while True:
                os.write(theirs, bytes(4096))
        os.set_blocking(theirs, True)
    else:
        os.close(ours)
    monkeypatch.setattr(standard_error, "STANDARD_ERROR", theirs)
    monkeypatch.setattr(host_output, "PRINT_S_MAX", 0.05)

    def run(_: Any) -> None:
        raise error

    assert ending(plugin, run) == report
    os.close(theirs)
    if is_full:
        os.close(ours)


@pytest.mark.parametrize("log_format", FORMATS)
def test_what_a_plugin_failed_with_shows_no_secret_and_controls_no_terminal(
    monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    """Clients of brokers repeat the address that they were given, and errors the event's own text."""
    ours, theirs = os.pipe()
    monkeypatch.setattr(standard_error, "STANDARD_ERROR", theirs)
    monkeypatch.setattr(host_output, "_forms", [])
    monkeypatch.setattr(logging, "lastResort", None)
    host_output.write_as(log_format, ["secret-of-options"])
    error = ValueError("amqp://u:hunter22@host secret-of-options\x1b[2J\u202e\nand so on")
    host_output.put(f"Process {TITLE}:", error)
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as file:
        lines = file.read().rstrip("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(secret in line for secret in ("hunter22", "secret-of-options") for line in lines)
    assert f"Process {TITLE}" in lines[0]
    assert lines[-1].endswith("and so on" if log_format == TEXT else '"}')


@pytest.mark.parametrize("log_format", FORMATS)
def test_what_a_plugin_logs_without_a_handler_shows_no_secret_and_controls_no_terminal(
    monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    """Clients of brokers log the address that they connect to."""
    handler = logging.StreamHandler(written := io.StringIO())
    monkeypatch.setattr(logging, "lastResort", handler)
    monkeypatch.setattr(host_output, "_forms", [])
    host_output.write_as(log_format, ["secret-of-options"])
    logged = logging.LogRecord("a", logging.WARNING, "", 0, "%s is\naway\x1b[2J", ("amqp://u:hunter22@host",), None)
    logged.exc_info = (ValueError, ValueError("secret-of-options\u202e"), None)
    handler.emit(logged)
    lines = written.getvalue().rstrip("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(secret in line for secret in ("hunter22", "secret-of-options") for line in lines)
    if log_format == TEXT:
        assert lines == [f"amqp://u:{MASK}@host is", "away\\x1b[2J", f"ValueError: {MASK}\\u202e"]
