"""Every record of canonical_json.json."""

from hashlib import sha3_256
from typing import Any, Final

import msgspec
import pytest

from bigchaindb.errors import MalformedJson
from bigchaindb.transaction.canonical import canonical, exact
from tests.vectors.judging import Record, read

NOT_SHORTEST: Final = {
    "float-0.30000000000000004",
    "float-1e23",
    "float-8.41e21",
    *(f"random-floats-{index}" for index in range(12)),
}
"""Records whose 1.x text has more digits than need be: a 1.0 document hashed over such a text gets InvalidHash."""

NO_JSON: Final = ("nan", "infinity", "lone-surrogate", "lone-surrogate-key")
"""Records that no JSON reader takes: this node refuses the bytes (see test_invalid.py)."""

RECORDS: Final = {record["name"]: record for record in read("canonical_json")}
READABLE: Final = [pytest.param(r, id=name) for name, r in RECORDS.items() if name not in NO_JSON]


def value_of(record: Record) -> Any:
    return msgspec.json.decode(record["json"].encode())


@pytest.mark.parametrize("record", READABLE)
def test_v2_text(record: Record) -> None:
    value = value_of(record)
    text = canonical(value, "2.0")
    assert text.decode() == record["v2"]["canonical"]
    assert sha3_256(text).hexdigest() == record["v2"]["sha3_256"]
    assert exact(value, "2.0") == text


@pytest.mark.parametrize("record", READABLE)
def test_v1_text(record: Record) -> None:
    value = value_of(record)
    text = canonical(value, "1.0")
    expected = record["v2" if record["same_in_v1"] else "v1"]["canonical"]
    assert (text.decode() == expected) is (record["name"] not in NOT_SHORTEST)
    assert exact(value, "1.0") == text


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json(name: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        value_of(RECORDS[name])


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], "\ud800", {"\udfff": 1}], ids=NO_JSON)
def test_what_has_no_text(value: object) -> None:
    with pytest.raises(MalformedJson):
        canonical(value, "2.0")


def test_the_file_is_complete() -> None:
    assert len(RECORDS) == 146
