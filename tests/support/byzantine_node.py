"""A validator that breaks the rules on purpose: `python -m tests.support.byzantine_node -c FILE start`.

It is the real node but for what it proposes and what its votes say, and it votes for its own proposals. A test orders
its faults, one a line, in two files of the folder that the variable `BYZANTINE` names:

- `proposals`: each turn to propose takes the first line, a name of `PROPOSALS`;
- `extensions`: each vote takes the first line, a name of `EXTENSIONS`.

For the line `honest`, and without one, it does what it should.

What it has done it appends to `proposed` there, one `Proposed` a line.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from bigchaindb import network_engine
from bigchaindb.cli import main
from bigchaindb.ledger.bundle import BUNDLE_MARK, bundle_of, unbundled
from bigchaindb.ledger.checking import NONE_KNOWN, Chosen
from bigchaindb.ledger.consensus import vote_extension_sign_bytes
from bigchaindb.ledger.network_ledger import OVERHEAD_BYTES, NetworkLedger, NetworkVerdict, Proposal
from bigchaindb.ledger.rejections import (
    BLOCK_COUNT_MAX,
    BODY_BYTES_MAX,
    EXTENSION_BYTES_MAX,
    VOTES_MARK,
    WAKE_MARK,
    Rejection,
    SignedExtension,
    VotesTransaction,
    body_digest,
    body_size,
    decode_extension,
    encode_extension,
    encode_votes,
)
from bigchaindb.ledger.validating import ParseResult
from bigchaindb.ledger.validators import address_of
from bigchaindb.transaction import KeyPair
from bigchaindb.transaction.keys import decode_key
from tests.support.chains import BOB, CAROL, Coin, create, transfer

FOLDER: Final = "BYZANTINE"
HONEST: Final = "honest"
COIN: Final = Coin(create(2**40))
SPENT: Final = transfer(COIN, to=BOB)
"""Spends `COIN`; a test that orders `double_spend_of_committed` commits both before."""
FIRST_SERIAL: Final = 2**41
"""Of its own transactions, beyond those of tests."""
FILLER_BYTES: Final = 1_000_000
CROWD_COUNT: Final = 130_000
"""Empty transactions that are as many as 1 MiB has room for, where each takes 8 bytes."""


Name = tuple[int, str]
"""Of a proposal of one validator: its height, and the digest of its transactions as a rejection has it."""


class Proposed(msgspec.Struct, frozen=True):
    """A fault that was put to the vote."""

    fault: str
    name: Name


@dataclass(frozen=True)
class Turn:
    """A turn to propose.

    Attributes:
        height: of the block.
        honest: what an honest proposer would put into it.
        bytes_max: of its transactions.
        key: of this validator.
        chain_id: of the network.
    """

    height: int
    honest: tuple[bytes, ...]
    bytes_max: int
    key: KeyPair
    chain_id: str

    @property
    def serial(self) -> int:
        """Makes its transactions others than those of other turns."""
        return FIRST_SERIAL + 2 * self.height

    @property
    def without_votes(self) -> tuple[bytes, ...]:
        """The transactions that an honest proposer would put into it for clients."""
        return tuple(one for one in self.honest if not one.startswith(VOTES_MARK))

    def followed_by(self, *bodies: bytes) -> tuple[bytes, ...]:
        """Hide what is wrong behind what is right."""
        return (*self.honest, *bodies)

    def extension(self, *, key: KeyPair | None = None, height: int | None = None) -> SignedExtension:
        """Make this validator's signed slander; `key` signs it, for the votes on the block before."""
        voted = self.height - 1 if height is None else height
        extension = encode_extension([slander(self.height - 1, self.key, "a block that never was")])
        signature = (key or self.key).sign(vote_extension_sign_bytes(self.chain_id, voted, 0, extension))
        return SignedExtension(validator=_address(self.key), round=0, extension=extension, signature=signature)

    def with_votes(self, *extensions: SignedExtension, bodies: Sequence[tuple[bytes, ...]] = ()) -> tuple[bytes, ...]:
        """Begin the block with a votes transaction of these extensions."""
        votes = VotesTransaction(height=self.height - 1, extensions=extensions, bodies=tuple(bodies))
        return (encode_votes(votes), *self.without_votes)


def slander(height: int, proposer: KeyPair, name: str) -> Rejection:
    """Make the rejection of a proposal that nobody else has rejected."""
    body = (name.encode(),)
    return Rejection(
        height=height,
        block=sha256(name.encode()).hexdigest(),
        proposer=_address(proposer),
        time=1_700_000_000,
        body=body_digest(body),
        size=body_size(body),
        reason="MalformedJson at transactions[0]",
    )


