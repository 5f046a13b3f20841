"""Votes in the form that 1.x clients know, and the election that adds them up.

An engine decides by its own rules; these documents represent the outcome. The tally is that of 1.x, kept because
clients and the published vectors know it: a majority, not Byzantine fault tolerant.

Source: docs/reference/contract/blocks-and-votes.md, sections 2, 3 and 6.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from bigchaindb.errors import CriticalDuplicateVote, ImproperVoteError, MalformedJson
from bigchaindb.ledger.block import Header
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.keys import KeyPair, decode_key, decode_signature, encode, verify_signature

Status = Literal["valid", "invalid", "undecided"]

_KEY: Final = re.compile(r"[1-9a-zA-Z^OIl]{43,44}")
_SIGNATURE: Final = re.compile(r"[1-9a-zA-Z^OIl]{86,88}")
_BLOCK_ID: Final = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP: Final = re.compile(r"[0-9]{10}")
# Searched for, not matched in full: 1.x wrote them without anchors, and its elections count such votes.

_VOTE_MEMBERS: Final = frozenset(("node_pubkey", "signature", "vote"))
_CONTENT_MEMBERS: Final = frozenset(
    ("invalid_reason", "is_block_valid", "previous_block", "timestamp", "voting_for_block")
)


def make_vote(header: Header, previous_block: str, reason: str | None, key: KeyPair) -> bytes:
    """Make and sign this node's vote on a decided block: equal arguments, equal bytes.

    Args:
        header: of the block that is voted on; its timestamp is the vote's too, so that no clock is asked.
        previous_block: v1 id of the last valid block before it.
        reason: why the block is invalid, None for a valid one.
        key: of this node.

    Returns:
        The vote document as canonical JSON.
    """
    content = orjson.dumps(
        {
            "invalid_reason": reason,
            "is_block_valid": reason is None,
            "previous_block": previous_block,
            "timestamp": f"{max(header.timestamp, 0):010d}",  # the vote schema wants ten digits
            "voting_for_block": header.id,
        }
    )
    signature = encode(key.sign(content)).encode()
    return b'{"node_pubkey":"%b","signature":"%b","vote":%b}' % (key.public_key.encode(), signature, content)


def check_vote(vote: Any) -> None:  # noqa: ANN401 any JSON value may come
    """Require that a document has the form of a vote. Source: blocks-and-votes.md, section 2.

    Raises:
        ImproperVoteError: names the member that breaks the schema.
    """
    _require(isinstance(vote, Mapping) and vote.keys() == _VOTE_MEMBERS, "vote: exactly its three members")
    _require(_found(_KEY, vote["node_pubkey"]), "node_pubkey: a base58 key")
    _require(_found(_SIGNATURE, vote["signature"]), "signature: a base58 signature")
    _check_content(vote["vote"])


def _check_content(content: Any) -> None:  # noqa: ANN401 any JSON value may come
    _require(isinstance(content, Mapping) and content.keys() == _CONTENT_MEMBERS, "vote: exactly its five members")
    _require(_found(_BLOCK_ID, content["voting_for_block"]), "vote.voting_for_block: a block id")
    _require(_found(_BLOCK_ID, content["previous_block"]), "vote.previous_block: a block id")
    _require(isinstance(content["is_block_valid"], bool), "vote.is_block_valid: true or false")
    _require(isinstance(content["invalid_reason"], str | None), "vote.invalid_reason: a string or null")
    _require(_found(_TIMESTAMP, content["timestamp"]), "vote.timestamp: a string of ten digits")


def _require(holds: bool, rule: str) -> None:  # noqa: FBT001 reads as a sentence where it is called
    if not holds:
        raise ImproperVoteError(rule)


def _found(pattern: re.Pattern[str], value: Any) -> bool:  # noqa: ANN401 any JSON value may come
    return isinstance(value, str) and pattern.search(value) is not None


def is_signed(vote: Any) -> bool:  # noqa: ANN401 any JSON value may come
    """Whether the node that a vote names has signed its content, whatever the content is."""
    if not isinstance(vote, Mapping):
        return False
    public_key, signature = vote.get("node_pubkey"), vote.get("signature")
    if not isinstance(public_key, str) or not isinstance(signature, str):
        return False
    try:
        content = canonical(vote.get("vote"), "1.0")
    except MalformedJson:
        return False
    return signed_by(public_key, content, signature)


def signed_by(public_key: str, message: bytes, signature: str) -> bool:
    """Whether a base58 signature by a base58 key is valid for `message`; False for text that is not base58."""
    try:
        return verify_signature(decode_key(public_key), message, decode_signature(signature))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Tally:
    """What the votes on a block add up to.

    Attributes:
        ineligible: votes of nodes that may not vote, or that are not signed by the node they name.
        malformed: signed votes that break the schema; they count as invalid.
        previous_block: what the counted valid votes agree on, None without any.
        other_previous_block: what the outvoted ones name, and how many do.
    """

    status: Status
    block_id: str
    n_valid: int
    n_invalid: int
    ineligible: tuple[Any, ...] = field(default=(), repr=False)
    malformed: tuple[Any, ...] = field(default=(), repr=False)
    previous_block: str | None = None
    other_previous_block: Mapping[str, int] = field(default_factory=dict)


def tally(block_id: str, voters: Iterable[str], federation: Collection[str], votes: Sequence[Any]) -> Tally:
    """Add up the votes on a block. Source: blocks-and-votes.md, section 3.

    Args:
        block_id: v1 id of the block; the rules of 1.x do not compare it with the votes.
        voters: base58, as the block names them.
        federation: base58, the nodes that this one knows, itself included.
        votes: documents, in the order of their arrival.

    Raises:
        CriticalDuplicateVote: a voter voted twice.
    """
    eligible = frozenset(voters) & frozenset(federation)
    counted, ineligible = _partition(votes, lambda vote: is_signed(vote) and vote["node_pubkey"] in eligible)
    _check_one_vote_each(counted)
    well_formed, malformed = _partition(counted, _is_well_formed)
    # The largest group wins; among equal ones the first to arrive, as in 1.x: the status is the same with any of them.
    valid = (vote["vote"]["previous_block"] for vote in well_formed if vote["vote"]["is_block_valid"])
    groups = Counter(valid).most_common()
    previous_block, n_valid = groups[0] if groups else (None, 0)
    n_invalid = len(counted) - n_valid
    return Tally(
        status=decide(len(eligible), n_valid, n_invalid),
        block_id=block_id,
        n_valid=n_valid,
        n_invalid=n_invalid,
        ineligible=ineligible,
        malformed=malformed,
        previous_block=previous_block,
        other_previous_block=dict(groups[1:]),
    )


def decide(n_voters: int, n_valid: int, n_invalid: int) -> Status:
    """Decide an election: half of the votes make a block invalid, more than half make it valid.

    Source: blocks-and-votes.md, section 3, rule 6.
    """
    if n_invalid * 2 >= n_voters:
        return "invalid"
    return "valid" if n_valid * 2 > n_voters else "undecided"


def _partition(votes: Iterable[Any], holds: Callable[[Any], bool]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    kept: list[Any] = []
    others: list[Any] = []
    for vote in votes:
        (kept if holds(vote) else others).append(vote)
    return tuple(kept), tuple(others)


def _is_well_formed(vote: Any) -> bool:  # noqa: ANN401 any JSON value may come
    try:
        check_vote(vote)
    except ImproperVoteError:
        return False
    return True


def _check_one_vote_each(votes: Iterable[Any]) -> None:
    seen: set[str] = set()
    for vote in votes:
        voter = vote["node_pubkey"]
        if voter in seen:
            raise CriticalDuplicateVote(f"{voter} voted twice on one block")
        seen.add(voter)
