"""Generated chains: signed transactions in blocks that the real ledger has judged and the real store has committed.

Everything comes from the seed: the same recipe gives the same events, byte for byte, on every machine.
"""

import random
import re
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from bigchaindb.config import Limits
from bigchaindb.errors import ConfigurationError
from bigchaindb.events import Event
from bigchaindb.identity import CHAIN_ID_FILE
from bigchaindb.ledger.application import Ledger
from bigchaindb.ledger.checking import BlockLimits
from bigchaindb.ledger.ports import LogReader
from bigchaindb.ledger.proposal import sign_proposal
from bigchaindb.ledger.proven import Proven
from bigchaindb.store import Store
from bigchaindb.transaction import KeyPair, build
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KEY_BYTES, KEY_PATTERN
from bigchaindb.transaction.model import OutputRef

OWNER_COUNT: Final = 5
TIMESTAMP: Final = 1_700_000_000
"""Of height 0; each further height is a second later."""
SEED_MAX: Final = 2**63 - 1
BLOCKS_MAX: Final = 1_000_000
TRANSACTIONS_MAX: Final = 1_000
"""What a node puts into a block at most."""
COINS_MAX: Final = 1_000
"""Unspent outputs that are remembered to be spent: enough for variety, whatever the length of the chain."""
SHARES_MAX: Final = 100
FAULT_COUNT: Final = 3
"""Transactions of which a double spend is made: an asset, its sale, and its sale to somebody else."""
READ_BYTES_MAX: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The properties of a generated chain.

    Attributes:
        blocks: how many events there are.
        transactions: in each block; in a rejected one at least `FAULT_COUNT`.
        invalid: which share of the blocks is voted invalid, from 0 to 1.
        seed: another one gives other keys, transactions, and places of invalid blocks.
    """

    blocks: int = 10
    transactions: int = 3
    invalid: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("blocks", BLOCKS_MAX), ("transactions", TRANSACTIONS_MAX)):
            if not 1 <= (value := getattr(self, name)) <= most:
                raise ConfigurationError(f"{name}: must be 1 to {most}, found {value!r}")
        if not 0 <= self.seed <= SEED_MAX:
            raise ConfigurationError(f"seed: must be 0 to {SEED_MAX}, found {self.seed!r}")
        if not 0.0 <= self.invalid <= 1.0:
            raise ConfigurationError(f"invalid: must be a share from 0 to 1, found {self.invalid!r}")

    @property
    def chain_id(self) -> str:
        """Begins the events' ids."""
        return f"simulated-{self.seed}"


@dataclass(frozen=True, slots=True)
class _Coin:
    """An output that can be spent."""

    output: OutputRef
    asset_id: str
    owner: KeyPair
    amount: int


