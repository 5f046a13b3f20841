"""`/api/v1/access`: who a request is, and the access key of the operator's page. Source: docs/reference/page.md."""

import asyncio
from http import HTTPStatus
from typing import Final

import msgspec

from bigchaindb.access import audit
from bigchaindb.access.exchange import Exchange
from bigchaindb.access.scopes import Scopes
from bigchaindb.api.answers import Answer, Reply, json_line
from bigchaindb.api.call import Call, Context
from bigchaindb.api.problems import Problem, plain
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import COUNT, COUNT_OR_NULL, TEXT, TEXT_OR_NULL, array, record, ref, response
from bigchaindb.config.access import READ

BODY_BYTES_MAX: Final = 1_024
"""Of the body with a code. Anybody may send one, without a scope: more must not take the room of transactions."""
NOT_OF_THE_PAGE: Final = (
    "this revokes the access key of the page alone: send that key, or use `bigchaindb access key revoke`"
)
NO_STORE: Final = b"Cache-Control: no-store\r\n"


class _Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str


async def get_self(context: Context, call: Call) -> Reply:
    """Answer with the name of the access key that was shown, and with what the client may do."""
    key_id, scopes = ("", Scopes()) if call.principal is None else (call.principal.key_id, call.principal.scopes)
    name = call.principal.name if call.principal is not None and key_id else None
    found = {"name": name, "scopes": scopes.texts, "expires": context.gate.expiry(key_id)}
    return Answer(200, json_line(found), NO_STORE)


async def exchange(context: Context, call: Call) -> Reply:
    """Answer with an access key for a code."""
    codes = _exchange_of(context)
    assert call.visitor is not None
    body = await call.body(BODY_BYTES_MAX)
    try:
        given = msgspec.json.decode(body, type=_Code)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Problem(plain(400, f'the body must be {{"code": "…"}}: {error}')) from None
    if (denial := codes.refusal(given.code, call.visitor)) is not None:
        return plain(denial.status, denial.text, headers=denial.headers)
    key, text = await asyncio.to_thread(codes.new_key)
    audit.ordered("code", "exchange", id=key.id, named=key.name)
    found = {"key": text, "expires": key.expires, "scopes": key.scopes.texts}
    return Answer(200, json_line(found), NO_STORE)


async def lock(context: Context, call: Call) -> Reply:
    """Revoke the key of the page that was shown; its streams end."""
    key_id = "" if call.principal is None else call.principal.key_id
    codes = _exchange_of(context)
    if not await asyncio.to_thread(codes.lock, key_id):
        return plain(HTTPStatus.CONFLICT, NOT_OF_THE_PAGE)
    audit.ordered(f"key:{key_id}", "lock", id=key_id)
    codes.changed()
    return Answer(204)


def _exchange_of(context: Context) -> Exchange:
    if context.exchange is None:
        raise Problem(plain(404, "Not found; this node has no page (page.enabled is false)"))
    return context.exchange


ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/access/self",
        get_self,
        READ,
        id="getSelf",
        tag="access",
        summary="The access key that is shown, and what the client may do",
        answer=record({"name": TEXT_OR_NULL, "scopes": array(TEXT), "expires": COUNT_OR_NULL}),
    ),
    Route(
        "POST",
        "/api/v1/access/exchange",
        exchange,
        None,
        id="exchangeCode",
        tag="access",
        summary="An access key for a code of `bigchaindb page`, which is good once and for a minute",
        description="A wrong code counts as a wrong access key does.",
        answer=record({"key": TEXT, "expires": COUNT, "scopes": array(TEXT)}),
        body=record({"code": TEXT}),
        needs_body=True,
        body_example={"code": "as `bigchaindb page` prints it"},
        errors=(400, 404, 413),
    ),
    Route(
        "POST",
        "/api/v1/access/lock",
        lock,
        None,
        id="lockPage",
        tag="access",
        summary="Revoke the access key of the page that is shown",
        answer=None,
        status=204,
        errors=(404,),
        responses={"409": response("No access key of the page is shown", ref("Error"))},
    ),
)
