"""The parent of the check processes: `python -m bigchaindb.engine.nursery FD NODE RULES`.

A node has threads, keys and open files, so it is not fit to be forked. This process has imported all that a check
needs, and has one thread and none of the rest. It forks a process for each order, reports its start and its end, and
kills it when told to. Its own end, or the node's, ends all of them.
"""

import gc
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from struct import Struct
from typing import Final, get_args

from msgspec import json

from bigchaindb.children import end_with_node
from bigchaindb.engine import check_frames as frames
from bigchaindb.engine import check_process
from bigchaindb.ledger.verifying import DocumentRules
from bigchaindb.serving.memory import give_back_large_blocks
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KEY_BYTES, KeyPair
from bigchaindb.transaction.model import Version

ORDER: Final = Struct("<qq")
"""A process's number, and its niceness, or `KILL`; an order to start one brings its socket."""
KILL: Final = -1
REPORT: Final = Struct("<qqq")
"""A process's number, its id, and its wait status; `STARTED` for a start."""
STARTED: Final = -1
_FORK_AGAIN_S: Final = 0.1
_FORK_COUNT_MAX: Final = 5
"""Attempts to fork while the system has no room for a process."""


def main() -> None:
    """Serve one node until it ends or closes the socket."""
    fd, parent, rules = sys.argv[1:]
    if not end_with_node(int(parent)):
        return
    give_back_large_blocks()
    decoded = json.decode(rules, type=DocumentRules)
    _warm_up(decoded)
    gc.freeze()  # a collection in a child would copy every page
    Nursery(socket.socket(fileno=int(fd)), decoded).run()


def _warm_up(rules: DocumentRules) -> None:
    """Run all code of a check once: what is loaded when it is first used would be loaded in each child."""
    key = KeyPair.from_seed(bytes(KEY_BYTES))
    bodies = [*(create([key], version=version).body for version in get_args(Version)), b"{}", b""]
    frame = frames.verdicts_frame(check_process.verdicts_on(bodies, rules))
    frames.outcomes_of(frame[frames.HEAD.size :], len(bodies))


class Nursery:
    """The children, by their ids, and the socket that orders come from."""

    def __init__(self, node: socket.socket, rules: DocumentRules) -> None:
        """Fork none yet."""
        self._node = node
        self._rules = rules
        self._numbers: dict[int, int] = {}
        self._own_id = os.getpid()
        self._wake, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)

    def run(self) -> None:
        """Carry out orders until the node closes the socket; then end all children."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.register(self._node, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._reap()
            if self._node.fileno() in ready and not self._obey():
                break
        for pid in self._numbers:
            os.kill(pid, signal.SIGKILL)
        for pid in self._numbers:
            os.waitpid(pid, 0)

    def _obey(self) -> bool:
        """Carry out one order; return whether there was one."""
        try:
            order, fds, _, _ = socket.recv_fds(self._node, ORDER.size, 1)
        except ConnectionResetError:  # the node has not read all reports
            return False
        if not order:
            return False
        number, niceness = ORDER.unpack(order)
        if niceness != KILL:
            self._start(number, niceness, socket.socket(fileno=fds[0]))
            return True
        for pid, known in self._numbers.items():
            if known == number:
                os.kill(pid, signal.SIGKILL)  # none but this process reaps it, so the id is still its own
        return True

    def _start(self, number: int, niceness: int, own: socket.socket) -> None:
        with own:
            try:
                pid = _fork()
            except OSError:  # its socket ends, and the node orders another; the other children go on
                return
            if pid == 0:
                check_process.become(own, self._own_id, self._rules, niceness)
        self._numbers[pid] = number
        self._report(number, pid, STARTED)

    def _reap(self) -> None:
        while self._numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._report(self._numbers.pop(pid), pid, status)

    def _report(self, number: int, pid: int, status: int) -> None:
        with suppress(OSError):  # the node is gone, which is about to be read
            self._node.send(REPORT.pack(number, pid, status))


def _fork() -> int:
    """Fork; wait for room if there is none."""
    for _ in range(_FORK_COUNT_MAX):
        try:
            return os.fork()
        except OSError:
            time.sleep(_FORK_AGAIN_S)
    return os.fork()


if __name__ == "__main__":
    main()
