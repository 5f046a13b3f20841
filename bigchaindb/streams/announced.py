"""A decision as it is announced, read as the log is that it has just become part of: the same bytes, and no read.

A client at the head has seen all before it, so the pieces of its choice can be made of the announced effects. Decisions
0078 and 0086. Pure.
"""

from collections.abc import Sequence

from bigchaindb.eventlog.selection import Selection
from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.effects import Effects, Logged, LoggedEvent
from bigchaindb.ledger.ports import Record
from bigchaindb.ledger.summaries import summary_of_logged
from bigchaindb.streams.cloud_events import document_of


class Announced:
    """The part of `bigchaindb.ledger.ports.LogReader` that `cloud_events` reads by, over the events of one decision.

    Attributes:
        positions: of the events, ascending.
        bytes_count: of their transactions.
    """

    def __init__(self, effects: Effects) -> None:
        """Read the events that `effects` log."""
        self._logged = {one.event.position: one for one in effects.logged}
        self.positions = tuple(self._logged)
        self.bytes_count = sum(len(body) for one in effects.logged for body in one.block.transactions)

    def entry(self, position: int) -> LoggedEvent | None:
        """See `LogReader`."""
        one = self._logged.get(position)
        return None if one is None else one.event

    def selected(
        self,
        after: int,
        through: int,
        selection: Selection | None,
        *,
        types: int = -1,
        count_max: int,  # noqa: ARG002 - one event is always allowed
        bytes_max: int,  # noqa: ARG002 - as above
    ) -> tuple[list[Record], int]:
        """See `LogReader`; it reads one event."""
        one = self._next(after, through)
        event = one.event
        if not event.type & types or not _matches(one, selection):
            return [], event.position
        body = event_body(one.block, event.reason, body_omitted=one.body_omitted)
        return [_record(one, body)], event.position

    def summaries(
        self,
        after: int,
        through: int,
        *,
        types: int = -1,
        count_max: int,  # noqa: ARG002 - as above
        bytes_max: int,  # noqa: ARG002 - as above
    ) -> tuple[list[Record], int]:
        """See `LogReader`; it reads one event."""
        one = self._next(after, through)
        records = [_record(one, summary_of_logged(one))] if one.event.type & types else []
        return records, one.event.position

    def _next(self, after: int, through: int) -> Logged:
        assert after < through, (after, through)
        return self._logged[after + 1]


def _record(one: Logged, body: bytes) -> Record:
    event, time = one.event, one.block.header.timestamp
    return Record(event.position, event.type, event.height, time, event.digest, body)


def _matches(one: Logged, selection: Selection | None) -> bool:
    if selection is None:
        return True
    # A rejected proposal's transactions stand there as they were received, so needles prove nothing about them.
    needles = selection.needles if one.event.type & EventTypes.BLOCK_VALID else ()
    return any(_is_match(body, selection, needles) for body in one.block.transactions)


def _is_match(body: bytes, selection: Selection, needles: Sequence[Sequence[bytes]]) -> bool:
    if not all(any(needle in body for needle in group) for group in needles):
        return False
    document = document_of(body)
    return isinstance(document, dict) and selection.matches(document)
