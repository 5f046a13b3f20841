"""What a crash test found, and what the plugin's author should do about it.

Source: promises P2, P3 and P6 in docs/reference/promises.md.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bigchaindb.simulated.victim import Killed
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT, NEXT_GET

SHOWN_COUNT: Final = 10
"""Positions that a message names."""

_REFUSE: Final = (
    "Have the sink refuse an id that it holds, in the one statement that writes the row: event.id as the primary key, "
    "and INSERT … ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, kw_only=True)
class CrashReport:
    """What a crash test found. Positions are numbers of events in the log.

    Attributes:
        seed: makes the same chain again, and draws kills and parked events in the same way.
        kills: how often the process was killed.
        ends: how often it ended by itself before all was done.
        expected: what the sink must hold, ascending.
        held: what it holds, in its order.
        delivered: how often each event was handed to the plugin.
        killed: where and at which moment each kill came, in order.
        parked: events that were set aside before the plugin saw them, and came back when all else was done.
        acknowledge: when an event is done, as the plugin has it.
        ack_lag: the plugin's.
        failure: what kept the plugin from going through the whole log; "" if nothing.
        warning: the node's warning about events kept after asking for the next; "" if none.
        strange: what the sink returned that is no event of the log.
    """

    seed: int
    kills: int
    ends: int
    expected: tuple[int, ...]
    held: tuple[int, ...]
    delivered: Mapping[int, int]
    killed: tuple[Killed, ...] = ()
    parked: tuple[int, ...] = ()
    acknowledge: str = NEXT_GET
    ack_lag: int = 0
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
        """Events that it holds for the first time behind a later one; not parked ones, which come back last."""
        highest, found = 0, []
        for position in dict.fromkeys(self.held):
            if position in self.parked:
                continue
            if position < highest:
                found.append(position)
            highest = max(highest, position)
        return tuple(found)

    def assert_at_least_once(self) -> None:
        """Require every event to be there, and none more often than it was delivered.

        Raises:
            AssertionError: names what is wrong and what to do about it.
        """
        problems = [*self._failures(), *self._losses()]
        self._require_none(problems)

    def assert_in_order(self) -> None:
        """Require events to come in the log's order; repeats of earlier ones may stand between them, parked ones later.

        Raises:
            AssertionError: names what is wrong and what to do about it.
        """
        problems = [*self._failures()]
        if self.out_of_order:
            problems.append(
                f"out of order: {shown(self.out_of_order)} came after a later event. One thread that writes each "
                "event before it asks for the next keeps the order; threads and pools do not"
            )
        self._require_none(problems)

    def assert_exactly_once(self) -> None:
        """Require every event to be there once.

        Raises:
            AssertionError: names what is wrong and what to do about it.
        """
        problems = [*self._failures(), *self._losses()]
        if repeated := [position for position in self.repeated if position not in self.unexplained]:
            problems.append(
                f"repeated: {shown(repeated)}. Their process was killed after the write and before the event counted "
                f"as done, so they came again (P6). {_REFUSE}. Passing over all up to the last position would lose "
                "events that were parked and come back"
            )
        self._require_none(problems)

    def _require_none(self, problems: Sequence[str]) -> None:
        if problems:  # raised, not asserted: pytest rewrites our asserts, and would append the list of problems
            raise AssertionError(self._message(problems))

    def _failures(self) -> Iterator[str]:
        if self.failure:
            yield f"the plugin did not get through: {self.failure}"
        if self.warning:
            yield f"the node warned: {self.warning}"
        if self.strange:
            yield (
                f"read_sink returned entries that are no events of this log: {self.strange[:SHOWN_COUNT]!r}. It "
                "must return the position or the id of each event, and the sink must be empty before the test"
            )

    def _losses(self) -> Iterator[str]:
        if self.lost and not self.failure:
            yield from self._explained()
        if self.unexplained:
            yield (
                f"doubled: {shown(self.unexplained)} stand in the sink more often than they were delivered: the "
                "plugin itself writes them twice"
            )

    def _explained(self) -> Iterator[str]:
        """Explain each lost event, as far as its deliveries show."""
        counts = {position: self.delivered.get(position, 0) for position in self.lost}
        if never := [position for position, count in counts.items() if not count]:
            yield f"lost: {shown(never)}. They were never delivered: that is a fault of the node, not of the plugin"
        came = [position for position in self.lost if position not in never]
        if any(counts[position] == 1 and position not in self.parked for position in came):
            # What was done too early does not come again; what did come again may have been lost in the same way later.
            yield (
                f"lost: {shown(came)}. They were delivered. {self._done_when()} "
                "If the plugin passes over events on purpose, name them with wanted="
            )
            return
        if again := [position for position in came if position not in self.parked]:
            most = max(counts[position] for position in again)
            yield (
                f"lost: {shown(again)}. They were delivered again after a kill, {most} times at most, and are still "
                "missing: the plugin passed them over, as it had noted them as done apart from the write and before "
                f"it. {_REFUSE}"
            )
        if returned := [position for position in came if position in self.parked]:
            yield (
                f"lost: {shown(returned)}. They were parked and came back after later events, as they do when a person "
                "has them retried, and are still missing. A plugin that passes over all events up to the last position "
                f"(a high-water mark) takes them for written ones. {_REFUSE}"
            )

    def _done_when(self) -> str:
        """Explain when an event counts as done, and what the plugin has to do before."""
        write = "write it where a kill cannot reach it (flush, commit, wait for the answer)"
        if self.acknowledge == EXPLICIT:
            return f'With acknowledge = "explicit" an event counts as done when it is acknowledged: {write} first.'
        if self.acknowledge == DELIVERY:
            return 'With acknowledge = "delivery" a kill loses the event that the plugin works on: leave it out.'
        if self.ack_lag:
            return (
                f"With ack_lag = {self.ack_lag} an event counts as done when so many more were taken: {write} by then."
            )
        return (
            "An event counts as done when the thread that took it asks for the next one: "
            f"{write} before that; if the plugin gathers events, set ack_lag."
        )

    def _message(self, problems: Sequence[str]) -> str:
        tried = f"{len(self.expected)} events, {self.kills} kills, {self.ends} ends of its own, seed {self.seed}"
        lines = [f"crash test ({tried}):", *(f"- {problem}" for problem in problems)]
        if self.killed:
            lines.append(f"killed at (position, moment): {_listed([f'{k.position} {k.moment}' for k in self.killed])}")
        return "\n".join(lines)


def shown(positions: Sequence[int]) -> str:
    """Name positions, and count them where there are many."""
    return _listed([str(position) for position in positions])


def _listed(names: Sequence[str]) -> str:
    named = ", ".join(names[:SHOWN_COUNT])
    return named if len(names) <= SHOWN_COUNT else f"{named} and {len(names) - SHOWN_COUNT} more"
