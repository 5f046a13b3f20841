"""Proofs that are signed as they stand, and wrong; and files of trusted validators that some readers take."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec

from bigchaindb.ledger.proofs.pieces import Trust
from bigchaindb.ledger.rejections import BODY_BYTES_MAX, encode_extension
from tests.support.proof_mutations import Pair, files
from tests.support.proofs import (
    HEIGHT,
    INTERNAL,
    KEYS,
    PROOFS,
    TIME_TEXT,
    TRANSACTIONS,
    TRUST,
    Decided,
    Path,
    Rejected,
    changed,
    replaced,
)

TIMES: Final[tuple[Path, ...]] = (
    ("evidence", "signed_header", "header", "time"),
    ("evidence", "signed_header", "commit", "signatures", 1, "timestamp"),
)
SAME_TIMES: Final = ("2023-11-13T46:13:20", "2023-10-45T22:13:20", "2023-11-14T22:12:80", "2023-11-14T21:73:20")
"""What some calendars take for the moment that was signed."""


def forgeries() -> list[Pair]:
    """Return pairs that are signed as they stand, and wrong: what one change of a right proof does not come to."""
    three = Decided(keys=KEYS[:3], powers=(1, 1, 1), flags=(2, 2, 3))
    commit, rejection = PROOFS["commit"][0], PROOFS["rejection"][0]
    electors = ("evidence", "validators")
    documents = [
        (Decided(commit_height=HEIGHT + 1).document(), TRUST),
        (Decided(transactions=INTERNAL, shown=()).document(), TRUST),
        (Decided(transactions=(*INTERNAL, TRANSACTIONS[1]), shown=TRANSACTIONS[1:]).document(), TRUST),
        (three.document(), Trust(validators=three.validators)),
        (changed(commit, electors, lambda held: [*held, held[0]]), TRUST),
        (replaced(commit, ("event", "signature"), "1" * 88), TRUST),
        (Decided(header={"chain_id": "other"}).document(), replace(TRUST, chain_id=None)),
        *((replaced(commit, path, text + TIME_TEXT[19:]), TRUST) for path in TIMES for text in SAME_TIMES),
        *((replaced(commit, path, TIME_TEXT.replace("20.", "20.0")), TRUST) for path in TIMES),
        (Decided(header={"version": {"block": "11"}, "app_hash": ""}).document(), TRUST),
        (Decided(header={"height": "0"}, commit_height=0).document(), TRUST),
        (Rejected(body_omitted=True).document(), TRUST),
        (Rejected(said={"size": BODY_BYTES_MAX}).document(), TRUST),
        (Rejected(said={"size": BODY_BYTES_MAX + 1}, transactions=(b"no JSON",)).document(), TRUST),
        (Rejected(signers=(KEYS[0], KEYS[0])).document(), TRUST),
        (Rejected(decided=Decided(header={"height": str(HEIGHT + 1)}, commit_height=HEIGHT + 1)).document(), TRUST),
        (_hiding(rejection), TRUST),
        *((_saying(extension), TRUST) for extension in _extensions()),
    ]
    pairs = [(document_, file) for document_, trust in documents for file in files(trust)[:2]]
    return [*pairs, *((commit, file) for file in _strange_files())]


def _hiding(rejection: bytes) -> bytes:
    """Return the proof of a rejection whose event does not show what it could."""
    whole = json.loads(rejection)
    shown = whole["event"]["block"]["transactions"]
    hidden = {"index": 1, "bytes": base64.b64encode(TRANSACTIONS[0]).decode()}
    assert len(shown) == 2
    shown.pop(0)
    whole["evidence"]["unseen"].insert(1, hidden)
    return json.dumps(whole).encode()


def _saying(extension: bytes) -> bytes:
    """Return the proof of a rejection by votes with some extension, signed as it stands."""
    whole = json.loads(PROOFS["rejection"][0])
    rejected = Rejected()
    support = [json.loads(msgspec.json.encode(rejected.support(key, extension))) for key in KEYS[:3]]
    whole["evidence"]["support"] = support
    return json.dumps(whole).encode()


def _extensions() -> Iterator[bytes]:
    said = Rejected().rejection
    right = encode_extension([said])
    others = [msgspec.structs.replace(said, height=height) for height in range(1, 20)]
    yield right
    yield from (b"", b"[]", right + b" ", right.replace(b",", b", "), b'{"a":1}', b"\xff", right[:-1])
    yield right.replace(b'"height":7,', b'"height":7,"height":7,')
    yield right.replace(b'"height":7', b'"height":7.0')
    yield right.replace(b"DoubleSpend", b"\\u0044oubleSpend")
    yield right.replace(b'"height":7,', b"").replace(b'"block"', b'"height":7,"block"')
    yield encode_extension([said, said])
    yield encode_extension([*others[:6], said])
    yield encode_extension([said, *others[:6]])
    yield encode_extension([*others[:6], said, *others[7:16]])
    yield encode_extension([*others[:6], said, *others[7:17]])
    yield encode_extension([said, msgspec.structs.replace(said, size=said.size + 1)])
    yield encode_extension([msgspec.structs.replace(said, size=said.size + 1), said])


def _strange_files() -> Iterator[bytes]:
    genesis = json.loads(files(TRUST)[1])
    listed = genesis["validators"]
    for validators in (
        [*listed, listed[0]],
        [*listed[:3], {**listed[3], "power": None}],
        [*listed[:3], {"pub_key": listed[3]["pub_key"]}],
        [*listed[:3], {**listed[3], "power": None, "voting_power": listed[3]["power"]}],
        [*listed[:3], {**listed[3], "voting_power": "999"}],
        [*listed[:3], {**listed[3], "power": 3}],
        [*listed[:3], {**listed[3], "power": "03"}],
        [],
    ):
        yield json.dumps({**genesis, "validators": validators}).encode()
    yield json.dumps({**genesis, "chain_id": None}).encode()
    yield json.dumps({**genesis, "chain_id": ""}).encode()
    yield json.dumps({"validators": listed}).encode()
    yield files(TRUST)[1].replace(b"app_state", b"app\xffstate")
    yield b"\xef\xbb\xbf" + files(TRUST)[1]
