"""Tries a plugin as its own process would start it: found, imported, configured. It is not run and gets no event.

If it has a `check` of its target, that may be called as well.

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

from bigchaindb import children
from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.events import EventTypes
from bigchaindb.subscribers.plugins import IF_SLOW, check, configure, find, inspect, load

READY_S: Final = 30.0
"""The default of a plugin's `ready_s`; the process that tries one reads no settings."""
FINDINGS_BYTES_MAX: Final = 64 * 1024
"""Bytes that a pipe holds while nobody reads."""

CHECKING: Final = "check() runs"
"""The last step: the plugin itself passed."""
_TYPES: Final = {EventTypes.BLOCK_VALID: "BLOCK_VALID", EventTypes.BLOCK_INVALID: "BLOCK_INVALID"}


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """The wants of a plugin, or why it cannot be run.

    Attributes:
        error: "" if it can be run.
        package: distribution and version.
        target: of its entry point.
        event_types: names of the types that it asks for.
        select: its own filter; empty is everything.
        takes_options: whether it has a `configure`.
        is_target_unusable: whether the error is of its `check`: the plugin itself can be run.
        has_check: whether it has a `check` of its target.
        checked: the text of its `check`; "" if it has none, was not called, or returned none.
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
    name: str,
    options: Mapping[str, Any] | None,
    *,
    window_count: int | None = None,
    with_check: bool = False,
    ready_s: float = READY_S,
) -> Tried:
    """Try a plugin in a process of its own. The plugin's output goes to standard error.

    Args:
        name: of its entry point.
        options: for its `configure`; None: it is imported and no more.
        window_count: the most events in hand, if known; its `ack_lag` must fit.
        with_check: whether to call its `check`, if it has one.
        ready_s: how long it may take: as long as the process in which a node runs it.
    """
    ours, theirs = os.pipe()
    try:
        started = children.start(
            [*children.PYTHON, "-m", "bigchaindb.doctor.trial", str(theirs)],
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
        ran = children.run(started, ready_s, json.dumps(asked).encode())
    finally:
        *steps, found = _read(ours).split(b"\n")
    if found:  # also if a thread of the plugin's kept its process from ending
        return msgspec.json.decode(found, type=Tried)
    step = steps[-1].decode() if steps else "it is looked for"
    is_checking = step == CHECKING
    if ran.is_late:
        cure = "check whether its target answers" if is_checking else "move what waits there into run"
        how = f"not ready within {ready_s:g} s: it hangs while {step}; {cure}; {IF_SLOW}"
    else:
        how = f"its process ended before it was ready: {children.words_for(ran.code)}, while {step}"
    return Tried(name=name, error=f"events plugin {name!r}: {how}", is_target_unusable=is_checking)


def _read(pipe: int) -> bytes:
    """Return a line for each begun step, then the findings if there are any.

    A process of the plugin that cannot be ended may still hold the pipe.
    """
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, FINDINGS_BYTES_MAX)
    except BlockingIOError:
        return b""
    finally:
        os.close(pipe)


def main() -> None:
    """Try the plugin that standard input names; write the findings to the inherited pipe."""
    pipe = int(sys.argv[1])
    asked = json.load(sys.stdin)
    multiprocessing.set_start_method("fork")  # as in the host
    found = _findings(pipe, asked["name"], asked["options"], asked["window_count"], with_check=asked["with_check"])
    os.write(pipe, msgspec.json.encode(found))


def _findings(
    pipe: int, name: str, options: Mapping[str, Any] | None, window_count: int | None, *, with_check: bool
) -> Tried:
    """Try the plugin. Write a line before each step, so that the parent knows where it hangs."""
    point: EntryPoint | None = None
    try:
        point = find([name])[name]
        os.write(pipe, b"it is imported\n")
        loaded = load(name, point)
        if options is None:
            return Tried(name=name)
        os.write(pipe, b"configure(options) runs\n")
        configure(name, loaded, options)
        wants = inspect(name, loaded, window_count=window_count).wants
    except (ConfigurationError, StartupError) as error:
        return Tried(name=name, error=str(error), package=_package(point), target=point.value if point else "")
    os.write(pipe, f"{CHECKING}\n".encode())
    complaint, checked = "", ""
    try:
        checked = check(name, loaded) if with_check else ""
    except StartupError as error:
        complaint = str(error)
    return Tried(
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
