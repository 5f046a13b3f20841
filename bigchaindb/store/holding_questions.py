"""Makes the questions of `holdings`: each is of one moment, whatever is committed until it is answered."""

from collections.abc import Callable

from bigchaindb.store import holdings
from bigchaindb.store.database import Readers
from bigchaindb.store.held import seq_bound
from bigchaindb.store.keys import OUTPUT_BITS, owner_hash
from bigchaindb.store.recent import Located, Recent
from bigchaindb.store.tip import read_tip
from bigchaindb.transaction.keys import decode_key


class HoldingQuestions:
    """Any thread may call it. The head is read before the rows in memory: what it names is in them, or in tables."""

    def __init__(self, readers: Readers, recent: Recent, place: Callable[[str], Located | None]) -> None:
        """Take what the head, the rows in memory, and a transaction by its id are read by."""
        self._readers = readers
        self._recent = recent
        self._place = place

    def outputs_of_owner(
        self, public_key: str, *, asset_id: str | None, spent: bool | None, before: int | None, limit: int
    ) -> holdings.Outputs:
        """Ask for a page of an owner's outputs, newest first, in one asset perhaps."""
        owner, below = owner_hash(public_key), self._below(before)
        return holdings.Outputs(
            owner=owner,
            asset=None if asset_id is None else bytes.fromhex(asset_id),
            create_seq=0,
            spent=spent,
            before=below,
            limit=limit,
            recent=self._recent.last_outputs(owner, below, _looks(limit, asset_id, spent)),
        )

    def outputs_of_asset(
        self, asset_id: str, *, transaction_id: str | None, spent: bool | None, before: int | None, limit: int
    ) -> holdings.Outputs | None:
        """Ask for a page of an asset's outputs, newest first, those of one transaction perhaps; None: there is none."""
        if (create := self._created(asset_id)) is None:
            return None
        only = None
        if transaction_id is not None:
            only = self._place(transaction_id)
            if only is None or only.asset != create.asset:
                return None
        below = self._below(before)
        return holdings.Outputs(
            owner=None,
            asset=create.asset,
            create_seq=create.seq,
            only_seq=0 if only is None else only.seq,
            spent=spent,
            before=below,
            limit=limit,
            recent=self._recent.last_transfers(create.asset, seq_bound(below), _looks(limit, spent)),
        )

    def balances(self, public_key: str, count_max: int) -> holdings.Balances:
        """Ask what an owner holds of each asset, by the newest `count_max` outputs."""
        (end, height), owner = self._state(), owner_hash(public_key)
        recent = self._recent.last_outputs(owner, end << OUTPUT_BITS, count_max + 1)
        return holdings.Balances(
            public_key=public_key,
            key=decode_key(public_key),
            owner=owner,
            end=end,
            height=height,
            count_max=count_max,
            recent=recent,
        )

    def holders(self, asset_id: str, count_max: int) -> holdings.Holders | None:
        """Ask about an asset and who holds it, by the newest `count_max` outputs; None: there is no such asset."""
        if (create := self._created(asset_id)) is None:
            return None
        end, height = self._state()
        return holdings.Holders(
            asset=create.asset,
            create_seq=create.seq,
            end=end,
            height=height,
            count_max=count_max,
            recent=self._recent.last_transfers(create.asset, end, count_max + 1),
        )

    def _created(self, asset_id: str) -> Located | None:
        """Find the first transaction of an asset."""
        place = self._place(asset_id)
        return place if place is not None and place.asset.hex() == asset_id else None

    def _state(self) -> tuple[int, int]:
        """Return the seq beyond the last transaction, and the height."""
        with self._readers.connection() as connection:
            tip, counts = read_tip(connection)
        return counts.transactions + 1, tip.height

    def _below(self, number: int | None) -> int:
        """Return the number below which a page begins: the bound that a client has, within what is committed."""
        end = self._state()[0] << OUTPUT_BITS
        return end if number is None else min(number, end)


def _looks(limit: int, *filters: object) -> int:
    """Return how many rows of an index a page reads at most, and one more."""
    is_filtered = any(one is not None for one in filters)
    return 1 + (holdings.LOOK_COUNT_MAX if is_filtered else limit + 1)
