"""Decisions for stores, made by hand: transactions without signatures, blocks without engine, in microseconds."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha3_256, sha256
from typing import Any

import msgspec

from bigchaindb.ledger.block import Block, Header, block_id, block_text
from bigchaindb.ledger.effects import Effects, Logged, LoggedEvent, Tip, log_digest
from bigchaindb.transaction.model import Fulfillment, Input, Output, OutputRef, Transaction
from tests.support.chains import NODE


def made(
    serial: int,
    *,
    spends: Sequence[OutputRef] = (),
    asset_id: str | None = None,
    owners: Sequence[Sequence[str]] = (("alice",),),
    data: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Transaction:
    """Make a transaction that no rule has looked at: an output for each list of owners, a TRANSFER if of an asset."""
    outputs = tuple(
        Output(serial + 1, sha256("".join(keys).encode()).digest(), tuple(keys), tuple(keys)) for keys in owners
    )
    document: dict[str, Any] = {
        "asset": {"data": data} if asset_id is None else {"id": asset_id},
        "inputs": [{"fulfills": {"transaction_id": s[0], "output_index": s[1]}} for s in spends] or [None],
        "metadata": metadata,
        "operation": "CREATE" if asset_id is None else "TRANSFER",
        "outputs": [{"public_keys": list(output.public_keys)} for output in outputs],
        "serial": serial,
        "version": "2.0",
    }
    id_ = sha3_256(_json({**document, "id": None})).hexdigest()
    body = _json({**document, "id": id_})
    fulfillment = Fulfillment(bytes(32), ())
    return Transaction(
        id=id_,
        version="2.0",
        operation="CREATE" if asset_id is None else "TRANSFER",
        asset_id=asset_id or id_,
        inputs=tuple(Input((), spent, fulfillment, b"") for spent in (spends or (None,))),
        outputs=outputs,
        body=body,
    )


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


class Chain:
    """Decides one block after the other, each continuing the one before."""

    def __init__(self, tip: Tip | None = None) -> None:
        self.tip = tip or Tip()

    def valid(self, *transactions: Transaction) -> Effects:
        """Decide that a block of these is valid."""
        return self._decide(1, transactions, None)

    def invalid(self, *transactions: Transaction, reason: str = "DoubleSpend at transactions[0]") -> Effects:
        """Decide that a proposal of these is invalid."""
        return self._decide(2, transactions, reason)

    def _decide(self, type_: int, transactions: Sequence[Transaction], reason: str | None) -> Effects:
        before = self.tip
        height, time = before.height + 1, 1_700_000_000 + before.height
        bodies = tuple(t.body for t in transactions)
        voters = (NODE.public_key,)
        id_ = block_id(block_text(time, bodies, NODE.public_key, voters))
        digest = log_digest(before.digest, type_, height, id_)
        event = LoggedEvent(before.position + 1, type_, height, id_, reason, digest)
        block = Block(Header(id_, height, time, NODE.public_key, voters, f"signature-{event.position}"), bodies)
        self.tip = replace(before, position=event.position, digest=digest)
        if reason is None:
            app_hash = sha256(before.app_hash + bytes.fromhex(id_)).digest()
            self.tip = Tip(height, id_, time, app_hash, event.position, digest)
        vote = _json({"vote": {"is_block_valid": reason is None, "voting_for_block": id_}})
        return Effects(self.tip, (Logged(event, block, vote),), tuple(transactions) if reason is None else ())


def random_block(seed: random.Random, unspent: list[tuple[OutputRef, str]], count: int) -> list[Transaction]:
    """Make `count` transactions, about half of which spend something of `unspent`, which is kept up to date."""
    block = []
    for _ in range(count):
        serial = seed.getrandbits(40)
        owners = [(f"owner-{seed.randrange(5)}",) for _ in range(seed.randint(1, 3))]
        if unspent and seed.random() < 0.5:
            ref, asset_id = unspent.pop(seed.randrange(len(unspent)))
            transaction = made(serial, spends=[ref], asset_id=asset_id, owners=owners, metadata={"note": f"n{serial}"})
        else:
            transaction = made(serial, owners=owners, data={"name": f"thing {serial % 7}"})
        unspent += [(OutputRef(transaction.id, index), transaction.asset_id) for index in range(len(owners))]
        block.append(transaction)
    return block