class Chain:
    """A chain that grows by one decision at a time, in a store of its own.

    Attributes:
        recipe: what it is made by.
        store: open; where it stands.
    """

    def __init__(self, store: Store, recipe: Recipe) -> None:
        """Begin in an empty store."""
        self.recipe = recipe
        self.store = store
        self._random = random.Random(recipe.seed)  # noqa: S311 - keys that guard nothing
        self._node = _keypair(self._random)
        self._owners = [_keypair(self._random) for _ in range(OWNER_COUNT)]
        self._faulty = frozenset(self._random.sample(range(recipe.blocks), round(recipe.blocks * recipe.invalid)))
        self._coins: list[_Coin] = []
        self._serial = 0
        limits = Limits()
        self._voters = [self._node.public_key]
        self._ledger = Ledger(
            store.writer,
            key=self._node,
            voters=self._voters,
            block=BlockLimits(limits.block_count_max, limits.block_bytes_max),
            proven=Proven(count_max=TRANSACTIONS_MAX, bytes_max=limits.block_bytes_max),
        )

    def grow(self, count: int | None = None) -> Self:
        """Commit so many further decisions, all that are still to come if None."""
        head = self.store.writer.tip().position
        last = self.recipe.blocks if count is None else min(self.recipe.blocks, head + count)
        for index in range(head, last):
            self._decide(self._faulty_proposal() if index in self._faulty else self._proposal(self.recipe.transactions))
        return self

    def _decide(self, bodies: list[bytes]) -> None:
        height = self.store.writer.tip().height + 1
        block = sign_proposal(bodies, height=height, timestamp=TIMESTAMP + height, voters=self._voters, key=self._node)
        effects = self._ledger.finalize(self._ledger.accepts(block))
        self._ledger.commit(effects)
        self.store.writer.tidy()

    def _proposal(self, count: int) -> list[bytes]:
        """Make transactions of which about half pass on what earlier ones made."""
        bodies = []
        for _ in range(count):
            if self._coins and self._random.random() < 0.5:  # noqa: PLR2004 - about half
                coin = self._coins.pop(self._random.randrange(len(self._coins)))
                body, coins = self._transfer(coin)
            else:
                body, coins = self._create()
            bodies.append(body)
            self._coins += coins
        while len(self._coins) > COINS_MAX:
            self._coins.pop(self._random.randrange(len(self._coins)))
        return bodies

    def _faulty_proposal(self) -> list[bytes]:
        """Make a proposal whose last transaction spends what another one of it has spent."""
        kept = list(self._coins)
        bodies = self._proposal(max(0, self.recipe.transactions - FAULT_COUNT))
        self._coins = kept  # nothing of it comes to be
        created, (coin, *_) = self._create()
        return [*bodies, created, self._transfer(coin)[0], self._transfer(coin)[0]]

    def _create(self) -> tuple[bytes, list[_Coin]]:
        owner, amount = self._random.choice(self._owners), self._random.randint(1, SHARES_MAX)
        payment = build.Payment(details_of([owner.public_key]), amount)
        made = build.create([owner], [payment], data={"item": {"serial": self._next_serial()}})
        return made.body, [_Coin(OutputRef(made.id, 0), made.id, owner, amount)]

    def _transfer(self, coin: _Coin) -> tuple[bytes, list[_Coin]]:
        """Pass on a coin, whole or in two parts."""
        first = self._random.randint(1, coin.amount)
        amounts = [amount for amount in (first, coin.amount - first) if amount]
        paid = [(self._random.choice(self._owners), amount) for amount in amounts]
        spend = build.Spend(coin.output, details_of([coin.owner.public_key]), (coin.owner,))
        payments = [build.Payment(details_of([owner.public_key]), amount) for owner, amount in paid]
        made = build.transfer(coin.asset_id, [spend], payments, metadata={"note": self._next_serial()})
        return made.body, [
            _Coin(OutputRef(made.id, index), coin.asset_id, owner, amount) for index, (owner, amount) in enumerate(paid)
        ]

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial


def write_data(path: Path, recipe: Recipe) -> None:
    """Make a data directory with the whole chain in it.

    Raises:
        FileExistsError: `path` holds a chain.
        StartupError: `path` cannot be used.
    """
    with closing(Store(path)) as store:
        with (path / CHAIN_ID_FILE).open("x", encoding="ascii") as file:
            file.write(f"{recipe.chain_id}\n")
        Chain(store, recipe).grow()


def events(recipe: Recipe) -> list[Event]:
    """Return all events of a chain."""
    with tempfile.TemporaryDirectory(prefix="bigchaindb-") as folder:
        write_data(Path(folder), recipe)
        with closing(Store(Path(folder))) as store, closing(store.log_reader()) as log:
            return read_events(log, recipe.chain_id)


def read_events(log: LogReader, chain_id: str) -> list[Event]:
    """Return all events of a log that fits into memory."""
    found: list[Event] = []
    while len(found) < (head := log.head()):
        records = log.records(len(found), head, count_max=head, bytes_max=READ_BYTES_MAX)
        found += [record.event(chain_id) for record in records]
    return found


def _keypair(draws: random.Random) -> KeyPair:
    while True:
        pair = KeyPair.from_seed(draws.randbytes(KEY_BYTES))
        if re.match(KEY_PATTERN, pair.public_key):  # one key in 20,000 starts with zeros and is too short as text
            return pair
