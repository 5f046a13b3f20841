"""What the node holds of an engine: the thing that orders transactions into blocks and has them voted on."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

from bigchaindb.errors import ValidationError
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.model import Transaction


class Mode(StrEnum):
    """When `submit` returns. Source: docs/reference/contract/http-api.md, section 4."""

    ASYNC = "async"
    SYNC = "sync"
    COMMIT = "commit"


class Status(StrEnum):
    """Where a transaction stands that is not committed. Source: http-api.md, section 10."""

    BACKLOG = "backlog"
    UNDECIDED = "undecided"
    REJECTED = "rejected"


class Standing(NamedTuple):
    """A status, and the error for `REJECTED`."""

    status: Status
    error: ValidationError | None = None


class EngineFigures(NamedTuple):
    """What an engine has in hand, and what it has done since it started.

    Attributes:
        admission_bytes: of bodies that wait to be checked.
        pool_count: transactions that wait for a block.
        pool_bytes: of those transactions.
        waiting_count: requests in mode commit that wait for their decision.
        commit_count: decisions committed, valid or invalid.
        rejected_count: transactions that turned out to be invalid after they were accepted or proposed.
    """

    admission_bytes: int
    pool_count: int
    pool_bytes: int
    waiting_count: int
    commit_count: int
    rejected_count: int


class NetworkFigures(NamedTuple):
    """How a node stands among those that it votes with, looked at each few seconds; counts since it started.

    Attributes:
        is_following: whether it has caught up and its consensus engine answers.
        is_degraded: whether its height stands still although peers are ahead.
        is_stalled: whether transactions wait and nothing is decided.
        height: of its last block, as the consensus engine says.
        peer_count: nodes that it is connected to.
        invalid_count: blocks that the network voted invalid.
        rejection_count: proposals that this node voted against.
        outbox_count: transactions that it accepted and that are not decided.
        start_count: starts of the consensus engine's process.
    """

    is_following: bool
    is_degraded: bool
    is_stalled: bool
    height: int
    peer_count: int
    invalid_count: int
    rejection_count: int
    outbox_count: int
    start_count: int


class Engine(Protocol):
    """Orders, votes, commits. All methods belong to the node's event loop."""

    async def run(self) -> None:
        """Work until `stop`; returns once everything in hand is durable."""
        ...

    def stop(self) -> None:
        """Take nothing more; let `run` commit what was accepted and return."""
        ...

    async def submit(self, body: bytes, mode: Mode) -> Transaction:
        """Check a transaction and bring it to a decision.

        Returns:
            The transaction, in the pool (async, sync) or committed and readable by every query (commit).

        Raises:
            ValidationError: it breaks a rule; the class says which.
            Overloaded: a bound of the pool is reached.
            Stopping: the node is about to stop.
            CheckFailed: a defect of this software kept it from being checked.
            CommitTimeout: mode commit, and the decision took longer than the limit.
        """
        ...

    def standing(self, transaction_id: str) -> Standing | None:
        """Say where an uncommitted transaction stands, None if this node does not know it.

        Whoever asks the store too asks it second: a transaction leaves the pool only once it is committed, so that
        there is no moment at which neither knows it.
        """
        ...

    @property
    def figures(self) -> EngineFigures:
        """What it has in hand, and what it has done."""
        ...

    def validators(self) -> ValidatorSet:
        """Give who votes on the next block."""
        ...


HeadListener = Callable[[int], None]
"""Called on the loop with the durable head after each commit."""
