"""Child processes: started without the node's secrets, and ended with this process or before. Source: decision 0046.

`start` and `run` put foreign code below a keeper, which ends all that it started. `tied` is for a program that starts
nothing itself, `start_module` for a module of ours that sees to its end itself.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple

import msgspec

from bigchaindb import keeper

# -I and -S: a keeper needs neither packages nor settings.
_KEEPER: Final = (sys.executable, "-I", "-S", keeper.__file__)
PYTHON: Final = (sys.executable, "-P", "-u")
"""Begins a command that runs Python. -P: the working directory is no place to import from; -u: what it prints appears
at once."""
_LEFT_TO_NODE: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGTTOU)
"""Ctrl-C reaches all processes of a terminal, and a service's stop all of the service: the node ends these ones. A
terminal with `stty tostop` stops whoever writes to it from another process group: for ever."""
_PREFIX: Final = "BIGCHAINDB_"
_SECRET_PARTS: Final = frozenset({"KEYPAIR", "KEY", "PASSWORD", "PASSPHRASE", "SECRET", "TOKEN"})
ENDS_MAX: Final = 3
ENDS_S: Final = 60.0
"""A place whose processes ended so many times within this time is out of order."""
REPORT_BYTES_MAX: Final = 64
"""Two numbers, a line each."""


class Kept(NamedTuple):
    """A started process.

    Attributes:
        keeper: the process that this one started.
        lifeline: its end, or `end`, ends the process and all that it started; a keeper reports over it.
    """

    keeper: "subprocess.Popen[bytes]"
    lifeline: socket.socket

    def end(self) -> None:
        """End the process and all that it started; `keeper` ends after them."""
        with suppress(OSError):  # the keepers are gone, or were told before
            self.lifeline.shutdown(socket.SHUT_WR)


class Ran(NamedTuple):
    """How a process ended.

    Attributes:
        code: as `subprocess` has it: negative is a signal's number.
        is_late: it did not end by itself in time.
    """

    code: int
    is_late: bool
    stdout: bytes
    stderr: bytes


def start(
    command: Sequence[str],
    *,
    pass_fds: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Kept:
    """Start a program in a session of its own, without the node's secrets.

    Args:
        command: the program and its arguments.
        pass_fds: descriptors that it inherits.
        stdin: as in `subprocess.Popen`.
        stdout: as in `subprocess.Popen`.
        stderr: as in `subprocess.Popen`.

    Raises:
        OSError: there is no room for another process.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - our own file
                [*_KEEPER, "kept", str(theirs.fileno()), *command],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[*pass_fds, theirs.fileno()],
                start_new_session=True,
                env=clean_environment(),
            )
    except OSError:
        ours.close()
        raise
    return Kept(process, ours)


def start_module(module: str, theirs: socket.socket, given: str) -> "subprocess.Popen[bytes]":
    """Start a module of ours in a process group of its own, without settings and secrets.

    It stays in the node's session: the kernel weighs the niceness of a process against its session's alone.

    Args:
        module: gets a descriptor, the id of this process and `given` as its arguments.
        theirs: the socket that it inherits.
        given: what it begins with.

    Raises:
        OSError: there is no room for another process.
    """
    return subprocess.Popen(  # noqa: S603 - our own module
        [*PYTHON, "-m", module, str(theirs.fileno()), str(os.getpid()), given],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        process_group=0,
        env=clean_environment(without=(_PREFIX,)),
    )


def end_with_node(parent: int) -> bool:
    """Leave the end of this process, which `start_module` started, to the node; return whether that is still there."""
    for number in _LEFT_TO_NODE:
        signal.signal(number, signal.SIG_IGN)
    return keeper.end_with(parent)


def run(kept: Kept, limit_s: float, given: bytes | None = None) -> Ran:
    """Wait until a process has ended, and all that it started with it; end it after `limit_s`."""
    is_late = False
    with kept.lifeline:
        try:
            stdout, stderr = kept.keeper.communicate(given, timeout=limit_s)
        except subprocess.TimeoutExpired:
            is_late = True
            kept.end()
            stdout, stderr = kept.keeper.communicate()
        except BaseException:
            kept.end()
            kept.keeper.wait()
            raise
        numbers = numbers_in(kept.lifeline.recv(REPORT_BYTES_MAX))
    return Ran(code_of(numbers), is_late, stdout or b"", stderr or b"")


def numbers_in(reported: bytes) -> list[int]:
    """Return what the keeper has reported so far: the process's id, then its wait status."""
    return [int(line) for line in reported.split(b"\n")[:-1]]


def code_of(numbers: Sequence[int]) -> int:
    """Return how the process ended, as `subprocess` has it; a keeper that was killed tells nothing and kills it."""
    return os.waitstatus_to_exitcode(numbers[1]) if len(numbers) > 1 else -signal.SIGKILL


def words_for(code: int) -> str:
    """Return an exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def tied(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` until this process's calling thread ends, at the latest."""
    return [*_KEEPER, "tied", str(os.getpid()), *command]


def clean_environment(without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return this process's environment without the node's secrets, and without variables that begin with `without`."""
    return {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith(_PREFIX) and _SECRET_PARTS & set(name.removeprefix(_PREFIX).split("_")))
        and not name.startswith(without)
    }


def bound_resources(bounds: Mapping[int, int]) -> None:
    """Bound what this process may use, by numbers of `resource`; no bound is raised."""
    for number, most in bounds.items():
        hard = resource.getrlimit(number)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(number, (bound, bound))


class PlaceFigures(msgspec.Struct, frozen=True):
    """What the processes of one place do.

    Attributes:
        process_count: that run.
        batch_count: batches of documents, or questions, that were answered.
        wait_s: from the hand-over of each of them to its answer.
        restart_count: ends of processes before the node's.
        is_failing: whether no process could be started the last time, or they end again and again.
    """

    process_count: int
    batch_count: int
    wait_s: float
    restart_count: int
    is_failing: bool = False


class Ends:
    """The ends of the processes of one place, which tell whether it is in order.

    Attributes:
        count: ends before the node's.
    """

    def __init__(self) -> None:
        """Begin with a place that is in order."""
        self.count = 0
        self._recent_s: deque[float] = deque(maxlen=ENDS_MAX)
        self._is_refused = False

    def note(self) -> None:
        """Note the end of a process before the node's."""
        self.count += 1
        self._recent_s.append(monotonic())

    def refuse(self) -> None:
        """Note that no process could be started."""
        self._is_refused = True

    def answered(self) -> None:
        """Note that a process has answered."""
        self._is_refused = False

    @property
    def is_failing(self) -> bool:
        """Whether no process could be started the last time, or they end again and again."""
        often = len(self._recent_s) == ENDS_MAX and monotonic() - self._recent_s[0] < ENDS_S
        return self._is_refused or often
