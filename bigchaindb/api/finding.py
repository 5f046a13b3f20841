"""`/api/v1/find`: what an id, a key, a number or words may mean. Source: docs/reference/http-questions.md."""

from typing import Final

import orjson

from bigchaindb.api import examples
from bigchaindb.api.answers import Reply, json_answer
from bigchaindb.api.arguments import TRANSACTION_ID, Argument
from bigchaindb.api.blocks import height_of
from bigchaindb.api.call import Call, Context
from bigchaindb.api.holdings import key
from bigchaindb.api.route import Route
from bigchaindb.api.schemas import TEXT, TEXT_OR_NULL, array, record
from bigchaindb.config.access import READ
from bigchaindb.engine.engine import Standing
from bigchaindb.store.finding import Words
from bigchaindb.store.queries import LedgerQueries
from bigchaindb.store.stored import operation_of

TEXT_CHARACTERS_MAX: Final = 1_000
"""Of what a person types; an id has 64."""

Hit = dict[str, object]


def _text(value: str) -> str:
    text = value.strip()
    if not 0 < len(text) <= TEXT_CHARACTERS_MAX:
        raise ValueError(f"must have 1 to {TEXT_CHARACTERS_MAX} characters, not {len(text)}")
    return text


WANTED: Final = Argument[str](name="text", take=_text, schema=TEXT, is_required=True, example=examples.TRANSACTION_ID)


async def get(context: Context, call: Call) -> Reply:
    """Answer with what a text names exactly, then with what its words find."""
    text = WANTED.of(call)
    standing = context.engine.standing(text.lower())  # before the store: what leaves the engine is there by then
    hits = await context.reads.run(exact, context.queries, text) or await _uncommitted(context, text.lower(), standing)
    if hits and height_of(text) is None:  # what is an id, a key or a position is no word; a number may be one
        return json_answer({"hits": hits, "note": None})
    found = orjson.loads(await context.reads.document(Words(text)))
    return json_answer({"hits": hits + found["hits"], "note": found["note"]})


async def _uncommitted(context: Context, id_: str, standing: Standing | None) -> list[Hit]:
    """Return the transaction of an id that the ledger does not hold, if this node knows it."""
    label = None
    if standing is not None and standing.error is None:
        label = standing.status.value
    elif standing is not None:
        label = f"rejected ({type(standing.error).__name__}): {standing.error}"
    elif TRANSACTION_ID.fullmatch(id_) is not None:
        row = await context.reads.run(context.rejected.log.of, id_)
        label = None if row is None else f"rejected ({row.error}): {row.message}"
    return [] if label is None else [{"kind": "transaction", "id": id_, "label": label}]


def exact(queries: LedgerQueries, text: str) -> list[Hit]:
    """Return what a text is the name of: an id of 64 digits, a public key, a height, or `#` and a position."""
    if TRANSACTION_ID.fullmatch(text) is not None:
        return [*_transaction(queries, text.lower()), *_block(queries, text.lower())]
    if text.startswith("#"):
        position = height_of(text[1:])
        entry = None if not position else queries.entry(position)
        return [] if entry is None else [{"kind": "position", "id": str(position), "label": _label(entry.reason)}]
    if (height := height_of(text)) is not None:
        return [{"kind": "block", "id": str(height), "label": ""}] if height <= queries.height() else []
    try:
        return [{"kind": "owner", "id": key(text), "label": ""}]
    except ValueError:
        return []


def _transaction(queries: LedgerQueries, id_: str) -> list[Hit]:
    if (body := queries.transaction(id_)) is None:
        return []
    operation = operation_of(body)
    return [{"kind": "asset" if operation == "CREATE" else "transaction", "id": id_, "label": operation}]


def _block(queries: LedgerQueries, id_: str) -> list[Hit]:
    entry = queries.entry_of_block(id_)
    return [] if entry is None else [{"kind": "block", "id": id_, "label": _label(entry.reason)}]


def _label(reason: str | None) -> str:
    return "valid block" if reason is None else f"invalid block: {reason}"


_HIT: Final = record(
    {"kind": {"enum": ["transaction", "asset", "block", "owner", "position"]}, "id": TEXT, "label": TEXT}
)
ROUTES: Final = (
    Route(
        "GET",
        "/api/v1/find",
        get,
        READ,
        id="find",
        tag="ledger",
        summary="What an id, a public key, a height, a position such as `#42`, or words may mean",
        answer=record({"hits": array(_HIT), "note": TEXT_OR_NULL}),
        arguments=(WANTED,),
        errors=(400,),
    ),
)
