"""Proofs of events, by block and by position. Source: docs/reference/proofs.md."""

from typing import Final

from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.arguments import segment
from bigchaindb.api.blocks import BLOCK, BLOCK_ID_CHARACTERS, height_of
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import not_found
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import ref
from bigchaindb.config.access import READ
from bigchaindb.ledger.ports import Decision, ProofSource
from bigchaindb.ledger.proofs.document import commit_proof, node_proof, rejection_proof

_UNSIGNED: Final = b'"signature":null}'
"""The end of an event's body if the proposer did not sign the block as 1.x does."""
POSITION: Final = segment("position", {"type": "string", "pattern": "^[0-9]{1,18}$"}, example="1")


async def of_block(context: Context, call: Call) -> Reply:
    """Answer `/api/v1/blocks/{height_or_id}/proof`: by height for a valid block, by id for any."""
    is_id = len(call.parameter) == BLOCK_ID_CHARACTERS
    block = call.parameter if is_id else height_of(call.parameter)
    return await _proof(context, None if block is None else await context.reads.run(context.queries.decision, block))


async def of_event(context: Context, call: Call) -> Reply:
    """Answer `/api/v1/events/{position}/proof`."""
    position = height_of(call.parameter)  # bounded alike
    found = None if position is None else await context.reads.run(context.queries.decision_at, position)
    return await _proof(context, found)


async def _proof(context: Context, decision: Decision | None) -> Reply:
    if decision is None:
        return not_found()
    return Answer(200, await document(decision, context.proofs) + b"\n")


async def document(decision: Decision, source: ProofSource | None) -> bytes:
    """Return the proof of an event.

    A network that began as one node still has the blocks that this node signed.

    Args:
        decision: of the ledger.
        source: the consensus engine; None on a network of one node.

    Raises:
        EngineError: the consensus engine does not answer.
    """
    if source is None or not decision.body.endswith(_UNSIGNED):
        return node_proof(decision.body, decision.vote)
    if decision.event.reason is not None and not decision.proof:
        return node_proof(decision.body, decision.vote)
    height = decision.event.height
    header = await source.header_and_commit(height)
    if decision.proof:
        return rejection_proof(decision.body, header, decision.proof)
    return commit_proof(decision.body, header, await source.validators(height), await source.transactions(height))


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/blocks/{height_or_id}/proof",
        of_block,
        READ,
        id="getBlockProof",
        tag="blocks",
        summary="Proof of the event of a block, valid or invalid, for readers who trust the validators' keys",
        answer=ref("Proof"),
        parameter=BLOCK,
        errors=(404, 504),
    ),
    Route(
        "GET",
        "/api/v1/events/{position}/proof",
        of_event,
        READ,
        id="getEventProof",
        tag="events",
        summary="Proof of the event at a position, which distinguishes events with the same id",
        answer=ref("Proof"),
        parameter=POSITION,
        errors=(404, 504),
    ),
)
