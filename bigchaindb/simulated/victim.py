"""A plugin that is killed at moments drawn beforehand: what a crash test runs in the plugin's place.

It stands around the plugin under test and kills the whole process by SIGKILL. Killed from outside, the moment between
a write and its acknowledgement would be hit once in a thousand times; from inside each moment can be chosen.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final, NamedTuple

from bigchaindb.events import Event
from bigchaindb.subscribers.plugins import GROUP

PLAN: Final = "plan.json"
"""What is run and the kills, in order; made before the first process."""
RUNS: Final = "runs"
"""A byte for each process whose `run` began."""
DELIVERIES: Final = "deliveries"
"""A line for each event that was handed to the plugin: position and attempt."""
EVENT_TYPES: Final = "event_types"
"""The mask that the plugin asks for."""


class Moment(StrEnum):
    """When a process is killed."""

    STARTED = "started"
    """A drawn time after `run` began."""
    TAKEN = "taken"
    """`get` has taken the event, and the plugin has not seen it."""
    WORKING = "working"
    """A drawn time after the plugin got the event."""
    DONE = "done"
    """The plugin asks for the next event: it is done with this one, and that is not acknowledged."""


class Kill(NamedTuple):
    """One kill.

    Attributes:
        position: of the first event with which it may happen.
        delay_s: the drawn time, for moments that have one.
    """

    moment: Moment
    position: int
    delay_s: float


class Victim:
    """Has every property of the plugin it stands for, and the fate that its folder holds."""

    def __init__(self, folder: str) -> None:
        """Import the plugin that the plan names."""
        self._folder = Path(folder)
        plan = json.loads((self._folder / PLAN).read_bytes())
        self._plugin = EntryPoint("", plan["target"], GROUP).load()
        self._kills: list[list[Any]] = plan["kills"]
        self._kill: Kill | None = None
        self._held = threading.local()
        self._deliveries = _open_for_appending(self._folder / DELIVERIES)
        (self._folder / EVENT_TYPES).write_text(json.dumps(getattr(self._plugin, "event_types", None)))
        if callable(getattr(self._plugin, "run", None)):
            self.run = self._run

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the plugin has
        if name.startswith("_") or name == "run":
            raise AttributeError(name)
        return getattr(self._plugin, name)

    def _run(self, queue: Any) -> object:  # noqa: ANN401 - any queue
        number = self._begin_run()
        if number < len(self._kills):
            moment, position, delay_s = self._kills[number]
            self._kill = Kill(Moment(moment), position, delay_s)
            if self._kill.moment is Moment.STARTED:
                self._kill_soon()
        for method in ("get", "get_many"):  # the queue's other ways to read call these
            setattr(queue, method, self._watched(queue, getattr(queue, method)))
        return self._plugin.run(queue)

    def _begin_run(self) -> int:
        """Write down that a process began; give how many did before."""
        runs = _open_for_appending(self._folder / RUNS)
        os.write(runs, b".")
        count = os.fstat(runs).st_size
        os.close(runs)
        return count - 1

    def _watched(self, queue: Any, take: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ANN401 - any queue
        def taking(*args: Any, **settings: Any) -> Any:  # noqa: ANN401 - as the queue's
            self._asked(queue)
            taken = take(*args, **settings)
            self._took(taken if isinstance(taken, list) else [taken])
            return taken

        return taking

    def _asked(self, queue: Any) -> None:  # noqa: ANN401 - any queue
        """The thread asks for an event: it is done with what it held."""
        kill = self._kill
        if kill is None:
            return
        held = getattr(self._held, "position", 0)
        if (kill.moment is Moment.DONE and held >= kill.position) or queue.empty():
            _kill_process()  # with nothing left to take as well: a kill that waited on would never come

    def _took(self, events: Sequence[Event]) -> None:
        if not events:
            return
        text = "".join(f"{event.position} {event.attempt}\n" for event in events)
        os.write(self._deliveries, text.encode())
        self._held.position = position = events[-1].position
        kill = self._kill
        if kill is None or position < kill.position:
            return
        if kill.moment is Moment.TAKEN:
            _kill_process()
        elif kill.moment is Moment.WORKING:
            self._kill_soon()

    def _kill_soon(self) -> None:
        assert self._kill is not None
        timer = threading.Timer(self._kill.delay_s, _kill_process)
        timer.daemon = True
        timer.start()


def write_plan(folder: Path, target: str, kills: Sequence[Kill]) -> None:
    """Write down what is to be run, and when it is killed."""
    (folder / PLAN).write_text(json.dumps({"target": target, "kills": kills}))


def run_count(folder: Path) -> int:
    """Count the processes whose `run` began."""
    path = folder / RUNS
    return path.stat().st_size if path.exists() else 0


def delivery_counts(folder: Path) -> Mapping[int, int]:
    """Count how often each event was handed to the plugin."""
    counts: dict[int, int] = {}
    path = folder / DELIVERIES
    for line in path.read_text().splitlines() if path.exists() else ():
        position = int(line.split()[0])
        counts[position] = counts.get(position, 0) + 1
    return counts


def event_types(folder: Path) -> int | None:
    """Give the mask that the plugin asks for."""
    mask: int | None = json.loads((folder / EVENT_TYPES).read_bytes())
    return mask


def _open_for_appending(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _kill_process() -> None:
    os.killpg(os.getpid(), signal.SIGKILL)
