"""The interface of an engine, which orders transactions into blocks and has them voted on."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec

from bigchaindb.children import PlaceFigures
from bigchaindb.errors import ValidationError
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.model import Transaction


class Mode(StrEnum):
    """When `submit` returns. Source: docs/reference/contract/http-api.md, section 4."""

    ASYNC = "async"
    SYNC = "sync"
    COMMIT = "commit"


class Status(StrEnum):
    """The status of a transaction that is not committed. Source: http-api.md, section 10."""

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
        rejected_bytes: of rejected transactions that are not recorded yet.
        checks: of the check processes, by place.
    """

    admission_bytes: int
    pool_count: int
    pool_bytes: int
    waiting_count: int
    commit_count: int
    rejected_count: int
    rejected_bytes: int = 0
    checks: Mapping[str, PlaceFigures] = MappingProxyType({})


class ValidatorFigures(msgspec.Struct, frozen=True, kw_only=True):
    """A validator as a node sees it, in the words of `network status`; where no node answers, the rest is None.

    Attributes:
        public_key: base58.
        address: in votes, upper-case hex.
        power: of its vote on the next block.
        connected: whether this node reaches it; always true of the node itself.
        signing: whether nothing shows that it does not sign.
        signed: of the last blocks, those that it signed.
        blocks: of the last blocks, those that it could sign.
        signed_height: the highest block that it is known to have signed; None: there is none.
        indirect: whether it counts as connected because it signs, though it is no peer of this node; not shown.
    """

    public_key: str
    address: str
    power: int
    connected: bool | None = None
    signing: bool | None = None
    signed: int | None = None
    blocks: int | None = None
    signed_height: int | None = None
    indirect: bool | msgspec.UnsetType = msgspec.UNSET


class Misbehavior(msgspec.Struct, frozen=True, kw_only=True):
    """What the chain proves that a validator did.

    Attributes:
        address: of the validator, upper-case hex.
        public_key: base58; None: it was no validator any more when the chain showed it.
        kind: `double signing` or `light client attack`.
        count: proofs so far.
        height: of the last act.
        shown_height: of the block with the last proof.
    """

    address: str
    public_key: str | None
    kind: str
    count: int
    height: int
    shown_height: int


class NetworkFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a node among those that it votes with, updated every few seconds; counts since it started.

    Attributes:
        is_following: whether it has caught up and its consensus engine answers.
        is_degraded: whether its height stands still although peers are ahead.
        is_stalled: whether transactions wait and nothing is decided.
        height: of its last block, from the consensus engine.
        peer_count: nodes that it is connected to.
        invalid_count: blocks that the network voted invalid.
        rejection_count: proposals that this node voted against.
        outbox_count: transactions that it accepted and that are not decided.
        start_count: starts of the consensus engine's process.
        round: attempt at the next block, from 0.
        own_key: this node's, base58.
        validators: who votes on the next block, ascending by key.
        misbehaviors: all that the chain has proven of validators, past ones included.
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
    round: int
    own_key: str
    validators: tuple[ValidatorFigures, ...]
    misbehaviors: tuple[Misbehavior, ...]

    @property
    def total_power(self) -> int:
        """The power of all validators."""
        return sum(one.power for one in self.validators)

    @property
    def connected_power(self) -> int:
        """The power of those that are connected."""
        return sum(one.power for one in self.validators if one.connected)

    @property
    def signing_power(self) -> int:
        """The power of those that are connected and sign: more than two thirds of all decide."""
        return sum(one.power for one in self.validators if one.connected and one.signing)

    def of(self, public_key: str) -> ValidatorFigures | None:
        """Return what is seen of a validator; None if it is none."""
        return next((one for one in self.validators if one.public_key == public_key), None)


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
            ValidationError: it breaks a rule; the class names which.
            Overloaded: a bound of the pool is reached.
            Stopping: the node is about to stop.
            CheckFailed: a defect of this software kept it from being checked.
            CommitTimeout: mode commit, and the decision took longer than the limit.
        """
        ...

    def standing(self, transaction_id: str) -> Standing | None:
        """Return the status of an uncommitted transaction; None if this node does not know it.

        Ask the store after this, not before: a transaction leaves the pool only once it is committed.
        """
        ...

    @property
    def figures(self) -> EngineFigures:
        """What it has in hand, and what it has done."""
        ...

    def validators(self) -> ValidatorSet:
        """Return the validators of the next block."""
        ...


Announce = Callable[[Effects], None]
"""Called on the loop with what has become durable, after each commit that logs something."""
