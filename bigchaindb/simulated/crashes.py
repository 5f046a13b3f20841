"""Crash tests: a plugin is killed again and again, and what its sink holds is compared with the event log.

`crash_test` runs the plugin in real processes under the real supervisor, each killed by SIGKILL at a moment that the
seed decides, but the last. Then it asks the sink.

Source: promises P2, P3 and P6 in docs/reference/promises.md.
"""

import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from bigchaindb.errors import ConfigurationError
from bigchaindb.eventlog.selection import from_data
from bigchaindb.events import Event, EventTypes
from bigchaindb.simulated.chain import Recipe, read_events
from bigchaindb.simulated.rehearsal import LOOK_S, Rehearsal, rehearse
from bigchaindb.simulated.victim import (
    Kill,
    Moment,
    delivery_counts,
    kill_count,
    wants,
    warnings,
    write_plan,
)
from bigchaindb.store import Log
from bigchaindb.subscribers.plugins import find

KILLS_MAX: Final = 100_000
BASE_S: Final = 60.0
"""Time for a crash test, and for each kill `KILL_S` more: a new process is there within half a second."""
KILL_S: Final = 3.0
FAILURES_MAX: Final = 5
"""So many ends of the plugin's own without progress between them are a failure, and end the test."""
SHOWN_COUNT: Final = 10
"""Positions that a message names."""

_NAME: Final = "crash-test"
_MODULE: Final = "bigchaindb_crash_test"
_OURS: Final = "killed by SIGKILL"

Wanted = Callable[[Event], bool]
ReadSink = Callable[[], Iterable[int | str]]


@dataclass(frozen=True, kw_only=True)
class CrashReport:
    """What a crash test found. Positions are numbers of events in the log.

    Attributes:
        seed: gives the same chain and the same kills again.
        kills: how often the process was killed.
        ends: how often it ended by itself before all was done.
        expected: what the sink must hold, ascending.
        held: what it holds, in its order.
        delivered: how often each event was handed to the plugin.
        failure: what kept the plugin from going through the whole log; "" if nothing.
        warning: what the node said about events kept after asking for the next; "" if nothing.
        strange: what the sink gave that is no event of the log.
    """

    seed: int
    kills: int
    ends: int
    expected: tuple[int, ...]
    held: tuple[int, ...]
    delivered: Mapping[int, int]
    failure: str = ""
    warning: str = ""
    strange: tuple[int | str, ...] = ()

    @property
    def lost(self) -> tuple[int, ...]:
        """Events that the sink does not hold."""
        return tuple(sorted({*self.expected} - {*self.held}))

    @property
    def repeated(self) -> tuple[int, ...]:
        """Events that it holds more than once."""
        return tuple(sorted(position for position, count in Counter(self.held).items() if count > 1))

    @property
    def unexplained(self) -> tuple[int, ...]:
        """Events that it holds more often than they were delivered: no kill is to blame for that (P6)."""
        counts = Counter(self.held)
        return tuple(p for p in self.repeated if counts[p] > self.delivered.get(p, 0))

    @property
    def out_of_order(self) -> tuple[int, ...]:
        """Events that it holds for the first time behind a later one."""
        first = dict.fromkeys(self.held)
        highest, found = 0, []
        for position in first:
            if position < highest:
                found.append(position)
            highest = max(highest, position)
        return tuple(found)

    def assert_at_least_once(self) -> None:
        """Require every event to be there, and none more often than it was delivered.

        Raises:
            AssertionError: says what is wrong and what to do about it.
        """
        problems = [*self._failures(), *self._losses()]
        assert not problems, self._message(problems)

    def assert_in_order(self) -> None:
        """Require events to come in the log's order; repeats of earlier ones may stand between them.

        Raises:
            AssertionError: says what is wrong and what to do about it.
        """
        problems = [*self._failures()]
        if self.out_of_order:
            problems.append(
                f"out of order: {_shown(self.out_of_order)} came after a later event. One thread that writes each "
                "event before it asks for the next keeps the order; threads and pools do not"
            )
        assert not problems, self._message(problems)

    def assert_exactly_once(self) -> None:
        """Require every event to be there once.

        Raises:
            AssertionError: says what is wrong and what to do about it.
        """
        problems = [*self._failures(), *self._losses()]
        if repeated := [position for position in self.repeated if position not in self.unexplained]:
            problems.append(
                f"repeated: {_shown(repeated)}. Their process was killed after the write and before the event counted "
                "as done, so they came again (P6). Keep the position in the sink, in the same transaction as the "
                "rows, and pass over events up to it; or let the sink refuse an id that it has"
            )
        assert not problems, self._message(problems)

    def _failures(self) -> Iterator[str]:
        if self.failure:
            yield f"the plugin did not get through: {self.failure}"
        if self.warning:
            yield f"the node warned: {self.warning}"
        if self.strange:
            yield (
                f"read_sink gave what is no event of this log: {self.strange[:SHOWN_COUNT]!r}. It must give the "
                "position or the id of each event, and the sink must be empty before the test"
            )

    def _losses(self) -> Iterator[str]:
        if self.lost and not self.failure:
            never = [position for position in self.lost if not self.delivered.get(position)]
            yield (
                f"lost: {_shown(self.lost)}. "
                + (f"Of these {_shown(never)} were never delivered. " if never else "They were delivered. ")
                + "An event counts as done when the thread that took it asks for the next one, so write it where a "
                "kill cannot reach it (flush, commit, wait for the answer) before that; if the plugin gathers "
                "events, set ack_lag. If it passes over events on purpose, say which with wanted="
            )
        if self.unexplained:
            yield (
                f"doubled: {_shown(self.unexplained)} stand in the sink more often than they were delivered: the "
                "plugin itself writes them twice"
            )

    def _message(self, problems: Sequence[str]) -> str:
        tried = f"{len(self.expected)} events, {self.kills} kills, {self.ends} ends of its own, seed {self.seed}"
        return "\n".join([f"crash test ({tried}):", *(f"- {problem}" for problem in problems)])


