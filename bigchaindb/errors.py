"""Every error that this package raises on purpose, as one tree.

    BigchainDBError
    ├── ConfigurationError          a setting, a file or the environment is wrong
    ├── StartupError                the node cannot start as it is
    │   └── DirectoryInUse          another process owns the data directory
    ├── ValidationError             a document breaks a rule; class names below it are wire format
    │   ├── MalformedJson           T0: the bytes are no JSON object within the limits
    │   ├── InvalidHash             T1, T2
    │   ├── SchemaValidationError   T3
    │   ├── InvalidSignature        T6, T9, T16
    │   ├── ThresholdTooDeep        T7
    │   ├── AmountError             T7, T15
    │   ├── DuplicateTransaction    T8
    │   ├── InputDoesNotExist       T10
    │   ├── DoubleSpend             T11, T12
    │   ├── AssetIdMismatch         T13, T14
    │   ├── GenesisBlockAlreadyExistsError
    │   ├── MultipleInputsError     these five: an election of validators
    │   ├── InvalidProposer
    │   ├── UnequalValidatorSet
    │   ├── InvalidPublicKey
    │   ├── InvalidPowerChange
    │   ├── SybilError              a block by a node without a vote
    │   └── ImproperVoteError       a vote breaks the vote schema
    ├── StoreError                  the ledger's files cannot be used as asked
    │   ├── StoreFull               no room on the disk
    │   ├── StoreDamaged            the stored data are not those that were written
    │   ├── SearchTooWide           too many rows match, or it takes too long
    │   ├── ReaderLost              the process that reads lists ended over this one
    │   ├── SchemaTooNew            written by a later version
    │   └── SchemaUnknown           tables of something else
    ├── EngineError                 a transaction could not be brought to a decision
    │   ├── Overloaded              the pool is full: try again
    │   ├── Stopping                the node is about to stop
    │   ├── CommitTimeout           undecided when the deadline passed
    │   ├── WriterNotAllowed        no writer of this node signed the CREATE
    │   ├── CheckFailed             a defect of this software met the document
    │   ├── CometBftFailed          CometBFT ended and cannot be kept running, or gave up consensus
    │   ├── SignerUnknown           no record of what this validator's key has signed: a person decides
    │   ├── CriticalDuplicateVote   a voter voted twice on one block
    │   ├── CometBftUnavailable     the consensus process does not answer, or with nonsense
    │   └── AbciProtocolError       the consensus process breaks the protocol
    ├── ProofError                  a document does not prove its event
    ├── AccessRefused               a change of access keys is refused
    ├── OrderRefused                the state of a lane does not allow an order
    │   └── SubscriptionDiffers     a subscription of that name has another definition
    ├── UnknownSubscription         no subscription has the name
    ├── RequestFailed               a node did not answer a client, or refused
    │   └── TransactionRefused      the ledger does not take a transaction; `rule` is the class of the broken rule
    ├── CannotSpend                 the outputs at hand do not pay what a transfer shall pay
    ├── ClientUnusable              a client is closed, or of another event loop or process
    └── EventError                  what plugin authors catch
        ├── Closed                  the queue has ended
        ├── Gone                    the plugin's own target refuses all further events: a person decides
        ├── HistoryLost             the log lacks the position of a cursor or token
        ├── MalformedToken          a text is no token
        ├── MalformedSelection      a filter breaks a rule
        ├── MalformedSubscription   a definition of a subscription breaks a rule
        ├── UnknownPlace            a text names no place of the log
        └── Unavailable             the plugin's own target is down: retry without end

The names under `ValidationError` appear in HTTP answers (docs/reference/contract/transactions.md, section 6).
"""

from collections.abc import Sequence
from typing import Final


class BigchainDBError(Exception):
    """Anything that this package raises on purpose."""


class ConfigurationError(BigchainDBError):
    """A setting, a configuration file or an environment variable is wrong."""


class StartupError(BigchainDBError):
    """The node cannot start as it is; the message says what to do."""


class DirectoryInUse(StartupError):
    """Another process owns the data directory."""


class ValidationError(BigchainDBError):
    """A document breaks a rule. Source: docs/reference/contract/transactions.md, section 6."""


