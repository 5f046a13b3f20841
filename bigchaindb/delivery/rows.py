"""Rows of tables, for targets that people ask by SQL: what a block says of owners, amounts and assets. Pure.

Rows name other transactions by their ids. Numbers follow from the place in the log alone, so that every node, every
retry and every order of delivery has the same (P5).

Source: docs/how-to/query-with-sql.md, which explains the tables; docs/reference/contract/blocks-and-votes.md, section
5.1, and transactions.md, sections 1 and 4.1.
"""

from typing import Final, NamedTuple, TypeAlias

import msgspec

from bigchaindb.events import Event, EventTypes

INDEX_BITS: Final = 20
"""Low bits of a transaction's number that hold its index in the block; a block has fewer transactions."""
_NULL: Final = b"null"


class BlockRow(NamedTuple):
    """A block that was decided.

    Attributes:
        position: of the event in the log; a block that is voted on again has another.
        height: of the block.
        id: of the block.
        time: of the block, Unix seconds.
        node_pubkey: who proposed it.
        transaction_count: how many transactions it has; of an invalid one, how many are shown.
        reason: why it is invalid; None: it is valid.
    """

    position: int
    height: int
    id: str
    time: int
    node_pubkey: str
    transaction_count: int
    reason: str | None


class TransactionRow(NamedTuple):
    """A transaction of a valid block.

    Attributes:
        seq: its number, ascending as the log does.
        id: of the transaction.
        operation: `CREATE`, `TRANSFER` or a network's own.
        asset_id: the asset that it is about; of a CREATE its own id.
        position: of its block's event.
        metadata: JSON, the transaction's own bytes; None if it has none.
        data: of the asset that it makes, as `metadata`.
    """

    seq: int
    id: str
    operation: str
    asset_id: str
    position: int
    metadata: str | None
    data: str | None


class InputRow(NamedTuple):
    """An input of a transaction.

    Attributes:
        seq: of the transaction.
        input_index: from 0.
        spent_id: the transaction whose output it spends; None in a CREATE.
        spent_index: of that output.
        public_keys: those that the input names, a JSON array.
    """

    seq: int
    input_index: int
    spent_id: str | None
    spent_index: int | None
    public_keys: str


class OutputRow(NamedTuple):
    """An output of a transaction.

    Attributes:
        seq: of the transaction.
        output_index: from 0.
        amount: shares, within 64 bits.
    """

    seq: int
    output_index: int
    amount: int


class OwnerRow(NamedTuple):
    """A key that owns an output, alone or with others: the output names it, and so does its condition.

    Attributes:
        seq: of the transaction.
        output_index: of the output.
        public_key: base58.
        is_alone: 1 if the key alone can spend the output, else 0.
    """

    seq: int
    output_index: int
    public_key: str
    is_alone: int


class Rows(NamedTuple):
    """All rows of one event."""

    block: BlockRow
    transactions: list[TransactionRow]
    inputs: list[InputRow]
    outputs: list[OutputRow]
    owners: list[OwnerRow]


class _Fulfills(msgspec.Struct, gc=False):
    transaction_id: str
    output_index: int


class _Input(msgspec.Struct, gc=False):
    owners_before: list[str]
    fulfills: _Fulfills | None


class _Key(msgspec.Struct, tag_field="type", tag="ed25519-sha-256", gc=False):
    public_key: str


class _Threshold(msgspec.Struct, tag_field="type", tag="threshold-sha-256", gc=False):
    subconditions: "list[_Key | _Threshold]"


_Details: TypeAlias = _Key | _Threshold


class _Condition(msgspec.Struct, gc=False):
    details: _Details


class _Output(msgspec.Struct, gc=False):
    amount: str
    condition: _Condition
    public_keys: list[str] | None


class _Asset(msgspec.Struct, gc=False):
    id: str | None = None
    data: msgspec.Raw = msgspec.Raw(_NULL)


class _Transaction(msgspec.Struct, gc=False):
    id: str
    operation: str
    asset: _Asset
    metadata: msgspec.Raw
    inputs: list[_Input]
    outputs: list[_Output]


class _ValidBlock(msgspec.Struct):
    node_pubkey: str
    transactions: list[_Transaction]


class _Valid(msgspec.Struct):
    id: str
    block: _ValidBlock


class _InvalidBlock(msgspec.Struct):
    node_pubkey: str
    transactions: list[msgspec.Raw]


class _Invalid(msgspec.Struct):
    id: str
    block: _InvalidBlock
    reason: str = ""


_valid: Final = msgspec.json.Decoder(_Valid).decode
_invalid: Final = msgspec.json.Decoder(_Invalid).decode
_encode: Final = msgspec.json.Encoder().encode


def rows_of(event: Event) -> Rows:
    """Return the rows of an event. An invalid block has one row: its transactions may yet become valid, or are none.

    Raises:
        EventError: the event was made by hand and has no bytes.
    """
    if event.type != EventTypes.BLOCK_VALID:
        rejected = _invalid(event.body)
        return Rows(_block_row(event, rejected, rejected.reason), [], [], [], [])
    valid = _valid(event.body)
    rows = Rows(_block_row(event, valid, None), [], [], [], [])
    first = event.position << INDEX_BITS
    for seq, transaction in enumerate(valid.block.transactions, first):
        asset = transaction.asset
        rows.transactions.append(
            TransactionRow(
                seq,
                transaction.id,
                transaction.operation,
                asset.id or transaction.id,
                event.position,
                _text(transaction.metadata),
                _text(asset.data),
            )
        )
        rows.inputs.extend([_input_row(seq, index, one) for index, one in enumerate(transaction.inputs)])
        for index, output in enumerate(transaction.outputs):
            rows.outputs.append(OutputRow(seq, index, int(output.amount)))
            rows.owners.extend(_owner_rows(seq, index, output))
    return rows


def _block_row(event: Event, found: _Valid | _Invalid, reason: str | None) -> BlockRow:
    block = found.block
    return BlockRow(
        event.position, event.height, found.id, event.time, block.node_pubkey, len(block.transactions), reason
    )


def _input_row(seq: int, index: int, one: _Input) -> InputRow:
    keys = _encode(one.owners_before).decode()
    if one.fulfills is None:
        return InputRow(seq, index, None, None, keys)
    return InputRow(seq, index, one.fulfills.transaction_id, one.fulfills.output_index, keys)


def _owner_rows(seq: int, index: int, output: _Output) -> list[OwnerRow]:
    details, named = output.condition.details, output.public_keys or []
    if isinstance(details, _Key):
        return [OwnerRow(seq, index, details.public_key, 1)] if details.public_key in named else []
    keys = set(_keys(details))
    return [OwnerRow(seq, index, key, 0) for key in dict.fromkeys(named) if key in keys]


def _keys(details: _Details) -> list[str]:
    if isinstance(details, _Key):
        return [details.public_key]
    return [key for member in details.subconditions for key in _keys(member)]


def _text(raw: msgspec.Raw) -> str | None:
    text = bytes(raw)
    return None if text == _NULL else text.decode()
