"""The parent of the check processes, as a node holds it: started, given orders, replaced when it ends.

Belongs to the event loop. What runs in the parent is `bigchaindb.engine.nursery`.
"""

import asyncio
import logging
import os
import signal
import socket
import subprocess
from contextlib import suppress
from typing import Final

from msgspec import json

from bigchaindb import children
from bigchaindb.engine.check_process import ADDRESS_BYTES_MAX, BATCH_CPU_S_MAX, OUT_OF_MEMORY
from bigchaindb.engine.nursery import KILL, ORDER, REPORT, STARTED
from bigchaindb.ledger.verifying import DocumentRules

NURSERY: Final = "bigchaindb.engine.nursery"
"""The module that runs as the parent of the check processes; tests have one whose children fall over some documents."""
END_S_MAX: Final = 1.0
"""Time in which the nursery ends its children and itself once its socket is closed; it needs milliseconds."""

_WHY: Final = {
    -signal.SIGPROF: f"it took more than {BATCH_CPU_S_MAX:g} s of CPU time for one batch",
    OUT_OF_MEMORY: f"it needed more than {ADDRESS_BYTES_MAX >> 20} MiB of address space",
}
_log: Final = logging.getLogger(__name__)


class Nursery:
    """The parent of the check processes, started when the first is wanted, and again after its end.

    Attributes:
        pids: of its children, by number.
        last_born: the highest number of a child that it forked; it forks them in order.
    """

    def __init__(self, rules: DocumentRules) -> None:
        """Start nothing yet."""
        self._rules = json.encode(rules).decode()
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket
        self.pids: dict[int, int] = {}
        self.last_born = 0

    def fork(self, niceness: int) -> tuple[int, socket.socket]:
        """Order a check process; return its number and the socket that leads to it.

        Where it cannot be forked, the socket ends.

        Raises:
            OSError: the nursery cannot be started.
        """
        self._number += 1
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._order(self._number, niceness, theirs)
        except OSError:
            ours.close()
            raise
        return self._number, ours

    def kill(self, number: int) -> None:
        """Kill a check process."""
        with suppress(OSError):
            self._socket.send(ORDER.pack(number, KILL))

    def replace(self) -> None:
        """Kill the process and its children; the next order starts another."""
        if self._process is not None:
            about = {"pid": self._process.pid, "children": [*self.pids.values()]}
            _log.error("the parent of the check processes ended, and another is started", extra=about)
            self._end(0)

    def close(self) -> None:
        """End all check processes and their parent, and wait for that."""
        if self._process is not None:
            self._end(END_S_MAX if self.pids else 0)  # without a child it may still be importing

    def _order(self, number: int, niceness: int, theirs: socket.socket) -> None:
        if self._process is not None:
            try:
                socket.send_fds(self._socket, [ORDER.pack(number, niceness)], [theirs.fileno()])
            except BlockingIOError:  # it has not read hundreds of orders
                raise
            except OSError:
                self.replace()
            else:
                return
        self._start()
        socket.send_fds(self._socket, [ORDER.pack(number, niceness)], [theirs.fileno()])

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._process = children.start_module(NURSERY, theirs, self._rules)
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(0)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self) -> None:
        try:
            report = self._socket.recv(REPORT.size)
        except BlockingIOError:
            return
        except OSError:
            report = b""
        if not report:
            self.replace()
            return
        number, pid, status = REPORT.unpack(report)
        if status == STARTED:
            self.pids[number], self.last_born = pid, number
            return
        self.pids.pop(number, None)
        code = os.waitstatus_to_exitcode(status)
        if code:  # else its socket was closed
            why = _WHY.get(code) or children.words_for(code)
            _log.error("a check process ended, and its documents are checked again", extra={"pid": pid, "why": why})

    def _end(self, wait_s: float) -> None:
        """Close the socket; kill the process if it takes longer than `wait_s` to end, and all children with it."""
        assert self._process is not None
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(wait_s)
        self._process.kill()
        self._process.wait()
        self._process = None
        self.pids.clear()
