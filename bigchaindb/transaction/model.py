"""What a transaction is once its bytes have been checked: values that prove their own structure.

Only `bigchaindb.transaction.parse` makes a `Transaction` from foreign bytes; whoever holds one need not look again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

Version = Literal["1.0", "2.0"]
Operation = Literal["CREATE", "TRANSFER", "GENESIS"]

AMOUNT_MAX: Final = 9 * 10**18
"""Largest amount of one output, in shares. Source: docs/reference/contract/transactions.md, section 1.2."""


class OutputRef(NamedTuple):
    """Names one output of one transaction."""

    transaction_id: str
    output_index: int


@dataclass(frozen=True, slots=True)
class Output:
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


@dataclass(frozen=True, slots=True)
class Fulfillment:
    """A parsed fulfillment: which condition it opens and which signatures it stands on.

    Attributes:
        fingerprint: of the condition it opens, 32 bytes.
        signatures: pairs of a public key (32 bytes) and a signature (64 bytes); all must verify.
    """

    fingerprint: bytes
    signatures: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Input:
    """Spends one output, or none in a CREATE.

    Attributes:
        message: what every signature of `fulfillment` must sign.
    """

    owners_before: tuple[str, ...]
    fulfills: OutputRef | None
    fulfillment: Fulfillment
    message: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction with right structure, id and content (T0 to T7); state and signatures are judged elsewhere.

    Attributes:
        asset_id: the asset it is about: its own id for a CREATE.
        asset_data: of a CREATE, an object or None; None otherwise.
        body: its canonical bytes: what is stored, served, hashed into blocks and put into events.
    """

    id: str
    version: Version
    operation: Operation
    asset_id: str
    asset_data: Mapping[str, Any] | None = field(repr=False)
    metadata: Mapping[str, Any] | None = field(repr=False)
    inputs: tuple[Input, ...] = field(repr=False)
    outputs: tuple[Output, ...] = field(repr=False)
    body: bytes = field(repr=False)