def _double_spend_within(turn: Turn) -> tuple[bytes, ...]:
    coin = Coin(create(turn.serial))
    return turn.followed_by(coin.transaction.body, transfer(coin, to=BOB).body, transfer(coin, to=CAROL).body)


def _double_spend_of_committed(turn: Turn) -> tuple[bytes, ...]:
    return turn.followed_by(transfer(COIN, to=CAROL, note=turn.height).body)


def _bad_signature(turn: Turn) -> tuple[bytes, ...]:
    """1.0 ids do not cover signatures, so another's fits in place of the right one."""
    right, other = (create(serial, version="1.0").body for serial in (turn.serial, turn.serial + 1))
    mark = b'"fulfillment":"'
    (begin, _, rest), (_, _, other_rest) = right.partition(mark), other.partition(mark)
    return turn.followed_by(begin + mark + other_rest[: other_rest.index(b'"')] + rest[rest.index(b'"') :])


def _wrong_bytes(make: Callable[[Turn], bytes]) -> "Fault":
    return lambda turn: turn.followed_by(make(turn))


def _too_many(turn: Turn) -> tuple[bytes, ...]:
    return tuple(b'{"number":%d}' % number for number in range(turn.height, turn.height + BLOCK_COUNT_MAX + 1))


def _oversize(turn: Turn) -> tuple[bytes, ...]:
    """As large as the engine lets a block be, larger than what a votes transaction carries of it."""
    assert turn.bytes_max > BODY_BYTES_MAX
    room, fillers = turn.bytes_max, []
    while (size := min(FILLER_BYTES, room - OVERHEAD_BYTES)) > 0:
        fillers.append(str(turn.height).encode().ljust(size, b"x")[:size])
        room -= size + OVERHEAD_BYTES
    return tuple(fillers)


def _votes_under_wrong_signature(turn: Turn) -> tuple[bytes, ...]:
    return turn.with_votes(turn.extension(key=BOB))


def _votes_of_wrong_height(turn: Turn) -> tuple[bytes, ...]:
    votes = VotesTransaction(height=turn.height, extensions=(turn.extension(height=turn.height),), bodies=())
    return (encode_votes(votes), *turn.without_votes)


def _votes_twice(turn: Turn) -> tuple[bytes, ...]:
    votes = turn.honest if turn.honest != turn.without_votes else turn.with_votes(turn.extension())
    return (votes[0], *votes)


def _pair(turn: Turn) -> bytes:
    return bundle_of([create(turn.serial).body, create(turn.serial + 1).body])


def _double_spend_over_bundles(turn: Turn) -> tuple[bytes, ...]:
    coin = Coin(create(turn.serial))
    right = bundle_of([coin.transaction.body, transfer(coin, to=BOB).body])
    return turn.followed_by(right, bundle_of([transfer(coin, to=CAROL).body]))


