"""Owners and assets: balances, holders, and outputs page by page. Source: docs/reference/http-questions.md."""

import base64
from binascii import Error as Base64Error
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from bigchaindb.api import examples
from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.arguments import Argument, converted, limit, rows_of_page, segment, text, transaction_id
from bigchaindb.api.call import Call, Context
from bigchaindb.api.outputs import SPENT
from bigchaindb.api.problems import not_found
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import BOOLEAN, COUNT, HEX_64, KEY, OBJECT, TEXT, TEXT_OR_NULL, array, record
from bigchaindb.config.access import READ
from bigchaindb.store.holdings import Outputs
from bigchaindb.transaction.keys import decode_key

_LIST_BYTES: Final = 8
_NUMBER_BYTES: Final = 8


def key(text: str) -> str:
    """Take a base58 Ed25519 key of 32 bytes."""
    try:
        decode_key(text)
    except ValueError:
        raise ValueError("Invalid base58 ed25519 key") from None
    return text


PUBLIC_KEY: Final = segment("public_key", KEY, take=key, example=examples.PUBLIC_KEY)
ASSET_ID: Final = segment("id", HEX_64, take=transaction_id, example=examples.TRANSACTION_ID)
ASSET: Final = Argument[str | None](name="asset", take=transaction_id, schema=HEX_64, description="Only of this asset.")
TRANSACTION: Final = Argument[str | None](
    name="transaction", take=transaction_id, schema=HEX_64, description="Only of this transaction."
)
BEFORE: Final = Argument[str | None](name="before", take=text, schema=TEXT, description="`next` of the page before.")
LIMIT: Final = limit(rows_of_page, what="Most outputs of a page.")

AskFor = Callable[[int | None], Outputs | None]
"""Returns the question for a page below a number; None: there is no such list."""


async def owner(context: Context, call: Call) -> Reply:
    """Answer with what an owner holds of each asset."""
    count_max = context.limits.balance_output_count_max
    asked = await context.reads.run(context.queries.holdings.balances, PUBLIC_KEY.of(call), count_max)
    return Answer(200, await context.reads.document(asked))


async def asset(context: Context, call: Call) -> Reply:
    """Answer with an asset and who holds it."""
    count_max = context.limits.balance_output_count_max
    asked = await context.reads.run(context.queries.holdings.holders, ASSET_ID.of(call), count_max)
    return not_found() if asked is None else Answer(200, await context.reads.document(asked))


async def outputs_of_owner(context: Context, call: Call) -> Reply:
    """Answer with outputs of an owner, newest first."""
    public_key, questions = PUBLIC_KEY.of(call), context.queries.holdings

    def ask(before: int | None) -> Outputs:
        return questions.outputs_of_owner(
            public_key, asset_id=ASSET.of(call), spent=SPENT.of(call), before=before, limit=LIMIT.of(call)
        )

    return await _outputs(context, call, f"owner {public_key}", ask)


async def outputs_of_asset(context: Context, call: Call) -> Reply:
    """Answer with outputs of an asset, newest first."""
    asset_id, questions = ASSET_ID.of(call), context.queries.holdings

    def ask(before: int | None) -> Outputs | None:
        return questions.outputs_of_asset(
            asset_id, transaction_id=TRANSACTION.of(call), spent=SPENT.of(call), before=before, limit=LIMIT.of(call)
        )

    return await _outputs(context, call, f"asset {asset_id}", ask)


async def _outputs(context: Context, call: Call, name: str, ask: AskFor) -> Reply:
    """Answer with a page of the list `name`."""
    list_ = sha256(f"{context.state.chain_id} {name}".encode()).digest()[:_LIST_BYTES]
    place = BEFORE.of(call)
    before = None if place is None else converted("before", place, lambda text: _number(text, list_))
    asked = await context.reads.run(ask, before)
    if asked is None:
        return not_found()
    page = await context.reads.output_page(asked)
    end, next_ = (b"false", b'"%b"' % _place(page.next, list_)) if page.next else (b"true", b"null")
    return Answer(200, b'{"outputs":[%b],"end":%b,"next":%b}\n' % (page.elements, end, next_))


def _place(number: int, list_: bytes) -> bytes:
    return base64.urlsafe_b64encode(list_ + number.to_bytes(_NUMBER_BYTES, "big")).rstrip(b"=")


def _number(text: str, list_: bytes) -> int:
    """Read the place in a list that a page ended with."""
    try:
        place = base64.b64decode(f"{text}==", altchars=b"-_", validate=True)
    except (Base64Error, ValueError):
        place = b""
    number = int.from_bytes(place[_LIST_BYTES:], "big")
    if len(place) != _LIST_BYTES + _NUMBER_BYTES or not place.startswith(list_) or number >> 63:
        raise ValueError("is no place in this list: use `next` of the page before")
    return number


_SUM: Final = {"type": "string", "pattern": "^[0-9]+$"}
_OUTPUT: Final = record(
    {
        "transaction_id": HEX_64,
        "output_index": COUNT,
        "amount": _SUM,
        "asset_id": HEX_64,
        "public_keys": array(KEY),
        "condition": record({"details": OBJECT, "uri": TEXT}),
        "spent_by": {"oneOf": [HEX_64, {"type": "null"}]},
        "height": COUNT,
    }
)
_PAGE: Final = record({"outputs": array(_OUTPUT), "end": BOOLEAN, "next": TEXT_OR_NULL})
_BALANCE: Final = record({"asset_id": HEX_64, "amount": _SUM, "shared_amount": _SUM, "output_count": COUNT})
_COUNTED: Final = {"unspent_count": COUNT, "complete": BOOLEAN, "as_of": COUNT}
_OWNER: Final = record({"public_key": KEY, "balances": array(_BALANCE), "asset_count": COUNT, **_COUNTED})
_HOLDER: Final = record({"public_keys": array(KEY), "public_key_count": COUNT, "amount": _SUM})
_ASSET: Final = record(
    {
        "id": HEX_64,
        "operation": TEXT,
        "data": {"type": ["object", "null"]},
        "data_bytes": COUNT,
        "amount": _SUM,
        "created_height": COUNT,
        "transaction_count": COUNT,
        "holder_count": COUNT,
        "holders": array(_HOLDER),
        **_COUNTED,
    }
)
ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/owners/{public_key}",
        owner,
        READ,
        id="getOwner",
        tag="owners",
        summary="What a key holds of each asset",
        answer=_OWNER,
        parameter=PUBLIC_KEY,
        errors=(400,),
    ),
    Route(
        "GET",
        "/api/v1/owners/{public_key}/outputs",
        outputs_of_owner,
        READ,
        id="listOwnerOutputs",
        tag="owners",
        summary="Outputs of a key, newest first",
        answer=_PAGE,
        parameter=PUBLIC_KEY,
        arguments=(SPENT, ASSET, BEFORE, LIMIT),
        errors=(400,),
    ),
    Route(
        "GET",
        "/api/v1/assets/{id}",
        asset,
        READ,
        id="getAsset",
        tag="assets",
        summary="An asset and who holds it",
        answer=_ASSET,
        parameter=ASSET_ID,
        errors=(400, 404),
    ),
    Route(
        "GET",
        "/api/v1/assets/{id}/outputs",
        outputs_of_asset,
        READ,
        id="listAssetOutputs",
        tag="assets",
        summary="Outputs of an asset, newest first",
        answer=_PAGE,
        parameter=ASSET_ID,
        arguments=(SPENT, TRANSACTION, BEFORE, LIMIT),
        errors=(400, 404),
    ),
)
