"""The page checks proofs as `bigchaindb verify` does: the same verdict on each, the same bytes where both make some.

All questions of a test go to one JavaScript process.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from nacl.bindings import crypto_core_ed25519_scalar_reduce, crypto_scalarmult_ed25519_base_noclamp

from bigchaindb.errors import ConfigurationError, MalformedJson, ProofError, ValidationError
from bigchaindb.ledger.proofs.pieces import Trust
from bigchaindb.ledger.proofs.trusted import read_trust
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.transaction import KeyPair
from bigchaindb.transaction.canonical import canonical, exact
from bigchaindb.transaction.keys import encode
from bigchaindb.transaction.reading import read
from tests.support import scale
from tests.support.page_verdicts import answers
from tests.support.proof_forgeries import forgeries
from tests.support.proof_mutations import Pair, files, mutations, strange_value
from tests.support.proofs import INTERNAL, KEYS, NODE_TRUST, PROOFS, TRUST, Decided, Rejected, node_document, raw
from tests.vectors.judging import read as read_vectors

KEPT: Final = Path(__file__).parents[1] / "vectors/proofs"
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""Of the group of Ed25519."""
SMALL: Final = (
    *(bytes(32), (1).to_bytes(32, "little"), *((2**255 - 19 + n).to_bytes(32, "little") for n in (-1, 0, 1))),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
)
"""Points of small order: as a key, each lets one signature hold for many texts."""
SECRET: Final = int.from_bytes(hashlib.sha512(b"p" * 32).digest()[:32], "little") & (2**254 - 8) | 2**254
"""The scalar of the first key."""
NIST: Final = {
    b"": "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a",
    b"abc": "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": (
        "41c0dba2a9d6240849100376a8235e2c82e1b9998a999e21db32dd97496d3376"
    ),
    b"\xa3" * 200: "79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787",
    b"a" * 1_000_000: "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1",
}
"""Examples that were published with FIPS 202."""


def strange(draw: random.Random) -> bytes:
    """Return a transaction whose one text is hard to write."""
    version = draw.choice(["1.0", "2.0", 1.0, 1, None])
    document = {"version": version, "metadata": strange_value(draw), "": strange_value(draw), "id": strange_value(draw)}
    return canonical(document, str(version))


def kept() -> dict[str, bytes]:
    return {str(path.relative_to(KEPT)): path.read_bytes() for path in sorted(KEPT.rglob("*.json"))}


def trusted_by(document: bytes) -> Trust:
    return NODE_TRUST if b'"kind":"node"' in document else TRUST


def expected(proof: bytes, file: bytes) -> dict[str, Any]:
    try:
        verified = verify(proof, read_trust(file))
    except (ConfigurationError, ProofError) as error:
        return {"refused": str(error)}
    return {
        "kind": verified.kind,
        "power": str(verified.power),
        "chain_id": verified.chain_id,
        "is_bound": verified.is_bound,
        "body": verified.body.decode(),
    }


def assert_same_verdicts(pairs: Sequence[Pair], folder: Path) -> tuple[int, int]:
    """Require the same verdict on each, and return how many are proven and how many are not."""
    found = answers(({"ask": "verify", "document": proof, "trust": file} for proof, file in pairs), folder)
    assert len(found) == len(pairs)
    proven = 0
    for (proof, file), mine in zip(pairs, found, strict=True):
        theirs = expected(proof, file)
        proven += "refused" not in theirs
        is_same = mine == theirs if "refused" not in theirs else "refused" in mine
        assert is_same, f"Python: {theirs}\nJavaScript: {mine}\nproof: {proof!r}\nfile: {file!r}"
    return proven, len(pairs) - proven


def test_sha3_is_that_of_fips_202(tmp_path: Path) -> None:
    draw = random.Random(scale.seed())
    messages = [*NIST, *(draw.randbytes(size) for size in (*range(280), 1_000, 65_537))]
    found = answers(({"ask": "sha3", "message": one} for one in messages), tmp_path)
    for message, answer in zip(messages, found, strict=True):
        assert answer == {"digest": hashlib.sha3_256(message).hexdigest()}, message[:300]
    assert {message: hashlib.sha3_256(message).hexdigest() for message in NIST} == NIST


def test_the_one_text_is_that_of_the_node(tmp_path: Path) -> None:
    draw = random.Random(scale.seed())
    records = [one["json"] for one in read_vectors("canonical_json") if one["json"] != '{"a":1,"a":2}']
    texts = [*records, *(exact(strange_value(draw), "2.0").decode() for _ in range(scale.PROOF_MUTATIONS))]
    asked = [(text, version) for text in texts for version in ("1.0", "2.0")]
    found = answers(({"ask": "canonical", "text": text, "version": version} for text, version in asked), tmp_path)
    for (text, version), answer in zip(asked, found, strict=True):
        try:
            whole = canonical(read(b'{"a":%b}' % text.encode())[0]["a"], version)
        except (MalformedJson, UnicodeEncodeError):
            assert "refused" in answer, text
        else:
            assert answer == {"text": whole.decode()}, (text, version)


def test_ids_are_computed_again(tmp_path: Path) -> None:
    """Of all valid documents, and of valid ones with one member more, which are other ones."""
    documents = [one["tx"] for version in ("v1", "v2") for one in read_vectors(f"valid_{version}") if "tx" in one]
    others = [{**one, "more": 1} for one in documents]
    found = answers(({"ask": "id", "document": json.dumps(one).encode()} for one in (*documents, *others)), tmp_path)
    assert [one["id"] for one in found[: len(documents)]] == [one["id"] for one in documents]
    assert not {one["id"] for one in found[len(documents) :]} & {one["id"] for one in documents}


