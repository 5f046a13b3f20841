"""Crash tests: a plugin is killed again and again, and what its sink holds is compared with the event log.

`crash_test` runs the plugin in real processes under the real supervisor, each killed by SIGKILL at a moment that was
drawn, but the last. Events are parked on the way, and come back in the end behind later ones. Then it asks the sink.

Source: promises P2, P3 and P6 in docs/reference/promises.md; decision 0026.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from bigchaindb.errors import ConfigurationError
from bigchaindb.eventlog.orders import POSITION_COUNT_MAX
from bigchaindb.eventlog.selection import from_data
from bigchaindb.events import Event, EventTypes
from bigchaindb.simulated.chain import Recipe, read_events
from bigchaindb.simulated.crash_report import CrashReport, shown
from bigchaindb.simulated.rehearsal import FAILURES_MAX, POLL_S, Rehearsal, rehearse
from bigchaindb.simulated.victim import (
    PARKING,
    Kill,
    Moment,
    add_kills,
    delivery_counts,
    kill_count,
    killed,
    let_return,
    wants,
    warnings,
    write_plan,
)
from bigchaindb.simulated.victim import parked as parked_by
from bigchaindb.store import Log
from bigchaindb.subscribers.plugins import NEXT_GET, find

KILLS_MAX: Final = 100_000
BASE_S: Final = 60.0
"""Time for a crash test, and for each kill `KILL_S` more: a new process takes half a second, and a busy machine lets it
wait for several."""
KILL_S: Final = 10.0
PARKED_MAX: Final = POSITION_COUNT_MAX
STALL_S: Final = 30.0
"""A plugin with which nothing happens for so long hangs."""

_NAME: Final = "crash-test"
_MODULE: Final = "bigchaindb_crash_test"
_OURS: Final = frozenset({"", "killed by SIGKILL", PARKING, f"sys.exit({PARKING!r})"})
"""Errors that this test is the cause of."""

Wanted = Callable[[Event], bool]
ReadSink = Callable[[], Iterable[int | str]]


def crash_test(  # noqa: PLR0913 - all but one by keyword, each with a default
    plugin: str | ModuleType,
    *,
    read_sink: ReadSink,
    blocks: int = 100,
    transactions: int = 2,
    invalid: float = 0.1,
    kills: int = 10,
    parked: int = 1,
    seek_kills: int = 0,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    wanted: Wanted | None = None,
) -> CrashReport:
    """Run a plugin on generated blocks, kill its process `kills` times, and compare its sink with the log.

    Events that are parked the plugin does not see until everything else is done: then they are retried, as by a person.

    Call it from the main thread of an ordinary, not an asynchronous test.

    Args:
        plugin: the name of an installed entry point, a module, or `module:object` for what can be imported.
        read_sink: returns what the sink holds, in its order: the position or the id of each event.
        blocks: how many events there are.
        transactions: in each block.
        invalid: which share of the blocks was voted invalid.
        kills: how many processes are killed.
        parked: how many events are parked on the way and come back in the end; 0 leaves all in order.
        seek_kills: how many further processes are killed while all comes again, since a person has sought back to the
            first event when all was done; 0 is no seek.
        seed: decides the chain, which events are parked, and of each kill the kind and the first event that it may
            come with. The instant within the plugin's work is drawn as a share of the time that the work takes.
        options: what the plugin's `configure` gets.
        wanted: which events the sink must hold; if None, all that the plugin's `event_types` and `select` let pass.

    Raises:
        ConfigurationError: there is no such plugin, it is none, or it refuses its options.
        StartupError: it cannot be imported.
    """
    bounds = (("kills", kills, KILLS_MAX), ("parked", parked, PARKED_MAX), ("seek_kills", seek_kills, KILLS_MAX))
    for name, value, most in bounds:
        if not 0 <= value <= most:
            raise ConfigurationError(f"{name}: must be 0 to {most}, found {value!r}")
    recipe = Recipe(blocks=blocks, transactions=transactions, invalid=invalid, seed=seed)
    with tempfile.TemporaryDirectory(prefix="bigchaindb-") as path:
        folder = Path(path)
        write_plan(folder, _target(plugin), draw_kills(recipe, kills), draw_parked(recipe, parked))
        with _installed(folder):
            trial = _Trial(folder, recipe, kills, parked, seek_kills)
            asyncio.run(trial.run(options or {}))
        return _report(folder, trial, recipe, read_sink, wanted)


def _report(folder: Path, trial: "_Trial", recipe: Recipe, read_sink: ReadSink, wanted: Wanted | None) -> CrashReport:
    with closing(Log(folder / "data" / "ledger.db")) as log:
        events = read_events(log, recipe.chain_id)
    properties, kills, parkings = wants(folder), killed(folder), parked_by(folder)
    is_wanted = wanted or _chosen(properties)
    held, strange = _positions(read_sink(), events)
    return CrashReport(
        seed=recipe.seed,
        kills=len(kills),
        ends=max(0, trial.ends - len(kills) - len(parkings)),
        expected=tuple(event.position for event in events if is_wanted(event)),
        held=held,
        delivered=delivery_counts(folder),
        killed=tuple(kills),
        parked=tuple(sorted({*parkings})),
        acknowledge=properties["acknowledge"] or NEXT_GET,
        ack_lag=properties["ack_lag"] or 0,
        failure=trial.failure,
        warning="; ".join(warnings(folder)),
        strange=strange,
    )


def _target(plugin: str | ModuleType) -> str:
    """Return the target as an entry point names it."""
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    if ":" not in plugin:
        return find([plugin])[plugin].value
    if EntryPoint.pattern.match(plugin) is None:
        raise ConfigurationError(f"plugin: expected 'module:object', found {plugin!r}")
    return plugin


def _chosen(properties: Mapping[str, Any]) -> Wanted:
    """Return the filter that a plugin's properties describe."""
    mask = EventTypes.ALL if properties["event_types"] is None else properties["event_types"]
    select = None if properties["select"] is None else from_data(properties["select"], "select")

    def is_chosen(event: Event) -> bool:
        return bool(event.type & mask) and (
            select is None or any(select.matches(one) for one in event.data["transactions"])
        )

    return is_chosen


