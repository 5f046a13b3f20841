"""A plugin that is killed at moments drawn beforehand: what a crash test runs in the plugin's place.

It stands around the plugin under test and kills the whole process by SIGKILL. Killed from outside, the moment between
a write and its acknowledgement would be hit once in a thousand times; from inside each moment can be chosen.

Besides it has events parked that were drawn, before the plugin sees them: to the plugin they come once all others are
done, as an event does that failed for a while and that a person has retried.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import EntryPoint
from inspect import iscoroutine
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple, NoReturn

from bigchaindb.eventlog import facts
from bigchaindb.events import Event
from bigchaindb.subscribers.plugins import GROUP

PLAN: Final = "plan.json"
"""What is run, the kills and the events to park, in order; made before the first process, and read by each."""
KILLS: Final = "kills"
"""A line for each process that was killed: the position that it took last, and the moment."""
PARKED: Final = "parked"
"""A line for each process that ended to have an event parked: its position."""
RETURNING: Final = "returning"
"""There once parked events are to be passed through."""
DELIVERIES: Final = "deliveries"
"""A line for each event that was handed to the plugin: position and attempt."""
WANTS: Final = "wants.json"
"""The properties of the plugin: which events it asks for, and how it acknowledges."""
WARNINGS: Final = "warnings"
"""A line for each warning to the author that the queue hands to the node."""
IDLE_S: Final = 0.2
"""A process that is to be killed and has not taken an event by then has none to take."""
PARKING: Final = "the crash test has this event parked, to see it come back after later ones"
_WANTED: Final = ("event_types", "select", "acknowledge", "ack_lag")
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


class Killed(NamedTuple):
    """A kill that happened.

    Attributes:
        position: of the event that the process had taken last; 0 if none.
    """

    position: int
    moment: str


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
        self._last_taken = 0
        self._ending = threading.Lock()
        self._leaves = False
        self._parked_draws: list[int] = plan["parked"]
        self._deliveries = _open_for_appending(self._folder / DELIVERIES)
        if callable(getattr(self._plugin, "run", None)):
            self.run = self._run

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the plugin has
        if name.startswith("_") or name == "run":
            raise AttributeError(name)
        return getattr(self._plugin, name)

    def _run(self, queue: Any) -> object:  # noqa: ANN401 - any queue
        wants = {name: getattr(self._plugin, name, None) for name in _WANTED}
        (self._folder / WANTS).write_text(json.dumps(wants))
        self._parked = parked(self._folder)
        self._parks = not (self._folder / RETURNING).exists()
        self._watch(queue)
        number = kill_count(self._folder)
        if number < len(self._kills):
            moment, position, draw = self._kills[number]
            self._kill = Kill(Moment(moment), position, draw)
            self._start_timer(IDLE_S, self._kill_if_idle)
            if self._kill.moment is Moment.STARTED:
                self._kill_in(DELAY_S_MIN * (DELAY_S_MAX / DELAY_S_MIN) ** draw)
        with self._to_its_end():
            returned = self._plugin.run(queue)
        return self._finish(returned) if iscoroutine(returned) else returned

    async def _finish(self, coroutine: Coroutine[Any, Any, object]) -> None:
        with self._to_its_end():
            await coroutine

    @contextmanager
    def _to_its_end(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._take_warnings()
        self._is_done(getattr(self._held, "position", 0))

    def _watch(self, queue: Any) -> None:  # noqa: ANN401 - any queue
        """See each event that is taken, each that is acknowledged, and each warning."""
        self._take_warnings = self._recorded(queue.warnings)
        queue.warnings = self._take_warnings
        for method in ("get", "get_many"):  # the queue's other ways to read call these
            setattr(queue, method, self._taking(queue, getattr(queue, method)))
        for method in ("ack_many", "ack_through"):  # the other ways to acknowledge call these
            setattr(queue.answers, method, self._acknowledging(getattr(queue.answers, method)))

    def _taking(self, queue: Any, take: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ANN401 - any queue
        def taking(*args: Any, **settings: Any) -> Any:  # noqa: ANN401 - as the queue's
            self._asked(queue)
            taken = take(*args, **settings)
            events = taken if isinstance(taken, list) else [taken]
            for event in events if self._parks else ():
                if self._is_to_be_parked(event.position):
                    self._park(queue, event)
            self._took(events)
            return taken

        return taking

    def _acknowledging(self, acknowledge: Callable[[Any], None]) -> Callable[[Any], None]:
        def acknowledging(what: Any) -> None:  # noqa: ANN401 - events, or a position
            for position in [what] if isinstance(what, int) else [event.position for event in what]:
                self._is_done(position)
            acknowledge(what)

        return acknowledging

    def _recorded(self, warnings: Callable[[], list[str]]) -> Callable[[], list[str]]:
        """Write down the warnings that the host takes for the node: it may be killed before it reports them."""
        file = _open_for_appending(self._folder / WARNINGS)

        def recorded() -> list[str]:
            texts = warnings()
            for text in texts:
                os.write(file, f"{text}\n".encode())
            return texts

        return recorded

    def _asked(self, queue: Any) -> None:  # noqa: ANN401 - any queue
        """The thread asks for an event: it is done with what it held."""
        if self._leaves:  # the plugin caught the end, or another thread did it; nothing is settled any more
            raise SystemExit(PARKING)
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
        self._held.position = self._last_taken = position = events[-1].position
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

    def _is_to_be_parked(self, position: int) -> bool:
        """Whether an event was drawn for parking, or parked before and redelivered because the node missed it."""
        draws = self._parked_draws[len({*self._parked}) :]
        return position in self._parked or bool(draws and position >= draws[0])

    def _park(self, queue: Any, event: Event) -> NoReturn:  # noqa: ANN401 - any queue
        """Have the event set aside, and end the process by what no `except Exception` catches.

        The process must end with the event in hand: if the plugin asked for the next one, this one would count as done,
        and be lost if a kill came before the node had written down that it is parked.
        """
        with self._ending:  # no kill from here on
            if self._leaves:  # for an event of another thread; this one comes again
                raise SystemExit(PARKING)
            self._leaves = True
            os.write(_open_for_appending(self._folder / PARKED), f"{event.position}\n".encode())
        # As `event.park` does, which plugins have that acknowledge explicitly.
        queue.answers.report(facts.ParkAsked(event.position, event.attempt, PARKING))
        raise SystemExit(PARKING)

    def _kill_process(self) -> None:
        with self._ending:  # two moments may come at once
            if self._leaves:
                return
            self._take_warnings()
            assert self._kill is not None
            line = f"{self._last_taken} {self._kill.moment}\n"
            os.write(_open_for_appending(self._folder / KILLS), line.encode())
            os.killpg(os.getpid(), signal.SIGKILL)
            threading.Event().wait()  # until the signal has arrived


def write_plan(folder: Path, target: str, kills: Sequence[Kill], parked: Sequence[int] = ()) -> None:
    """Write down what is to be run, when it is killed, and from which positions on an event is parked each."""
    (folder / PLAN).write_text(json.dumps({"target": target, "kills": kills, "parked": [*parked]}))


def add_kills(folder: Path, kills: Sequence[Kill]) -> None:
    """Have further processes killed of those that start from now on."""
    plan = json.loads((folder / PLAN).read_bytes())
    write_plan(folder, plan["target"], [*plan["kills"], *kills], plan["parked"])


def let_return(folder: Path) -> None:
    """Deliver parked events to the plugin from now on."""
    (folder / RETURNING).touch()


def killed(folder: Path) -> Sequence[Killed]:
    """Return the kills that happened, in order."""
    return [Killed(int(position), moment) for position, moment in (line.split() for line in _lines(folder / KILLS))]


def kill_count(folder: Path) -> int:
    """Count the processes that were killed."""
    return len(_lines(folder / KILLS))


def parked(folder: Path) -> Sequence[int]:
    """Return the positions of parked events, one for each process that ended for it."""
    return [int(line) for line in _lines(folder / PARKED)]


def delivery_counts(folder: Path) -> Mapping[int, int]:
    """Count how often each event was handed to the plugin."""
    counts: dict[int, int] = {}
    for line in _lines(folder / DELIVERIES):
        position = int(line.split()[0])
        counts[position] = counts.get(position, 0) + 1
    return counts


def wants(folder: Path) -> Mapping[str, Any]:
    """Return the properties of the plugin, each as it declares it; None for one that it does not have."""
    found: dict[str, Any] = json.loads((folder / WANTS).read_bytes())
    return found


def warnings(folder: Path) -> Sequence[str]:
    """Return the warnings of the queue, each once."""
    return list(dict.fromkeys(_lines(folder / WARNINGS)))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _open_for_appending(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
