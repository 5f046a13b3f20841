"""The newest rows of the indexes, in memory: what makes a commit cost the same at 10^4 transactions and at 10^7.

A row of an index over hashes belongs to a random page, so nearly every insert would dirty a page of its own. Instead
the rows of a *generation*, a stretch of the chain, are kept here until there are enough of them to share pages;
`indexing.py` moves them into the tables then. Nothing is lost with the memory: they are read again from the ledger.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bigchaindb.errors import StoreDamaged
from bigchaindb.store.keys import NAMED, OUTPUT_BITS, joined_keys, keys_of, owner_hashes


class Located(NamedTuple):
    """Where a transaction stands, and the id of its asset."""

    seq: int
    asset: bytes


@dataclass(slots=True)
class Generation:
    """Index rows of one stretch of the chain, by full hash.

    Attributes:
        transactions: by id.
        transfers: seqs of TRANSFERs by asset, ascending.
        outputs: numbers by owner, ascending.
        named: numbers of transactions that name a key and give it no output, by what its index key is made of.
        unspent: amount and fingerprint by the number of an output that nothing has spent, as far as is known.
        blocks: position of the last event by block id.
        damage: a row that belongs here and could not be read: an id that is not found here may be that row's.
    """

    transactions: dict[bytes, Located] = field(default_factory=dict)
    transfers: dict[bytes, list[int]] = field(default_factory=dict)
    outputs: dict[bytes, list[int]] = field(default_factory=dict)
    named: dict[bytes, list[int]] = field(default_factory=dict)
    unspent: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    blocks: dict[bytes, int] = field(default_factory=dict)
    row_count: int = 0
    damage: StoreDamaged | None = None

    def add_transactions(self, rows: Iterable[tuple[int, bytes, bytes | None]]) -> None:
        """Add (seq, id, asset), ascending."""
        for seq, id_, asset in rows:
            self.row_count += 1
            if asset is None:
                self.transactions[id_] = Located(seq, id_)
            else:
                self.transactions[id_] = Located(seq, asset)
                self.transfers.setdefault(asset, []).append(seq)
                self.row_count += 1

    def add_outputs(self, rows: Iterable[tuple[int, int, bytes, bytes]]) -> None:
        """Add (output, amount, fingerprint, owners), ascending."""
        for number, amount, fingerprint, owners in rows:
            self.unspent[number] = amount, fingerprint
            for owner in owner_hashes(owners):
                self.outputs.setdefault(owner, []).append(number)
                self.row_count += 1

    def add_named(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Add (seq, keys), ascending."""
        for seq, keys in rows:
            for key in keys_of(keys):
                self.named.setdefault(key, []).append(NAMED | seq)
                self.row_count += 1

    def add_block(self, block_id: bytes, position: int, *, is_valid: bool) -> None:
        """Add the event at `position`: what was rejected takes no place from what is there."""
        if is_valid or block_id not in self.blocks:
            self.blocks[block_id] = position
        self.row_count += 1


class Recent:
    """The generations. Changed by the writer alone; read by any thread without a lock.

    Rows are added *before* the commit that makes them true, so a reader drops what lies beyond the state that it reads.
    They stay until their generation as a whole has moved, so a reader asks here first and the tables second, and misses
    nothing. Who needs both of one state looks whether `generations` is still the same object once its snapshot began.

    Attributes:
        generations: a sealed one, if there is one, then the one that takes new rows; replaced, never changed.
    """

    def __init__(self, generations: tuple[Generation, ...]) -> None:
        self.generations = generations

    @property
    def open(self) -> Generation:
        """The generation that takes new rows."""
        return self.generations[-1]

    def place(self, id_: bytes) -> Located | None:
        """Find a transaction.

        Raises:
            StoreDamaged: it is not found, and a row is damaged that may be it.
        """
        if (place := self.known(id_)) is None:
            self._whole()
        return place

    def known(self, id_: bytes) -> Located | None:
        """Find a transaction among the rows that are whole."""
        for generation in self.generations:
            if (place := generation.transactions.get(id_)) is not None:
                return place
        return None

    @property
    def is_damaged(self) -> bool:
        """Whether a generation lacks a row that could not be read."""
        return any(generation.damage is not None for generation in self.generations)

    def unspent(self, number: int) -> tuple[int, bytes] | None:
        """Return amount and fingerprint of an output that is known to be unspent."""
        for generation in self.generations:
            if (found := generation.unspent.get(number)) is not None:
                return found
        return None

    def spend(self, numbers: Iterable[int]) -> None:
        """Forget that these outputs are unspent, before the commit that spends them: who needs one of them reads it."""
        for number in numbers:
            for generation in self.generations:
                generation.unspent.pop(number, None)

    def transfers(self, asset: bytes, after: int = -1, count_max: int | None = None) -> list[int]:
        """Return the seqs of an asset's recent TRANSFERs, ascending. Raises StoreDamaged: it may lack some.

        Args:
            asset: its id.
            after: the seq before the first.
            count_max: how many; None is all.
        """
        return _behind((generation.transfers.get(asset) for generation in self._whole()), after, count_max)

    def outputs(self, owner: bytes, after: int = -1, count_max: int | None = None) -> list[int]:
        """Return the numbers of an owner's recent outputs as `transfers` does those of TRANSFERs."""
        return _behind((generation.outputs.get(owner) for generation in self._whole()), after, count_max)

    def last_transfers(self, asset: bytes, below: int, count_max: int) -> list[int]:
        """Return the newest of an asset's recent TRANSFERs below a seq, ascending; raises as `transfers` does."""
        return _before([generation.transfers.get(asset) for generation in self._whole()], below, count_max)

    def last_outputs(self, owner: bytes, below: int, count_max: int) -> list[int]:
        """Return the newest of an owner's recent outputs below a number, ascending; raises as `transfers` does."""
        return _before([generation.outputs.get(owner) for generation in self._whole()], below, count_max)

    def last_of_owner(self, owner: bytes, below: int, count_max: int) -> list[int]:
        """Return the seqs of the newest recent transactions below one that name a key, as `last_transfers` does."""
        found, number_count = set[int](), 2 * count_max
        while True:  # again only where transactions give an owner several outputs
            numbers = self.last_outputs(owner, below << OUTPUT_BITS, number_count)
            found.update(number >> OUTPUT_BITS for number in numbers)
            if len(numbers) < number_count or len(found) > count_max:
                break
            number_count *= 4
        tables = [generation.named.get(joined_keys([owner])) for generation in self._whole()]
        found.update(number - NAMED for number in _before(tables, NAMED | below, count_max))
        return sorted(found)[-count_max:]

    def blocks(self, block_id: bytes) -> list[int]:
        """Return the positions of events about a block, the valid one among them if there is one.

        Raises:
            StoreDamaged: it may lack one.
        """
        found = (generation.blocks.get(block_id) for generation in self._whole())
        return [position for position in found if position is not None]

    def _whole(self) -> tuple[Generation, ...]:
        for generation in self.generations:
            if generation.damage is not None:
                raise generation.damage
        return self.generations


def _behind(tables: Iterable[list[int] | None], after: int, count_max: int | None) -> list[int]:
    found: list[int] = []
    for numbers in tables:
        if numbers:
            begin = bisect_right(numbers, after)
            found += numbers[begin : None if count_max is None else begin + count_max - len(found)]
    return found


def _before(tables: Sequence[list[int] | None], below: int, count_max: int) -> list[int]:
    found: list[int] = []
    for numbers in reversed(tables):
        end = bisect_left(numbers or (), below)
        found = (numbers or [])[max(0, end - count_max + len(found)) : end] + found
    return found