def crash_test(
    plugin: str | ModuleType,
    *,
    read_sink: ReadSink,
    blocks: int = 100,
    transactions: int = 2,
    invalid: float = 0.1,
    kills: int = 10,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    wanted: Wanted | None = None,
) -> CrashReport:
    """Run a plugin on generated blocks, kill its process `kills` times, and compare its sink with the log.

    Call it from the main thread of an ordinary, not an asynchronous test.

    Args:
        plugin: the name of an installed entry point, a module, or `module:object` for what can be imported.
        read_sink: gives what the sink holds, in its order: the position or the id of each event.
        blocks: how many events there are.
        transactions: in each block.
        invalid: which share of the blocks was voted invalid.
        kills: how many processes are killed.
        seed: decides the chain and the kills.
        options: what the plugin's `configure` gets.
        wanted: which events the sink must hold; if None, all that the plugin's `event_types` and `select` let pass.

    Raises:
        ConfigurationError: there is no such plugin, it is none, or it refuses its options.
        StartupError: it cannot be imported.
    """
    if not 0 <= kills <= KILLS_MAX:
        raise ConfigurationError(f"kills: must be 0 to {KILLS_MAX}, found {kills!r}")
    recipe = Recipe(blocks=blocks, transactions=transactions, invalid=invalid, seed=seed)
    with tempfile.TemporaryDirectory(prefix="bigchaindb-") as name:
        folder = Path(name)
        write_plan(folder, _target(plugin), draw_kills(recipe, kills))
        with _installed(folder):
            failure, ends = asyncio.run(_run(folder, recipe, kills, options or {}))
        log = Log(folder / "data" / "ledger.db")
        try:
            events = read_events(log, recipe.chain_id)
        finally:
            log.close()
        is_wanted, delivered = wanted or _chosen(wants(folder)), delivery_counts(folder)
        killed, warning = kill_count(folder), "; ".join(warnings(folder))
    held, strange = _positions(read_sink(), events)
    return CrashReport(
        seed=seed,
        kills=killed,
        ends=ends - killed,
        expected=tuple(event.position for event in events if is_wanted(event)),
        held=held,
        delivered=delivered,
        failure=failure,
        warning=warning,
        strange=strange,
    )