def draw_kills(recipe: Recipe, count: int, way: str = "") -> list[Kill]:
    """Draw a moment for each kill on a way through the log; they are spread over the whole of it."""
    draws = random.Random(f"kills {recipe.seed}{way}")  # noqa: S311 - to be drawn again
    positions = sorted(draws.randint(1, recipe.blocks) for _ in range(count))
    moments = list(Moment)
    return [Kill(draws.choice(moments), position, draws.random()) for position in positions]


def draw_parked(recipe: Recipe, count: int) -> list[int]:
    """Draw positions from which on an event is parked each, ascending; a last part of the log is left to come after."""
    draws = random.Random(f"parked {recipe.seed}")  # noqa: S311 - to be drawn again
    return sorted(draws.randint(1, max(1, recipe.blocks * 3 // 4)) for _ in range(count))


@contextmanager
def _installed(folder: Path) -> Iterator[None]:
    """Make a package that provides the victim, installed for this process and for those of its supervisor alone."""
    packages = folder / "packages"
    metadata = packages / f"{_MODULE}-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {_MODULE}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[bigchaindb.events]\n{_NAME} = {_MODULE}:victim\n")
    (packages / f"{_MODULE}.py").write_text(
        f"from bigchaindb.simulated.victim import Victim\n\nvictim = Victim({str(folder)!r})\n"
    )
    sys.path.append(str(packages))
    try:
        yield
    finally:
        sys.path.remove(str(packages))


class _Trial:
    """The plugin on its way through the log.

    Attributes:
        failure: why it did not get through; "" if it did.
        ends: how often its process ended.
    """

    def __init__(self, folder: Path, recipe: Recipe, kills: int, parked: int, seek_kills: int = 0) -> None:
        self.failure = ""
        self.ends = 0
        self._folder = folder
        self._recipe = recipe
        self._kills = kills
        self._seek_kills = seek_kills
        self._told = 0
        self._limit_s = BASE_S + KILL_S * (kills + 2 * parked + seek_kills)

    async def run(self, options: Mapping[str, Any]) -> None:
        """Run the plugin through the log, then retry the parked events, then seek back."""
        async with rehearse(self._folder / "data", self._recipe, _NAME, options, is_whole=True) as rehearsal:
            restarts = 0
            try:
                async with asyncio.timeout(self._limit_s):
                    self.failure = await self._until_over(rehearsal)
                    if (positions := parked_by(self._folder)) and not self.failure:
                        let_return(self._folder)
                        await rehearsal.retry(positions)
                        restarts = 1
                        self.failure = await self._until_over(rehearsal)
                    if self._seek_kills and not self.failure:
                        add_kills(self._folder, draw_kills(self._recipe, self._seek_kills, " behind a seek"))
                        self._kills += self._seek_kills
                        await rehearsal.seek("genesis")
                        restarts += 1
                        self.failure = await self._until_over(rehearsal)
            except TimeoutError:
                self.failure = f"not done after {self._limit_s:g} s; {_where(rehearsal)}"
            self.ends = rehearsal.status().start_count - 1 - restarts
        unsettled = rehearsal.status().in_hand
        if unsettled and not self.failure:
            self.failure = f"when its queue ended, it did not settle the events {shown(unsettled)} within a second"

    def _tell(self) -> None:
        """Print each kill on a terminal: with many of them a test takes minutes, and would look as if it hung."""
        if not sys.stderr.isatty():
            return
        for number, (position, moment) in enumerate(killed(self._folder)[self._told :], self._told + 1):
            self._told = number
            sys.stderr.write(f"crash_test: kill {number} of {self._kills}, {moment}, event {position}\n")

    async def _until_over(self, rehearsal: Rehearsal) -> str:
        """Wait until nothing is left to do; return what keeps the plugin from doing it, or ""."""
        while not (rehearsal.is_over() and kill_count(self._folder) >= self._kills):
            self._tell()
            error = rehearsal.errors[-1] if rehearsal.errors else ""
            is_stuck = rehearsal.status().failure_count >= FAILURES_MAX or rehearsal.waits_for_a_person()
            if is_stuck and error not in _OURS:
                return f"{error}; {_where(rehearsal)}"
            if rehearsal.quiet_s() >= STALL_S:
                return f"nothing has happened for {STALL_S:g} s; {_where(rehearsal)}"
            await asyncio.sleep(POLL_S)
        return ""


def _where(rehearsal: Rehearsal) -> str:
    status = rehearsal.status()
    in_hand = "none in hand"
    if status.in_hand:
        in_hand = f"in hand for {status.oldest_s:.0f} s: {shown(status.in_hand)}"
    return f"{status.state}, {status.position} of {rehearsal.head} events settled, {in_hand}"


def _positions(given: Iterable[int | str], events: Sequence[Event]) -> tuple[tuple[int, ...], tuple[int | str, ...]]:
    """Separate the positions of the log's events from entries that are none."""
    known: dict[int | str, int] = {event.id: event.position for event in events}
    known |= {event.position: event.position for event in events}
    given = list(given)
    return tuple(known[one] for one in given if one in known), tuple(one for one in given if one not in known)
