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
    │   ├── SybilError              a block by somebody who has no vote
    │   └── ImproperVoteError       a vote that is no vote
    ├── StoreError                  the ledger's files cannot do what was asked
    │   ├── StoreFull               no room on the disk
    │   ├── StoreDamaged            what is stored is not what was written
    │   └── SchemaTooNew            written by a later version
    ├── EngineError                 a transaction could not be brought to a decision
    │   ├── Overloaded              the pool is full: try again
    │   ├── Stopping                the node is about to stop
    │   ├── CommitTimeout           undecided when the deadline passed
    │   ├── CheckFailed             a defect of this software met the document
    │   ├── CometBftFailed          CometBFT ended and cannot be kept running, or gave up consensus
    │   ├── SignerUnknown           what this validator's key has signed is not known: a person decides
    │   ├── CriticalDuplicateVote   a voter voted twice on one block
    │   ├── CometBftUnavailable     the consensus process does not answer, or not with sense
    │   └── AbciProtocolError       what the consensus process asks is not what it should
    ├── ProofError                  a document does not prove the event that it is about
    ├── OrderRefused                a plugin's lane is not in a state to do what a person asks
    ├── RequestFailed               the command line could not get something from a node
    └── EventError                  what plugin authors catch
        ├── Closed                  the queue has ended
        ├── Gone                    the plugin's own target wants nothing any more: a person decides
        ├── HistoryLost             the log does not hold what a cursor or token knew
        ├── MalformedToken          a text that no node made as a token
        ├── MalformedSelection      a filter that breaks a rule
        ├── UnknownPlace            a text that names no place of the log
        └── Unavailable             the plugin's own target is down: again, later, for ever

The names under `ValidationError` appear in HTTP answers (docs/reference/contract/transactions.md, section 6).
"""

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
    """An election is proposed by somebody who is no validator (transactions.md, section 7)."""


class UnequalValidatorSet(ValidationError):
    """An election does not give each validator its power in votes, and nobody else any (transactions.md, section 7)."""


class InvalidPublicKey(ValidationError):
    """An election proposes what is no validator's key (transactions.md, section 7)."""


class InvalidPowerChange(ValidationError):
    """An election proposes too large a change of power (transactions.md, section 7)."""


class SybilError(ValidationError):
    """A block was made by a node that has no vote (blocks-and-votes.md, section 1)."""


class ImproperVoteError(ValidationError):
    """A vote breaks the vote schema (blocks-and-votes.md, section 2)."""


class StoreError(BigchainDBError):
    """The ledger's files cannot do what was asked."""


class StoreFull(StoreError):
    """There is no room on the disk; nothing was written."""


RESTORE: Final = "restore a backup"
"""How the message of each damage ends that a backup alone mends."""


class StoreDamaged(StoreError):
    """What is stored is not what was written, or contradicts itself: nothing is made of it.

    Attributes:
        table: where it stands; empty where the file as a whole is meant.
        row: which row of it.
    """

    def __init__(self, message: str, *, table: str = "", row: str = "") -> None:
        """Keep the place."""
        super().__init__(message)
        self.table = table
        self.row = row


class SchemaTooNew(StoreError):
    """The files were written by a later version of this software."""


class EngineError(BigchainDBError):
    """A transaction could not be brought to a decision."""


class Overloaded(EngineError):
    """A bound of the pool is reached; the message names it. The client should try again later."""


class Stopping(EngineError):
    """The node is about to stop and takes nothing more."""


class CommitTimeout(EngineError):
    """The deadline passed before the decision; the transaction may still be committed."""


class CheckFailed(EngineError):
    """The check of one document met a defect of this software; the node's log has the traceback."""


class CometBftFailed(EngineError):
    """CometBFT cannot be kept running, or takes no more part in consensus; the message has its own reason."""


class SignerUnknown(EngineError):
    """This node's key has signed what its record does not show, so it could sign twice; the message has the way on."""


class CriticalDuplicateVote(EngineError):
    """A voter voted twice on one block: no election can be counted (blocks-and-votes.md, section 3)."""


class CometBftUnavailable(EngineError):
    """CometBFT cannot be reached, or what it answers is no answer; the message says which, and to what."""


class AbciProtocolError(EngineError):
    """What came over CometBFT's connection is not ABCI 2.0; the message names the rule. The node must stop."""


class ProofError(BigchainDBError):
    """A document does not prove the event that it is about; the message names what fails."""


class OrderRefused(BigchainDBError):
    """A plugin's lane is not in a state to do what a person asks; the message says what would help."""


class RequestFailed(BigchainDBError):
    """A node could not be reached, or answered with an error; the message says which and what it said.

    Attributes:
        status: of HTTP, None if there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        """Keep the status."""
        super().__init__(message)
        self.status = status


class EventError(BigchainDBError):
    """What the authors of plugins catch."""


class Closed(EventError, ValueError):
    """The queue has ended: the node stops or the lane was taken away. Let it end `run`.

    A `ValueError` as well, which is what the standard library's queues raise once closed.
    """


class HistoryLost(EventError):
    """The log does not hold what a cursor or a token knew (promise P8).

    Attributes:
        position: the position that was asked for.
        head: the last position that the log has.
    """

    def __init__(self, position: int, head: int) -> None:
        """Keep both positions and say them."""
        super().__init__(f"the log does not hold position {position} as it was known; its head is {head}")
        self.position = position
        self.head = head


class MalformedToken(EventError, ValueError):
    """A text is no token at all; the message says what a token looks like."""


class MalformedSelection(EventError):
    """A filter of events breaks a rule; the message names the member and the rule."""


class UnknownPlace(EventError):
    """A text names no place of the log: it has none of the forms, which the message lists, or lies behind the end."""


class Gone(EventError):
    """The target that a plugin writes to wants nothing any more: deliver nothing until a person says so."""


class Unavailable(EventError):
    """The target that a plugin writes to is down: deliver the same event again later, for ever."""
