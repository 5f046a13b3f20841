"""Pages of the newest events, as `before` asks for them: one walk down the log each."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from bigchaindb.errors import HistoryLost, StoreDamaged
from bigchaindb.eventlog import token
from bigchaindb.eventlog.selection import Selection
from bigchaindb.ledger.effects import NO_DIGEST
from bigchaindb.reader.frames import NOW, EventPage, Page
from bigchaindb.store.downwards import Cut, Walk, Wanted, take
from bigchaindb.store.log import Log
from bigchaindb.store.rejected import RejectedLog
from bigchaindb.store.selecting import Filter
from bigchaindb.streams.cloud_events import Choice, message_of, rejected_message, token_of


class Places(NamedTuple):
    """Between which places newest events are asked for.

    Attributes:
        after: a token, None for the beginning of the log.
        before: a token or `NOW`.
        head: the last durable position.
    """

    after: str | None
    before: str
    head: int


def read_newest(log: Log, chain_id: str, choice: Choice, asked: EventPage, is_late: Callable[[], bool]) -> Page:
    """Return the newest events before a place, or how many there are.

    Args:
        log: of this node.
        chain_id: of the ledger.
        choice: of the client.
        asked: its places and bounds; `before` is one of them.
        is_late: whether a scan is to stop.

    Raises:
        MalformedToken: a place is no token.
        HistoryLost: a token is of another log.
        StoreDamaged: the first event is not what was written.
    """
    assert asked.before is not None, asked
    high = Cut(asked.head) if asked.before == NOW else _cut(log, chain_id, asked.before, asked.head)
    low = Cut(0) if asked.after is None else _cut(log, chain_id, asked.after, asked.head)
    filter_ = Filter(choice.selection, choice.types)
    wanted = Wanted(filter_, choice.each_transaction, choice.is_summary, asked.history)
    with log.reading() as connection:
        walk = Walk(connection, wanted, high, low, is_late)
        if asked.is_count:
            return Page(_count(log, chain_id, walk))
        taken = take(walk, asked.count_max, asked.bytes_max)
    live = token_of(log, chain_id, *high) if asked.before == NOW else asked.before
    envelopes = (message_of(record, index, chain_id, choice).envelope for record, index in taken.found)
    return _page(envelopes, token_of(log, chain_id, *taken.cut), live, is_end=taken.is_end)


def read_newest_rejected(
    log: RejectedLog, name: str, selection: Selection | None, places: Places, *, count_max: int, bytes_max: int
) -> Page:
    """Return the newest rejected transactions before a place.

    Args:
        log: of this node.
        name: of the log.
        selection: of the client.
        places: between which they lie, and the last durable position.
        count_max: most of them.
        bytes_max: most bytes of them, except for a single one that is larger.

    Raises:
        MalformedToken: a place is no token.
        HistoryLost: a token is of another log, or its row has gone for newer ones.
        StoreDamaged: the first row is not what was written.
    """
    high = places.head if places.before == NOW else _cut(log, name, places.before, places.head).position
    low = 0 if places.after is None else _cut(log, name, places.after, places.head).position
    records, reached = log.newest(high, low, selection, count_max=count_max, bytes_max=bytes_max)
    live = _token(log, name, high) if places.before == NOW else places.before
    envelopes = (rejected_message(record, name).envelope for record in records)
    return _page(envelopes, _token(log, name, reached), live, is_end=reached <= max(low, log.first() - 1))


def _token(log: RejectedLog, name: str, position: int) -> str:
    """Return the token of a place; where its row is damaged or has just gone, whoever asks on with it is told so."""
    try:
        return token_of(log, name, position, 0)
    except (HistoryLost, StoreDamaged):
        return token.encode(name, position, token.WHOLE, NO_DIGEST)


def _cut(log: token.Digests, chain_id: str, text: str, head: int) -> Cut:
    return Cut(*token.known(text, log, chain_id, head).place)


def _count(log: Log, chain_id: str, walk: Walk) -> bytes:
    count = walk.count()
    is_end = b"true" if walk.is_over else b"false"
    return b'{"count":%d,"end":%b,"next":"%b"}\n' % (count, is_end, token_of(log, chain_id, *walk.cut).encode())


def _page(envelopes: Iterable[bytes], next_: str, live: str, *, is_end: bool) -> Page:
    end = b"true" if is_end else b"false"
    members = b",".join(envelopes), end, next_.encode(), live.encode()
    return Page(b'{"events":[%b],"end":%b,"next":"%b","live":"%b"}\n' % members)
