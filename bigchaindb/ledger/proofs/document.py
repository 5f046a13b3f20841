"""The proof of an event: a document that shows, to a reader who trusts the validators' keys, that they decided it.

It is self-contained, and the same for valid and invalid blocks but for its evidence:

- `commit`: a block of a network, under the precommits of more than two thirds of the power;
- `commit-2`: the same of a block with bundles, whose order it brings;
- `rejection-2`: a proposal that the applications of validators with more than two thirds of the power rejected, and
  the signed header of its height, which names them;
- `rejection`: the same without that header, as it was made before; read, and no longer made;
- `node`: a block of a network of one, under that node's signature and its vote.

It is made and read here, and verified in `verifying`. Source: docs/reference/proofs.md.
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from bigchaindb.errors import ProofError
from bigchaindb.ledger.bundle import order_of, unbundled
from bigchaindb.ledger.network import Support, Unseen
from bigchaindb.ledger.proofs.exact import read_once, require_exact_base64
from bigchaindb.ledger.proofs.signed_header import VALIDATOR_COUNT_MAX, SignedHeader
from bigchaindb.ledger.rejections import BLOCK_COUNT_MAX, INTERNAL_MARK, Rejection
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.keys import KEY_PATTERN, key_text

FORMAT: Final = "bigchaindb-proof-1"
PROOF_BYTES_MAX: Final = 16 * 1024 * 1024
"""An event of 5 MiB, as much in what it cannot show, in base64, and the precommits of 10,000 validators."""
TRANSACTION_COUNT_MAX: Final = 2**17
"""The rejected proposals that are carried may hold so many, if all are empty."""

Key = Annotated[str, Meta(pattern=KEY_PATTERN)]
BlockHash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$(?!\n)")]
Power = Annotated[int, Meta(ge=1, le=2**63 - 1)]


BundleCount = Annotated[int, Meta(ge=0, le=BLOCK_COUNT_MAX)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Unknown members are refused: they would seem proven and be ignored."""


class ProvenBlock(_Strict, frozen=True):
    """`block` of an event."""

    node_pubkey: Key
    timestamp: Annotated[str, Meta(pattern="^(0|[1-9][0-9]{0,9})$(?!\n)")]
    transactions: Annotated[tuple[msgspec.Raw, ...], Meta(max_length=TRANSACTION_COUNT_MAX)]
    voters: Annotated[tuple[Key, ...], Meta(max_length=VALIDATOR_COUNT_MAX)]


class ProvenEvent(_Strict, frozen=True):
    """The body of an event. Source: blocks-and-votes.md, section 5.1."""

    block: ProvenBlock
    height: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    id: BlockHash
    signature: Annotated[str, Meta(max_length=88)] | None
    reason: Annotated[str, Meta(max_length=200)] | None = None
    body_omitted: Literal[True] | None = None


class Elector(_Strict, frozen=True):
    """A validator: base58 key and power."""

    public_key: Key
    power: Power


class CommitEvidence(_Strict, frozen=True, tag_field="kind", tag="commit"):
    """What proves a valid block of a network.

    Attributes:
        signed_header: as the engine's RPC returns it.
        validators: of its height.
        unseen: transactions of the network's own, ascending.
    """

    signed_header: SignedHeader
    validators: Annotated[tuple[Elector, ...], Meta(max_length=VALIDATOR_COUNT_MAX)]
    unseen: tuple[Unseen, ...] = ()


class BundledCommitEvidence(_Strict, frozen=True, tag_field="kind", tag="commit-2"):
    """What proves a valid block of a network that holds bundles.

    Attributes:
        signed_header: as the engine's RPC returns it.
        validators: of its height.
        order: for each transaction of the engine's block how many its bundle holds; 0 if it is none.
        unseen: transactions of the network's own, ascending.
    """

    signed_header: SignedHeader
    validators: Annotated[tuple[Elector, ...], Meta(max_length=VALIDATOR_COUNT_MAX)]
    order: Annotated[tuple[BundleCount, ...], Meta(max_length=TRANSACTION_COUNT_MAX)]
    unseen: tuple[Unseen, ...] = ()


