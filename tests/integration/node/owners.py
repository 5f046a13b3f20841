"""Clients that keep a node busy over connections kept open, and remember every promise that it made to them."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import NamedTuple

from bigchaindb.transaction import build
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import OutputRef
from tests.support.http import Answer
from tests.support.node import Node
from tests.support.raw import Wire, request, wire

RECENT = 40
"""So many of the newest coins are spent from, so that chains grow long."""
RESENT_PART = 0.3
"""How much of what a run left open is sent again by its client."""
TARGET = "/api/v1/transactions"


async def until_broken(trading: Iterable[asyncio.Task[None]]) -> None:
    """Wait until the connection of every client is broken.

    Raises:
        AssertionError: a promise was broken before.
    """
    for outcome in await asyncio.gather(*trading, return_exceptions=True):
        if not isinstance(outcome, OSError | EOFError) or isinstance(outcome, TimeoutError):
            assert isinstance(outcome, BaseException)
            raise outcome


class Coin(NamedTuple):
    """An unspent output."""

    ref: OutputRef
    asset_id: str
    amount: int


class Made(NamedTuple):
    """A signed transaction, and what it does to its owner's coins."""

    id: str
    body: bytes
    spends: tuple[Coin, ...]
    pays: tuple[Coin, ...]


class Owner:
    """One client with a key of its own: makes assets, passes them on to itself, and now and then tries to cheat.

    Attributes:
        made: all that was ever sent, by id.
        promised: what the node has said is committed, or has served: it must never be gone again.
        accepted: what the run that is now has only accepted: a clean stop commits it.
        refused: what the node has said it does not take: it must never appear.
    """

    def __init__(self, name: str, choices: random.Random) -> None:
        self.key = KeyPair.from_seed(sha256(name.encode()).digest())
        self.made: dict[str, Made] = {}
        self.promised: set[str] = set()
        self.accepted: set[str] = set()
        self.refused: set[str] = set()
        self._open: set[str] = set()
        self._coins: list[Coin] = []
        self._details = details_of([self.key.public_key])
        self._choices = choices

    async def trade(self, port: int) -> None:
        """See that every promise was kept, then go on until the connection breaks.

        Raises:
            OSError: it did; or EOFError.
            AssertionError: a promise was broken.
        """
        async with wire(port) as connection, wire(port) as another:
            await self.check_promises(connection)
            while True:
                await self._step(connection, another)

    async def check_promises(self, connection: Wire) -> None:
        """Ask for all that the run before left open: what was promised must be there, byte by byte."""
        self.accepted.clear()
        for id_ in sorted(self._open):
            made = self.made[id_]
            answer = await connection.ask(request("GET", f"{TARGET}/{id_}"))
            if answer.status == 200:
                assert answer.body == made.body + b"\n"
                assert id_ not in self.refused, f"{id_} was refused and is there"
                self.promised.add(id_)
            else:
                assert answer.status == 404, answer
                assert id_ not in self.promised, f"{id_} was committed and is gone"  # L5
            if self._choices.random() < RESENT_PART:
                await self._send_again(connection, made)
            self._open.discard(id_)
        self._coins = self.unspent()[-RECENT:]

    async def _send_again(self, connection: Wire, made: Made) -> None:
        """Do what a client does that got no answer: it may succeed once."""
        answer = await self._ask(connection, made, "commit")
        if made.id in self.promised:
            assert answer.status in {400, 503}, f"{made.id} was committed twice"
        else:
            self._note(made, answer, "commit", may_be_refused=True)

    def stopped_cleanly(self) -> None:
        """Note that the node came to a clean end: what it had accepted is committed."""
        self.promised |= self.accepted

    def require_kept(self, bodies: Mapping[str, bytes]) -> None:
        """Hold a ledger's transactions, by id, against all that this client was told."""
        for id_ in self.promised:
            assert bodies.get(id_) == self.made[id_].body, f"{id_} was committed and is not in the files"
        assert not self.refused & bodies.keys(), "refused, and in the files"

    def unspent(self) -> list[Coin]:
        """Return the coins that are left when exactly what was promised is committed."""
        made = [one for id_, one in self.made.items() if id_ in self.promised]
        spent = {coin for one in made for coin in one.spends}
        return [coin for one in made for coin in one.pays if coin not in spent]

    async def _step(self, connection: Wire, another: Wire) -> None:
        choice = self._choices.random()
        if not self._coins or choice < 0.25:
            await self._post(connection, self._create())
        elif choice < 0.85:
            await self._post(connection, self._transfer(self._coins_of_one_asset()))
        else:
            await self._cheat(connection, another)

    async def _cheat(self, connection: Wire, another: Wire) -> None:
        """Spend the same coins twice at the same time: one of the two may succeed (L1)."""
        coins = self._coins_of_one_asset()
        rivals = [self._transfer(coins), self._transfer(coins)]
        modes = [self._mode(), self._mode()]
        asked = [
            asyncio.create_task(self._ask(wire_, rival, mode))
            for wire_, rival, mode in zip((connection, another), rivals, modes, strict=True)
        ]
        await asyncio.wait(asked)
        answers = [one.result() for one in asked if one.exception() is None]
        for one, rival, mode in zip(asked, rivals, modes, strict=True):
            if one.exception() is None:
                self._note(rival, one.result(), mode, may_be_refused=True)
        assert [answer.status for answer in answers].count(202) <= 1, answers
        await asyncio.gather(*asked)

    async def _post(self, connection: Wire, made: Made) -> None:
        mode = self._mode()
        self._note(made, await self._ask(connection, made, mode), mode, may_be_refused=False)

    async def _ask(self, connection: Wire, made: Made, mode: str) -> Answer:
        self.made[made.id] = made
        self._open.add(made.id)
        self.refused.discard(made.id)  # sent again it may succeed, and the answer get lost
        return await connection.ask(request("POST", f"{TARGET}?mode={mode}", made.body))

    def _note(self, made: Made, answer: Answer, mode: str, *, may_be_refused: bool) -> None:
        if answer.status == 202:
            assert answer.body == made.body + b"\n"
            (self.promised if mode == "commit" else self.accepted).add(made.id)
            self._coins = [coin for coin in self._coins[-RECENT:] if coin not in made.spends] + list(made.pays)
        else:
            assert answer.status == 503 or (answer.status == 400 and may_be_refused), answer
            self.refused.add(made.id)

    def _mode(self) -> str:
        return self._choices.choice(("async", "commit", "commit"))

    def _create(self) -> Made:
        amounts = [self._choices.randrange(1, 10**12) for _ in range(self._choices.randrange(1, 4))]
        payments = [build.Payment(self._details, amount) for amount in amounts]
        signed = build.create([self.key], payments, data={"serial": len(self.made)})
        return self._of(signed, signed.id, (), amounts)

    def _transfer(self, coins: Sequence[Coin]) -> Made:
        total = sum(coin.amount for coin in coins)
        part = self._choices.randrange(total)
        amounts = [amount for amount in (part, total - part) if amount]
        spends = [build.Spend(coin.ref, self._details, (self.key,)) for coin in coins]
        payments = [build.Payment(self._details, amount) for amount in amounts]
        asset_id = coins[0].asset_id
        signed = build.transfer(asset_id, spends, payments, metadata={"serial": len(self.made)})
        return self._of(signed, asset_id, coins, amounts)

    @staticmethod
    def _of(signed: build.Signed, asset_id: str, spends: Sequence[Coin], amounts: Sequence[int]) -> Made:
        pays = (Coin(OutputRef(signed.id, index), asset_id, amount) for index, amount in enumerate(amounts))
        return Made(signed.id, signed.body, tuple(spends), tuple(pays))

    def _coins_of_one_asset(self) -> list[Coin]:
        first = self._choices.choice(self._coins)
        others = [coin for coin in self._coins if coin.asset_id == first.asset_id and coin != first]
        return [first, *others[: self._choices.randrange(3)]]


@asynccontextmanager
async def trading(node: Node, owners: Sequence[Owner]) -> AsyncIterator[None]:
    """Keep all clients trading; the node must be killed or stopped within."""
    tasks = [asyncio.create_task(owner.trade(node.port)) for owner in owners]
    try:
        yield
        await until_broken(tasks)
    finally:
        node.kill()
        await asyncio.gather(*tasks, return_exceptions=True)
