"""The shapes of the JSON documents that plugins read, for type checkers: `Event.data` and what it holds.

Each is a plain dict at run time. New releases may add keys, and readers ignore those that they do not know. The values
that the rest of the package computes with are in `bigchaindb.transaction` and `bigchaindb.ledger`.

Source: docs/reference/contract/blocks-and-votes.md, section 5.1, and transactions.md, sections 1 and 4.1.
"""

from typing import Any, Literal, NotRequired, TypedDict

__all__ = [
    "Asset",
    "Block",
    "BlockEvent",
    "Condition",
    "Fulfills",
    "Input",
    "KeyDetails",
    "Output",
    "ThresholdDetails",
    "Transaction",
]


class Fulfills(TypedDict):
    """The output that an input spends: the index counts the outputs of that transaction from 0."""

    transaction_id: str
    output_index: int


class Input(TypedDict):
    """What a transaction spends, with the proof that it may.

    `fulfills` is None where nothing is spent, in a CREATE. `owners_before` are base58 public keys. `fulfillment` is
    base64url without padding.
    """

    owners_before: list[str]
    fulfillment: str
    fulfills: Fulfills | None


class KeyDetails(TypedDict):
    """A condition that one key opens."""

    type: Literal["ed25519-sha-256"]
    public_key: str


class ThresholdDetails(TypedDict):
    """A condition that `threshold` of its subconditions open."""

    type: Literal["threshold-sha-256"]
    threshold: int
    subconditions: "list[KeyDetails | ThresholdDetails]"


class Condition(TypedDict):
    """The lock of an output; `uri` is its fingerprint."""

    details: KeyDetails | ThresholdDetails
    uri: str


class Output(TypedDict):
    """An amount of shares under a condition. `amount` is decimal digits, `public_keys` are the owners' in base58."""

    amount: str
    condition: Condition
    public_keys: list[str]


class Asset(TypedDict, total=False):
    """`data` in a CREATE; in a TRANSFER `id`, that of the CREATE."""

    data: dict[str, Any] | None
    id: str


class Transaction(TypedDict):
    """A signed transaction. `operation` is CREATE or TRANSFER, on a network also VALIDATOR_ELECTION or VOTE."""

    id: str
    version: str
    operation: str
    asset: Asset
    metadata: dict[str, Any] | None
    inputs: list[Input]
    outputs: list[Output]


class Block(TypedDict):
    """A block as 1.x hashed it. `timestamp` is Unix seconds in decimal digits."""

    timestamp: str
    transactions: list[Transaction]
    node_pubkey: str
    voters: list[str]


class BlockEvent(TypedDict):
    """The data of an event: the block that the network voted valid or invalid.

    A valid block has neither `reason` nor `body_omitted`. An invalid one shows its transactions as they were proposed:
    on a network they are unchecked JSON objects, and may lack any key. `body_omitted` is True where some or all of
    them are left out. `transactions` is the list in `block`.
    """

    id: str
    block: Block
    signature: str | None
    height: int
    transactions: list[Transaction]
    reason: NotRequired[str]
    body_omitted: NotRequired[bool]
