"""What an owner holds, and who holds an asset: questions of the reader process, each with a bound.

Balances are as of the head at which a question was made, whatever is committed while they are added up: who spends an
output is compared with that head. Lists show who has spent an output by the time of the page.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import nsmallest
from typing import Final, Literal, TypeAlias

import msgspec
import orjson
from msgspec import Struct

from bigchaindb.store.checksums import TRANSACTIONS, damaged
from bigchaindb.store.event_rows import read_row
from bigchaindb.store.held import Held, of_asset, of_owner, of_transactions
from bigchaindb.store.keys import OUTPUT_BITS, OUTPUT_COUNT_MAX, owner_hash
from bigchaindb.store.pages import array_of, bodies_of, fitting, position_of
from bigchaindb.transaction.conditions import key_condition

LARGEST_COUNT: Final = 100
"""Balances and holders that are named."""
KEY_COUNT_MAX: Final = 100
"""Public keys of a holder that are named: one output may have thousands."""
LOOK_COUNT_MAX: Final = 10_000
"""Outputs that one page looks at: some tens of milliseconds."""
ANSWER_BYTES_MAX: Final = 1024 * 1024
"""Of a page, except for a single output that is larger."""
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of transactions that are read for a page, but for one more that is larger."""
DATA_BYTES_MAX: Final = 64 * 1024
"""Of an asset's data, beyond which its size alone is shown: a document may have megabytes."""

_TRANSACTIONS: Final = f"""
SELECT {TRANSACTIONS.row} FROM json_each(?) AS wanted CROSS JOIN {TRANSACTIONS.tables} WHERE t.seq = wanted.value
"""  # noqa: S608 - names of our own


class Outputs(Struct, tag=True, frozen=True, array_like=True, kw_only=True):
    """A page of outputs, newest first: of an owner, of an asset, or of an owner in an asset.

    Attributes:
        owner: hash of the owner's key; None: of all.
        asset: id; None: of all.
        create_seq: of the asset's first transaction; 0 where an owner is given.
        only_seq: of the only transaction that counts; 0: all do.
        spent: whether they are spent; None: both kinds.
        before: the number below which the page begins.
        limit: most outputs.
        recent: numbers of the index in the node's memory, see `held.descending`.
    """

    owner: bytes | None
    asset: bytes | None
    create_seq: int
    only_seq: int = 0
    spent: bool | None
    before: int
    limit: int
    recent: Sequence[int]


class Balances(Struct, tag=True, frozen=True, array_like=True, kw_only=True):
    """What an owner holds of each asset.

    Attributes:
        public_key: base58.
        key: its bytes.
        owner: hash of the key.
        end: seq beyond the last transaction that counts.
        height: of the block of that one, or a later one without transactions.
        count_max: outputs that are looked at, spent ones too.
        recent: as that of `Outputs`.
    """

    public_key: str
    key: bytes
    owner: bytes
    end: int
    height: int
    count_max: int
    recent: Sequence[int]


class Holders(Struct, tag=True, frozen=True, array_like=True, kw_only=True):
    """An asset and who holds it; attributes as those of `Balances`."""

    asset: bytes
    create_seq: int
    end: int
    height: int
    count_max: int
    recent: Sequence[int]


class OutputPage(Struct, tag=True, frozen=True, array_like=True):
    """Outputs as JSON with commas between them, and the number below which the next page begins; 0: there is none."""

    elements: bytes
    next: int


Sums: TypeAlias = Balances | Holders


class _OutputText(Struct, gc=False):
    public_keys: list[str] | None
    condition: msgspec.Raw

    @property
    def keys(self) -> list[str]:
        """The public keys; an output may name none by null."""
        return self.public_keys or []


class _WithOutputs(Struct):
    outputs: list[_OutputText]


class _Asset(Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Create(Struct):
    operation: Literal["CREATE", "VALIDATOR_ELECTION", "GENESIS"]
    asset: _Asset


_outputs: Final = msgspec.json.Decoder(_WithOutputs).decode
_create: Final = msgspec.json.Decoder(_Create).decode


def document(connection: sqlite3.Connection, asked: Sums, is_late: Callable[[], bool] = lambda: False) -> bytes:
    """Return sums as JSON; they are not complete once it `is_late`.

    Raises:
        StoreDamaged: a row is not what was written.
    """
    if isinstance(asked, Balances):
        found = _balances(connection, asked, is_late)
    else:
        found = _holders(connection, asked, is_late)
    return orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)


