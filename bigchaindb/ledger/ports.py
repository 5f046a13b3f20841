"""The ports of a store: what the ledger, the engines, the subscribers and the API call. `bigchaindb.store` fulfils it.

Every method may be called from any thread unless its docstring restricts it. Readers see committed, durable state only
(P4).
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol

from bigchaindb.eventlog.selection import Selection
from bigchaindb.events import Event
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.effects import Effects, LoggedEvent, Tip
from bigchaindb.ledger.proofs.signed_header import SignedHeader
from bigchaindb.ledger.rejections import Rejection
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.view import LoadedView, Needs

REJECTED: Final = 1 << 30
"""The type of records of the node's log of rejected transactions; no event has it."""


class LedgerStore(Protocol):
    """What makes decisions durable and answers the rules."""

    def tip(self) -> Tip:
        """Return the state that the next decision continues from."""
        ...

    def view(self, needs: Needs) -> LoadedView:
        """Load what `needs` names, all of it at one height."""
        ...

    def is_recent(self, transaction_id: str) -> bool:
        """Whether a transaction is known to be one of the newest, whose rows lie in memory: nobody waits for a disk."""
        ...

    def commit(self, effects: Effects) -> None:
        """Write everything in one fsynced batch, or nothing. Called by one thread, the writer, alone.

        Raises:
            StoreFull: there was no room; nothing was written.
        """
        ...

    def tidy(self) -> bool:
        """Do a piece of what is due: a checkpoint, a merge of search segments. Return whether another piece is due.

        Called by the writer once the block was announced, and again until nothing is due or a commit waits.
        """
        ...


class NetworkStore(LedgerStore, Protocol):
    """What the ledger of a network calls besides."""

    def network(self) -> bytes | None:
        """Return the network's state after the last commit that changed it; None where there was no network."""
        ...


class OwnRejections(Protocol):
    """The proposals that this node has voted against. Any thread may ask."""

    def all(self) -> Sequence[Rejection]:
        """Return those that this node may still report, ascending."""
        ...

    def body_of(self, rejection: Rejection) -> tuple[bytes, ...] | None:
        """Return the transactions of the proposal; None if this node does not have them, or they are too large."""
        ...


class Record(NamedTuple):
    """One event of the log with its body: what a subscriber gets.

    Attributes:
        time: the block's timestamp, Unix seconds.
        body: canonical JSON of the superset in blocks-and-votes.md, section 5.1.
    """

    position: int
    type: int
    height: int
    time: int
    digest: bytes
    body: bytes

    def event(self, chain_id: str) -> Event:
        """Return the event as subscribers get it."""
        return Event(
            self.type,
            body=self.body,
            chain_id=chain_id,
            position=self.position,
            height=self.height,
            time=self.time,
        )


class RejectedRow(NamedTuple):
    """A transaction that this node accepted and that turned out to break a rule, as it is recorded.

    Attributes:
        id: of the transaction.
        asset: that it belongs to: of a CREATE its own id.
        error: class of the broken rule.
        message: its text.
        body: canonical bytes of the transaction.
    """

    id: str
    asset: str
    error: str
    message: str
    body: bytes


class Announcement(NamedTuple):
    """The message of the WebSocket stream about one transaction, without its body."""

    transaction_id: str
    asset_id: str
    height: int
    block_id: str


class LogReader(Protocol):
    """The event log as subscribers read it. One instance belongs to one thread."""

    def head(self) -> int:
        """Return the last position, 0 for an empty log."""
        ...

    def records(self, after: int, through: int, *, count_max: int, bytes_max: int) -> list[Record]:
        """Return the events of positions `after` < p ≤ `through`: at least one if any, then up to both bounds."""
        ...

    def selected(
        self,
        after: int,
        through: int,
        selection: Selection | None,
        *,
        types: int = -1,
        count_max: int,
        bytes_max: int,
    ) -> tuple[list[Record], int]:
        """Return the next events that match, and how far the search went: one call reads a bounded piece of the log.

        Whatever the bounds of the calls, together they return the same events (P15): the ones of positions
        `after` < p ≤ `through` of which a transaction matches, rejected proposals included.

        Args:
            after: where to go on; the position that the call before returned.
            through: the last position to read.
            selection: what must match; None and `ALL` are every event.
            types: a mask of `bigchaindb.events.EventTypes`.
            count_max: most events to return, at least 1.
            bytes_max: most bytes of bodies to return, unless the first one alone is larger.

        Returns:
            the events, perhaps none, and the position up to which there is no further one: `after` only if the log
            ends there.

        Raises:
            HistoryLost: a position in between is missing (P8).
        """
        ...

    def summaries(
        self, after: int, through: int, *, types: int = -1, count_max: int, bytes_max: int
    ) -> tuple[list[Record], int]:
        """Return the next events in short: as `selected`, but the body of each is its summary, as `summaries` makes it.

        No body of a valid block is joined for it.
        """
        ...

    def first_at(self, *, height: int | None = None, time: int | None = None) -> int:
        """Return the position of the first event of at least that height and block timestamp, head + 1 if none is.

        A rejected proposal may claim any time, so it counts with that of the valid block before it. One that was made
        for an earlier height than the event before it is passed over.
        """
        ...

    def announcements(self, position: int) -> list[Announcement]:
        """Return an entry for each transaction of the valid block at `position`, in order; [] for an invalid one."""
        ...

    def entry(self, position: int) -> LoggedEvent | None:
        """Return the log row at `position`, or None if there is none."""
        ...

    def close(self) -> None:
        """Close the files; by the thread that the reader belongs to."""
        ...


