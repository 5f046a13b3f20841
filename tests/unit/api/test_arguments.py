"""Each kind of argument takes what the contract says and refuses the rest in its words (http-api.md, section 1.1)."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.agreed import PAGE_COUNT
from bigchaindb.api import arguments, events, holdings
from bigchaindb.api.blocks import STATUS
from bigchaindb.api.problems import Problem
from bigchaindb.api.transactions import MODE, OPERATION
from bigchaindb.config import Limits

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
    (OPERATION.take, "GENESIS", 'Operation must be "CREATE" or "TRANSFER"'),
    (OPERATION.take, "", 'Operation must be "CREATE" or "TRANSFER"'),
    (MODE.take, "nope", 'Mode must be "async", "sync" or "commit"'),
    (MODE.take, "COMMIT", 'Mode must be "async", "sync" or "commit"'),
    (MODE.take, "", 'Mode must be "async", "sync" or "commit"'),
    (arguments.not_negative, "x", "invalid literal for int() with base 10: 'x'"),
    (arguments.not_negative, "", "invalid literal for int() with base 10: ''"),
    (arguments.not_negative, "-1", "must not be negative: '-1'"),
    (STATUS.take, "123", "123 is not a valid choice"),
]

TAKEN = [
    (arguments.transaction_id, 32 * "aF", 32 * "af"),
    (arguments.boolean, "True", True),
    (arguments.boolean, "False", False),
    (arguments.boolean, "tRUE", True),
    (arguments.public_key, 43 * "1", 43 * "1"),
    (arguments.public_key, 44 * "z", 44 * "z"),
    (OPERATION.take, "create", "CREATE"),
    (OPERATION.take, "Transfer", "TRANSFER"),
    (MODE.take, "async", "async"),
    (MODE.take, "sync", "sync"),
    (MODE.take, "commit", "commit"),
    (arguments.not_negative, "0", 0),
    (arguments.not_negative, " +1_0 ", 10),
    (STATUS.take, "VALID", "valid"),
    (STATUS.take, "undecided", "undecided"),
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
    body = message(lambda: arguments.converted("name", value, convert))
    assert body == '{{"message":{{"name":"{}"}}}}\n'.format(reason.replace('"', '\\"'))


@pytest.mark.parametrize(("convert", "value", "expected"), TAKEN)
def test_a_right_value_is_taken(convert: Callable[[str], object], value: str, expected: object) -> None:
    assert arguments.converted("name", value, convert) == expected


def test_a_missing_argument_is_named() -> None:
    body = message(lambda: arguments.required({}, "asset_id", arguments.transaction_id))
    assert body == f'{{"message":{{"asset_id":"{MISSING}"}}}}\n'


NUMBER = arguments.Argument[int](name="number", take=int, schema={}, default=7)
KEY = arguments.Argument[str](name="public_key", take=arguments.public_key, schema={}, is_required=True)
PAGE = arguments.limit(lambda limits: limits.page_count_max)
FAMILY = arguments.Argument[str](
    name="metadata.<path>", take=str, schema={}, matches=lambda name: name[:9] == "metadata."
)
ALL = (NUMBER, KEY, PAGE, FAMILY)
LIMITS = Limits(page_count_max=50)
IGNORED, REFUSED_ONLY, ADVISED = arguments.Unknown


def test_declared_arguments_become_values() -> None:
    sent = {"number": "5", "public_key": 43 * "1", "metadata.a": "x", "limit": "50"}
    asked = arguments.Parsed(sent, arguments.parse(ALL, sent, ADVISED, LIMITS))
    assert (NUMBER.of(asked), KEY.of(asked), PAGE.of(asked)) == (5, 43 * "1", 50)
    assert "metadata.a" not in asked.given
    few = arguments.Parsed({}, arguments.parse(ALL, {"public_key": 43 * "1"}, ADVISED, LIMITS))
    assert (NUMBER.of(few), PAGE.of(few)) == (7, 50), "no page is larger than the limit"


@pytest.mark.parametrize("of_route", [events.LIMIT, holdings.LIMIT])
def test_no_setting_refuses_the_pages_that_clients_ask_for(of_route: arguments.Limit) -> None:
    """The node's own page and `bigchaindb.client` do not know the limits of a node."""
    assert of_route.taker(Limits(page_count_max=1))(str(PAGE_COUNT)) == PAGE_COUNT
    assert of_route.taker(Limits(page_count_max=PAGE_COUNT + 1))(str(PAGE_COUNT + 1)) == PAGE_COUNT + 1
    with pytest.raises(ValueError, match=f"must be from 1 to {PAGE_COUNT}, "):
        of_route.taker(Limits(page_count_max=1))(str(PAGE_COUNT + 1))


@pytest.mark.parametrize(
    ("sent", "unknown", "expected"),
    [
        ({}, IGNORED, {"public_key": MISSING}),
        ({"limit": "51", "public_key": 43 * "1"}, IGNORED, {"limit": "must be from 1 to 50, not '51'"}),
        ({"limit": "0", "public_key": 43 * "1"}, IGNORED, {"limit": "must be from 1 to 50, not '0'"}),
        ({"foo": "", "bar": "", "public_key": "x"}, REFUSED_ONLY, {"public_key": "Invalid base58 ed25519 key"}),
        ({"foo": "", "bar": "", "public_key": 43 * "1"}, REFUSED_ONLY, "Unknown arguments: foo, bar"),
        (
            {"foo": "", "bar": "", "public_key": "x"},
            ADVISED,
            "Unknown arguments: foo, bar; use number, public_key, limit, metadata.<path>",
        ),
    ],
)
def test_what_a_route_does_not_take_is_refused(
    sent: dict[str, str], unknown: arguments.Unknown, expected: object
) -> None:
    body = message(lambda: arguments.parse(ALL, sent, unknown, LIMITS))
    assert json.loads(body) == {"message": expected}


def test_a_route_without_arguments_takes_none() -> None:
    assert message(lambda: arguments.parse((), {"a": ""}, ADVISED, LIMITS)) == (
        '{"message":"Unknown arguments: a; this address takes none"}\n'
    )
    assert arguments.parse((), {"a": ""}, IGNORED, LIMITS) == {}


def test_a_choice_names_all_that_it_takes() -> None:
    both = arguments.choice("detail", {"full": 1, "summary": 2}, default=1)
    assert both.schema == {"enum": ["full", "summary"], "default": "full"}
    assert both.take("summary") == 2
    with pytest.raises(ValueError, match='Detail must be "full" or "summary"'):
        both.take("Summary")


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
