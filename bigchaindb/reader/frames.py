"""Frames between a node and its reader process: a question goes down, its answer comes up. Pure.

A frame is its length and MessagePack. The node believes its own child, and still bounds and types what it reads.
"""

from struct import Struct as Layout
from typing import Final, TypeAlias

from msgspec import DecodeError, Struct, msgpack

from bigchaindb.config import Limits
from bigchaindb.errors import (
    BigchainDBError,
    HistoryLost,
    MalformedToken,
    SearchTooWide,
    StoreDamaged,
    StoreError,
)
from bigchaindb.store import holdings
from bigchaindb.store.candidates import History
from bigchaindb.store.finding import Words
from bigchaindb.store.holdings import OutputPage
from bigchaindb.store.lists import Bounds, ListRequest, Piece
from bigchaindb.store.pages import PAGE_BYTES_MAX
from bigchaindb.streams import cloud_events

HEAD: Final = Layout("<I")
"""Begins a frame: the bytes of the rest."""
OUTPUT_BYTES: Final = 128
"""Of an element of a list of outputs, or what stands between two bodies."""
ENVELOPES: Final = 4
"""Bytes of CloudEvents for each byte of events: a small transaction takes twice as much in an envelope of its own."""
OTHER_BYTES_MAX: Final = 64 * 1024
"""Of an answer beside its elements and the numbers of what follows: an error, with a traceback perhaps."""


NOW: Final = "now"
"""The place behind the last event, as `before` names it."""


class FrameError(Exception):
    """A frame is not what it must be."""


class Start(Struct, frozen=True):
    """What a reader process begins with.

    Attributes:
        ledger: path of the file.
        chain_id: begins the id of every event.
        bounds: of each step of a list.
        time_s_max: of each question; twice that is the node's patience.
        scan_s_max: of a scan for newest events, which then says how far it looked.
    """

    ledger: str
    chain_id: str
    bounds: Bounds
    time_s_max: float
    scan_s_max: float = 0.25


class EventPage(Struct, tag=True, frozen=True, array_like=True, kw_only=True):
    """The next CloudEvents of a client that asks for one page at a time.

    Attributes:
        members: arguments of the query that make a selection; none selects all.
        types: see `Choice`.
        each_transaction: see `Choice`.
        is_summary: see `Choice`.
        after: a token, None for the beginning of the log.
        before: a token or `NOW`: the newest events before that place come first; None: the oldest behind `after`.
        history: of the asset or else of the owner that the members name, for `before`.
        is_count: whether the events are to be counted alone, for `before`.
        head: the last durable position.
        count_max: most CloudEvents.
        bytes_max: most bytes of events, except for a single one that is larger.
    """

    members: dict[str, str]
    types: int
    each_transaction: bool
    is_summary: bool = False
    after: str | None
    before: str | None = None
    history: History | None = None
    is_count: bool = False
    head: int
    count_max: int
    bytes_max: int

    @property
    def is_scan(self) -> bool:
        """Whether it may take as long as a scan may."""
        return self.before is not None and bool(self.members) and self.history is None


class Page(Struct, tag=True, frozen=True, array_like=True):
    """The answer to a client as JSON."""

    body: bytes


def page_of(piece: cloud_events.Piece, head: int) -> Page:
    """Return a piece of the log, whose last durable position was `head`, as a page."""
    is_at_head = b"true" if piece.place.position >= head else b"false"
    envelopes = b",".join(item.envelope for item in piece.items)
    return Page(b'{"events":[%b],"head":%b,"next":"%b"}\n' % (envelopes, is_at_head, piece.token.encode()))


class Failed(Struct, tag=True, frozen=True, array_like=True):
    """A question without an answer: the class of the error, its message, and what else it is made of."""

    error: str
    message: str
    details: tuple[str, str] = ("", "")


Question: TypeAlias = ListRequest | EventPage | holdings.Outputs | holdings.Sums | Words
Answer: TypeAlias = Piece | Page | OutputPage

_ERRORS: Final = {one.__name__: one for one in (SearchTooWide, StoreError, MalformedToken)}
_encode: Final = msgpack.Encoder().encode
_question: Final[msgpack.Decoder[Question]] = msgpack.Decoder(Question)
_answer: Final[msgpack.Decoder[Answer | Failed]] = msgpack.Decoder(Answer | Failed)


def frame(value: Question | Answer | Failed) -> bytes:
    """Return the frame of a question or an answer."""
    payload = _encode(value)
    return HEAD.pack(len(payload)) + payload


def question_of(payload: bytes) -> Question:
    """Return the question of a frame without its head."""
    return _question.decode(payload)


def answer_of(payload: bytes | bytearray) -> Answer:
    """Return the answer of a frame without its head.

    Raises:
        StoreError, EventError: the question has none; of the class that the reader process met.
        FrameError: it is no answer.
    """
    try:
        answer = _answer.decode(payload)
    except DecodeError as error:
        raise FrameError(str(error)) from error
    if not isinstance(answer, Failed):
        return answer
    one, other = answer.details
    if answer.error == StoreDamaged.__name__:
        raise StoreDamaged(answer.message, table=one, row=other)
    if answer.error == HistoryLost.__name__:
        raise HistoryLost(int(one), int(other))
    raise _ERRORS.get(answer.error, StoreError)(answer.message)


def failed(error: BigchainDBError) -> Failed:
    """Return what is answered to a question that met an error."""
    match error:
        case StoreDamaged():
            details = error.table, error.row
        case HistoryLost():
            details = str(error.position), str(error.head)
        case _:
            details = "", ""
    return Failed(type(error).__name__, str(error), details)


def answer_bytes_max(bounds: Bounds, limits: Limits) -> int:
    """Return the most bytes of an answer: a page of bodies, one body, or a page of outputs or events; what follows."""
    elements = max(PAGE_BYTES_MAX, limits.block_bytes_max) + OUTPUT_BYTES * bounds.row_count_max
    elements = max(elements, holdings.ANSWER_BYTES_MAX + limits.body_bytes_max)
    events = ENVELOPES * max(limits.event_page_bytes_max, limits.event_bytes_max)
    return max(elements + 8 * bounds.match_count_max, events) + OTHER_BYTES_MAX