class Decision(NamedTuple):
    """An event with all that its proof is made of.

    Attributes:
        event: the row of the log.
        body: of the event.
        vote: this node's own v1 vote, JSON bytes.
        proof: made by `network.encode_proof` for a block that a network voted invalid; else empty.
    """

    event: LoggedEvent
    body: bytes
    vote: bytes
    proof: bytes


class Part(NamedTuple):
    """An event, or one transaction of a valid block as an event of its own.

    Attributes:
        record: the event; for a transaction its body is the transaction's.
        number: of the transaction in its block, from 0.
        is_last: whether no other follows it there.
    """

    record: Record
    number: int | None = None
    is_last: bool = True


class ProofSource(Protocol):
    """What a consensus engine keeps of the blocks that it decided. Belongs to the event loop.

    Every method takes the height of a valid block of this ledger, and raises `EngineError` when the engine does not
    answer.
    """

    @property
    def chain_id(self) -> str:
        """The network's, as its validators sign it."""
        ...

    async def header_and_commit(self, height: int) -> SignedHeader:
        """Return the header and the precommits on it."""
        ...

    async def transactions(self, height: int) -> Sequence[bytes]:
        """Return all transactions of the consensus block in its order, the network's own included."""
        ...

    async def validators(self, height: int) -> ValidatorSet:
        """Return the validators of that height."""
        ...


class Queries(Protocol):
    """What the HTTP API looks up; each is a short read."""

    def transaction(self, transaction_id: str) -> bytes | None:
        """Return the canonical bytes of a committed transaction."""
        ...

    def last_of_asset(self, asset_id: str, operation: Literal["CREATE", "TRANSFER"] | None) -> bytes | None:
        """Return the asset's last transaction, or the last of that operation; None if there is none."""
        ...

    def block(self, height: int) -> Block | None:
        """Return the valid block of that height; height 0 is the empty initial block and is not stored."""
        ...

    def block_by_id(self, block_id: str) -> tuple[Block, LoggedEvent] | None:
        """Return a valid or invalid block by its v1 id, and its row in the log."""
        ...

    def vote(self, block_id: str) -> bytes | None:
        """Return this node's own v1 vote on that block, JSON bytes."""
        ...

    def decision(self, block: int | str) -> Decision | None:
        """Return the event about a block: a valid one by its height, any by its v1 id."""
        ...

    def decision_at(self, position: int) -> Decision | None:
        """Return the event of a position."""
        ...

    def event_at(self, position: int) -> Part | None:
        """Return the event of a position with its body."""
        ...

    def event_of_transaction(self, transaction_id: str) -> Part | None:
        """Return the event of a valid block, cut to one transaction; None: no block holds it."""
        ...

    def entry_of_block(self, block_id: str) -> LoggedEvent | None:
        """Return the log row of a valid or invalid block by its v1 id, as `block_by_id` does with the block."""
        ...

    def entry_at_height(self, height: int) -> LoggedEvent | None:
        """Return the log row of the valid block of a height."""
        ...

    def blocks_of_transaction(self, transaction_id: str) -> list[LoggedEvent]:
        """Return the log rows of the valid block that holds the transaction: one or none."""
        ...

    def height(self) -> int:
        """Return the height of the chain; its last blocks may be empty to clients."""
        ...

    def statistics(self) -> dict[str, Any]:
        """Return counts and sizes for people: transactions, blocks, events, bytes on disk."""
        ...

    def interrupt(self) -> bool:
        """End the reads in progress with `StoreError`, and begin no further one; any thread may call it.

        Returns:
            Whether any read may still run; call it again then.
        """
        ...
