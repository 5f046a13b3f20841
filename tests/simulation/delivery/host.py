"""The host of a plugin as the history plays it: its start, its reports and its ends, over the real queue and page."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bigchaindb.eventlog import facts
from bigchaindb.events import Event
from bigchaindb.store import Log
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.queue import LogQueue
from tests.simulation.delivery.account import Account, Run
from tests.simulation.delivery.ledger import HoleyLog, World
from tests.simulation.delivery.temper import Temper

LOOK_S: Final = 15.0
STALE_STEPS: Final = 15
"""What a process still does that its node has left and that another one has replaced."""
KILLED: Final = "killed by SIGKILL"


@dataclass
class Wire:
    """One direction of the socket: later things do not overtake earlier ones."""

    world: World
    free_s: float = 0.0

    def carry(self, call: Callable[[], None]) -> None:
        delay_s = self.world.draw.choice((0.0, 0.0002, 0.001, 0.02))
        self.free_s = max(self.free_s, self.world.agenda.elapsed_s + delay_s)
        self.world.agenda.at(self.free_s, call)


@dataclass(eq=False)
class SimulatedHost:
    """Implements `bigchaindb.subscribers.machine.Host`."""

    world: World
    account: Account
    temper: Temper
    orders: wire.Launch
    on_report: Callable[[wire.Report], None]
    on_exit: Callable[[str], None]
    pid: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_gone: bool = False
    is_frozen: bool = False
    is_orphan: bool = False
    dies_slowly: bool = False

    def __post_init__(self) -> None:
        frame = wire.encode_launch(self.orders)
        self.orders = msgspec.json.decode(frame[wire.LENGTH_BYTES :], type=wire.Launch)
        self.page = LanePage(Path(self.orders.page))
        self.run: Run = self.account.begin(int(self.page.path.suffix[1:]), self.page, self.world.head)
        self.log: Log | None = None
        self.queue: LogQueue | None = None
        self.before: list[int] = []
        self.held: list[Event] = []
        self.unsent: list[wire.Report] = []
        self.inbound, self.outbound = Wire(self.world), Wire(self.world)
        self.waits = self.is_ready = False
        self.is_ending: str | None = None
        self.steps_left: int | None = None
        self.say(f"begins behind {self.page.cursor} with {list(self.page.in_hand())}")
        self.world.agenda.after(self.world.draw.choice((0.01, 0.1, 1.0)), self._load)

    def say(self, line: str) -> None:
        self.world.write(f"{self.account.name}.{self.run.epoch}: {line}")

    # For the supervisor

    def nudge(self) -> None:
        self.inbound.carry(self._look)

    def answer(self, answer: facts.Answer) -> None:
        line = wire.encode_answer(answer)
        self.inbound.carry(lambda: self._answered(wire.decode_answer(line)))

    def kill(self) -> None:
        if self.dies_slowly and not self.is_gone:
            self.dies_slowly, self.is_frozen = False, True
            self.world.agenda.after(self.world.draw.uniform(2, 30), lambda: self._end(KILLED))
        elif not self.is_frozen:
            self.world.agenda.after(self.world.draw.choice((0.0, 0.001, 0.1)), lambda: self._end(KILLED))

    # For the history

    def lose_node(self, *, at_once: bool) -> None:
        """The node has died. Its processes die with it, but for one that the kernel does not get hold of."""
        self.is_orphan = True
        if at_once or self.queue is None:
            self.release()
        else:
            self.is_frozen = True

    def go_on_stale(self) -> None:
        """Another process has the lane now, and this one does not know."""
        if self.is_gone:
            return
        self.run.is_stale, self.is_frozen, self.steps_left = True, False, STALE_STEPS
        self.say("goes on though it was replaced")
        self._soon()

    def release(self) -> None:
        self.is_gone = True
        self.queue = None
        if self.log is not None:
            self.log.close()
            self.log = None
        try:
            len(self.page.words)
        except ValueError:
            return
        self.page.close()

    # Its life

    @property
    def is_still(self) -> bool:
        return self.is_gone or self.is_frozen or self.is_ending is not None

    def chance(self, in_a_hundred: int) -> bool:
        return self.world.draw.randrange(100) < in_a_hundred

    def _load(self) -> None:
        if self.is_still:
            return
        if self.chance(self.temper.dies_early):
            self._end(self.world.draw.choice((KILLED, "exit code 1")))
        elif self.chance(self.temper.refuses):
            self._finish(facts.Refused("it does not like its options", is_configuration=True), "exit code 1")
        elif not self.chance(self.temper.hangs):
            self.is_ready = True
            self._report(facts.Ready())

    def _look(self) -> None:
        if self.is_still or not self.is_ready:
            return
        if self.queue is None:
            if self.page.words[Word.CLOSING]:
                self._end("exit code 0")
                return
            self._open()
        assert self.queue is not None
        if self.page.words[Word.CLOSING]:
            self.queue.close()
        self.queue.wake()
        self.queue.warnings()
        if self.queue.fault() is not None and self.waits:
            self._finish(facts.Lost(str(self.queue.fault())), KILLED)
        self._wake()

    def _open(self) -> None:
        orders = self.orders
        self.log = HoleyLog(Path(orders.ledger), self.world)
        self.queue = LogQueue(
            self.page,
            self.log,
            chain_id=orders.chain_id,
            wants=self.temper.wants,
            window_bytes_max=orders.window_bytes_max,
            attempts=orders.attempts,
            one_at_a_time=orders.one_at_a_time,
            report=self._report,
        )
        self.world.agenda.after(LOOK_S, self._look_again)
        self._soon()

    def _look_again(self) -> None:
        if not self.is_gone:
            self._look()
            self.world.agenda.after(LOOK_S, self._look_again)

    def _answered(self, answer: facts.Answer) -> None:
        if self.is_still or self.queue is None:
            return
        self.queue.answers.decided(answer)
        self._wake()

    def _report(self, report: wire.Report) -> None:
        self.unsent.append(report)
        self.world.agenda.after(self.world.draw.choice((0.0, 0.001, 0.03)), self._flush)

    def _flush(self) -> None:
        if self.is_gone or self.is_orphan:
            return
        unsent, self.unsent = self.unsent, []
        for report in unsent:
            line = wire.encode_report(report)
            self.outbound.carry(partial(self._tell, line))

    def _tell(self, line: bytes) -> None:
        if not self.is_orphan:
            asyncio.get_running_loop().call_soon(self._reported, wire.decode_report(line))

    def _reported(self, report: wire.Report) -> None:
        if not self.is_orphan:
            self.on_report(report)

    def _finish(self, last: wire.Report, how: str) -> None:
        """Send the last report, and end."""
        self.is_ending = how
        self._report(last)
        self.world.agenda.after(0.05, lambda: self._end(how))

    def _end(self, how: str) -> None:
        if self.is_gone:
            return
        self.say(f"ends: {how}")
        self.release()
        self.outbound.carry(lambda: self._exited(how))

    def _exited(self, how: str) -> None:
        if not self.is_orphan:
            asyncio.get_running_loop().call_soon(self._tell_exit, how)

    def _tell_exit(self, how: str) -> None:
        if not self.is_orphan:
            self.ended.set()
            self.on_exit(how)

    def _soon(self) -> None:
        self.waits = False
        self.world.agenda.after(self.world.draw.choice((0.0, 0.001, 0.01, 0.3)), self._step)

    def _wake(self) -> None:
        if self.waits:
            self._soon()

    def _step(self) -> None:
        """Have the plugin do one thing."""
        raise NotImplementedError