def page(connection: sqlite3.Connection, asked: Outputs) -> OutputPage:
    """Return a page of outputs; raises as `document` does."""
    wanted, place, looked_count = list[Held](), asked.before, 0
    for piece in _listed(connection, asked):
        for one in piece:
            if len(wanted) == asked.limit or looked_count == LOOK_COUNT_MAX:
                return _elements(connection, wanted, place)
            looked_count, place = looked_count + 1, one.number
            is_spent = one.spent_by is not None
            if asked.spent in (None, is_spent) and asked.asset in (None, one.asset):
                wanted.append(one)
    return _elements(connection, wanted, 0)


def _listed(connection: sqlite3.Connection, asked: Outputs) -> Iterator[list[Held]]:
    if asked.owner is not None:
        return of_owner(connection, asked.owner, asked.before, asked.recent, asked.limit + 1)
    if asked.only_seq:
        return of_transactions(connection, [asked.only_seq], asked.before, asked.limit + 1)
    assert asked.asset is not None
    return of_asset(connection, asked.asset, asked.create_seq, asked.before, asked.recent, asked.limit + 1)


def _elements(connection: sqlite3.Connection, wanted: Sequence[Held], next_: int) -> OutputPage:
    """Write outputs, as many as fit; `next_` is where the page ends if all do."""
    spenders = _spenders(connection, wanted)
    heights: dict[int, int] = {}
    elements: list[bytes] = []
    left_bytes = ANSWER_BYTES_MAX
    for one, text in _with_texts(connection, wanted, BODY_BYTES_MAX):
        if one.position not in heights:
            heights[one.position] = _height(connection, one.position)
        element = _element(one, text, heights[one.position], spenders)
        left_bytes -= len(element)
        if elements and left_bytes < 0:
            break
        elements.append(element)
    cut = len(elements) < len(wanted)
    return OutputPage(b",".join(elements), wanted[len(elements) - 1].number if cut else next_)


def _with_texts(
    connection: sqlite3.Connection, wanted: Sequence[Held], bytes_max: int | None = None
) -> Iterator[tuple[Held, _OutputText]]:
    """Yield outputs, newest first, with what their transactions say of them; end after so many bytes of those."""
    seqs = list(dict.fromkeys(one.seq for one in wanted))
    texts, read_bytes, read_count = dict[int, list[_OutputText]](), 0, 0
    for one in wanted:
        if one.seq not in texts:
            if bytes_max is not None and read_bytes >= bytes_max:
                return
            served = fitting(connection, seqs[read_count:])
            bodies = bodies_of(connection, served)
            read_count += len(served)
            read_bytes += sum(map(len, bodies))
            texts = {seq: _outputs(body).outputs for seq, body in zip(served, bodies, strict=True)}
        yield one, _text_of(texts[one.seq], one)


def _text_of(texts: Sequence[_OutputText], one: Held) -> _OutputText:
    index = one.number % OUTPUT_COUNT_MAX
    if index >= len(texts):
        raise damaged("outputs", one.number, "is none of its transaction's")
    return texts[index]


def _element(one: Held, text: _OutputText, height: int, spenders: dict[int, bytes]) -> bytes:
    spent_by = b"null" if one.spent_by is None else b'"%b"' % spenders[one.spent_by].hex().encode()
    return b"".join(
        (
            b'{"transaction_id":"%b","output_index":%d,"amount":"%d","asset_id":"%b","public_keys":'
            % (one.id.hex().encode(), one.number % OUTPUT_COUNT_MAX, one.amount, one.asset.hex().encode()),
            orjson.dumps(text.keys),
            b',"condition":',
            bytes(text.condition),
            b',"spent_by":%b,"height":%d}' % (spent_by, height),
        )
    )


def _spenders(connection: sqlite3.Connection, wanted: Iterable[Held]) -> dict[int, bytes]:
    """Return the ids of the transactions that spend outputs, by seq."""
    seqs = sorted({one.spent_by for one in wanted if one.spent_by is not None})
    found = {}
    for row in connection.execute(_TRANSACTIONS, (array_of(seqs),)).fetchall():
        TRANSACTIONS.expect(*row)
        found[row[0]] = row[1]
    if missing := set(seqs) - found.keys():
        raise damaged("transactions", min(missing), "is missing")
    return found


def _height(connection: sqlite3.Connection, position: int) -> int:
    if (row := read_row(connection, position)) is None:
        raise damaged("events", position, "is missing")
    return row.height


