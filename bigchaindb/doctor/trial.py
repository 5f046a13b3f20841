"""Tries a plugin as its own process would start it: found, imported, configured. It is not run, and gets no event.

If it has a `check`, that may be asked as well whether what the plugin writes to is usable.

`python -m bigchaindb.doctor.trial FD` is the process: foreign code, so never in the node nor in the command line.

Source: docs/reference/contract/event-plugin-api.md, sections 1 and 4; docs/how-to/write-a-plugin.md for `check`.
"""

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any, Final

import msgspec

from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.events import EventTypes

TRIAL_S_MAX: Final = 30.0
"""As long as a plugin's process may take to report ready."""
FINDINGS_BYTES_MAX: Final = 64 * 1024
"""What a pipe holds while nobody reads."""

CHECKING: Final = "check() runs"
"""The last step: the plugin itself is in order."""
_TYPES: Final = {EventTypes.BLOCK_VALID: "BLOCK_VALID", EventTypes.BLOCK_INVALID: "BLOCK_INVALID"}


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin wants, or why it cannot be run.

    Attributes:
        error: "" if it can.
        package: distribution and version.
        target: what its entry point names.
        event_types: the names of what it asks for.
        select: the filter, as the plugin says it; empty is everything.
        takes_options: whether it has a `configure`.
        is_target_unusable: whether the error is that of its `check`: the plugin itself can be run.
        has_check: whether it can say if what it writes to is usable.
        checked: what its `check` said; "" if it has none, was not asked, or found nothing to say.
    """

    name: str
    error: str = ""
    package: str = ""
    target: str = ""
    event_types: list[str] = []
    acknowledge: str = ""
    ack_lag: int = 0
    select: dict[str, Any] = {}
    takes_options: bool = False
    is_target_unusable: bool = False
    has_check: bool = False
    checked: str = ""


def try_plugin(
    name: str, options: Mapping[str, Any], *, window_count: int | None = None, with_check: bool = False
) -> Findings:
    """Try a plugin in a process of its own. What the plugin prints goes to standard error.

    Args:
        name: of its entry point.
        options: what its `configure` gets.
        window_count: events that it may hold, if that is known; what it asks for must fit.
        with_check: whether its `check` is asked, if it has one.
    """
    from bigchaindb.subscribers import kept

    ours, theirs = os.pipe()
    try:
        started = kept.start(
            ["-m", "bigchaindb.doctor.trial", str(theirs)],
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno(),
            pass_fds=[theirs],
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    asked = {"name": name, "options": options, "window_count": window_count, "with_check": with_check}
    try:
        ran = kept.run(started, TRIAL_S_MAX, json.dumps(asked).encode())
    finally:
        *steps, found = _read(ours).split(b"\n")
    if found:  # also if a thread of the plugin's kept its process from ending
        return msgspec.json.decode(found, type=Findings)
    step = steps[-1].decode() if steps else "it is looked for"
    is_checking = step == CHECKING
    if ran.is_late:
        cure = "look whether what it writes to answers" if is_checking else "what waits there belongs into run"
        how = f"not ready within {TRIAL_S_MAX:g} s: it hangs while {step}; {cure}"
    else:
        how = f"its process ended before it was ready: {kept.words_for(ran.code)}, while {step}"
    return Findings(name=name, error=f"events plugin {name!r}: {how}", is_target_unusable=is_checking)


def _read(pipe: int) -> bytes:
    """Return a line for each step that was begun, and behind them what was found, if it came to that.

    A process of the plugin's that cannot be ended may still hold the pipe.
    """
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, FINDINGS_BYTES_MAX)
    except BlockingIOError:
        return b""
    finally:
        os.close(pipe)


def main() -> None:
    """Try the plugin that standard input names; write what was found to the inherited pipe."""
    pipe = int(sys.argv[1])
    asked = json.load(sys.stdin)
    multiprocessing.set_start_method("fork")  # as in the host
    found = _findings(pipe, asked["name"], asked["options"], asked["window_count"], with_check=asked["with_check"])
    os.write(pipe, msgspec.json.encode(found))


def _findings(
    pipe: int, name: str, options: Mapping[str, Any], window_count: int | None, *, with_check: bool
) -> Findings:
    """Try it. Each step is told before it begins, in a line, so that whoever waits knows where it hangs."""
    from bigchaindb.subscribers.plugins import check, configure, find, inspect, load

    point: EntryPoint | None = None
    try:
        point = find([name])[name]
        os.write(pipe, b"it is imported\n")
        loaded = load(name, point)
        os.write(pipe, b"configure(options) runs\n")
        configure(name, loaded, options)
        wants = inspect(name, loaded, window_count=window_count).wants
    except (ConfigurationError, StartupError) as error:
        return Findings(name=name, error=str(error), package=_package(point), target=point.value if point else "")
    os.write(pipe, f"{CHECKING}\n".encode())
    complaint, checked = "", ""
    try:
        checked = check(name, loaded) if with_check else ""
    except StartupError as error:
        complaint = str(error)
    return Findings(
        error=complaint,
        is_target_unusable=complaint != "",
        name=name,
        package=_package(point),
        target=point.value,
        event_types=[text for bit, text in _TYPES.items() if wants.event_types & bit],
        acknowledge=wants.acknowledge,
        ack_lag=wants.ack_lag,
        select=dict(getattr(loaded, "select", None) or {}),
        takes_options=getattr(loaded, "configure", None) is not None,
        has_check=getattr(loaded, "check", None) is not None,
        checked=checked,
    )


def _package(point: EntryPoint | None) -> str:
    return f"{point.dist.name} {point.dist.version}" if point is not None and point.dist else ""


if __name__ == "__main__":
    main()
