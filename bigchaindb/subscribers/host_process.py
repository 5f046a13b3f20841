"""One plugin's process as the supervisor holds it: started, spoken to, watched, killed. Belongs to the event loop.

Nothing here waits for the process: what does not fit the socket's buffer is sent when it drains, wake-ups are dropped
instead (what they say stands in the lane page), and the end is that of its keepers: nothing is left of it then.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from bigchaindb import children
from bigchaindb.eventlog import facts
from bigchaindb.subscribers import host_protocol as wire


class HostProcess:
    """A started process."""

    def __init__(
        self,
        launch: wire.Launch,
        on_report: Callable[[wire.Report], None],
        on_exit: Callable[[str], None],
    ) -> None:
        """Start it.

        Args:
            launch: what it is to run.
            on_report: called with each of its reports.
            on_exit: called once, with how it ended in words; no report comes after it.

        Raises:
            ConfigurationError: the options are too large.
            OSError: there is no room for another process.
        """
        frame = wire.encode_launch(launch)
        self._loop = asyncio.get_running_loop()
        self._on_report, self._on_exit = on_report, on_exit
        self._received = self._told = b""
        self._unsent = frame
        self.ended = asyncio.Event()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(0)
        try:
            with theirs:
                title, fd = f"events_plugin_{launch.name}", theirs.fileno()
                self._kept = children.start(
                    [*children.PYTHON, "-m", "bigchaindb.subscribers.host", title, str(fd)], pass_fds=[fd]
                )
            self._fd = self._watch()
        except OSError:
            self._socket.close()
            raise
        self._kept.lifeline.settimeout(0)
        self._loop.add_reader(self._kept.lifeline, self._take_told)
        self._loop.add_reader(self._socket, self._read)
        self._send_rest()

    @property
    def pid(self) -> int | None:
        """The process's id, which is its session's and process group's as well; None until its keeper tells it."""
        numbers = children.numbers_in(self._told)
        return numbers[0] if numbers else None

    def nudge(self) -> None:
        """Wake the process, which then reads the lane page; the first call lets it begin. Never waits (S1)."""
        if not self._unsent:  # else it has something to wake up for
            with suppress(OSError):  # full: it has not looked since; broken: its end is about to be seen
                self._socket.send(wire.NUDGE)

    def answer(self, answer: facts.Answer) -> None:
        """Send an answer; never waits. Bounded by the window, as each of its events has one answer open."""
        self._unsent += wire.encode_answer(answer)
        self._send_rest()

    def kill(self) -> None:
        """End it and all that the plugin started."""
        if not self.ended.is_set():
            self._kept.end()

    def _send_rest(self) -> None:
        if self.ended.is_set():
            return
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:  # broken: its end is about to be seen
            self._unsent = b""
        if self._unsent:
            self._loop.add_writer(self._socket, self._send_rest)
        else:
            self._loop.remove_writer(self._socket)

    def _read(self) -> bool:
        """Read some of its reports; return whether there may be more."""
        try:
            received = self._socket.recv(wire.REPORT_BYTES_MAX)
        except OSError:
            received = b""
        if not received:
            self._loop.remove_reader(self._socket)
            return False
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            self._on_report(wire.decode_report(line))
        return True

    def _watch(self) -> int:
        """Return a descriptor that is readable once the keeper has ended."""
        try:
            return os.pidfd_open(self._kept.keeper.pid)
        except OSError:  # no descriptor is left
            self._kept.lifeline.close()
            self._kept.keeper.wait()
            raise

    def _take_told(self) -> None:
        """Read the keepers' report; once it ends, both are gone or about to be."""
        try:
            told = self._kept.lifeline.recv(children.REPORT_BYTES_MAX)
        except OSError:
            told = b""
        self._told += told
        if not told:
            self._loop.remove_reader(self._kept.lifeline)
            self._loop.add_reader(self._fd, self._exited)

    def _exited(self) -> None:
        self._loop.remove_reader(self._fd)
        while self._read():  # what it said last
            pass
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._kept.keeper.wait()
        os.close(self._fd)
        self._socket.close()
        self._kept.lifeline.close()
        self.ended.set()
        self._on_exit(children.words_for(children.code_of(children.numbers_in(self._told))))