def _target(plugin: str | ModuleType) -> str:
    """Give what an entry point would name."""
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    if ":" not in plugin:
        return find([plugin])[plugin].value
    if EntryPoint.pattern.match(plugin) is None:
        raise ConfigurationError(f"plugin: expected 'module:object', found {plugin!r}")
    return plugin


def _chosen(properties: Mapping[str, Any]) -> Wanted:
    """Give what a plugin's properties let pass."""
    mask = EventTypes.ALL if properties["event_types"] is None else properties["event_types"]
    select = None if properties["select"] is None else from_data(properties["select"], "select")

    def is_chosen(event: Event) -> bool:
        return bool(event.type & mask) and (
            select is None or any(select.matches(one) for one in event.data["transactions"])
        )

    return is_chosen


def draw_kills(recipe: Recipe, count: int) -> list[Kill]:
    """Draw a moment for each kill; they are spread over the whole log."""
    draws = random.Random(f"kills {recipe.seed}")  # noqa: S311 - to be drawn again
    positions = sorted(draws.randint(1, recipe.blocks) for _ in range(count))
    moments = list(Moment)
    return [Kill(draws.choice(moments), position, draws.random()) for position in positions]


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


async def _run(folder: Path, recipe: Recipe, kills: int, options: Mapping[str, Any]) -> tuple[str, int]:
    """Let the plugin go through the log; give why it did not, or "", and how often its process ended."""
    async with rehearse(folder / "data", recipe, _NAME, options, is_whole=True) as rehearsal:
        try:
            async with asyncio.timeout(BASE_S + KILL_S * kills):
                failure = await _until_over(folder, rehearsal, kills)
        except TimeoutError:
            failure = f"not done after {BASE_S + KILL_S * kills:g} s; {_where(rehearsal)}"
        ends = rehearsal.status().start_count - 1
    undone = rehearsal.status().in_hand
    if undone and not failure:
        failure = f"when its queue ended, it did not settle the events {_shown(undone)} within a second"
    return failure, ends


async def _until_over(folder: Path, rehearsal: Rehearsal, kills: int) -> str:
    while not (rehearsal.is_over() and kill_count(folder) >= kills):
        error = rehearsal.errors[-1] if rehearsal.errors else ""
        is_stuck = rehearsal.status().failure_count >= FAILURES_MAX or rehearsal.waits_for_a_person()
        if is_stuck and error not in {"", _OURS}:
            return f"{error}; {_where(rehearsal)}"
        await asyncio.sleep(LOOK_S)
    return ""


def _where(rehearsal: Rehearsal) -> str:
    status = rehearsal.status()
    return f"{status.state} at position {status.position + 1} of {rehearsal.head}"


def _positions(given: Iterable[int | str], events: Sequence[Event]) -> tuple[tuple[int, ...], tuple[int | str, ...]]:
    """Tell events of the log from what is none."""
    known: dict[int | str, int] = {event.id: event.position for event in events}
    known |= {event.position: event.position for event in events}
    given = list(given)
    return tuple(known[one] for one in given if one in known), tuple(one for one in given if one not in known)


def _shown(positions: Sequence[int]) -> str:
    named = ", ".join(map(str, positions[:SHOWN_COUNT]))
    return named if len(positions) <= SHOWN_COUNT else f"{named} and {len(positions) - SHOWN_COUNT} more"
