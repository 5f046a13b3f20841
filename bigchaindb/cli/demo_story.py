"""The story that `bigchaindb demo` sends: five goods and the people whose hands they pass through, as transactions.

The story is the same each time but for the keys, which are made for it and forgotten. No node is asked.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from bigchaindb.key_files import new_keypair
from bigchaindb.transaction import build
from bigchaindb.transaction.build import Payment, Signed, Spend
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import OutputRef

Owners = tuple[str, ...]
"""The names of those who own together; mostly one."""

SEED: Final = 13
BURST_COUNT_MAX: Final = 8
"""Transactions that are sent without a pause between them, so that blocks differ in size."""
JOIN_CHANCE: Final = 0.2
TWO_BUYERS_CHANCE: Final = 0.25


class Good(NamedTuple):
    """Something that is owned.

    Attributes:
        asset: what it is.
        unit: what a share of it is.
        amount: shares that are made.
        lots: amounts in which it is sold.
        maker: who creates it.
        owners: who may come to own it, and how.
        transfer_count: how often it changes hands.
        made: day on which it was made.
        days_max: longest time between two transfers.
    """

    asset: Mapping[str, Any]
    unit: str
    amount: int
    lots: Sequence[int]
    maker: Owners
    owners: Mapping[Owners, str]
    transfer_count: int
    made: date
    days_max: int


class Held(NamedTuple):
    """An unspent output."""

    owners: Owners
    amount: int
    ref: OutputRef


class Story(NamedTuple):
    """What is sent.

    Attributes:
        assets: id of each, by its name.
        bursts: transactions in the order of their story.
        refused: spends what was spent at the beginning.
    """

    assets: Mapping[str, str]
    bursts: Sequence[Sequence[Signed]]
    refused: Signed


GOODS: Final = (
    Good(
        asset={
            "kind": "bicycle",
            "name": "Touring bicycle Albatros",
            "serial": "HC-2019-0147",
            "maker": "Hammer & Coil Cycles",
            "frame": {"material": "steel", "color": "racing green", "size_cm": 57},
        },
        unit="bicycle",
        amount=1,
        lots=[1],
        maker=("Hammer & Coil Cycles",),
        owners={
            ("Velo Nord",): "traded in",
            ("Ada Brandt",): "sale",
            ("Jonas Lind",): "lent for a tour",
            ("Mireille Okafor",): "sale",
            ("Tomás Rivera",): "gift",
        },
        transfer_count=31,
        made=date(2019, 4, 2),
        days_max=140,
    ),
    Good(
        asset={
            "kind": "violin",
            "name": "Violin Aurora",
            "maker": "Lena Moretti, Cremona",
            "year": 1898,
            "label": "Lena Moretti fecit Cremonæ anno 1898",
            "insured_for": {"amount": 180000, "currency": "EUR"},
        },
        unit="violin",
        amount=1,
        lots=[1],
        maker=("Moretti Estate",),
        owners={
            ("Aurora Foundation",): "returned to the collection",
            ("Yuki Tanaka",): "loan for the season",
            ("Samuel Weiss",): "loan for the season",
            ("Atelier Dubois",): "restoration",
        },
        transfer_count=23,
        made=date(2012, 9, 12),
        days_max=400,
    ),
    Good(
        asset={
            "kind": "coffee",
            "name": "Green coffee, washed, lot 31",
            "farm": "Finca La Esperanza",
            "origin": {"country": "Colombia", "region": "Huila", "altitude_m": 1750},
            "variety": ["Caturra", "Pink Bourbon"],
            "cupping_score": 87.5,
        },
        unit="kg",
        amount=2400,
        lots=[15, 30, 60, 70, 140, 350],
        maker=("Finca La Esperanza",),
        owners={
            ("Puerto Azul Export",): "export contract",
            ("Hafen Roasters",): "sale",
            ("Kaffi Reykjavík",): "sale",
            ("Café Lumen",): "delivery",
            ("Blue Door Coffee",): "delivery",
            ("Mireille Okafor",): "sample for roasting",
        },
        transfer_count=57,
        made=date(2025, 1, 20),
        days_max=9,
    ),
    Good(
        asset={
            "kind": "ticket",
            "name": "Harbour Philharmonic, opening night",
            "venue": "Old Shipyard Hall",
            "doors": "2025-09-05T19:00:00Z",
            "seats": {"rows": "A to L", "per_row": 20},
        },
        unit="seats",
        amount=240,
        lots=[1, 2, 2, 4, 12, 20],
        maker=("Harbour Philharmonic",),
        owners={
            ("Old Shipyard Box Office",): "consigned",
            ("Yuki Tanaka",): "sale",
            ("Ada Brandt",): "sale",
            ("Tomás Rivera",): "gift",
            ("Samuel Weiss",): "resale at face value",
            ("Lindenhof School",): "class outing",
        },
        transfer_count=49,
        made=date(2025, 3, 1),
        days_max=6,
    ),
    Good(
        asset={
            "kind": "solar roof",
            "name": "Solar roof of the Lindenhof School",
            "power_kw": 98.6,
            "modules": 232,
            "place": {"street": "Lindenhof 4", "city": "Bremen"},
            "shares": "each share receives one thousandth of the yield",
        },
        unit="shares",
        amount=1000,
        lots=[5, 10, 20, 25, 50],
        maker=("Lindenhof School", "Sunwork Cooperative"),
        owners={
            ("Sunwork Cooperative",): "bought back",
            ("Ada Brandt", "Jonas Lind"): "subscription of shares",
            ("Jonas Lind",): "gift",
            ("Café Lumen",): "subscription of shares",
            ("Yuki Tanaka",): "inheritance",
            ("Mireille Okafor",): "subscription of shares",
        },
        transfer_count=35,
        made=date(2022, 6, 15),
        days_max=50,
    ),
)
TRANSACTION_COUNT: Final = sum(1 + good.transfer_count for good in GOODS)


def tell() -> Story:
    """Return the story, signed by keys of its own."""
    draw = random.Random(SEED)  # noqa: S311 - a story, no secret
    keys = _Keys()
    tales = [_Tale(good, keys, draw) for good in GOODS]
    signed = [next(tale.steps) for tale in tales]
    rest = [tale for tale in tales for _ in range(tale.good.transfer_count)]
    draw.shuffle(rest)
    signed += [next(tale.steps) for tale in rest]
    bicycle = tales[0]
    return Story(
        {tale.good.asset["name"]: tale.asset_id for tale in tales},
        [*_bursts(signed, draw)],
        bicycle.sold_again(("Someone Else",)),
    )


def _bursts(signed: Sequence[Signed], draw: random.Random) -> Iterator[Sequence[Signed]]:
    begin = 0
    while begin < len(signed):
        end = begin + draw.randint(1, BURST_COUNT_MAX)
        yield signed[begin:end]
        begin = end


class _Keys(dict[str, KeyPair]):
    """The key of each name; nobody keeps them."""

    def __missing__(self, name: str) -> KeyPair:
        self[name] = new_keypair()
        return self[name]


class _Tale:
    """What happens to one good."""

    def __init__(self, good: Good, keys: _Keys, draw: random.Random) -> None:
        self.good = good
        self.asset_id = ""
        self.steps = self._steps()
        self._keys, self._draw = keys, draw
        self._day = good.made
        self._held: list[Held] = []

    def sold_again(self, buyer: Owners) -> Signed:
        """Return a second sale of the very first output."""
        held = Held(self.good.maker, self.good.amount, OutputRef(self.asset_id, 0))
        return self._transfer([held], [(buyer, self.good.amount)], "sale", remember=False)

    def _steps(self) -> Iterator[Signed]:
        good = self.good
        signers = [self._keys[name] for name in good.maker]
        about = {"event": "made", "by": " and ".join(good.maker), "date": str(self._day)}
        made = build.create(signers, [self._payment(good.maker, good.amount)], data=good.asset, metadata=about)
        self.asset_id = made.id
        self._held = [Held(good.maker, good.amount, OutputRef(made.id, 0))]
        yield made
        while True:
            self._day += timedelta(days=self._draw.randint(1, good.days_max))
            yield self._joined() or self._sold()

    def _joined(self) -> Signed | None:
        """Return a transfer of somebody's outputs into one, now and then."""
        owners = {held.owners for held in self._held}
        scattered = [one for one in sorted(owners) if sum(held.owners == one for held in self._held) > 1]
        if not scattered or self._draw.random() >= JOIN_CHANCE:
            return None
        owner = self._draw.choice(scattered)
        spent = [held for held in self._held if held.owners == owner][:3]
        return self._transfer(spent, [(owner, sum(held.amount for held in spent))], "combined")

    def _sold(self) -> Signed:
        spent = self._draw.choices(self._held, [held.amount for held in self._held])[0]
        buyers = [one for one in self.good.owners if one != spent.owners]
        count = 1 + (self.good.amount > 1 and self._draw.random() < TWO_BUYERS_CHANCE)
        left, paid = spent.amount, []
        for buyer in self._draw.sample(buyers, count):
            if left:
                paid.append((buyer, min(left, self._draw.choice(self.good.lots))))
                left -= paid[-1][1]
        return self._transfer([spent], paid, self.good.owners[paid[0][0]])

    def _transfer(
        self, spent: Sequence[Held], paid: list[tuple[Owners, int]], reason: str, *, remember: bool = True
    ) -> Signed:
        owner = spent[0].owners
        about: dict[str, Any] = {
            "event": reason,
            "from": " and ".join(owner),
            "to": [{"name": " and ".join(buyer), self.good.unit: amount} for buyer, amount in paid],
            "date": str(self._day),
        }
        if left := sum(held.amount for held in spent) - sum(amount for _, amount in paid):
            paid = [*paid, (owner, left)]
        signers = tuple(self._keys[name] for name in owner)
        spends = [Spend(held.ref, details_of([one.public_key for one in signers]), signers) for held in spent]
        payments = [self._payment(buyer, amount) for buyer, amount in paid]
        signed = build.transfer(self.asset_id, spends, payments, metadata=about)
        if remember:
            self._held = [held for held in self._held if held not in spent]
            self._held += [Held(*one, OutputRef(signed.id, index)) for index, one in enumerate(paid)]
        return signed

    def _payment(self, owners: Owners, amount: int) -> Payment:
        return Payment(details_of([self._keys[name].public_key for name in owners]), amount)
