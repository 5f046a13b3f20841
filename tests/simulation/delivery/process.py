"""A plugin's process as the history plays it: a real queue on the real page, and a plugin that does what the seed says.

It does what `bigchaindb.subscribers.host` does with its orders, without a process: killed, nothing of it runs any more.
"""

from queue import Empty

from bigchaindb.errors import Closed, HistoryLost, Unavailable
from bigchaindb.eventlog import facts
from bigchaindb.events import Event
from bigchaindb.subscribers.lane_page import Word
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT, NEXT_GET
from tests.simulation.delivery.host import KILLED, SimulatedHost


class SimulatedProcess(SimulatedHost):
    """A plugin in its host: it takes, settles, fails or ends as the draws of the history say."""

    def _step(self) -> None:
        """Do one thing; the process may be killed between any two."""
        if self.is_still or self.queue is None or self.waits:
            return
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                self.release()
                return
        temper = self.temper
        has_something = bool(self.before or self.held)
        if self.chance(temper.dies):
            self._end(KILLED)
        elif self.chance(temper.hangs):
            self.say("hangs")
            self.world.agenda.after(self.world.draw.choice((1.0, 20.0, 3_000.0)), self._soon)
        elif has_something and self.chance(temper.raises):
            self._finish(facts.Raised("ValueError: out of run"), "exit code 1")
        elif self.chance(temper.unavailable):
            self._finish(facts.Raised("Unavailable: the target is down", is_unavailable=True), "exit code 1")
        elif self.chance(temper.returns):
            self._return()
        elif self.held and (self.chance(60) or len(self.held) >= self.orders.window_count):
            self._answer()
            self._soon()
        else:
            self._take()

    def _take(self) -> None:
        assert self.queue is not None
        try:
            if self.temper.batch > 1:
                events = self.queue.get_many(self.temper.batch, timeout=0)
            else:
                events = [self.queue.get_nowait()]
        except Empty:
            events = []
        except Closed:
            self._settle_before()
            self._finish(facts.Returned(), "exit code 0")
            return
        except HistoryLost as error:
            self._settle_before()
            self.say(f"history is lost: {error}")
            self._finish(facts.Lost(str(error)), "exit code 1")
            return
        self._settle_before()
        if not events:
            self._rest()
            return
        self.say(f"gets {[event.position for event in events]}" + (" again" if events[0].attempt > 1 else ""))
        for event in events:
            self.account.deliver(self.run, event)
        positions = [event.position for event in events]
        match self.temper.wants.acknowledge:
            case mode if mode == DELIVERY:
                self._ack(positions)
            case mode if mode == EXPLICIT:
                self.held += events
            case _:
                self.before += positions
        if any(map(self.temper.hates, events)) and self.temper.wants.acknowledge == NEXT_GET:
            self._finish(facts.Raised("ValueError: poison"), "exit code 1")
        else:
            self._soon()

    def _rest(self) -> None:
        """Wait for an event, or for one that comes again; with a lag, return to settle what is kept."""
        assert self.queue is not None
        if self.held:
            self._answer()
            self._soon()
        elif self.before and not self.page.words[Word.CLOSING]:
            self._return()
        else:
            self.waits = True
            if (due_in_s := self.queue.due_in_s()) is not None:
                self.world.agenda.after(due_in_s, self._look)

    def _return(self) -> None:
        assert self.queue is not None
        self.queue.settle()
        if self.temper.wants.acknowledge == NEXT_GET:
            self._ack(self.before)
            self.before = []
        self._finish(facts.Returned(), "exit code 0")

    def _settle_before(self) -> None:
        """Take note of what asking for more has settled."""
        lag = self.temper.wants.ack_lag
        done = self.before[: len(self.before) - lag] if len(self.before) > lag else []
        self._ack(done)
        self.before = self.before[len(done) :]

    def _answer(self) -> None:
        assert self.queue is not None
        event = self.world.draw.choice(self.held)
        draw = self.world.draw
        if self.temper.hates(event) or self.chance(self.temper.nacks):
            self._decline(event)
            error = draw.choice((None, None, Unavailable("down")))
            event.nack(draw.choice((None, 0.0, 0.5, 5.0)), error=error)
        elif self.chance(self.temper.parks):
            self._decline(event)
            event.park("no good")
        elif self.chance(20):
            through = [one for one in self.held if one.position <= event.position]
            self.queue.ack_through(event.position)
            self._ack([one.position for one in through])
            self.held = [one for one in self.held if one not in through]
        else:
            event.ack()
            self._ack([event.position])
            self.held.remove(event)

    def _decline(self, event: Event) -> None:
        self.say(f"declines {event.position}")
        self.held.remove(event)
        self.run.declined.add(event.position)

    def _ack(self, positions: list[int]) -> None:
        if positions:
            self.say(f"acks {positions}")
        self.account.ack(self.run, positions, self.world.agenda.elapsed_s)
