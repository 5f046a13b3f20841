"""The types that plugins are written against are those of the documents, no member more and none less."""

import json
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from bigchaindb.documents import BlockEvent, Transaction
from bigchaindb.events import Event
from bigchaindb.ledger.block import Block, Header, event_body
from bigchaindb.simulated.chain import Recipe, events

DATA: Final = Path(__file__).parent / "data"
RECORDS: Final = [
    record["tx"] for name in ("valid_v1", "valid_v2") for record in json.loads((DATA / f"{name}.json").read_text())
]


def differs(value: object, type_: Any, at: str = "") -> list[str]:
    """Return where a value is not of a type, and which members the type does not name."""
    origin, arguments = get_origin(type_), get_args(type_)
    if is_typeddict(type_) and isinstance(value, dict):
        hints = get_type_hints(type_)
        wrong = [f"{at}.{name}: unexpected" for name in value.keys() - hints.keys()]
        wrong += [f"{at}.{name}: missing" for name in type_.__required_keys__ - value.keys()]
        return wrong + [one for name in value.keys() & hints.keys() for one in differs(value[name], hints[name], name)]
    if origin in (Union, UnionType):
        return min((differs(value, one, at) for one in arguments), key=len)
    if origin is list and isinstance(value, list):
        return [one for index, item in enumerate(value) for one in differs(item, arguments[0], f"{at}[{index}]")]
    is_of_type = value in arguments if origin is Literal else type(value) is (origin or type_)
    return [] if is_of_type else [f"{at}: {value!r}"]


@pytest.mark.parametrize("document", RECORDS, ids=lambda document: document["id"][:8])
def test_every_published_transaction_has_the_type(document: object) -> None:
    assert differs(document, Transaction) == []


@pytest.mark.parametrize("event", events(Recipe(blocks=6, invalid=0.5)), ids=lambda event: f"{event.position}")
def test_events_of_both_kinds_have_the_type(event: Event) -> None:
    assert differs(event.data, BlockEvent) == []
    assert ("reason" in event.data) == (event.type == 2)


def test_an_event_without_its_transactions_has_the_type() -> None:
    block = Block(Header("ab" * 32, 7, 1_507_294_217, "key", ("key",), None), ())
    event = Event(2, body=event_body(block, "AmountError at transactions", body_omitted=True))
    assert differs(event.data, BlockEvent) == []
    assert event.data["body_omitted"] is True
