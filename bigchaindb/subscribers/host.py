"""The plugin's process, a composition root: `python -m bigchaindb.subscribers.host events_plugin_NAME FD`.

A fresh interpreter in a POSIX session of its own, below a keeper that ends all it started. It learns what to run from
the inherited socket FD, imports and configures the plugin, and calls `run` with a queue over the event log. It ends
when `run` does, and kills itself when the socket's other end, the node, is gone.

Source: docs/reference/contract/event-plugin-api.md, sections 3 and 5; promises P11 and P12.
"""

import atexit
import faulthandler
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from inspect import iscoroutine, iscoroutinefunction
from pathlib import Path
from threading import Thread, Timer
from typing import Any, Final, NoReturn

from bigchaindb.errors import (
    BigchainDBError,
    Closed,
    ConfigurationError,
    EventError,
    Gone,
    HistoryLost,
    StartupError,
    StoreDamaged,
    Unavailable,
)
from bigchaindb.eventlog import facts
from bigchaindb.masking import secrets_in
from bigchaindb.store import Log
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.control import Control
from bigchaindb.subscribers.coroutines import run_coroutine
from bigchaindb.subscribers.gate import ENDED
from bigchaindb.subscribers.host_output import put, write_as
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.pipe import WARNING, open_pipe
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT, Plugin, configure, describe, find, hide, inspect, load
from bigchaindb.subscribers.queue import LogQueue

LOOK_S: Final = 1.0
"""How often a host looks for threads that ended with an event in hand, while nothing wakes it."""
GRACE_S: Final = 1.0
"""Time for threads to end after `run` failed: as at a stop of the node."""
_COMM_CHARACTERS_MAX: Final = 15
_PIPE: Final = "pipe"
_TEXT_IS_ENOUGH: Final = (ImportError, SyntaxError, SystemExit, BigchainDBError)
"""Errors of an import whose text is enough; any other is a defect of the plugin, and its author needs the place."""
_REFUSES: Final = (*_TEXT_IS_ENOUGH, ValueError, OSError)
"""Errors by which `configure` refuses its options."""


def main() -> None:
    """Run the plugin that the node names."""
    faulthandler.enable()  # a crash of native code says where each thread was
    title, fd = sys.argv[1:]
    control = socket.socket(fileno=int(fd))
    try:
        launch = wire.receive_launch(control)
    except EOFError:
        sys.exit("the node ended before it sent what to run")
    _become(title, launch)
    write_as(launch.log_format, secrets_in(launch.options))
    threading.excepthook = _pass_over_closed
    plugin = _load(control, launch)
    page = LanePage(Path(launch.page))
    _report(control, facts.Ready())
    if not control.recv(1):
        sys.exit("the node ended before the plugin began")
    if page.words[Word.CLOSING]:
        return
    talk = Control(control)
    queue = _open_queue(launch, plugin, page, talk)
    Thread(target=_listen, args=(talk, page, queue), name="bigchaindb-control", daemon=True).start()
    given: Any = queue
    if launch.queue == _PIPE:
        talk.report(wire.Warned(WARNING))
        given = open_pipe(
            queue,
            window_count=launch.window_count,
            window_bytes_max=launch.window_bytes_max,
            on_failure=lambda error: _fail(talk, queue, error),
        )
    gc.freeze()  # what was imported stays: collections while the plugin runs need not look at it
    ending = _run(title, plugin, queue, given)
    if not isinstance(ending, facts.Returned):
        _end_threads(queue)  # a second time after a coroutine: what comes first counts
    # Called once all threads of the plugin but its daemons have ended.
    atexit.register(lambda: _say_last(talk, queue, _verdict(queue, ending)))
    sys.exit(0 if isinstance(ending, facts.Returned) else 1)


