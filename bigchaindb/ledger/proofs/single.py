"""Checks what proves a block of a network of one: its hash, the node's signature, and the vote that decided it.

The node's word covers the block, the decision and its reason; the height it does not sign.
"""

from collections.abc import Sequence

from bigchaindb.errors import ProofError, ValidationError
from bigchaindb.ledger.block import Block, Header, block_id, block_text, event_body
from bigchaindb.ledger.proofs.document import NodeEvidence, ProvenEvent
from bigchaindb.ledger.proofs.pieces import Trust, Verified, power_of, require, require_equal
from bigchaindb.ledger.voting import check_vote, is_signed, signed_by
from bigchaindb.transaction.keys import decode_key
from bigchaindb.transaction.reading import read


def verify_node(evidence: NodeEvidence, event: ProvenEvent, shown: Sequence[bytes], trust: Trust) -> Verified:
    """Check the evidence of a block of one node.

    Args:
        evidence: from anyone.
        event: as the proof shows it.
        shown: canonical bytes of its transactions.
        trust: the reader's.

    Raises:
        ProofError: names what fails.
    """
    claimed = event.block
    text = block_text(int(claimed.timestamp), shown, claimed.node_pubkey, claimed.voters)
    require_equal("event.id", event.id, block_id(text), "the block's hash is")
    if event.signature is not None:
        require(
            signed_by(claimed.node_pubkey, text, event.signature), "event.signature: not of event.block.node_pubkey"
        )
    else:
        # A rejected proposal may hold what no event can repeat; its signature covers that too. The vote names the rest.
        require(event.reason is not None, "event.signature: missing")
    _check_vote(evidence, event)
    timestamp, voters = int(claimed.timestamp), tuple(claimed.voters)
    header = Header(event.id, event.height, timestamp, claimed.node_pubkey, voters, event.signature)
    block = Block(header, tuple(shown))
    return Verified(
        kind="node",
        block=block,
        reason=event.reason,
        body=event_body(block, event.reason),
        chain_id=None,
        power=power_of([decode_key(claimed.node_pubkey)], trust.validators),
        total=trust.validators.total,
    )


def _check_vote(evidence: NodeEvidence, event: ProvenEvent) -> None:
    try:
        vote, _ = read(bytes(evidence.vote))
        check_vote(vote)
    except ValidationError as error:
        raise ProofError(f"vote: {error}") from None
    said = vote["vote"]
    require(is_signed(vote), "vote: not signed by its node_pubkey")
    require_equal("vote.node_pubkey", vote["node_pubkey"], event.block.node_pubkey, "the block is by")
    require_equal("vote.voting_for_block", said["voting_for_block"], event.id, "the event is about")
    require_equal("vote.is_block_valid", said["is_block_valid"], event.reason is None, "the event says")
    require_equal("vote.invalid_reason", said["invalid_reason"], event.reason, "the event says")
