"""`/api/v1/validators`: whose votes count. Source: http-api.md, section 9."""

import base64
from collections.abc import Iterable

import base58

from bigchaindb.api.answers import Reply
from bigchaindb.api.call import Call, Context
from bigchaindb.api.info import Validator


async def listing(context: Context, _: Call) -> Reply:
    """Answer `GET /api/v1/validators`."""
    return context.validators


def document(validators: Iterable[Validator]) -> list[dict[str, object]]:
    """Give the body; keys are base64 here, as the 2.x engine wrote them."""
    return [
        {
            "public_key": {
                "type": "ed25519-base64",
                "value": base64.b64encode(base58.b58decode(validator.public_key)).decode(),
            },
            "voting_power": validator.power,
        }
        for validator in validators
    ]
