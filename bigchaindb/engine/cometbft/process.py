"""CometBFT as a child process: started, its output read, started again after an end, given up when that does not help.

Its socket for the application must listen before `run`: CometBFT tries a missing one every three seconds only.
"""

import asyncio
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from bigchaindb import children
from bigchaindb.engine.cometbft.files import Layout
from bigchaindb.engine.cometbft.output import Line, Lines, understand
from bigchaindb.errors import CometBftFailed

STOP_S_MAX: Final = 2.0
"""Time between SIGTERM and SIGKILL; it needs 0.1 s."""
DELAY_S_MIN: Final = 0.2
DELAY_S_MAX: Final = 30.0
FAILURE_COUNT_MAX: Final = 5
"""Ends within `FAILURE_WINDOW_S` after which it is not started again."""
FAILURE_WINDOW_S: Final = 120.0
READ_BYTES: Final = 64 * 1024
MISMATCH_LINES: Final = 2
"""CometBFT's message about two hashes that differ has a line break before the second half."""

_KILLED: Final = children.words_for(-signal.SIGKILL)
_KILLED_WHY: Final = "somebody killed it, or the system did for want of memory"
_FOREIGN: Final = ("CMT", "TM", "BIGCHAINDB_", "PYTHON")
"""Beginnings of variables that CometBFT's settings could come from, and of those that may hold secrets of ours."""

_log: Final = logging.getLogger(__name__)


class Restarts:
    """When CometBFT is started again: 0.2 s after an end, twice as long after each that follows soon. Pure."""

    def __init__(self) -> None:
        self._ends_s: deque[float] = deque(maxlen=FAILURE_COUNT_MAX)

    def after_end(self, now_s: float) -> float | None:
        """Take an end; return the seconds to wait; None if this was one too many."""
        while self._ends_s and self._ends_s[0] <= now_s - FAILURE_WINDOW_S:
            self._ends_s.popleft()
        self._ends_s.append(now_s)
        if len(self._ends_s) == FAILURE_COUNT_MAX:
            return None
        return float(min(DELAY_S_MAX, DELAY_S_MIN * 2 ** (len(self._ends_s) - 1)))


class CometBft:
    """CometBFT, kept running.

    Attributes:
        start_count: how often it was started.
    """

    def __init__(self, program: Path, layout: Layout, *, now: Callable[[], float] = time.monotonic) -> None:
        """Prepare CometBFT without starting it.

        Args:
            program: CometBFT.
            layout: whose files `bigchaindb.engine.cometbft.files` has written.
            now: a clock that never goes back, seconds.
        """
        self._program = program
        self._layout = layout
        self._now = now
        self._restarts = Restarts()
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reason = ""
        self._mismatch: list[str] = []
        self._height = ""
        self._is_restart = False
        self.start_count = 0

    @property
    def pid(self) -> int | None:
        """The id of its process and process group, None while it does not run."""
        return None if self._process is None else self._process.pid

    async def run(self) -> None:
        """Keep it running until `stop`; call it from the thread whose end must end it.

        Raises:
            CometBftFailed: consensus failed, its blocks do not fit the ledger, or it ended too often; the message has
                the reason that CometBFT printed.
        """
        while not self._stopping.is_set():
            ending = await self._run_once()
            if self._stopping.is_set():
                return
            if self._is_restart:
                self._is_restart = False
                self.start_count -= 1  # it did not end by itself
                continue
            if self._mismatch:
                raise CometBftFailed(
                    f"the ledger and CometBFT's blocks do not belong together: {' '.join(self._mismatch)}; one of the "
                    "two was restored, copied or deleted alone, or this node has computed something else: put a whole "
                    "backup in place, or run `bigchaindb drop` and take both from the other nodes again"
                )
            delay_s = self._restarts.after_end(self._now())
            # An error that it printed before it was killed is not the reason.
            reason = _KILLED_WHY if ending == _KILLED else self._reason or "it did not say why"
            if delay_s is None:
                raise CometBftFailed(
                    f"CometBFT ended {FAILURE_COUNT_MAX} times within {FAILURE_WINDOW_S:.0f} s, "
                    f"the last time ({ending}): {reason}"
                )
            _log.warning("CometBFT ended", extra={"how": ending, "reason": reason, "again_in_s": delay_s})
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    async def stop(self) -> None:
        """End it, at the latest after `STOP_S_MAX`, and with it `run`."""
        self._stopping.set()
        if self._process is not None:
            await self._end(self._process)

    async def restart(self) -> None:
        """End it, at the latest after `STOP_S_MAX`; `run` starts it anew at once, with its files as they are then."""
        if self._process is not None:
            self._is_restart = True
            await self._end(self._process)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_S_MAX)
        except TimeoutError:
            _log.warning("CometBFT did not end in time and is killed", extra={"waited_s": STOP_S_MAX})
            self._signal(signal.SIGKILL)
            await process.wait()

    async def _run_once(self) -> str:
        """Run it to its end; return how it ended, in words."""
        self._reason = ""
        self._process = process = await self._start()
        self.start_count += 1
        try:
            _log.info("CometBFT started", extra={"pid": process.pid, "run": self.start_count})
            if self._stopping.is_set():  # since it was about to be started
                return "no run"
            await self._listen(process)
            code = await process.wait()
        finally:
            self._signal(signal.SIGKILL)  # also when the wait was cancelled or failed
            await process.wait()
            self._process = None
        return children.words_for(code)

    async def _start(self) -> asyncio.subprocess.Process:
        command = (str(self._program.absolute()), "start", "--home", str(self._layout.home.absolute()))
        try:
            self._layout.rpc.unlink(missing_ok=True)  # a killed one leaves it, and the next would not start
            return await asyncio.create_subprocess_exec(
                *children.tied(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                env=children.clean_environment(_FOREIGN),
            )
        except OSError as error:
            raise CometBftFailed(f"cannot start CometBFT: {error.strerror}") from error

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Log its output until it closes it.

        Raises:
            CometBftFailed: it printed that consensus failed.
        """
        assert process.stdout is not None
        lines = Lines()
        while piece := await process.stdout.read(READ_BYTES):
            for raw in lines.feed(piece):
                self._take(understand(raw))

    def _take(self, line: Line) -> None:
        line.log(is_stopping=self._stopping.is_set() or self._is_restart)
        self._height = line.fields.get("height", self._height)
        if line.is_failure:
            # It would go on running and never vote again; started anew it would fail the same way.
            where = f" at height {self._height}" if self._height else ""
            raise CometBftFailed(f"CometBFT no longer takes part in consensus{where}: {line.text}")
        if line.is_mismatch or (0 < len(self._mismatch) < MISMATCH_LINES and not line.is_document):
            self._mismatch.append(line.text)
        if line.tells_why:
            self._reason = line.text

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to its process group, if it is there."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
