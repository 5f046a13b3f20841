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
from time import monotonic
from typing import Any, Final, NamedTuple

from bigchaindb.events import Event
from bigchaindb.subscribers.plugins import GROUP

PLAN: Final = "plan.json"
"""What is run and the kills, in order; made before the first process."""
KILLS: Final = "kills"
"""A byte for each process that was killed."""
DELIVERIES: Final = "deliveries"
"""A line for each event that was handed to the plugin: position and attempt."""
WANTS: Final = "wants.json"
"""The mask and the selection that the plugin asks for."""
WARNINGS: Final = "warnings"
"""A line for each thing that the queue would have the node say to the author."""
IDLE_S: Final = 0.2
"""A process that is to be killed and has not taken an event by then has none to take."""
DELAY_S_MIN: Final = 1e-5
DELAY_S_MAX: Final = 1e-2
"""A process is killed so soon after its `run` began; each order of magnitude is as likely."""


class Moment(StrEnum):
    """When a process is killed."""

    STARTED = "started"
    """Soon after `run` began."""
    TAKEN = "taken"
    """`get` has taken the event, and the plugin has not seen it."""
    WORKING = "working"
    """Somewhere in the time that the plugin takes for an event, as it took for the one before."""
    DONE = "done"
    """The plugin asks for the next event, or acknowledges this one: it is done, and that is not known yet."""


class Kill(NamedTuple):
    """One kill.

    Attributes:
        position: of the first event with which it may happen.
        draw: uniform in [0, 1): when exactly, where that is to be drawn.
    """

    moment: Moment
    position: int
    draw: float


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
        self._work_s: float | None = None
        self._has_taken = False
        self._dying = threading.Lock()
        self._deliveries = _open_for_appending(self._folder / DELIVERIES)
        if callable(getattr(self._plugin, "run", None)):
            self.run = self._run

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the plugin has
        if name.startswith("_") or name == "run":
            raise AttributeError(name)
        return getattr(self._plugin, name)

    def _run(self, queue: Any) -> object:  # noqa: ANN401 - any queue
        wants = {name: getattr(self._plugin, name, None) for name in ("event_types", "select")}
        (self._folder / WANTS).write_text(json.dumps(wants))
        self._watch(queue)
        number = kill_count(self._folder)
        if number < len(self._kills):
            moment, position, draw = self._kills[number]
            self._kill = Kill(Moment(moment), position, draw)
            self._start_timer(IDLE_S, self._kill_if_idle)
            if self._kill.moment is Moment.STARTED:
                self._kill_in(DELAY_S_MIN * (DELAY_S_MAX / DELAY_S_MIN) ** draw)
        try:
            returned = self._plugin.run(queue)
        finally:
            self._take_warnings()
        self._is_done(getattr(self._held, "position", 0))
        return returned

    def _watch(self, queue: Any) -> None:  # noqa: ANN401 - any queue
        """See each event that is taken, each that is acknowledged, and each warning."""
        self._take_warnings = self._recorded(queue.warnings)
        queue.warnings = self._take_warnings
        for method in ("get", "get_many"):  # the queue's other ways to read call these
            setattr(queue, method, self._taking(queue, getattr(queue, method)))
        for method in ("ack", "ack_through"):
            setattr(queue, method, self._acknowledging(getattr(queue, method)))

    def _taking(self, queue: Any, take: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ANN401 - any queue
        def taking(*args: Any, **settings: Any) -> Any:  # noqa: ANN401 - as the queue's
            self._asked(queue)
            taken = take(*args, **settings)
            self._took(taken if isinstance(taken, list) else [taken])
            return taken

        return taking

    def _acknowledging(self, acknowledge: Callable[[Any], None]) -> Callable[[Any], None]:
        def acknowledging(what: Any) -> None:  # noqa: ANN401 - an event, or a position
            self._is_done(what if isinstance(what, int) else what.position)
            acknowledge(what)

        return acknowledging

    def _recorded(self, warnings: Callable[[], list[str]]) -> Callable[[], list[str]]:
        """Write down what the host takes from the queue to tell the node: it may be killed before it does."""
        file = _open_for_appending(self._folder / WARNINGS)

        def recorded() -> list[str]:
            texts = warnings()
            for text in texts:
                os.write(file, f"{text}\n".encode())
            return texts

        return recorded

    def _asked(self, queue: Any) -> None:  # noqa: ANN401 - any queue
        """The thread asks for an event: it is done with what it held."""
        if (taken_s := getattr(self._held, "taken_s", None)) is not None:
            self._work_s = monotonic() - taken_s
        self._is_done(getattr(self._held, "position", 0))
        # With nothing left to take, a kill that waited on would never come. Before the first event the queue is not
        # asked: it begins to watch for kept events when `get` reads the log, which `empty` would do in its place.
        if self._kill is not None and self._has_taken and queue.empty():
            self._kill_process()

    def _is_done(self, position: int) -> None:
        kill = self._kill
        if kill is not None and kill.moment is Moment.DONE and position >= kill.position:
            self._kill_process()

    def _took(self, events: Sequence[Event]) -> None:
        if not events:
            return
        self._has_taken = True
        text = "".join(f"{event.position} {event.attempt}\n" for event in events)
        os.write(self._deliveries, text.encode())
        self._held.position = position = events[-1].position
        kill = self._kill
        if kill is not None and position >= kill.position:
            if kill.moment is Moment.TAKEN:
                self._kill_process()
            elif kill.moment is Moment.WORKING and self._work_s is not None:
                self._kill_in(kill.draw * self._work_s)
        self._held.taken_s = monotonic()

    def _kill_in(self, delay_s: float) -> None:
        self._start_timer(delay_s, self._kill_process)

    def _kill_if_idle(self) -> None:
        if not self._has_taken:
            self._kill_process()

    def _start_timer(self, delay_s: float, call: Callable[[], None]) -> None:
        timer = threading.Timer(delay_s, call)
        timer.daemon = True
        timer.start()

    def _kill_process(self) -> None:
        self._dying.acquire()  # and never released: two moments may come at once
        self._take_warnings()
        os.write(_open_for_appending(self._folder / KILLS), b".")
        os.killpg(os.getpid(), signal.SIGKILL)


def write_plan(folder: Path, target: str, kills: Sequence[Kill]) -> None:
    """Write down what is to be run, and when it is killed."""
    (folder / PLAN).write_text(json.dumps({"target": target, "kills": kills}))


def kill_count(folder: Path) -> int:
    """Count the processes that were killed."""
    path = folder / KILLS
    return path.stat().st_size if path.exists() else 0


def delivery_counts(folder: Path) -> Mapping[int, int]:
    """Count how often each event was handed to the plugin."""
    counts: dict[int, int] = {}
    path = folder / DELIVERIES
    for line in path.read_text().splitlines() if path.exists() else ():
        position = int(line.split()[0])
        counts[position] = counts.get(position, 0) + 1
    return counts


def wants(folder: Path) -> Mapping[str, Any]:
    """Give `event_types` and `select` as the plugin has them; None stands for all."""
    found: dict[str, Any] = json.loads((folder / WANTS).read_bytes())
    return found


def warnings(folder: Path) -> Sequence[str]:
    """Give what the queue had to say, each once."""
    path = folder / WARNINGS
    return list(dict.fromkeys(path.read_text().splitlines())) if path.exists() else []


def _open_for_appending(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
