"""Formats of messages. Source: CloudEvents 1.0 (JSON format, binary mode); Debezium's page of its PostgreSQL connector.

`debezium_create.json` is the payload of that page's create event, with a version where the page has a placeholder.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bigchaindb.delivery import Format, Message, Shape, ShapedOptions, read_options
from bigchaindb.delivery.shape import change_event
from bigchaindb.errors import ConfigurationError

DOCUMENTED: Any = json.loads((Path(__file__).parent / "debezium_create.json").read_bytes())
ASSET = "ab" * 32
MESSAGE = Message(
    id="solo-1:00000000000000000042:0",
    type="com.bigchaindb.transaction.valid.v1",
    chain_id="solo-1",
    position=42,
    index=0,
    subject="cd" * 32,
    operation="TRANSFER",
    asset_id=ASSET,
    routing_key="v1.solo-1",
    time=1_769_860_800,
    data=b'{"amount":"5", "metadata":{"kind":"sale"}}',
)
BLOCK = Message(
    id="solo-1:00000000000000000042",
    type="com.bigchaindb.block.invalid.v1",
    chain_id="solo-1",
    position=42,
    subject="ef" * 32,
    routing_key="v1.solo-1",
    time=1_769_860_800,
    data=b"{}",
)


def test_unset_it_is_the_envelope_byte_for_byte() -> None:
    """Receivers that are there must not notice that there is a choice."""
    for message in (MESSAGE, BLOCK):
        assert Shape().render(message) == ("application/cloudevents+json", {}, message.envelope)


def test_binary_mode_has_every_attribute_beside_the_bytes_of_the_data() -> None:
    rendered = Shape(Format.BINARY).render(MESSAGE)
    assert (rendered.content_type, rendered.body) == ("application/json", MESSAGE.data)
    envelope = json.loads(MESSAGE.envelope)
    assert rendered.attributes == {name: envelope[name] for name in envelope if name not in {"data", "datacontenttype"}}


def test_a_plain_body_is_the_data_alone() -> None:
    assert Shape(Format.PLAIN).render(MESSAGE) == ("application/json", {}, MESSAGE.data)


def test_a_change_event_is_written_as_debezium_documents_it() -> None:
    """Whoever reads its topics reads ours."""
    times = {name: DOCUMENTED[name] for name in ("ts_ms", "ts_us", "ts_ns")}
    written = change_event(json.dumps(DOCUMENTED["after"]).encode(), DOCUMENTED["source"], times)
    assert json.loads(written) == DOCUMENTED
    assert list(json.loads(written)) == list(DOCUMENTED)


@pytest.mark.parametrize("message", [MESSAGE, BLOCK])
def test_a_message_is_a_change_event_with_the_documented_members(message: Message) -> None:
    rendered = Shape(Format.DEBEZIUM).render(message)
    assert (rendered.content_type, rendered.attributes) == ("application/json", {})
    event = json.loads(rendered.body)
    assert event.keys() == DOCUMENTED.keys()
    assert b'"after":%b,' % message.data in rendered.body
    assert {name: type(value) for name, value in event.items() if name != "after"} == {
        name: type(value) for name, value in DOCUMENTED.items() if name != "after"
    }
    source, documented = event["source"], DOCUMENTED["source"]
    assert documented.keys() - source.keys() == {"lsn", "xmin"}, "PostgreSQL's own"
    assert source.keys() - documented.keys() == {"id"}
    assert all(isinstance(source[name], type(documented[name])) for name in source.keys() & documented.keys())


def test_a_change_event_says_where_the_row_comes_from() -> None:
    assert json.loads(Shape(Format.DEBEZIUM).body(MESSAGE))["source"] == {
        "version": "1",
        "connector": "bigchaindb",
        "name": "solo-1",
        "ts_ms": 1_769_860_800_000,
        "ts_us": 1_769_860_800_000_000,
        "ts_ns": 1_769_860_800_000_000_000,
        "snapshot": False,
        "db": "solo-1",
        "sequence": "00000000000000000042:0000000000",
        "schema": "valid",
        "table": "transactions",
        "txId": 42,
        "id": MESSAGE.id,
    }
    block = json.loads(Shape(Format.DEBEZIUM).body(BLOCK))["source"]
    assert (block["schema"], block["table"], block["sequence"]) == ("invalid", "blocks", "00000000000000000042")


@pytest.mark.parametrize("format_", list(Format))
def test_every_format_has_the_fields_in_place_of_the_data(format_: Format) -> None:
    body = Shape(format_, {"kind": "$.metadata.kind"}).body(MESSAGE)
    found = json.loads(body)
    match format_:
        case Format.CLOUDEVENTS:
            assert found.pop("data") == {"kind": "sale"}
            assert {**found, "data": json.loads(MESSAGE.data)} == json.loads(MESSAGE.envelope)
        case Format.DEBEZIUM:
            assert found["after"] == {"kind": "sale"}
        case _:
            assert found == {"kind": "sale"}


class Sink(ShapedOptions, frozen=True, kw_only=True):
    """A sink's."""

    refused_formats: ClassVar[Mapping[Format, str]] = {Format.BINARY: "lines have no headers"}


def test_options_choose_a_shape() -> None:
    assert read_options({}, Sink).shape.body(MESSAGE) == MESSAGE.envelope
    assert read_options({"format": "plain"}, Sink).shape.body(MESSAGE) == MESSAGE.data
    assert read_options({"format": "plain", "fields": {"a": "$.amount"}}, Sink).shape.body(MESSAGE) == b'{"a":"5"}'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"format": "avro"}, r"'avro'.*format"),
        ({"format": "cloudevents-binary"}, "format: cloudevents-binary cannot be sent here: lines have no headers"),
        ({"fields": {"a": "$["}}, r"fields\.a: '\$\[' is no JSONPath, character \d"),
        ({"fields": {"a": 5}}, "fields"),
        ({"fields": ["$.a"]}, "fields"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(given: dict[str, object], said: str) -> None:
    """Whoever enables a plugin learns of it there, and not from the first event."""
    with pytest.raises(ConfigurationError, match=said):
        read_options(given, Sink)


def test_the_extra_that_reads_paths_is_named_if_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jsonpath_rfc9535", None)
    monkeypatch.delitem(__import__("sys").modules, "bigchaindb.delivery.projection", raising=False)
    with pytest.raises(ValueError, match=r"the option fields needs the extra jsonpath.*; run: .*jsonpath-rfc9535"):
        Shape(fields={"a": "$.a"})
    assert Shape().body(MESSAGE) == MESSAGE.envelope, "without fields nothing is needed"
