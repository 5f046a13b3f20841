"""Decisions of a ledger that is only its log: kinds of blocks that plugins select, and branches after a restore."""

from dataclasses import replace
from hashlib import sha256
from typing import Final

from bigchaindb.eventlog.selection import from_data
from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import Block, Header
from bigchaindb.ledger.effects import Effects, Logged, LoggedEvent, log_digest
from bigchaindb.ledger.ports import LedgerStore
from bigchaindb.transaction.model import Transaction

KINDS: Final = ("red", "green", "rejected")
"""Of the events: valid blocks of two colours, and rejected proposals."""
RED: Final = from_data({"metadata.colour": "red"}, "select")


def commit(store: LedgerStore, kind: str, branch: int) -> int:
    """Commit a block; return its position. Of two branches no two events are the same."""
    tip = store.tip()
    position, height = tip.position + 1, tip.height + 1
    id_ = sha256(f"{branch} {position}".encode()).hexdigest()
    body = f'{{"asset":{{"data":null}},"id":"{id_}","metadata":{{"colour":"{kind}"}},"operation":"CREATE"}}'.encode()
    transaction = Transaction(id=id_, version="2.0", operation="CREATE", asset_id=id_, inputs=(), outputs=(), body=body)
    is_valid = kind != "rejected"
    event_type = EventTypes.BLOCK_VALID if is_valid else EventTypes.BLOCK_INVALID
    header = Header(id_, height, 1_700_000_000 + height, "node", ("node",), None)
    digest = log_digest(tip.digest, event_type, height, id_)
    reason = None if is_valid else "InvalidSignature at transactions[0]"
    after = replace(tip, position=position, digest=digest)
    if is_valid:
        after = replace(after, height=height, block_id=id_, timestamp=header.timestamp)
    event = LoggedEvent(position, event_type, height, id_, reason, digest)
    store.commit(
        Effects(
            after,
            (Logged(event, Block(header, (transaction.body,)), b"{}"),),
            (transaction,) if is_valid else (),
        )
    )
    return position
