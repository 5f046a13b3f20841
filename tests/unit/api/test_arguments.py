"""Each kind of argument takes what the contract says and refuses the rest in its words (http-api.md, section 1.1)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.api import arguments
from bigchaindb.api.problems import Problem

MISSING = "Missing required parameter in the JSON body or the post body or the query string"
HEX = "0123456789abcdef"
KEYS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

REFUSED = [
    (arguments.transaction_id, "zz", "Invalid hash"),
    (arguments.transaction_id, "", "Invalid hash"),
    (arguments.transaction_id, 63 * "a", "Invalid hash"),
    (arguments.transaction_id, 64 * "a" + "\n", "Invalid hash"),
    (arguments.boolean, "yes", 'Boolean value must be "true" or "false" (lowercase)'),
    (arguments.boolean, "", 'Boolean value must be "true" or "false" (lowercase)'),
    (arguments.public_key, "abc", "Invalid base58 ed25519 key"),
    (arguments.public_key, 42 * "1", "Invalid base58 ed25519 key"),
    (arguments.public_key, 45 * "1", "Invalid base58 ed25519 key"),
    (arguments.public_key, 43 * "l", "Invalid base58 ed25519 key"),
    (arguments.public_key, 43 * "1" + "\n", "Invalid base58 ed25519 key"),
    (arguments.operation, "GENESIS", 'Operation must be "CREATE" or "TRANSFER"'),
    (arguments.operation, "", 'Operation must be "CREATE" or "TRANSFER"'),
    (arguments.mode, "nope", 'Mode must be "async", "sync" or "commit"'),
    (arguments.mode, "COMMIT", 'Mode must be "async", "sync" or "commit"'),
    (arguments.mode, "", 'Mode must be "async", "sync" or "commit"'),
    (arguments.limit, "x", "invalid literal for int() with base 10: 'x'"),
    (arguments.limit, "", "invalid literal for int() with base 10: ''"),
    (arguments.limit, "-1", "must not be negative: '-1'"),
    (arguments.block_status, "123", "123 is not a valid choice"),
]

TAKEN = [
    (arguments.transaction_id, 32 * "aF", 32 * "af"),
    (arguments.boolean, "True", True),
    (arguments.boolean, "False", False),
    (arguments.boolean, "tRUE", True),
    (arguments.public_key, 43 * "1", 43 * "1"),
    (arguments.public_key, 44 * "z", 44 * "z"),
    (arguments.operation, "create", "CREATE"),
    (arguments.operation, "Transfer", "TRANSFER"),
    (arguments.mode, "async", "async"),
    (arguments.mode, "sync", "sync"),
    (arguments.mode, "commit", "commit"),
    (arguments.limit, "0", 0),
    (arguments.limit, " +1_0 ", 10),
    (arguments.block_status, "VALID", "valid"),
    (arguments.block_status, "undecided", "undecided"),
]


def message(ask: Callable[[], object]) -> str:
    """Return the body of the refusal that `ask` ends in."""
    with pytest.raises(Problem) as caught:
        ask()
    assert caught.value.answer.status == 400
    assert caught.value.answer.logged is None  # argument errors are no plain errors
    return caught.value.answer.body.decode()


@pytest.mark.parametrize(("convert", "value", "reason"), REFUSED)
def test_a_wrong_value_is_refused_by_name(convert: Callable[[str], object], value: str, reason: str) -> None:
    body = message(lambda: arguments.optional({"name": value}, "name", convert))
    assert body == '{{"message":{{"name":"{}"}}}}\n'.format(reason.replace('"', '\\"'))


@pytest.mark.parametrize(("convert", "value", "expected"), TAKEN)
def test_a_right_value_is_taken(convert: Callable[[str], object], value: str, expected: object) -> None:
    assert arguments.required({"name": value}, "name", convert) == expected


def test_a_missing_argument_is_named() -> None:
    body = message(lambda: arguments.required({}, "asset_id", arguments.transaction_id))
    assert body == f'{{"message":{{"asset_id":"{MISSING}"}}}}\n'
    assert arguments.optional({}, "asset_id", arguments.transaction_id) is None


def test_unknown_arguments_are_listed_with_commas() -> None:
    body = message(lambda: arguments.refuse_unknown({"foo": "", "public_key": "", "bar": ""}, "public_key"))
    assert body == '{"message":"Unknown arguments: foo, bar"}\n'
    arguments.refuse_unknown({"public_key": ""}, "public_key", "spent")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("a=1&a=2", {"a": "1"}),
        ("a=", {"a": ""}),
        ("a", {"a": ""}),
        ("s=s+q%20r&limit=0", {"s": "s q r", "limit": "0"}),
        ("s=%C3%A9%ff", {"s": "é�"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        ("&&a=1&", {"a": "1"}),
    ],
)
def test_query_strings_are_form_encoded_and_the_first_value_counts(query: str, expected: dict[str, str]) -> None:
    assert arguments.parse_query(query) == expected


@given(st.text())
def test_any_text_is_a_query(query: str) -> None:
    for name, value in arguments.parse_query(query).items():
        assert isinstance(name, str)
        assert isinstance(value, str)


@given(st.text(alphabet=HEX + HEX.upper(), min_size=64, max_size=64))
def test_a_hash_is_lower_cased(value: str) -> None:
    assert arguments.transaction_id(value) == value.lower()


@given(st.text(alphabet=KEYS, min_size=43, max_size=44))
def test_a_key_is_not_decoded(value: str) -> None:
    assert arguments.public_key(value) == value
