"""The machine as lanes use it, besides files: clocks, chance, one thread, and processes."""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeAlias, TypeVar

from bigchaindb.eventlog import facts
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.host_process import HostProcess

T = TypeVar("T")
P = ParamSpec("P")


class Host(Protocol):
    """A plugin's process, as its lane holds it; `HostProcess` says more of each."""

    ended: asyncio.Event

    @property
    def pid(self) -> int | None:
        """The process's id, once it is known."""
        ...

    def nudge(self) -> None:
        """Wake the process, which then reads the lane page."""
        ...

    def answer(self, answer: facts.Answer) -> None:
        """Send an answer."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


StartHost: TypeAlias = Callable[[wire.Launch, Callable[[wire.Report], None], Callable[[str], None]], Host]
"""Takes the arguments of `HostProcess`."""


def one_thread() -> Executor:
    """Return a thread that does one thing after the other."""
    return ThreadPoolExecutor(1, thread_name_prefix="bigchaindb-lanes")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine as it is; a simulation has another.

    Attributes:
        start_host: starts a plugin's process.
        start_thread: returns the executor that works on files and databases, in order.
        now: Unix seconds.
        monotonic_ns: the clock that lane pages know, of all processes alike.
        draw: returns the jitter of a wait, uniform in [0, 1).
    """

    start_host: StartHost = HostProcess
    start_thread: Callable[[], Executor] = one_thread
    now: Callable[[], float] = time.time
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    draw: Callable[[], float] = random.random


async def in_thread(thread: Executor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of `work`, done by the thread in its turn."""
    return await asyncio.get_running_loop().run_in_executor(thread, lambda: work(*args, **kwargs))