class MalformedJson(ValidationError):
    """The bytes are no JSON object within the limits (T0); the message is the parser's."""


class InvalidHash(ValidationError):
    """The id is missing or is not the hash of the body (T1, T2)."""


class SchemaValidationError(ValidationError):
    """A member is missing, unknown or of the wrong form (T3); the message names the path and the rule."""


class InvalidSignature(ValidationError):
    """A fulfillment cannot be read or does not open its condition (T6, T9, T16)."""


class ThresholdTooDeep(ValidationError):
    """Condition details are nested beyond the limit (T7)."""


class AmountError(ValidationError):
    """An amount is out of range, or the sums differ (T7, T15)."""


class DuplicateTransaction(ValidationError):
    """A transaction of that id exists already (T8)."""


class InputDoesNotExist(ValidationError):
    """An input names an output that is not there (T10)."""


class DoubleSpend(ValidationError):
    """An output is spent already, or twice by one transaction (T11, T12)."""


class AssetIdMismatch(ValidationError):
    """The inputs are of several assets, or of another than the transaction says (T13, T14)."""


class GenesisBlockAlreadyExistsError(ValidationError):
    """A GENESIS transaction comes after the chain has begun (transactions.md, section 7)."""


class MultipleInputsError(ValidationError):
    """An election is not proposed by one key alone (transactions.md, section 7)."""


class InvalidProposer(ValidationError):
    """An election is proposed by a key that is no validator's (transactions.md, section 7)."""


class UnequalValidatorSet(ValidationError):
    """The outputs of an election are not one for each validator, with its power (transactions.md, section 7)."""


class InvalidPublicKey(ValidationError):
    """An election proposes a key that no validator can have (transactions.md, section 7)."""


class InvalidPowerChange(ValidationError):
    """An election proposes too large a change of power (transactions.md, section 7)."""


class SybilError(ValidationError):
    """A block was made by a node that has no vote (blocks-and-votes.md, section 1)."""


class ImproperVoteError(ValidationError):
    """A vote breaks the vote schema (blocks-and-votes.md, section 2)."""


class StoreError(BigchainDBError):
    """The ledger's files cannot be used as asked."""


class StoreFull(StoreError):
    """There is no room on the disk; nothing was written."""


RESTORE: Final = "restore a backup"
"""End of the message of a damage that only a backup mends."""


class StoreDamaged(StoreError):
    """The stored data are not those that were written, or contradict each other; they are not used.

    Attributes:
        table: of the damaged row; empty for the file as a whole.
        row: of the table.
    """

    def __init__(self, message: str, *, table: str = "", row: str = "") -> None:
        """Keep the place."""
        super().__init__(message)
        self.table = table
        self.row = row


class SearchTooWide(StoreError):
    """A search matches too many rows, or takes too long; the message names the limit, and how to narrow it."""


class ReaderLost(StoreError):
    """The process that reads lists ended over this one, or was ended; the message says why."""


class SchemaTooNew(StoreError):
    """The files were written by a later version of this software."""


class SchemaUnknown(StoreError):
    """A file has tables, and no schema of this software."""


class EngineError(BigchainDBError):
    """A transaction could not be brought to a decision."""


class Overloaded(EngineError):
    """A bound of the pool is reached; the message names it. The client should try again later."""


class Stopping(EngineError):
    """The node is about to stop and accepts no transaction."""


class CommitTimeout(EngineError):
    """The deadline passed before the decision; the transaction may still be committed."""


class WriterNotAllowed(EngineError):
    """None of the node's writers (`access.writers`) signed a CREATE."""


class CheckFailed(EngineError):
    """The check of one document met a defect of this software; the node's log has the traceback."""


class CometBftFailed(EngineError):
    """CometBFT cannot be kept running, or left consensus; the message has CometBFT's reason."""


class SignerUnknown(EngineError):
    """This node's key has signatures that its record lacks, so it could sign twice; the message says what to do."""


class CriticalDuplicateVote(EngineError):
    """A voter voted twice on one block: no election can be counted (blocks-and-votes.md, section 3)."""


