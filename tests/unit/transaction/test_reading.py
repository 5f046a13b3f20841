"""T0: the limits hold whatever stands around them, and do not depend on a parser."""

import json
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import MalformedJson, SchemaValidationError
from bigchaindb.transaction.reading import DATA_DEPTH_MAX, DEPTH_MAX, VALUE_COUNT_MAX, bound_values, read
from tests.support.bounds import is_refused, separators


def nested(depth: int, brackets: str = "[]") -> str:
    return brackets[0] * depth + brackets[1] * depth


def test_floats_that_versions_write_differently_are_noticed() -> None:
    assert read(b'{"a": 1.5}') == ({"a": 1.5}, True)
    assert read(b'{"a": 1e-7}') == ({"a": 1e-7}, False)


@pytest.mark.parametrize("number", [b"-0", b"1e400", b"NaN", b"1" * 5000])
def test_numbers(number: bytes) -> None:
    if number == b"-0":
        assert str(read(b'{"a": -0}')[0]["a"]) == "0"
        return
    with pytest.raises(MalformedJson):
        read(b'{"a": %b}' % number)


@pytest.mark.parametrize("number", ["1e300", "9e-320", "1.7976931348623157e308", "-5e-324", "0.0"])
def test_no_number_takes_long(number: str) -> None:
    """The parser's own way takes 15 µs for the first of them, in which nothing else runs: 2 s for a body of 1 MiB."""
    body = f'{{"metadata": [1e16{100_000 * f",{number}"}]}}'.encode()
    before_s = process_time()
    document, _ = read(body)
    assert process_time() - before_s < 0.5
    assert document["metadata"][-1] == float(number)


def test_a_body_is_at_most_256_brackets_deep() -> None:
    read(f'{{"outputs": {nested(DEPTH_MAX - 1)}}}'.encode())
    with pytest.raises(MalformedJson, match=r"^nested deeper than 256 brackets$"):
        read(f'{{"outputs": {nested(DEPTH_MAX)}}}'.encode())


@pytest.mark.parametrize("name", ["asset", "metadata"])
def test_data_is_at_most_128_brackets_deep(name: str) -> None:
    read(f'{{"{name}": {nested(DATA_DEPTH_MAX)}}}'.encode())
    with pytest.raises(MalformedJson, match=f"^{name}: nested deeper than 128 brackets$"):
        read(f'{{"{name}": {nested(DATA_DEPTH_MAX + 1)}}}'.encode())


def test_objects_count_like_arrays() -> None:
    deep = '{"a":' * DATA_DEPTH_MAX + "1" + "}" * DATA_DEPTH_MAX
    read(f'{{"asset": {deep}}}'.encode())
    with pytest.raises(MalformedJson):
        read(f'{{"asset": [{deep}]}}'.encode())


def test_brackets_in_strings_do_not_count() -> None:
    text = '\\"[{' * 300
    assert read(f'{{"asset": ["{text}"]}}'.encode())[0] == {"asset": ['"[{' * 300]}


def test_an_endless_string_is_refused() -> None:
    with pytest.raises(MalformedJson):
        read(b'{"a": "' + b"[" * 1000)


@pytest.mark.parametrize("piece", [b'\\"', b"\\\\", b'"', b"\\", b"[", b'"[', b'[\\"'])
def test_the_bound_on_depth_costs_time_linear_in_the_body(piece: bytes) -> None:
    body = b"[" * DATA_DEPTH_MAX + b'["' + piece * (200_000 // len(piece))
    before_s = process_time()
    with pytest.raises(MalformedJson):
        read(body)
    assert process_time() - before_s < 1  # milliseconds; quadratic it would be minutes


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"null", b"1"])
def test_json_that_is_no_object(body: bytes) -> None:
    with pytest.raises(SchemaValidationError, match=r"is not of type 'object'$"):
        read(body)


@pytest.mark.parametrize(
    "body", [b"", b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), b'{"a": "\xff"}', b'{"a": "\\ud800"}']
)
def test_only_json_in_utf_8(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        read(body)


@pytest.mark.parametrize("item", ["1e99", "[]", "{}", '","', '"\\\\"', '"\\"[{"', '{"\\"":"\\\\"}'])
@pytest.mark.parametrize("space", ["", " "])
def test_a_document_has_at_most_16384_values(item: str, space: str) -> None:
    one = separators(json.loads(item)) + 1  # and the comma before it, or for the first the bracket
    count = (VALUE_COUNT_MAX - 1) // one
    body = f"{space},{space}".join([item] * count)
    filled = VALUE_COUNT_MAX - 1 - count * one
    bound_values(f'{{"metadata":[{body}{",1" * filled}]}}'.encode())
    with pytest.raises(SchemaValidationError, match=rf"^{VALUE_COUNT_MAX + 1} values .* at most {VALUE_COUNT_MAX}: "):
        bound_values(f'{{"metadata":[{body}{",1" * (filled + 1)}]}}'.encode())


def test_a_string_may_hold_as_many_separators_as_it_likes() -> None:
    bound_values(json.dumps({"metadata": {"text": ',[{"\\' * VALUE_COUNT_MAX}}).encode())


@given(st.binary())
def test_any_bytes_are_counted(body: bytes) -> None:
    bound_values(body)
    filled = body + b"[" * (VALUE_COUNT_MAX + 1)
    if b'"' not in body:
        assert is_refused(filled)
