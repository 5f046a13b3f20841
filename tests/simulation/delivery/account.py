"""What a plugin is owed and got, kept apart from the code that delivers it: this decides whether a history was right.

It knows the commits, the deliveries, the acknowledgements, what people ordered, and what stands on the disk as parked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from bigchaindb.events import Event
from bigchaindb.subscribers.lane_page import LanePage, Word

SYNC_S: Final = 1.5
"""Progress is written down every second; the work of the lanes' thread takes its time as well."""


class Broken(AssertionError):
    """A promise was not kept."""


def keep(promise: str, is_kept: object, what: str) -> None:
    """Fail if a promise is not kept."""
    if not is_kept:
        raise Broken(f"{promise}: {what}")


@dataclass
class Run:
    """What one process of a plugin got.

    Attributes:
        open: what must come before anything new.
        may: what may come before anything new besides.
        handed: positions beyond it are new.
    """

    epoch: int
    open: set[int]
    may: set[int]
    handed: int
    is_stale: bool = False
    seen: set[int] = field(default_factory=set)
    declined: set[int] = field(default_factory=set)
    last_old: int = 0
    last_new: int = 0


@dataclass
class Account:
    """One plugin's.

    Attributes:
        matches: says of a position of the log whether the plugin is to get it.
        place: positions up to here are not owed.
        given: delivered by a process whose word counts.
        numbers: of the last delivery, by position, since somebody moved the plugin or the power was cut.
        acked: when, by position.
        skipped: by policy.
        discarded: by a person.
        discarding: a person has asked for that, and has no answer.
        listed: set aside, as the disk has it.
        returning: of those, what a person asked for again.
        maybe: what may come again and need not: whether it was dealt with is not known since the node died.
        unlisted: beyond that place: if the node dies on the way there, they come in their turn and stand listed too.
        sought: where a person wanted to go on; until an order is done, or the next process begins, perhaps in vain.
    """

    name: str
    matches: Callable[[int], bool]
    start: str
    place: int | None = None
    given: set[int] = field(default_factory=set)
    handed: int = 0
    numbers: dict[int, int] = field(default_factory=dict)
    acked: dict[int, float] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)
    discarded: set[int] = field(default_factory=set)
    discarding: set[int] = field(default_factory=set)
    listed: set[int] = field(default_factory=set)
    returning: set[int] = field(default_factory=set)
    maybe: set[int] = field(default_factory=set)
    sought: set[int] = field(default_factory=set)
    is_seeking: bool = False
    moves: int = 0
    unlisted: set[int] = field(default_factory=set)
    was_cut_s: float | None = None
    is_gapped: bool = False
    is_other_log: bool = False
    may_skip: bool = False
    run: Run | None = None

    def undone(self, head: int) -> list[int]:
        """Return what is owed, ascending."""
        if self.place is None:
            return sorted(self.returning - self.open_ended)
        past = self.acked.keys() | self.skipped | self.discarded | self.open_ended | (self.listed - self.returning)
        owed = {position for position in self.every(head) if position > self.place and self.matches(position)}
        return sorted((owed - past) | (self.returning - self.open_ended))

    def every(self, head: int) -> Iterable[int]:
        """Return the numbers of all events of the log."""
        return range(1, head + 1)

    def end(self, head: int) -> int:
        """Return the number that comes behind the log's head."""
        return head + 1

    @property
    def open_ended(self) -> set[int]:
        """What may come and need not."""
        return self.maybe | self.discarding

    def check_cursor(self, cursor: int, head: int, where: str) -> None:
        """Compare a cursor with what is not done."""
        if self.place is None or self.sought or self.is_gapped or self.was_cut_s is not None:
            return
        left = [position for position in self.undone(head) if position not in self.returning]
        keep("E6", not left or cursor < left[0], f"{where}: the cursor is {cursor}, and {left[:3]} is not done")

    # Processes

    def begin(self, epoch: int, page: LanePage, head: int) -> Run:
        """A process begins on its page."""
        start, held = page.words[Word.START], page.in_hand()
        if self.run is not None:
            keep("P12", epoch > self.run.epoch, f"epoch {epoch} comes after {self.run.epoch}")
        keep("P8", not self.is_gapped or self.sought, "the lane goes on behind a gap that nobody has seen")
        if start in self.sought and not set(held) - self.returning:
            self.unlisted = {position for position in self.listed if position > start}
            asked_since = self.returning & {*held}  # a node that died within the seek began twice where it leads
            self.move(start)
            self.returning |= asked_since
        if not self.is_seeking:
            self.sought.clear()
        self.is_gapped = self.is_other_log = False
        if self.place is None:
            self.place = self.handed = start
            keep("P2", start == (0 if self.start == "genesis" else head), f"a new plugin begins behind {start}")
        if self.was_cut_s is not None:
            self._resolve_cut(start, held, head)
        unanswered = self.given - self.acked.keys() - self.skipped - self.discarded - self.open_ended
        open_ = (unanswered - self.listed) | (self.returning - self.open_ended)
        self.run = Run(epoch, open_, self.open_ended, self.handed)
        return self.run

    def _resolve_cut(self, cursor: int, held: Iterable[int], head: int) -> None:
        """Of the page only the cursor counts, and of what came back from being set aside what node.db says."""
        assert self.was_cut_s is not None
        for position in sorted(self.acked.keys() & {*held}):
            self._must_be_late(position)
            del self.acked[position]
            self.maybe.add(position)
        lowest = min((p for p in self.undone(head) if p not in self.returning), default=self.end(head))
        keep("E6", cursor < lowest, f"after a power cut the cursor is {cursor}, and {lowest} is not done")
        first = min([lowest, *self.maybe])  # what is not dealt with keeps the cursor, whatever follows it
        passed = [position for position in sorted(self.acked) if cursor < position < first]
        for count in range(len(passed)):  # the cursor passes an event with the last of those up to it
            self._must_be_late(max(passed[: count + 1], key=self.acked.__getitem__))
        for lost in (self.given, self.skipped, self.discarded, self.maybe):
            lost.difference_update([p for p in lost if p > cursor and p not in held])
        self.acked = {position: when_s for position, when_s in self.acked.items() if position <= cursor}
        self.handed = cursor
        self.was_cut_s = None

    def _must_be_late(self, position: int) -> None:
        acked_s, safe_s = self.acked[position], self.was_cut_s
        is_late = safe_s is None or acked_s >= safe_s
        keep("P6", is_late, f"{self.name}: {position}, acknowledged at {acked_s:.3f}, comes again; safe at {safe_s}")

    def deliver(self, run: Run, event: Event) -> None:
        """A process got an event."""
        position = event.position
        keep("P15", self.matches(position), f"{position} is not for this plugin")
        if run.is_stale:
            return
        keep("P12", run is self.run, f"{position} goes to epoch {run.epoch}")
        number = self.numbers.get(position, 0)
        keep("P6", event.attempt > number, f"{position} comes with number {event.attempt} after {number}")
        self.numbers[position] = event.attempt
        if position in self.acked:
            keep("P6", position in run.declined, f"{position} was acknowledged at {self.acked[position]:.3f}")
        is_parked = position in self.listed - self.returning - self.open_ended
        keep(
            "P3",
            not is_parked or position in self.unlisted,
            f"{position} is set aside and comes without anybody's word",
        )
        if position in run.seen:
            keep("P6", position in run.declined, f"{position} comes twice in one run")
        elif position <= run.handed or position in self.returning:
            keep("P6", position in run.open | run.may, f"{position} comes again and was not in hand")
            keep("P3", position > run.last_old, f"{position} comes after {run.last_old} of what was in hand")
            run.last_old = position
        else:
            self._new(run, position)
        run.declined.discard(position)
        run.seen.add(position)
        if position in self.maybe & self.listed:  # it was not dealt with, and may come again
            self.returning.add(position)
        for dealt_with in (self.maybe, self.skipped, self.discarded):
            dealt_with.discard(position)
        self.given.add(position)
        self.handed = max(self.handed, position)

    def _new(self, run: Run, position: int) -> None:
        unseen = (
            run.open - run.seen - self.acked.keys() - self.skipped - self.discarded - (self.listed - self.returning)
        )
        keep("P3", not unseen, f"{position} comes before {sorted(unseen)[:3]} that were in hand")
        after = max(run.handed, run.last_new)
        missed = [p for p in range(after + 1, position) if self.matches(p) and p not in self.listed]
        keep("P3", position > after, f"{position} comes after {after}")
        keep("P3", not missed, f"{position} comes, and {missed[:3]} did not")
        run.last_new = position

    def ack(self, run: Run, positions: Iterable[int], now_s: float) -> None:
        """A process dealt with events."""
        if run.is_stale:
            return
        for position in positions:
            self.acked[position] = now_s
            self.returning.discard(position)

    # The node

    def skip(self, position: int) -> None:
        keep("P2", self.may_skip, f"{position} is skipped against the policy")
        keep("P2", position in self.given, f"{position} is skipped and was never delivered")
        self.skipped.add(position)
        self.returning.discard(position)

    def list(self, rows: dict[int, int | None]) -> None:
        """What is set aside on the disk changed."""
        for position in rows.keys() - self.listed:
            keep("P2", position in self.given, f"{position} is set aside and was never delivered")
            keep("P2", position not in self.acked, f"{position} is set aside and was acknowledged")
        self.listed = set(rows)
        asked = {position for position, epoch in rows.items() if epoch is not None}
        self.returning = asked - self.skipped - self.discarded - self.acked.keys()

    def move(self, place: int) -> None:
        """A person has said where to go on."""
        self.moves += 1
        self.place = self.handed = place
        self.was_cut_s = None
        # What stays set aside, at or before the place, is numbered on.
        self.numbers = {
            position: number
            for position, number in self.numbers.items()
            if position in self.listed and position <= place
        }
        for known in (self.given, self.skipped, self.discarded, self.maybe):
            known.clear()
        self.acked = {}
        self.returning.clear()

    def node_died(self, *, safe_s: float | None) -> None:
        """The node is gone, with whatever it had not written down; the page too if `safe_s` is not None."""
        self.is_gapped = self.is_other_log  # a hole is found again by whoever reads on
        self.maybe |= self.skipped | self.discarding
        self.skipped, self.discarding = set(), set()
        if safe_s is not None:
            self.numbers.clear()
        if safe_s is not None and (self.was_cut_s is None or safe_s < self.was_cut_s):
            self.was_cut_s = safe_s
