"""Stands between the node and a COMMAND, as `python -I -S keeper.py HOW NUMBER COMMAND…`.

`tied PARENT`: becomes COMMAND, which ends with the process PARENT. `kept LIFELINE`: ends everything that COMMAND
started. For that, two processes of this file stand between the two, and each is a subreaper: what a plugin starts stays
below them, whatever it does to get away (`setsid`, a double fork). The inner one runs COMMAND. Once COMMAND, the outer
one or the node's end of the lifeline has ended, it ends all that is left. The outer one does the same once the inner
one has ended, so that a kill of either leaves nothing behind. The lifeline takes COMMAND's process id, later its wait
status, a line each.

No import of this package: two processes stand beside each plugin, and each is to stay small. Source: decision 0046.
"""

import ctypes
import os
import select
import signal
import sys
from contextlib import suppress
from time import monotonic
from typing import Final, NoReturn

LEFT_S_MAX: Final = 5.0
"""How long a process may take to die; one that waits for a broken disk may not die at all."""
LOOK_MS: Final = 10
"""A killed process whose children become this one's announces itself; the pause is for those that do not."""
_STANDARD_ERROR: Final = 2
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


def main() -> None:
    """Run the command as the first argument requests."""
    how, number, *command = sys.argv[1:]
    if how == "tied":
        _become(command, int(number))
    _stand_by(int(number), command)


def end_with(parent: int) -> bool:
    """Have the kernel kill this process once the thread that forked it ends; return whether `parent` is still there.

    The tie outlives an exec. Between fork and exec a process with threads may do next to nothing safely: call this in
    a fresh interpreter, or in a child of a process with one thread.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def _stand_by(fd: int, command: list[str]) -> None:
    """Run the command and report how it ended, once nothing that it started is left."""
    os.set_inheritable(fd, False)  # noqa: FBT003 - the standard library's
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # which the command is to inherit
            signal.signal(number, lambda *_: None)  # a stop of the node ends the lifeline
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # this one's alone, and not its child's
    outer = os.pidfd_open(os.getpid())
    if inner := os.fork():
        _close_for_command()
        _keep(inner, [])
        return
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    inner = os.getpid()
    if not (child := os.fork()):
        os.setsid()
        _become(command, inner)
    _close_for_command()
    _report(fd, child)
    _report(fd, _keep(child, [fd, outer]))


def _become(command: list[str], parent: int) -> NoReturn:
    """Run the command in this process's place. It ends with `parent`, also where both keepers are killed at once."""
    if end_with(parent):
        os.execv(command[0], command)  # noqa: S606 - the whole point
    os._exit(1)


def _keep(child: int, ends: list[int]) -> int:
    """Wait until `child` has ended, or one of `ends` is readable; end what is left and return the child's status."""
    wake, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    poll = select.poll()
    for fd in (wake, *ends):
        poll.register(fd, select.POLLIN)
    status, limit_s = None, None
    while True:
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:  # orphans as well
                status = ended[1] if ended[0] == child else status
        except ChildProcessError:
            break
        if status is not None or limit_s is not None:
            limit_s = limit_s or monotonic() + LEFT_S_MAX
            if not _end_children(limit_s):
                break
        if [fd for fd, _ in poll.poll(None if limit_s is None else LOOK_MS) if fd != wake]:
            limit_s = limit_s or monotonic() + LEFT_S_MAX
        with suppress(BlockingIOError):
            os.read(wake, 4096)
    return signal.SIGKILL if status is None else status


def _end_children(limit_s: float) -> bool:
    """Kill this process's children; whether to go on with those that they leave, which is so until `limit_s`."""
    children = _children()
    for pid in children:  # no other process has such an id by now: only this one can reap it
        with suppress(PermissionError):
            os.kill(pid, signal.SIGKILL)
    if monotonic() < limit_s:
        return True
    text = f"a plugin left processes that cannot be ended: {children}; see what they wait for\n"
    poll = select.poll()
    poll.register(_STANDARD_ERROR, select.POLLOUT)
    if poll.poll(0):  # nobody may read it
        os.write(_STANDARD_ERROR, text.encode()[: select.PIPE_BUF])
    return False


def _children() -> list[int]:
    """Return this process's children; all descendants come to be these, generation after generation."""
    me, found = os.getpid(), []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - `pathlib` is a fourth of this process's memory
        with suppress(OSError, ValueError):
            with open(f"/proc/{int(entry)}/stat", "rb") as file:  # noqa: PTH123 - the same
                parent = file.read().rpartition(b")")[2].split()[1]
            if int(parent) == me:
                found.append(int(entry))
    return found


def _close_for_command() -> None:
    """Close what only the command is to hold: its end would not be seen otherwise."""
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - as above
        with suppress(OSError):
            if int(entry) > _STANDARD_ERROR and os.get_inheritable(int(entry)):
                os.close(int(entry))


def _report(lifeline: int, number: int) -> None:
    with suppress(OSError):  # the node is gone
        os.write(lifeline, b"%d\n" % number)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value)


if __name__ == "__main__":
    main()
