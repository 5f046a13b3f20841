"""Pages of the newest events, as `before` asks for them: one walk down the log each."""

from collections.abc import Callable

from bigchaindb.eventlog import token
from bigchaindb.reader.frames import NOW, EventPage, Page
from bigchaindb.store.downwards import Cut, Taken, Walk, Wanted, take
from bigchaindb.store.log import Log
from bigchaindb.store.selecting import Filter
from bigchaindb.streams.cloud_events import Choice, message_of, token_of


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
    return Page(_body(log, chain_id, choice, taken, live))


def _cut(log: Log, chain_id: str, text: str, head: int) -> Cut:
    return Cut(*token.known(text, log, chain_id, head).place)


def _count(log: Log, chain_id: str, walk: Walk) -> bytes:
    count = walk.count()
    is_end = b"true" if walk.is_over else b"false"
    return b'{"count":%d,"end":%b,"next":"%b"}\n' % (count, is_end, token_of(log, chain_id, *walk.cut).encode())


def _body(log: Log, chain_id: str, choice: Choice, taken: Taken, live: str) -> bytes:
    events = b",".join(message_of(record, index, chain_id, choice).envelope for record, index in taken.found)
    is_end = b"true" if taken.is_end else b"false"
    next_ = token_of(log, chain_id, *taken.cut).encode()
    return b'{"events":[%b],"end":%b,"next":"%b","live":"%b"}\n' % (events, is_end, next_, live.encode())
