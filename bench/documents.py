"""Transactions to measure with: distinct documents of 740 to 840 bytes.

Two kinds. *Signed* ones are right in every respect; making one costs about 40 µs, most of it the signature. *Bare*
ones are `Transaction` values whose id and signature are noise: the store neither knows nor cares, and one costs 18 µs.
Everything comes from a seed, so two runs measure the same bytes.
"""

import random
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha3_256, sha256
from typing import Any, Final

import orjson
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from bigchaindb.transaction import base58
from bigchaindb.transaction.model import Fulfillment, Input, Output, OutputRef, Transaction

OWNER_COUNT: Final = 2_000
"""Different key pairs: more than a cache of a few entries holds, as many as a busy node sees in a minute."""
WORD_COUNT: Final = 5_000
"""Different words in search rows, besides one serial number that no other document has."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A key pair and the texts that a document needs of it."""

    secret: bytes
    public: bytes
    text: str
    output: bytes
    fingerprint: bytes

    @classmethod
    def of(cls, seed: bytes) -> "Owner":
        public, secret = crypto_sign_seed_keypair(seed)
        text = base58.encode(public)
        fingerprint = sha256(b"\x30\x22\x80\x20" + public).digest()
        uri = f"ni:///sha-256;{_base64url(fingerprint)}?fpt=ed25519-sha-256&cost=131072"
        output = (
            f'{{"amount":"1","condition":{{"details":{{"public_key":"{text}","type":"ed25519-sha-256"}},'
            f'"uri":"{uri}"}},"public_keys":["{text}"]}}'
        )
        return cls(secret, public, text, output.encode(), fingerprint)


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Signed(tuple[str, bytes]):
    """An id and the canonical bytes of a signed transaction."""

    __slots__ = ()

    @property
    def id(self) -> str:
        return self[0]

    @property
    def body(self) -> bytes:
        return self[1]


