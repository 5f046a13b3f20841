"""What a service manager learns of the node, by the protocol of sd_notify(3): ready, its status, stopping, and alive.

The protocol is datagrams to a unix socket, so that no library is needed. Nothing here waits: a datagram that finds no
room is dropped, and what it told is told again. `alive` comes from the event loop, so a loop that stands is not alive.

Source: decision 0166.
"""

import asyncio
import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, MutableMapping, Sequence
from typing import Final

from bigchaindb.api.standing import Complaint
from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers.lane_status import LaneStatus

STATUS_S: Final = 5.0
"""Time between two looks at the status: it is told if it has changed."""
ALIVE_S_MIN: Final = 0.01
ALIVE_S_MAX: Final = 10.0
READY_S: Final = 1.0
"""Time between two attempts to tell that the node is ready."""
DIGITS_MAX: Final = 20
"""Of microseconds: 64 bits."""
LOOK_S_MAX: Final = 20.0
"""Time for a look at the status, which measures the disk: one that hangs must not leave the last word `healthy`."""
STATUS_CHARACTERS_MAX: Final = 400
NAMES_MAX: Final = 3
"""Lanes that the status names."""
_MICROSECONDS: Final = 1_000_000
_NEEDS_A_PERSON: Final = (State.BLOCKED, State.FAILED, State.GAPPED)

_log: Final = logging.getLogger(__name__)


class ServiceManager:
    """The service manager that started this process, or none.

    Attributes:
        alive_s: how often it wants to learn that the event loop runs; None: never.
    """

    def __init__(self, address: str = "", alive_s: float | None = None) -> None:
        """Begin without a word.

        Args:
            address: a path, or a name in the abstract namespace behind `@`; empty: there is no service manager.
            alive_s: how often it wants to learn that the event loop runs.
        """
        self.alive_s = alive_s
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._is_refused = False
        self._status = self._told = ""
        self._is_ready = False

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> "ServiceManager":
        """Take the service manager out of the environment: a child of the node must not speak for it."""
        address = environ.pop("NOTIFY_SOCKET", "")
        every, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", str(os.getpid()))
        if address and not address.startswith(("/", "@")):
            _log.warning("NOTIFY_SOCKET is no unix socket, so the service manager is told nothing: %r", address[:200])
            address = ""
        if not (every.isdecimal() and len(every) <= DIGITS_MAX and int(every) and pid == str(os.getpid())):
            return cls(address)
        return cls(address, max(ALIVE_S_MIN, min(int(every) / _MICROSECONDS / 2, ALIVE_S_MAX)))

    def starts(self, doing: str) -> None:
        """Report which step of a start is done."""
        self._set(f"starts: {doing}")

    def stops(self) -> None:
        """Report that the node is about to stop."""
        self._set("stops", "STOPPING=1")

    async def watch(self, look: Callable[[], Coroutine[None, None, str]]) -> None:
        """Report that the node is ready, then its status and that the event loop runs, until cancelled."""
        if not self._address:
            return
        looking = asyncio.create_task(self._look(look))
        try:
            while True:
                self._tell(*self._due(), *self._changed())
                await asyncio.sleep(self.alive_s or (ALIVE_S_MAX if self._is_ready else READY_S))
        finally:
            looking.cancel()

    async def _look(self, look: Callable[[], Coroutine[None, None, str]]) -> None:
        while True:
            asked = asyncio.create_task(look())
            try:
                # One at a time: each that hangs has a thread.
                while not (await asyncio.wait({asked}, timeout=LOOK_S_MAX))[0]:
                    self._set(f"not healthy: the disk has not answered for {LOOK_S_MAX:g} s; see `dmesg`")
                self._set(asked.result())
            except Exception as error:  # noqa: BLE001 - the loop runs all the same
                text = f"not healthy: the status cannot be read, {type(error).__name__}; see the log"
                if text != self._status:
                    _log.exception("the status for the service manager cannot be read")
                self._set(text)
            finally:
                asked.cancel()
            await asyncio.sleep(STATUS_S)

    def _due(self) -> list[str]:
        if not self._is_ready:
            return ["READY=1"]
        return [] if self.alive_s is None else ["WATCHDOG=1"]

    def _set(self, status: str, *words: str) -> None:
        self._status = status
        self._tell(*words, *self._changed())

    def _changed(self) -> list[str]:
        if not self._status or self._status == self._told:
            return []
        line = "".join(character if character.isprintable() else " " for character in self._status)
        return [f"STATUS={line[:STATUS_CHARACTERS_MAX]}"]

    def _tell(self, *words: str) -> None:
        if not self._address or not words:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sending:
                sending.sendto("\n".join(words).encode(errors="replace"), self._address)
        except OSError as error:
            if not self._is_refused and not isinstance(error, BlockingIOError):
                _log.warning("the service manager cannot be told how the node is", extra={"why": str(error)})
                self._is_refused = True
            return
        self._is_ready = self._is_ready or "READY=1" in words
        self._told = self._status


def status(
    complaint: Complaint | None,
    height: int,
    lanes: Sequence[LaneStatus],
    follower_count: int,
    failed: Sequence[str] = (),
) -> str:
    """Return the status of a node that serves, on one line.

    Args:
        complaint: why it is not healthy; None: it is.
        height: of the last block.
        lanes: plugins and subscriptions.
        follower_count: connections that follow the events, by WebSocket and by Server-Sent Events.
        failed: background tasks and threads that have failed.
    """
    parts = ["healthy" if complaint is None else f"not healthy, {complaint.kind}", f"height {height}"]
    for state, count in sorted(Counter(lane.state.value for lane in lanes).items()):
        parts.append(f"{count} lane{'s' * (count != 1)} {state}")
    parts.append(f"{follower_count} follower{'s' * (follower_count != 1)}")
    if stuck := [lane.name for lane in lanes if lane.state in _NEEDS_A_PERSON]:
        parts.append(f"needs a person: {', '.join(stuck[:NAMES_MAX])}{' and others' * (len(stuck) > NAMES_MAX)}")
    if failed:
        parts.append(f"failed beside it, see the log: {', '.join(failed)}")
    if complaint is not None:
        parts.append(complaint.reason)
    return "; ".join(parts)
