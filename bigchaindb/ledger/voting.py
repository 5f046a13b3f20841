"""Votes in the form that 1.x clients know. An engine decides by its own rules; these documents represent the outcome.

Source: docs/reference/contract/blocks-and-votes.md, sections 2 and 6.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta

from bigchaindb.errors import ImproperVoteError, MalformedJson
from bigchaindb.ledger.block import Header
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.keys import KeyPair, decode_key, decode_signature, encode, verify_signature

# Searched for, not matched in full: 1.x wrote its patterns without anchors, and its elections count such votes.
_Key = Annotated[str, Meta(pattern="[1-9a-zA-Z^OIl]{43,44}")]
_Signature = Annotated[str, Meta(pattern="[1-9a-zA-Z^OIl]{86,88}")]
_BlockId = Annotated[str, Meta(pattern="[0-9a-f]{64}")]


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    invalid_reason: str | None
    is_block_valid: bool
    previous_block: _BlockId
    timestamp: Annotated[str, Meta(pattern="[0-9]{10}")]
    voting_for_block: _BlockId


class _Vote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node_pubkey: _Key
    signature: _Signature
    vote: _Content


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
    try:
        msgspec.convert(vote, _Vote)
    except msgspec.ValidationError as error:
        raise ImproperVoteError(str(error)) from None


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
