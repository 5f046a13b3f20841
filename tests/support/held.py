"""Random ledgers of several keys and assets, and what they hold by counting everything."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from bigchaindb.transaction import Transaction, build, parse
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef
from tests.support.chains import ALICE, BOB, CAROL

PEOPLE: Final = (ALICE, BOB, CAROL)
KEYS: Final = tuple(one.public_key for one in PEOPLE)


class Counted(NamedTuple):
    """An output of a ledger, in the order of commits; `element` is what a list shows of it, but for who spent it."""

    transaction: Transaction
    ref: OutputRef
    element: dict[str, Any]


def _counted(transaction: Transaction, height: int) -> Iterator[Counted]:
    for index, output in enumerate(orjson.loads(transaction.body)["outputs"]):
        element = {
            "transaction_id": transaction.id,
            "output_index": index,
            "amount": output["amount"],
            "asset_id": transaction.asset_id,
            "public_keys": output["public_keys"],
            "condition": output["condition"],
            "height": height,
        }
        yield Counted(transaction, OutputRef(transaction.id, index), element)


@dataclass
class Counting:
    """A ledger as a list of all its outputs."""

    outputs: list[Counted] = field(default_factory=list)
    spenders: dict[OutputRef, str] = field(default_factory=dict)
    height: int = 0

    def add(self, block: Sequence[Transaction]) -> None:
        """Add the next valid block."""
        self.height += 1
        for one in block:
            self.outputs += _counted(one, self.height)
            self.spenders |= {i.fulfills: one.id for i in one.inputs if i.fulfills is not None}

    @property
    def assets(self) -> list[str]:
        """Return the ids of all assets."""
        return list(dict.fromkeys(one.transaction.asset_id for one in self.outputs))

    def listed(self, wanted: Callable[[dict[str, Any]], bool], spent: bool | None) -> list[dict[str, Any]]:  # noqa: FBT001
        """Return the outputs that a list shows, newest first."""
        rows = [{**one.element, "spent_by": self.spenders.get(one.ref)} for one in reversed(self.outputs)]
        return [row for row in rows if wanted(row) and spent in (None, row["spent_by"] is not None)]

    def balances(self, key: str) -> dict[str, Any]:
        """Return the answer about an owner."""
        alone, shared, counts = Counter[str](), Counter[str](), Counter[str]()
        unspent = [one for one in self.listed(lambda row: key in row["public_keys"], None) if one["spent_by"] is None]
        for row in unspent:
            is_alone = row["condition"]["details"]["type"] == "ed25519-sha-256"
            (alone if is_alone else shared)[row["asset_id"]] += int(row["amount"])
            counts[row["asset_id"]] += 1
        ordered = sorted(counts, key=lambda asset: (-alone[asset], -shared[asset], asset))
        return {
            "public_key": key,
            "balances": [
                {
                    "asset_id": asset,
                    "amount": str(alone[asset]),
                    "shared_amount": str(shared[asset]),
                    "output_count": counts[asset],
                }
                for asset in ordered[:100]
            ],
            "asset_count": len(ordered),
            "unspent_count": len(unspent),
            "complete": True,
            "as_of": self.height,
        }

    def asset(self, asset_id: str) -> dict[str, Any]:
        """Return the answer about an asset; holders as a mapping from their keys."""
        rows = self.listed(lambda row: bool(row["asset_id"] == asset_id), None)
        create = next(one for one in self.outputs if one.transaction.id == asset_id)
        holders = Counter[tuple[str, ...]]()
        unspent = [row for row in rows if row["spent_by"] is None]
        for row in unspent:
            holders[tuple(sorted(row["public_keys"]))] += int(row["amount"])
        data = orjson.loads(create.transaction.body)["asset"]["data"]
        return {
            "id": asset_id,
            "operation": "CREATE",
            "data": data,
            "data_bytes": len(orjson.dumps(data)),
            "amount": str(sum(output.amount for output in create.transaction.outputs)),
            "created_height": create.element["height"],
            "transaction_count": len({row["transaction_id"] for row in rows}),
            "unspent_count": len(unspent),
            "holder_count": len(holders),
            "holders": {keys: str(amount) for keys, amount in holders.items()},
            "complete": True,
            "as_of": self.height,
        }


def blocks(seed: random.Random, transaction_count_max: int) -> Iterator[list[Transaction]]:
    """Yield random blocks without end: assets that split, join and change hands, of one key and of several."""
    coins: list[tuple[OutputRef, str, int, tuple[int, ...]]] = []
    while True:
        block: list[Transaction] = []
        for _ in range(seed.randint(1, transaction_count_max)):
            owners = [_owners(seed) for _ in range(seed.randint(1, 3))]
            payments = [build.Payment(_details(group), seed.randint(1, 10**18)) for group in owners]
            if coins and seed.random() < 0.6:
                asset = seed.choice(coins)[1]
                spent = [coin for coin in coins if coin[1] == asset][: seed.randint(1, 3)]
                coins = [coin for coin in coins if coin not in spent]
                total = sum(amount for _, _, amount, _ in spent)
                payments = _split(seed, total, owners)
                spends = [
                    build.Spend(ref, _details(group), tuple(PEOPLE[i] for i in group)) for ref, _, _, group in spent
                ]
                made = build.transfer(asset, spends, payments, metadata={"n": seed.random()})
            else:
                made = build.create([ALICE], payments, data={"serial": seed.getrandbits(60)})
                asset = made.id
            refs = [OutputRef(made.id, index) for index in range(len(payments))]
            coins += [
                (ref, asset, payment.amount, group) for ref, payment, group in zip(refs, payments, owners, strict=False)
            ]
            block.append(parse(made.body))
        yield block


def _owners(seed: random.Random) -> tuple[int, ...]:
    return tuple(seed.sample(range(len(PEOPLE)), seed.choice((1, 1, 1, 2, 3))))


def _details(group: tuple[int, ...]) -> Any:
    return details_of([KEYS[index] for index in group])


def _split(seed: random.Random, total: int, owners: Sequence[tuple[int, ...]]) -> list[build.Payment]:
    parts, left = [], total
    for group in owners[: min(len(owners), total)]:
        amount = left if group is owners[-1] else seed.randint(1, max(1, left - len(owners)))
        parts.append(build.Payment(_details(group), amount))
        left -= amount
        if not left:
            break
    if left:
        last = parts[-1]
        parts[-1] = build.Payment(last.details, last.amount + left)
    return parts