class _Bounded:
    """Pieces of outputs up to a count of all, for as long as there is time.

    Attributes:
        is_complete: whether there were no more, known at the end.
    """

    def __init__(self, pieces: Iterator[list[Held]], count_max: int, is_late: Callable[[], bool]) -> None:
        self._pieces = pieces
        self._left_count = count_max
        self._is_late = is_late
        self.is_complete = True

    def __iter__(self) -> Iterator[Held]:
        for piece in self._pieces:
            yield from piece[: self._left_count]
            if len(piece) > self._left_count or self._is_late():
                self.is_complete = False
                return
            self._left_count -= len(piece)


def _balances(connection: sqlite3.Connection, asked: Balances, is_late: Callable[[], bool]) -> dict[str, object]:
    plain = key_condition(asked.key).fingerprint
    amounts: dict[bytes, list[int]] = {}
    pieces = of_owner(connection, asked.owner, asked.end << OUTPUT_BITS, asked.recent)
    counted = _Bounded(pieces, asked.count_max, is_late)
    for one in counted:
        if one.spent_by is not None and one.spent_by < asked.end:
            continue
        if (of_one := amounts.get(one.asset)) is None:
            of_one = amounts[one.asset] = [0, 0, 0]
        of_one[one.fingerprint != plain] += one.amount
        of_one[2] += 1
    largest = nsmallest(LARGEST_COUNT, amounts.items(), key=lambda item: (-item[1][0], -item[1][1], item[0]))
    return {
        "public_key": asked.public_key,
        "balances": [
            {"asset_id": asset.hex(), "amount": str(alone), "shared_amount": str(shared), "output_count": count}
            for asset, (alone, shared, count) in largest
        ],
        "asset_count": len(amounts),
        "unspent_count": sum(count for _, _, count in amounts.values()),
        "complete": counted.is_complete,
        "as_of": asked.height,
    }


class _Holder:
    """The outputs of the same owners: their shares, and the newest of them."""

    def __init__(self, newest: Held) -> None:
        self.newest = newest
        self.amount = 0


def _holders(connection: sqlite3.Connection, asked: Holders, is_late: Callable[[], bool]) -> dict[str, object]:
    holders: dict[tuple[bytes, ...], _Holder] = {}
    transaction_count, unspent_count, last_seq = 0, 0, 0
    pieces = of_asset(connection, asked.asset, asked.create_seq, asked.end << OUTPUT_BITS, asked.recent)
    counted = _Bounded(pieces, asked.count_max, is_late)
    for one in counted:
        transaction_count += one.seq != last_seq
        last_seq = one.seq
        if one.spent_by is None or one.spent_by >= asked.end:
            unspent_count += 1
            holder = holders.setdefault(tuple(sorted(one.owners)), _Holder(one))
            holder.amount += one.amount
    if counted.is_complete and last_seq != asked.create_seq:  # it has no outputs
        transaction_count += 1
    largest = nsmallest(LARGEST_COUNT, holders.values(), key=lambda holder: (-holder.amount, -holder.newest.number))
    return {
        **_created(connection, asked),
        "transaction_count": transaction_count,
        "unspent_count": unspent_count,
        "holder_count": len(holders),
        "holders": _named(connection, largest),
        "complete": counted.is_complete,
        "as_of": asked.height,
    }


def _created(connection: sqlite3.Connection, asked: Holders) -> dict[str, object]:
    """Return what is known of an asset by its first transaction."""
    [body] = bodies_of(connection, [asked.create_seq])
    create = _create(body)
    data = bytes(create.asset.data)
    below = (asked.create_seq + 1) << OUTPUT_BITS
    outputs = [one for piece in of_transactions(connection, [asked.create_seq], below) for one in piece]
    return {
        "id": asked.asset.hex(),
        "operation": create.operation,
        "data": orjson.Fragment(data if len(data) <= DATA_BYTES_MAX else b"null"),
        "data_bytes": len(data),
        "amount": str(sum(one.amount for one in outputs)),
        "created_height": _height(connection, position_of(connection, asked.create_seq)),
    }


def _named(connection: sqlite3.Connection, holders: Sequence[_Holder]) -> list[dict[str, object]]:
    """Write holders, whose keys are known by their hashes alone, with the keys that their newest output names."""
    newest = sorted((holder.newest for holder in holders), reverse=True)
    keys = {one.number: text.keys for one, text in _with_texts(connection, newest)}
    return [
        {
            "public_keys": [
                key for key in dict.fromkeys(keys[one.newest.number]) if owner_hash(key) in one.newest.owners
            ][:KEY_COUNT_MAX],
            "public_key_count": len(one.newest.owners),
            "amount": str(one.amount),
        }
        for one in holders
    ]
