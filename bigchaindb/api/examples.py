"""The examples in `/api/v1/openapi.json` are about one transaction, signed with a key that everybody knows."""

from typing import Any, Final

import orjson

from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair

_KEY: Final = KeyPair.from_seed(bytes(range(32)))
_METADATA: Final = {"color": "red", "note": "first owner of the bicycle"}
_MADE: Final = create([_KEY], data={"kind": "bicycle", "serial": "abc-1"}, metadata=_METADATA)

PUBLIC_KEY: Final = _KEY.public_key
TRANSACTION: Final[dict[str, Any]] = orjson.loads(_MADE.body)
TRANSACTION_ID: Final = _MADE.id
BLOCK_ID: Final = 64 * "b"
"""No block has it: ids of blocks hold the time."""