def _bundles_too_many(turn: Turn) -> tuple[bytes, ...]:
    half = bundle_of(b'{"number":%d}' % number for number in range(turn.height, turn.height + BLOCK_COUNT_MAX // 2 + 1))
    return (half, half)


def _bundle_too_large(turn: Turn) -> tuple[bytes, ...]:
    return (bundle_of(b'{"number":%d}' % number for number in range(turn.height, turn.height + BLOCK_COUNT_MAX + 1)),)


Fault = Callable[[Turn], tuple[bytes, ...]]
PROPOSALS: Final[Mapping[str, Fault]] = {
    "double_spend_within": _double_spend_within,
    "double_spend_of_committed": _double_spend_of_committed,
    "bad_signature": _bad_signature,
    "malformed": _wrong_bytes(lambda turn: b'{"height":%d' % turn.height),
    "no_text": _wrong_bytes(lambda turn: b"\xff\xfe%d" % turn.height),
    "empty": _wrong_bytes(lambda _: b""),
    "not_canonical": _wrong_bytes(lambda turn: create(turn.serial).body.replace(b":", b": ", 1)),
    "unknown_internal": _wrong_bytes(lambda turn: b"\0unknown%d" % turn.height),
    "wake_within": _wrong_bytes(lambda turn: WAKE_MARK + turn.height.to_bytes(8, "big")),
    "too_many": _too_many,
    "oversize": _oversize,
    "crowd": lambda _: (b"",) * CROWD_COUNT,
    "bundle_of_garbage": _wrong_bytes(lambda turn: BUNDLE_MARK + b"%d" % turn.height),
    "bundle_cut": _wrong_bytes(lambda turn: _pair(turn)[:-1]),
    "bundle_with_more": _wrong_bytes(lambda turn: _pair(turn) + b" "),
    "bundle_within_bundle": _wrong_bytes(lambda turn: bundle_of([_pair(turn)])),
    "bundle_of_votes": _wrong_bytes(lambda turn: bundle_of([VOTES_MARK + b"%d" % turn.height])),
    "bundle_too_large": _bundle_too_large,
    "bundle_repeated": lambda turn: turn.followed_by(_pair(turn), _pair(turn)),
    "bundles_too_many": _bundles_too_many,
    "double_spend_over_bundles": _double_spend_over_bundles,
    "votes_under_wrong_signature": _votes_under_wrong_signature,
    "votes_of_wrong_height": _votes_of_wrong_height,
    "votes_without_news": lambda turn: turn.with_votes(turn.extension()),
    "votes_with_superfluous_body": lambda turn: turn.with_votes(turn.extension(), bodies=[(b"%d" % turn.height,)]),
    "votes_of_garbage": lambda turn: (VOTES_MARK + b"[%d" % turn.height, *turn.without_votes),
    "votes_twice": _votes_twice,
}


@dataclass(frozen=True)
class Vote:
    """A vote to cast: its height, what an honest validator would say with it, whose block it slanders, and its key."""

    height: int
    honest: bytes
    decided: bytes | None
    key: KeyPair


def _slander_of_decided(vote: Vote) -> bytes:
    """Claim that a good block, which all have decided, was rejected."""
    said = slander(vote.height - 1, vote.key, "decided")
    return encode_extension([msgspec.structs.replace(said, block=(vote.decided or bytes(32)).hex())])


EXTENSIONS: Final[Mapping[str, Callable[[Vote], bytes]]] = {
    "slander_of_decided": _slander_of_decided,
    "slander_of_nothing": lambda vote: encode_extension([slander(vote.height, vote.key, f"never {vote.height}")]),
    "many_slanders": lambda vote: encode_extension(
        sorted(slander(vote.height, vote.key, f"never {vote.height} {number}") for number in range(16))
    ),
    "slander_beside_truth": lambda vote: encode_extension(
        sorted([*decode_extension(vote.honest)[:15], slander(vote.height, vote.key, f"beside {vote.height}")])
    ),
    "silence": lambda _: b"",
    "garbage": lambda _: b"\0garbage",
    "not_canonical": lambda vote: b" " + (vote.honest or b"[]"),
    "too_long": lambda _: b"x" * (EXTENSION_BYTES_MAX + 1),
}


class ByzantineLedger(NetworkLedger):
    """The ledger of a validator that follows orders where an honest one follows the rules."""

    _lie: tuple[bytes, ...] | None = None
    _decided: bytes | None = None

    def propose(self, candidates: Sequence[bytes], evidence: Sequence[SignedExtension], *, bytes_max: int) -> Chosen:
        chosen = super().propose(candidates, evidence, bytes_max=bytes_max)
        if (name := take("proposals")) is None:
            return chosen
        height = self._store.tip().height + 1
        turn = Turn(height, chosen.transactions, bytes_max, self._key, self._chain_id)
        lie = PROPOSALS[name](turn)
        self._lie = unbundled(lie)
        carried = self._lie if body_size(self._lie) <= BODY_BYTES_MAX else ()
        proposed = Proposed(name, (height, body_digest(carried)))
        with (_folder() / "proposed").open("ab") as file:
            file.write(msgspec.json.encode(proposed) + b"\n")
        return chosen._replace(transactions=lie)

    def accepts(self, proposal: Proposal, known: Mapping[bytes, ParseResult] = NONE_KNOWN) -> NetworkVerdict:
        if proposal.transactions == self._lie and proposal.proposer.hex() == _address(self._key):
            return NetworkVerdict(proposal, (), None, None)
        verdict = super().accepts(proposal, known)
        self._decided = proposal.hash if verdict.fault is None else self._decided
        return verdict

    def attest(self) -> bytes:
        honest = super().attest()
        if (name := take("extensions")) is None:
            return honest
        return EXTENSIONS[name](Vote(self._store.tip().height + 1, honest, self._decided, self._key))


def take(name: str) -> str | None:
    """Take the first line of a file of orders, None for honesty; whoever writes one renames it into place."""
    path = _folder() / name
    lines = path.read_text().splitlines() if path.exists() else []
    if not lines:
        return None
    rest = path.with_suffix(".rest")  # it may be killed while it writes
    rest.write_text("".join(f"{line}\n" for line in lines[1:]))
    rest.replace(path)
    return None if lines[0] == HONEST else lines[0]


def _folder() -> Path:
    return Path(os.environ[FOLDER])


def _address(key: KeyPair) -> str:
    return address_of(decode_key(key.public_key)).hex()


if __name__ == "__main__":
    network_engine.NetworkLedger = ByzantineLedger  # type: ignore[attr-defined]
    main()
