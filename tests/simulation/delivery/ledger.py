"""Decisions of a ledger that is only its log: kinds of blocks that plugins select, and branches after a restore."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final, Literal, Protocol

from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog.selection import from_data
from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import Block, Header
from bigchaindb.ledger.effects import Effects, Logged, LoggedEvent, log_digest
from bigchaindb.ledger.ports import LedgerStore, Record
from bigchaindb.store import Log
from bigchaindb.transaction.model import Transaction
from tests.simulation.delivery.virtual_time import Agenda

KINDS: Final = ("red", "green", "rejected")
"""Of the events: valid blocks of two colours, and rejected proposals."""
RED: Final = from_data({"metadata.colour": "red"}, "select")
ASSETS: Final = tuple(sha256(name).hexdigest() for name in (b"car", b"house", b"boat"))
"""That transactions are of."""


def commit(store: LedgerStore, kind: str, branch: int) -> int:
    """Commit a block of one CREATE; return its position. Of two branches no two events are the same."""
    return _commit(store, kind, branch, [kind], is_transfer=False).tip.position


def commit_several(store: LedgerStore, kind: str, branch: int) -> Effects:
    """Commit a block with a TRANSFER for each of `colours_of`; return what was committed."""
    return _commit(store, kind, branch, colours_of(kind, store.tip().position + 1), is_transfer=True)


def colours_of(kind: str, position: int) -> list[str]:
    """Return the colours of the transactions of a block."""
    return [kind, "green", kind, "green", "red"][: 1 + position % 5]


def asset_of(position: int, index: int) -> str:
    """Return the asset of a transaction."""
    return ASSETS[(position * 7 + index * 5) % len(ASSETS)]


def _commit(store: LedgerStore, kind: str, branch: int, colours: list[str], *, is_transfer: bool) -> Effects:
    tip = store.tip()
    position, height = tip.position + 1, tip.height + 1
    block_id = sha256(f"{branch} {position}".encode()).hexdigest()
    transactions = tuple(
        _transaction(block_id if index == 0 else f"{branch} {position} {index}", colour, asset)
        for index, colour in enumerate(colours)
        for asset in (asset_of(position, index) if is_transfer else "",)
    )
    is_valid = kind != "rejected"
    event_type = EventTypes.BLOCK_VALID if is_valid else EventTypes.BLOCK_INVALID
    header = Header(block_id, height, 1_700_000_000 + height, "node", ("node",), None)
    digest = log_digest(tip.digest, event_type, height, block_id)
    reason = None if is_valid else "InvalidSignature at transactions[0]"
    after = replace(tip, position=position, digest=digest)
    if is_valid:
        after = replace(after, height=height, block_id=block_id, timestamp=header.timestamp)
    event = LoggedEvent(position, event_type, height, block_id, reason, digest)
    block = Block(header, tuple(one.body for one in transactions))
    effects = Effects(after, (Logged(event, block, b"{}"),), transactions if is_valid else ())
    store.commit(effects)
    return effects


def _transaction(name: str, colour: str, asset: str) -> Transaction:
    id_ = name if len(name) == 64 else sha256(name.encode()).hexdigest()
    of = f'{{"id":"{asset}"}}' if asset else '{"data":null}'
    operation: Literal["CREATE", "TRANSFER"] = "TRANSFER" if asset else "CREATE"
    body = f'{{"asset":{of},"id":"{id_}","metadata":{{"colour":"{colour}"}},"operation":"{operation}"}}'.encode()
    return Transaction(
        id=id_, version="2.0", operation=operation, asset_id=asset or id_, inputs=(), outputs=(), body=body
    )


class World(Protocol):
    """What a process sees of the history."""

    agenda: Agenda
    draw: Random
    hole: int

    @property
    def head(self) -> int: ...

    def write(self, line: str) -> None: ...


class HoleyLog(Log):
    """A log that lacks an event, if the history says so."""

    def __init__(self, ledger: Path, world: World) -> None:
        super().__init__(ledger)
        self._world = world

    def records(self, after: int, through: int, *, count_max: int, bytes_max: int) -> list[Record]:
        records = super().records(after, through, count_max=count_max, bytes_max=bytes_max)
        return [record for record in records if record.position != self._world.hole]

    def _piece(self, after: int, last: int, bytes_max: int) -> list[Record]:
        if after < self._world.hole <= last:
            last = self._world.hole - 1
            if last == after:
                raise HistoryLost(last + 1, self._world.head)
        return super()._piece(after, last, bytes_max)