class Documents:
    """A source of documents; the same seed gives the same ones."""

    def __init__(self, seed: int = 1, owner_count: int = OWNER_COUNT, owners: Sequence[Owner] = ()) -> None:
        self._random = random.Random(0)
        self._owners = owners or [Owner.of(self._random.randbytes(32)) for _ in range(owner_count)]
        self._words = [self._word() for _ in range(WORD_COUNT)]
        self._random.seed(seed)  # of any seed the owners and words are the same, the documents are not
        self._serial = seed * 10**9

    def create(self) -> tuple[Signed, Owner]:
        """Make a signed CREATE of one share; return it with its owner."""
        owner = self._random.choice(self._owners)
        asset = b'{"data":' + orjson.dumps(self._asset(), option=orjson.OPT_SORT_KEYS) + b"}"
        return _signed(asset, b"null", b"", owner, self._metadata(), b"CREATE", owner), owner

    def transfer(self, parent: Signed, holder: Owner) -> tuple[Signed, Owner]:
        """Make a signed TRANSFER of the CREATE `parent`, which `holder` holds."""
        new = self._random.choice(self._owners)
        spent = parent.id.encode()
        fulfills = b'{"output_index":0,"transaction_id":"' + spent + b'"}'
        asset = b'{"id":"' + spent + b'"}'
        return _signed(asset, fulfills, spent + b"0", holder, self._metadata(), b"TRANSFER", new), new

    def pairs(self, count: int) -> list[Signed]:
        """Make `count` signed documents: a CREATE, then the TRANSFER of it, and so on."""
        made: list[Signed] = []
        while len(made) < count:
            create, owner = self.create()
            made += (create, self.transfer(create, owner)[0])
        return made[:count]

    def lanes(self, count: int, lane_count: int) -> list[Signed]:
        """Make `count` documents such that every `lane_count`-th from any start is a sequence of pairs."""
        lanes = [self.pairs(-(-count // lane_count)) for _ in range(lane_count)]
        return [document for row in zip(*lanes, strict=True) for document in row][:count]

    def bare(self, recent: list[Transaction]) -> Transaction:
        """Make a `Transaction` with a noise signature: every second one spends an output of `recent` and removes it."""
        owner = self._random.choice(self._owners)
        transaction_id = self._random.randbytes(32).hex()
        metadata = self._metadata()
        fulfillment = _base64url(b"\xa4\x64\x80\x20" + owner.public + b"\x81\x40" + self._random.randbytes(64)).encode()
        spender = owner.text
        if spends := len(recent) > 100:
            parent = recent.pop(self._random.randrange(len(recent)))
            spender = parent.outputs[0].owners[0]
            asset, asset_id = b'{"id":"' + parent.asset_id.encode() + b'"}', parent.asset_id
            ref = OutputRef(parent.id, 0)
            fulfills = b'{"output_index":0,"transaction_id":"' + parent.id.encode() + b'"}'
        else:
            asset_id, ref, fulfills = transaction_id, None, b"null"
            asset = b'{"data":' + orjson.dumps(self._asset(), option=orjson.OPT_SORT_KEYS) + b"}"
        text = orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS)
        operation = b"TRANSFER" if spends else b"CREATE"
        head, tail = _text(asset, fulfills, spender, text, operation, owner)
        body = b'%s"%s"%s"%s"%s' % (head[0], transaction_id.encode(), head[1], fulfillment, tail)
        return Transaction(
            id=transaction_id,
            version="2.0",
            operation="TRANSFER" if spends else "CREATE",
            asset_id=asset_id,
            inputs=(Input((spender,), ref, Fulfillment(owner.fingerprint, ((owner.public, bytes(64)),)), b""),),
            outputs=(Output(1, owner.fingerprint, (owner.text,), (owner.text,)),),
            body=body,
        )

    def bare_blocks(self, size: int) -> Iterator[tuple[Transaction, ...]]:
        """Make blocks of bare transactions for ever; nearly half of them spend one of the last thousand outputs."""
        recent: list[Transaction] = []
        while True:
            block = [self.bare(recent if index % 2 else []) for index in range(size)]
            recent.extend(transaction for transaction in block if transaction.operation == "CREATE")
            yield tuple(block)

    def dictionary(self) -> dict[str, Any]:
        """Make a bare transaction as a dict of its own."""
        document: dict[str, Any] = orjson.loads(self.bare([]).body)
        return document

    def _asset(self) -> dict[str, Any]:
        self._serial += 1
        return {"model": self._pick(1), "serial": f"SN{self._serial:012d}"}

    def _metadata(self) -> dict[str, Any]:
        return {"note": self._pick(2), "sequence": self._serial}

    def _pick(self, count: int) -> str:
        return " ".join(self._random.choices(self._words, k=count))

    def _word(self) -> str:
        return "".join(self._random.choices("abcdefghijklmnoprstuvwz", k=self._random.randint(4, 10)))


def _text(
    asset: bytes, fulfills: bytes, spender: str, metadata: bytes, operation: bytes, holder: Owner
) -> tuple[tuple[bytes, bytes], bytes]:
    """Return the canonical text in three pieces: around the id, and after the fulfillment."""
    before_id = b'{"asset":' + asset + b',"id":'
    before_fulfillment = b',"inputs":[{"fulfillment":'
    after = (
        b',"fulfills":%s,"owners_before":["%s"]}],"metadata":%s,"operation":"%s","outputs":[%s],"version":"2.0"}'
        % (
            fulfills,
            spender.encode(),
            metadata,
            operation,
            holder.output,
        )
    )
    return (before_id, before_fulfillment), after


def _signed(
    asset: bytes,
    fulfills: bytes,
    spent: bytes,
    spender: Owner,
    metadata: dict[str, Any],
    operation: bytes,
    holder: Owner,
) -> Signed:
    """Sign as version 2.0 has it. Source: docs/reference/contract/transactions.md, section 3."""
    text = orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS)
    (before_id, before_fulfillment), after = _text(asset, fulfills, spender.text, text, operation, holder)
    message = sha3_256(before_id + b"null" + before_fulfillment + b"null" + after + spent).digest()
    signature = crypto_sign(message, spender.secret)[:64]
    proof = _base64url(b"\xa4\x64\x80\x20" + spender.public + b"\x81\x40" + signature).encode()
    rest = before_fulfillment + b'"' + proof + b'"' + after
    transaction_id = sha3_256(before_id + b"null" + rest).hexdigest()
    return Signed((transaction_id, before_id + b'"' + transaction_id.encode() + b'"' + rest))
