"""The socket to the supervisor, as the plugin's process holds it while the plugin runs.

One thread waits on it and writes to it; the plugin's threads leave their reports and never wait for the node.
"""

import os
import select
import socket
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Final

from bigchaindb.eventlog import facts
from bigchaindb.subscribers import host_protocol as wire

RECEIVE_BYTES: Final = 4096
LINE_BYTES_MAX: Final = 4096
"""Answers are far shorter; a longer line is no supervisor's."""


class Control:
    """Reports out, answers in."""

    def __init__(self, control: socket.socket) -> None:
        """Take over a socket over which its host was launched."""
        self._socket = control
        self._received = b""
        self._reports: SimpleQueue[wire.Report] = SimpleQueue()  # a signal handler may put while its thread does
        self._writing = Lock()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)

    def report(self, report: wire.Report) -> None:
        """Hand a report to the thread that waits, which sends it. Never waits for the node."""
        self._reports.put(report)
        os.eventfd_write(self._bell, 1)

    def flush(self) -> None:
        """Send the reports that are left, in order, whichever thread calls.

        Raises:
            OSError: the node is gone.
        """
        with self._writing:
            while True:
                try:
                    report = self._reports.get_nowait()
                except Empty:
                    return
                self._socket.sendall(wire.encode_report(report))

    def wait(self, limit_s: float) -> list[facts.Answer]:
        """Send the reports that are left, then wait for the node's answers, `limit_s` at most.

        Returns:
            its answers, perhaps none.

        Raises:
            EOFError: the node is gone.
            OSError: the same.
        """
        ready = [fd for fd, _ in self._poll.poll(limit_s * 1000)]
        if self._bell in ready:
            os.eventfd_read(self._bell)
        self.flush()
        if self._socket.fileno() not in ready:
            return []
        received = self._socket.recv(RECEIVE_BYTES)
        if not received:
            raise EOFError
        *lines, self._received = (self._received + received).split(b"\n")
        assert len(self._received) <= LINE_BYTES_MAX, len(self._received)
        return [wire.decode_answer(line) for line in lines if line]
