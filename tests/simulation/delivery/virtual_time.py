"""Time that jumps: an event loop that never waits, and a thread whose work happens when the history says so.

What is no part of the node (the plugins' processes) acts from the `Agenda`, between two turns of the node's loop.
"""

import asyncio
import heapq
import selectors
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from random import Random
from typing import Any, Final, ParamSpec, TypeVar

EPOCH_S: Final = 1_700_000_000.0
TURNS_MAX: Final = 200_000
"""Turns of one node's loop; more of them are a loop that does not end."""

T = TypeVar("T")
P = ParamSpec("P")


class NodeDies(SystemExit):
    """The node's process is killed here. asyncio lets this class of errors through every callback."""


class Stalled(AssertionError):
    """Nothing is left that could happen, and somebody waits."""


class Agenda:
    """The clocks, and what happens outside the node."""

    def __init__(self) -> None:
        self.elapsed_s = 1_000.0
        self.wall_jump_s = 0.0
        self._count = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.elapsed_s

    def monotonic_ns(self) -> int:
        return round(self.elapsed_s * 1e9)

    def now(self) -> float:
        return EPOCH_S + self.elapsed_s + self.wall_jump_s

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        self.at(self.elapsed_s + delay_s, call)

    def at(self, when_s: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (max(when_s, self.elapsed_s), self._count, call))

    def advance(self, limit_s: float | None) -> None:
        """Run the next call that is due, or pass so much time."""
        end_s = None if limit_s is None else self.elapsed_s + limit_s
        if self._due and (end_s is None or self._due[0][0] <= end_s):
            self.elapsed_s, _, call = heapq.heappop(self._due)
            call()
        elif end_s is None:
            raise Stalled
        else:
            self.elapsed_s = end_s


class _Jump(selectors.SelectSelector):
    """A selector that passes time where a real one would wait."""

    def __init__(self, agenda: Agenda) -> None:
        super().__init__()
        self.agenda = agenda
        self.turns_left = TURNS_MAX
        self.dies_in: int | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns_left -= 1
        assert self.turns_left, "the node's loop turns for ever"
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in < 0:
                raise NodeDies
        if timeout is None or timeout > 0:
            self.agenda.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop of one node process."""

    def __init__(self, agenda: Agenda) -> None:
        self._jump = _Jump(agenda)
        super().__init__(self._jump)
        self._clock_resolution = 1e-6
        self.errors: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._jump.agenda.elapsed_s

    def die_in(self, turn_count: int | None) -> None:
        """Raise `NodeDies` after so many turns."""
        self._jump.dies_in = turn_count

    def run_for(self, duration_s: float) -> None:
        self.run_until_complete(asyncio.sleep(duration_s))

    def bury(self) -> None:
        """End what is left of a node that died, where it reaches nothing any more."""
        self._jump.agenda, agenda = Agenda(), self._jump.agenda
        self._jump.agenda.elapsed_s = agenda.elapsed_s
        self.die_in(None)
        self.set_exception_handler(lambda _loop, _context: None)
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.stop()  # what a call that was cut short has left may ask for it as well
        self.run_forever()
        while tasks := [task for task in asyncio.all_tasks(self) if not task.done()]:
            for task in tasks:
                task.cancel()
            self.run_until_complete(asyncio.wait(tasks, timeout=1))
        self.close()

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Do what is for the default executor at once."""
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        future: asyncio.Future[T] = self.create_future()
        future.set_result(func(*args))
        return future

    def _write_to_self(self) -> None:
        """Nobody waits in a selector."""

    def _note(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self.errors.append(f"{context['message']}: {context.get('exception')!r}")


class SimulatedThread(Executor):
    """Does one thing after the other, each some time after it was asked for. Dies with its node."""

    def __init__(self, loop: VirtualLoop, draw: Random) -> None:
        self._loop = loop
        self._draw = draw
        self._work: deque[Callable[[], None]] = deque()
        self.is_dead = False
        self.results: list[object] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        if self.is_dead:
            future.set_exception(OSError("the node is dead"))
            return future

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except NodeDies:
                raise
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it
                future.set_exception(error)
            else:
                self.results.append(result)
                future.set_result(result)

        self._work.append(work)
        if len(self._work) == 1:
            self._loop.call_later(self._delay_s(), self._next)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        while self._work:
            self._work.popleft()()

    def die(self) -> None:
        self.is_dead = True
        self._work.clear()

    def _next(self) -> None:
        if not self._work:
            return
        self._work.popleft()()
        if self._work:
            self._loop.call_later(self._delay_s(), self._next)

    def _delay_s(self) -> float:
        return self._draw.choice((0.0, 0.0, 0.001, 0.005, 0.05))