class RejectionEvidence(_Strict, frozen=True, tag_field="kind", tag="rejection-2"):
    """What proves an invalid block of a network.

    Attributes:
        signed_header: of the block that was decided at the same height, as the engine's RPC returns it.
        rejection: the report that the validators signed.
        support: signed vote extensions with that report.
        unseen: transactions that an event cannot repeat since they are no canonical JSON, ascending.
    """

    signed_header: SignedHeader
    rejection: Rejection
    support: Annotated[tuple[Support, ...], Meta(max_length=VALIDATOR_COUNT_MAX)]
    unseen: tuple[Unseen, ...] = ()


class BareRejectionEvidence(_Strict, frozen=True, tag_field="kind", tag="rejection"):
    """The older evidence of an invalid block of a network, without the header that names the validators of the height.

    Attributes:
        chain_id: that the validators signed for.
        rejection: the report that they signed.
        support: signed vote extensions with that report.
        unseen: transactions that an event cannot repeat since they are no canonical JSON, ascending.
    """

    chain_id: Annotated[str, Meta(min_length=1, max_length=50)]
    rejection: Rejection
    support: Annotated[tuple[Support, ...], Meta(max_length=VALIDATOR_COUNT_MAX)]
    unseen: tuple[Unseen, ...] = ()


class NodeEvidence(_Strict, frozen=True, tag_field="kind", tag="node"):
    """What proves a block of a network of one; the block's own signature stands in the event.

    Attributes:
        vote: the node's v1 vote on it, with the decision and its reason.
    """

    vote: msgspec.Raw


Evidence = CommitEvidence | BundledCommitEvidence | RejectionEvidence | BareRejectionEvidence | NodeEvidence


class Proof(_Strict, frozen=True):
    """The whole document."""

    format: Literal["bigchaindb-proof-1"]
    event: ProvenEvent
    evidence: Evidence


def commit_proof(
    body: bytes, signed_header: SignedHeader, validators: ValidatorSet, transactions: Sequence[bytes]
) -> bytes:
    """Make the proof of a valid block of a network.

    Args:
        body: of its event.
        signed_header: as the engine returns it.
        validators: of its height.
        transactions: of the engine's block, all of them, in order, bundles as such.
    """
    order = order_of(transactions)
    all_ = enumerate(unbundled(transactions))
    unseen = tuple(Unseen(index, one) for index, one in all_ if one.startswith(INTERNAL_MARK))
    electors = tuple(Elector(key_text(key), power) for key, power in validators.powers.items())
    if any(order):
        return _document(body, BundledCommitEvidence(signed_header, electors, order, unseen))
    return _document(body, CommitEvidence(signed_header, electors, unseen))


def rejection_proof(body: bytes, signed_header: SignedHeader, proven: bytes) -> bytes:
    """Make the proof of an invalid block of a network.

    Args:
        body: of its event.
        signed_header: of the block that was decided at its height, as the engine returns it.
        proven: the bytes that `network.encode_proof` made.
    """
    said = msgspec.json.decode(proven, type=dict[str, msgspec.Raw])
    return _document(body, {"kind": "rejection-2", "signed_header": signed_header, **said})


def node_proof(body: bytes, vote: bytes) -> bytes:
    """Make the proof of a block of a network of one.

    Args:
        body: of its event.
        vote: the node's v1 vote on it.
    """
    return _document(body, {"kind": "node", "vote": msgspec.Raw(vote)})


def read_proof(document: bytes) -> Proof:
    """Read a proof; nothing is checked but its form.

    Raises:
        ProofError: it has not the form of one; names the member.
    """
    if len(document) > PROOF_BYTES_MAX:
        raise ProofError(f"at most {PROOF_BYTES_MAX} bytes, found {len(document)}")
    try:
        proof = _decode(document)
        members = read_once(document)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProofError(f"no proof of an event: {error}") from None
    require_exact_base64(members["evidence"])
    return proof


def _document(body: bytes, evidence: object) -> bytes:
    return msgspec.json.encode({"format": FORMAT, "event": msgspec.Raw(body), "evidence": evidence})


_decode: Final = msgspec.json.Decoder(Proof).decode