def _become(title: str, launch: wire.Launch) -> None:
    """Make this process look as plugins' processes always did."""
    multiprocessing.set_start_method("fork")  # as in 2017; 3.14's default breaks plugins that rely on it
    multiprocessing.current_process().name = title
    Path("/proc/self/comm").write_text(title[:_COMM_CHARACTERS_MAX], encoding="utf-8")
    sys.path[:] = [*launch.sys_path, *(path for path in sys.path if path not in launch.sys_path)]


def _pass_over_closed(args: threading.ExceptHookArgs) -> None:
    """Print what ended a thread, unless it is the queue's end: so a plugin's reader thread ends by design."""
    if not issubclass(args.exc_type, Closed | SystemExit):
        put(f"Exception in thread {args.thread.name if args.thread else 'that has ended'}:", args.exc_value)


def _load(control: socket.socket, launch: wire.Launch) -> Plugin:
    name = launch.name
    hide(launch.options)
    try:
        loaded = load(name, find([name])[name])
        configure(name, loaded, launch.options)
        plugin = inspect(name, loaded, window_count=launch.window_count)
        if launch.queue == _PIPE:
            plugin = _for_a_pipe(name, plugin)
    except (ConfigurationError, StartupError) as error:
        is_told = isinstance(error.__cause__, _REFUSES if isinstance(error, ConfigurationError) else _TEXT_IS_ENOUGH)
        if error.__cause__ is not None and not is_told:
            put("", error.__cause__)
        _report(control, facts.Refused(str(error), isinstance(error, ConfigurationError)))
        sys.exit(1)
    return plugin


def _for_a_pipe(name: str, plugin: Plugin) -> Plugin:
    """Take what was put into the pipe for done: nobody can know more.

    Raises:
        ConfigurationError: the plugin wants to know more.
    """
    wants = plugin.wants
    if iscoroutinefunction(plugin.run):
        raise ConfigurationError(
            f"events_plugins.{name}.queue: a pipe has no `async for`, and its get would block the loop of the plugin's "
            "`async def run`; leave queue out"
        )
    if wants.acknowledge == EXPLICIT or wants.ack_lag:
        raise ConfigurationError(
            f"events_plugins.{name}.queue: a pipe cannot know what was done with an event, and the plugin sets "
            f"acknowledge to {wants.acknowledge!r} and ack_lag to {wants.ack_lag}; leave queue out"
        )
    return Plugin(plugin.run, wants._replace(acknowledge=DELIVERY))


def _open_queue(launch: wire.Launch, plugin: Plugin, page: LanePage, talk: Control) -> LogQueue:
    return LogQueue(
        page,
        Log(Path(launch.ledger)),
        chain_id=launch.chain_id,
        plugin=launch.name,
        wants=plugin.wants,
        window_bytes_max=launch.window_bytes_max,
        attempts=launch.attempts,
        one_at_a_time=launch.one_at_a_time,
        report=talk.report,
    )


def _run(title: str, plugin: Plugin, queue: LogQueue, given: Any) -> wire.Report:  # noqa: ANN401 - either queue
    """Call `run` with the queue that is `given` to the plugin, and return how it ended."""
    has_returned = True
    try:
        returned = _call(title, plugin, given)
        if iscoroutine(returned):
            run_coroutine(returned, queue, on_failure=lambda: _end_threads(queue))
    except Closed:
        has_returned = False
    except SystemExit as end:
        has_returned = end.code != ENDED
        if end.code not in (None, 0, ENDED):
            put(f"{title}: sys.exit({end.code!r})")
            return facts.Raised(f"sys.exit({end.code!r})")
    except HistoryLost as error:
        return facts.Lost(str(error))
    except StoreDamaged as error:
        return facts.Damaged(str(error), error.table, error.row)
    except Gone as error:
        return facts.Gone(describe(error))
    except BaseException as error:  # noqa: BLE001 - whatever ends foreign code is reported
        _print_failure(title, error)
        is_unavailable = isinstance(error, Unavailable)
        # A class derived from it may not have called it; and what others have by that name means something else.
        retry_after_s = getattr(error, "retry_after_s", None) if is_unavailable else None
        return facts.Raised(describe(error), is_unavailable, retry_after_s)
    if has_returned:
        queue.settle()
    return facts.Returned()


