"""What a transaction is once its bytes have been checked: values that prove their own structure.

Only `bigchaindb.transaction.parse` makes a `Transaction` from foreign bytes, so one need not be checked again.
They are msgspec Structs because a frozen dataclass takes four times as long to make (1.3 µs for a `Transaction`), and
need no garbage collector because nothing in them can refer back.

They hold what the rules need and the body, so that a transaction takes a few times its bytes wherever it is kept.
Asset data and metadata stay in the body: as objects they can take twenty times their text.
"""

from typing import Final, Literal, NamedTuple

from msgspec import Struct

Version = Literal["1.0", "2.0"]
Operation = Literal["CREATE", "TRANSFER", "GENESIS", "VALIDATOR_ELECTION", "VOTE"]

AMOUNT_MAX: Final = 9 * 10**18
"""Largest amount of one output, in shares. Source: docs/reference/contract/transactions.md, section 1.2."""


class OutputRef(NamedTuple):
    """Names one output of one transaction."""

    transaction_id: str
    output_index: int


class Output(Struct, frozen=True, gc=False):
    """An amount under a condition.

    Attributes:
        amount: shares, 1 to `AMOUNT_MAX`.
        fingerprint: SHA-256 fingerprint of the condition, 32 bytes; equal fingerprints mean equal conditions.
        public_keys: as written, base58; a claim.
        owners: the keys of `public_keys` that also occur in the condition, each once, in order: whose list
            of outputs it is in.
    """

    amount: int
    fingerprint: bytes
    public_keys: tuple[str, ...]
    owners: tuple[str, ...]


class Fulfillment(Struct, frozen=True, gc=False):
    """A parsed fulfillment: which condition it opens and which signatures it stands on.

    Attributes:
        fingerprint: of the condition it opens, 32 bytes.
        signatures: pairs of a public key (32 bytes) and a signature (64 bytes); all must verify.
    """

    fingerprint: bytes
    signatures: tuple[tuple[bytes, bytes], ...]


class Input(Struct, frozen=True, gc=False):
    """Spends one output, or none in a CREATE and its like.

    Attributes:
        message: what every signature of `fulfillment` must sign.
    """

    owners_before: tuple[str, ...]
    fulfills: OutputRef | None
    fulfillment: Fulfillment
    message: bytes


class Transaction(Struct, frozen=True, gc=False):
    """A transaction with right structure, id and content (T0 to T7); state and signatures are checked elsewhere.

    Attributes:
        asset_id: the asset it is about: its own id for a CREATE and a VALIDATOR_ELECTION.
        body: its canonical bytes: what is stored, served, hashed into blocks and put into events.
    """

    id: str
    version: Version
    operation: Operation
    asset_id: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    body: bytes

    def __repr__(self) -> str:
        """Name the transaction; its contents may be megabytes."""
        return f"Transaction(id={self.id!r}, version={self.version!r}, operation={self.operation!r})"
