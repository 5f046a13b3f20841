"""`/api/v1/validators`: whose votes count. Source: http-api.md, section 9."""

import base64

from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.call import Call, Context
from bigchaindb.ledger.validators import ValidatorSet


async def listing(context: Context, _: Call) -> Reply:
    """List those who vote on the next block."""
    return json_answer(document(context.engine.validators()))


def document(validators: ValidatorSet) -> list[dict[str, object]]:
    """Give the body; keys are base64 here, as the 2.x engine wrote them."""
    return [
        {"public_key": {"type": "ed25519-base64", "value": base64.b64encode(key).decode()}, "voting_power": power}
        for key, power in validators.powers.items()
    ]