def nested(depth: int, within: str) -> str:
    return json.dumps({"version": "2.0", within: 0}).replace("0}", "[" * depth + "]" * depth + "}")


def test_documents_are_bounded_alike(tmp_path: Path) -> None:
    deep = [nested(depth, within) for depth in (127, 128, 129, 255, 256) for within in ("metadata", "asset", "more")]
    texts = [*deep, "[]", "1", '{"version": 1.0, "a": 1e21}', '{"version": 10e-1, "a": 1e21}', '{"version":1,"a":1e21}']
    found = answers(({"ask": "document", "text": text} for text in texts), tmp_path)
    for text, answer in zip(texts, found, strict=True):
        try:
            document, _ = read(text.encode())
        except ValidationError:
            assert "refused" in answer, text
        else:
            assert answer == {"text": canonical(document, str(document.get("version"))).decode()}


def test_all_kept_proofs_have_the_same_verdict(tmp_path: Path) -> None:
    proofs = [(proof, trust) for proof, trust in PROOFS.values()]
    proofs += [(proof, trusted_by(proof)) for proof in kept().values()]
    pairs = [(proof, file) for proof, trust in proofs for file in files(trust)]
    proven, refused = assert_same_verdicts(pairs, tmp_path)
    assert proven > 30
    assert refused > 20


def test_forged_proofs_have_the_same_verdict(tmp_path: Path) -> None:
    proven, refused = assert_same_verdicts(forgeries(), tmp_path)
    assert proven > 5
    assert refused > 30


def test_changed_proofs_have_the_same_verdict(tmp_path: Path) -> None:
    draw = random.Random(scale.seed())
    bases = [*PROOFS.values(), *((proof, trusted_by(proof)) for proof in kept().values())]
    for _ in range(10):
        shown = (strange(draw), strange(draw))
        bases.append((Decided(transactions=(*INTERNAL, *shown), shown=shown).document(), TRUST))
        bases.append((node_document(transactions=shown), NODE_TRUST))
        bases.append((Rejected(transactions=(*INTERNAL, *shown, b'{"b":1,"a":1}')).document(), TRUST))
    pairs = list(mutations(scale.seed(), scale.PROOF_MUTATIONS, bases))
    proven, refused = assert_same_verdicts(pairs, tmp_path)
    assert proven > len(pairs) // 20
    assert refused > len(pairs) // 2


def signed_by_all_others(key: bytes, signature: Callable[[bytes], bytes]) -> Pair:
    """Return the proof of a block whose first validator has this key and this way to sign, and who trusts it."""
    first = KeyPair(encode(key), "", b"")
    block = Decided(
        keys=(first, *KEYS[1:]),
        sign=lambda signer, message: signature(message) if signer == first else signer.sign(message),
    )
    return block.document(), files(Trust(validators=block.validators))[0]


def with_points_of_small_order(draw: random.Random) -> Iterator[Pair]:
    """Yield proofs with signatures that some libraries take: the first for any text, the second for its own."""
    scalar = crypto_core_ed25519_scalar_reduce(draw.randbytes(64))
    for point in (*SMALL, *(one[:31] + bytes([one[31] | 0x80]) for one in SMALL)):
        if any(point[:4]):  # the text of other keys would be too short for one
            yield signed_by_all_others(point, lambda _: crypto_scalarmult_ed25519_base_noclamp(scalar) + scalar)

        def forged(message: bytes, point: bytes = point) -> bytes:
            hashed = int.from_bytes(hashlib.sha512(point + raw(KEYS[0]) + message).digest(), "little")
            return point + (hashed * SECRET % ORDER).to_bytes(32, "little")

        yield signed_by_all_others(raw(KEYS[0]), forged)


def beyond_the_order(message: bytes) -> bytes:
    signature = KEYS[0].sign(message)
    return signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")


def test_signatures_have_the_same_verdict(tmp_path: Path) -> None:
    """Libraries differ on keys and points of small order, on keys with two texts, and on scalars beyond the order."""
    pairs = [
        *with_points_of_small_order(random.Random(scale.seed())),
        *(signed_by_all_others((2**255 - 19 + n).to_bytes(32, "little"), KEYS[0].sign) for n in range(2, 19)),
        signed_by_all_others(raw(KEYS[0]), beyond_the_order),
        signed_by_all_others(raw(KEYS[0]), KEYS[0].sign),
    ]
    assert assert_same_verdicts(pairs, tmp_path) == (1, len(pairs) - 1)


def test_what_is_no_proof_has_the_same_verdict(tmp_path: Path) -> None:
    file = files(TRUST)[0]
    texts = (b"", b"null", b"\xff", b"[" * 600 + b"]" * 600, b" " * (16 * 1024 * 1024 + 1))
    pairs = [pair for text in texts for pair in ((text, file), (PROOFS["commit"][0], text))]
    assert assert_same_verdicts(pairs, tmp_path) == (0, 10)


def test_as_many_transactions_as_a_proof_may_hold_have_the_same_verdict(tmp_path: Path) -> None:
    """A browser passes no such number of arguments to a function."""
    many = Rejected(transactions=(b"",) * 2**17).document()
    assert assert_same_verdicts([(many, files(TRUST)[0])], tmp_path) == (1, 0)
