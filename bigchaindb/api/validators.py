"""`/api/v1/validators`: the validators and their voting power. Source: http-api.md, section 9."""

import base64
from typing import Final

from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.arguments import Argument, Unknown
from bigchaindb.api.blocks import height_of
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import not_found
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import array, ref
from bigchaindb.config.access import READ
from bigchaindb.ledger.validators import ValidatorSet


async def listing(context: Context, call: Call) -> Reply:
    """List the validators of the next block; with `height`, which 2.x does not have, those of that block."""
    height = HEIGHT.of(call)
    if height is None:
        return json_answer(document(context.engine.validators()))
    if height > await context.reads.run(context.queries.height):
        return not_found()
    if context.proofs is None:  # The validator of a network of one node never changes.
        return json_answer(document(context.engine.validators()))
    return json_answer(document(await context.proofs.validators(height)))


def _height(value: str) -> int:
    """Take the height of a block, from 1."""
    height = height_of(value)
    if not height:
        raise ValueError("must be a height of at least 1")
    return height


def document(validators: ValidatorSet) -> list[dict[str, object]]:
    """Return the body."""
    return [{"public_key": key_document(key), "voting_power": power} for key, power in validators.powers.items()]


def key_document(key: bytes) -> dict[str, str]:
    """Return a validator's key as the engine of 2.x wrote it."""
    return {"type": "ed25519-base64", "value": base64.b64encode(key).decode()}


HEIGHT: Final = Argument[int | None](
    name="height",
    take=_height,
    schema={"type": "integer", "minimum": 1},
    description="Height of a decided block; omit it for the next block.",
    example="1",
)
ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/validators",
        listing,
        READ,
        id="listValidators",
        tag="network",
        summary="Validators of the next block or of a decided one",
        answer=array(ref("Validator")),
        arguments=(HEIGHT,),
        unknown=Unknown.IGNORED,
        errors=(400, 404, 504),
    ),
)