class CometBftUnavailable(EngineError):
    """CometBFT cannot be reached, or its reply is malformed; the message names the request."""


class AbciProtocolError(EngineError):
    """CometBFT's connection does not follow ABCI 2.0; the message names the rule. The node must stop."""


class ProofError(BigchainDBError):
    """A document does not prove its event; the message names the failed check."""


class AccessRefused(BigchainDBError):
    """A change of access keys is refused; the message says what to do."""


class OrderRefused(BigchainDBError):
    """The state of a lane does not allow an order; the message says what to do."""


class SubscriptionDiffers(OrderRefused):
    """A subscription of that name has another definition; the message names what differs.

    Attributes:
        differences: a text for each member.
    """

    def __init__(self, name: str, differences: Sequence[str]) -> None:
        """Keep what differs."""
        super().__init__(
            f"the subscription {name!r} has another definition: {'; '.join(differences)}; put that one, take another "
            "name, or change it: `?change=true`, on the command line `--change`"
        )
        self.differences = differences


class UnknownSubscription(BigchainDBError):
    """No subscription has the name; the message says how one is created."""

    def __init__(self, name: str) -> None:
        """Name it, cut."""
        super().__init__(f"there is no subscription {name[:100]!r}; PUT /api/v1/subscriptions/NAME creates one")


class RequestFailed(BigchainDBError):
    """A node could not be reached, or answered with an error, which the message quotes.

    Attributes:
        status: of HTTP; None without an answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        """Keep the status."""
        super().__init__(message)
        self.status = status


class TransactionRefused(RequestFailed):
    """A node refused a transaction, or accepted and then rejected it.

    Attributes:
        rule: name of the class under `ValidationError` that the transaction breaks, such as `DoubleSpend`.
    """

    def __init__(self, message: str, status: int | None, rule: str) -> None:
        """Keep the rule."""
        super().__init__(message, status)
        self.rule = rule


class CannotSpend(BigchainDBError):
    """The outputs at hand do not pay what a transfer shall pay; nothing was sent."""


class ClientUnusable(BigchainDBError):
    """A client is closed, or was opened in another event loop or process; the message says what to do."""


class EventError(BigchainDBError):
    """Errors that authors of plugins catch."""


class Closed(EventError, ValueError):
    """The queue has ended: the node stops or the lane was taken away. Do not catch it: it ends `run`.

    A `ValueError` as well, which is what the standard library's queues raise once closed.
    """


class HistoryLost(EventError):
    """The log lacks the position of a cursor or a token (promise P8).

    Attributes:
        position: of the cursor or token.
        head: the last position that the log has.
    """

    def __init__(self, position: int, head: int) -> None:
        """Keep both positions."""
        super().__init__(f"the log does not hold position {position} as it was known; its head is {head}")
        self.position = position
        self.head = head


class MalformedToken(EventError, ValueError):
    """A text is no token; the message describes the form of one."""


class MalformedSelection(EventError):
    """A filter of events breaks a rule; the message names the member and the rule."""


class MalformedSubscription(EventError):
    """A definition of a subscription breaks a rule; the message names the member, the rule and the value found."""


class UnknownPlace(EventError):
    """A text names no place of the log: it has no known form, or is behind the end."""


class Gone(EventError):
    """The target of a plugin refuses all further events: deliver nothing until a person orders it."""


class Unavailable(EventError):
    """The target of a plugin is down: deliver the same event again later, without end.

    Attributes:
        retry_after_s: how long the target asks not to be asked again; None leaves it to the node.
    """

    def __init__(self, *args: object, retry_after_s: float | None = None) -> None:
        """Keep it."""
        super().__init__(*args)
        self.retry_after_s = None if retry_after_s is None else float(retry_after_s)


def forget_frames(error: BaseException) -> None:
    """Drop the frames in which an answered error was raised, and those of its causes.

    They hold the document that it is about, and whoever waited for it; these hold the error. Python frees such a
    circle in its next full collection, for which a few large documents are no reason.
    """
    one: BaseException | None = error
    while one is not None:
        one.__traceback__ = None
        one = one.__cause__ or one.__context__