def _call(title: str, plugin: Plugin, given: Any) -> object:  # noqa: ANN401 - either queue
    """Call `run`. A process that it forked ends where it leaves `run`: its end is no word on the plugin's events."""
    pid, code = os.getpid(), 0
    try:
        returned = plugin.run(given)
    except BaseException as error:
        if os.getpid() == pid:
            raise
        code = _code_of_child(title, error)
    if os.getpid() == pid:
        return returned
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed
            stream.flush()
    os._exit(code)


def _code_of_child(title: str, error: BaseException) -> int:
    """Return the exit code that the standard library gives a child which raised, and print what it prints."""
    if not isinstance(error, SystemExit):
        put(f"Process {title}, forked as {os.getpid()}:", error)
        return 1
    if isinstance(error.code, int):
        return error.code & 0xFF
    if error.code is not None:
        put(str(error.code))
        return 1
    return 0


def _print_failure(title: str, error: BaseException) -> None:
    if isinstance(error, Unavailable):  # expected, and again and again: one line
        put(f"Process {title}: {describe(error)}")
    else:
        put(f"Process {title}:", error)  # as in 1.x


def _end_threads(queue: LogQueue) -> None:
    """End the threads that outlive a failed `run` as at a stop, so that its event comes again soon."""
    queue.close()
    deadline = Timer(GRACE_S, _end_group)
    deadline.daemon = True
    deadline.start()


def _verdict(queue: LogQueue, ending: wire.Report | None) -> wire.Report:
    """Return how the whole process ended, threads included."""
    match queue.fault():
        case HistoryLost() as error:
            return facts.Lost(str(error))
        case StoreDamaged() as error:
            return facts.Damaged(str(error), error.table, error.row)
        case EventError() as error if not isinstance(ending, facts.Raised):
            return facts.Raised(str(error))
        case _:
            return ending or facts.Raised("the host itself failed")


def _listen(talk: Control, page: LanePage, queue: LogQueue) -> NoReturn:
    """Serve the supervisor and the queue's clock; end everything when the node or the plugin is past saving."""
    try:
        while queue.fault() is None:
            due_in_s = queue.due_in_s()
            for answer in talk.wait(LOOK_S if due_in_s is None else min(LOOK_S, due_in_s)):
                queue.answers.decided(answer)
            if page.words[Word.CLOSING]:
                queue.close()
            queue.wake()
            _warn(talk, queue)
        _say_last(talk, queue, _verdict(queue, None))
    except (EOFError, OSError):
        pass  # the node is gone, and its successor must find no older process at work
    except BaseException as error:  # noqa: BLE001 - a process that does not listen would never end
        put("", error)
    _end_group()


def _fail(talk: Control, queue: LogQueue, error: BaseException) -> NoReturn:
    """End everything, as a thread of ours has failed that the plugin depends on."""
    put("", error)
    _say_last(talk, queue, facts.Raised(describe(error)))
    _end_group()


def _warn(talk: Control, queue: LogQueue) -> None:
    for text in queue.warnings():
        talk.report(wire.Warned(text))


def _say_last(talk: Control, queue: LogQueue, report: wire.Report) -> None:
    _warn(talk, queue)  # there may have been no look since
    talk.report(report)
    with suppress(OSError):  # the node is gone, and with it whoever wants to know
        talk.flush()


def _report(control: socket.socket, report: wire.Report) -> None:
    with suppress(OSError):  # the node is gone, and with it whoever wants to know
        control.sendall(wire.encode_report(report))


def _end_group() -> NoReturn:
    """End this process and what the plugin started, at once."""
    os.killpg(os.getpid(), signal.SIGKILL)
    raise AssertionError


if __name__ == "__main__":
    main()
