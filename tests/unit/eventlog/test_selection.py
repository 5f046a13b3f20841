"""A selection passes exactly the transactions that it describes, and its needles leave none of them out."""

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from bigchaindb.errors import ConfigurationError, EventError, MalformedSelection
from bigchaindb.eventlog.members import Scalar
from bigchaindb.eventlog.selection import ALL, Selection, from_data, from_query, is_member
from bigchaindb.transaction.canonical import canonical
from tests.support.chains import ALICE, BOB, CAROL, Coin, create, transfer


@pytest.mark.parametrize(
    ("wanted", "others"),
    [
        (5, [5.0, "5", True, [5], {"a": 5}]),
        (1, [1.0, True, "1"]),
        (1.0, [1, True]),
        (True, [1, 1.0, "true", False]),
        (0, [False, 0.0, None, ""]),
        (None, [False, 0, "null", "", [], {}]),
        ("a", ["A", "a ", ["a"], {"a": "a"}]),
    ],
)
def test_values_are_compared_with_their_type(wanted: Scalar, others: list[object]) -> None:
    """A filter for the number 1 must not be flooded by every `true`."""
    selection = from_data({"metadata.a.b": wanted}, "select")
    assert selection.matches({"metadata": {"a": {"b": wanted}}})
    assert not any(selection.matches({"metadata": {"a": {"b": other}}}) for other in others)


def test_zero_is_found_with_either_sign() -> None:
    for wanted, found in ((0.0, -0.0), (-0.0, 0.0)):
        selection = from_data({"metadata.a": wanted}, "select")
        text = canonical({"metadata": {"a": found}}, "2.0")
        assert selection.matches(msgspec.json.decode(text))
        assert all(any(needle in text for needle in group) for group in selection.needles)


def test_a_path_goes_from_member_to_member_and_enters_no_array() -> None:
    selection = from_data({"metadata.a.b": 1}, "select")
    assert selection.matches({"metadata": {"a": {"b": 1, "c": 2}}})
    for metadata in (None, {}, {"b": 1}, {"a": 1}, {"a": [{"b": 1}]}, {"a": {"b": {"b": 1}}}, {"a": {"c": {"b": 1}}}):
        assert not selection.matches({"metadata": metadata})


def test_the_empty_name_is_a_name() -> None:
    """The contract allows it as a key of metadata."""
    assert from_data({"metadata.": 1}, "select").matches({"metadata": {"": 1}})
    assert from_data({"metadata.a..b": 1}, "select").matches({"metadata": {"a": {"": {"b": 1}}}})


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_an_asset_is_found_from_its_create_to_its_last_transfer(version: Any) -> None:
    coin = create(1, version=version)
    moved = transfer(Coin(coin), version=version)
    other = create(2, version=version)
    selection = from_data({"asset": coin.id}, "select")
    found = [selection.matches(msgspec.json.decode(one.body)) for one in (coin, moved, other)]
    assert found == [True, True, False]


def test_an_owner_is_who_gets_and_who_gives() -> None:
    """Whoever follows a key wants to see what comes in and what goes out."""
    coin = create(1, owner=ALICE)
    moved = transfer(Coin(coin), to=BOB)
    documents = [msgspec.json.decode(one.body) for one in (coin, moved)]
    found = [
        [from_data({"owner": key.public_key}, "select").matches(one) for one in documents]
        for key in (ALICE, BOB, CAROL)
    ]
    assert found == [[True, True], [False, True], [False, False]]


def test_all_members_must_match_in_one_transaction() -> None:
    selection = from_data({"operation": "TRANSFER", "metadata.a": 1}, "select")
    assert selection.matches({"operation": "TRANSFER", "metadata": {"a": 1}})
    assert not selection.matches({"operation": "CREATE", "metadata": {"a": 1}})
    assert not selection.matches({"operation": "TRANSFER", "metadata": {"a": 2}})


def test_nothing_demanded_is_everything() -> None:
    assert from_data({}, "select") == ALL
    assert ALL.matches({})
    assert ALL.needles == []
    assert from_query({}) is None
    assert from_query({"after": "1.abc", "limit": "5"}) is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", ("5", 5)),
        ("-5", ("-5", -5)),
        ("-0", ("-0", 0)),
        ("05", ("05",)),
        ("+5", ("+5",)),
        ("5 ", ("5 ",)),
        ("\u0665", ("\u0665",)),
        ("5.0", ("5.0", 5.0)),
        ("5.", ("5.",)),
        ("1e2", ("1e2", 100.0)),
        ("1e999", ("1e999",)),
        ("9" * 400, ("9" * 400,)),
        ("NaN", ("NaN",)),
        ("true", ("true", True)),
        ("True", ("True",)),
        ("false", ("false", False)),
        ("null", ("null", None)),
        ('"5"', ('"5"',)),
        ("", ("",)),
    ],
)
def test_a_query_value_is_its_text_and_the_json_scalar_that_it_spells(text: str, values: tuple[Scalar, ...]) -> None:
    selection = from_query({"metadata.a": text})
    assert selection is not None
    ((_, found),) = ((member.path, member.values) for member in selection.members)
    assert [(type(one), one) for one in found] == [(type(one), one) for one in values]


def test_a_query_names_the_same_members_as_data() -> None:
    members = {"operation": "CREATE", "asset": "a" * 64, "owner": ALICE.public_key}
    assert from_query({**members, "limit": "3"}) == from_data(members, "select")
    assert [name for name in (*members, "metadata.a", "metadata", "limit", "data.b", "data") if is_member(name)] == [
        *members,
        "metadata.a",
        "data.b",
    ]


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ([], "select: expected an object, found list"),
        (
            {"opration": "CREATE"},
            "select: 'opration': expected one of operation, asset, owner, metadata.<path>, data.<path>",
        ),
        ({5: "CREATE"}, "select: int: expected one of operation, asset, owner, metadata.<path>, data.<path>"),
        ({"metadata": 1}, "select: 'metadata': expected one of operation, asset, owner, metadata.<path>, data.<path>"),
        ({"operation": "create"}, "select: operation: expected CREATE or TRANSFER, found 'create'"),
        ({"operation": ["CREATE"]}, "select: operation: expected CREATE or TRANSFER, found list"),
        ({"asset": "A" * 64}, f"select: asset: expected 64 digits of lower-case hex, found '{'A' * 64}'"),
        ({"asset": None}, "select: asset: expected 64 digits of lower-case hex, found NoneType"),
        ({"owner": "alice"}, "select: owner: expected a base58 key of 32 bytes, found 'alice'"),
        ({"owner": 1}, "select: owner: expected a base58 key of 32 bytes, found int"),
        (
            {"metadata.a": {"b": 1}},
            "select: 'metadata.a': expected a string, number, boolean or null, found dict",
        ),
        ({"metadata.a": "x" * 1_025}, "select: 'metadata.a': at most 1024 characters, not 1025"),
        (
            {"metadata." + "x" * 1_024: 1},
            f"select: 'metadata.{'x' * 71}': at most 1024 characters, not 1033",
        ),
        (
            {"metadata" + ".a" * 17: 1},
            f"select: 'metadata{'.a' * 17}': at most 16 names in a path, not 17",
        ),
        (
            {f"metadata.{number}": 1 for number in range(17)},
            "select: 'metadata.16': at most 16 members, not 17",
        ),
        (
            {"metadata.a": math.nan},
            "select: 'metadata.a': no transaction holds such a value: NaN and Infinity are no JSON",
        ),
    ],
)
def test_a_wrong_select_is_refused_with_member_and_rule(select: object, message: str) -> None:
    """A filter with a typing error would deliver nothing for months."""
    with pytest.raises(ConfigurationError) as caught:
        from_data(select, "select")
    assert str(caught.value) == message


VALUES: list[Any] = [
    *(None, True, False, 0, 5, 5.0, 5.5, -3, 6, 2**70, 1e300),
    *("", "5", "6", "a", "b", "ab", "é", "\U0001f600", "\uffff", [], [5], {}, {"a": 5}),
]


def meant(comparison: str, found: object, value: object) -> bool:
    """Whether a value compares, said another way than the code says it."""
    if comparison == "ne":
        return (type(found), found) != (type(value), value)
    numbers = isinstance(found, int | float) and not isinstance(found, bool) and isinstance(value, int | float)
    if not numbers and not (isinstance(found, str) and isinstance(value, str)):
        return False
    one, other = (found, value) if numbers else ([ord(c) for c in str(found)], [ord(c) for c in str(value)])
    order = (one > other) - (one < other)  # type: ignore[operator]
    return bool({"gt": order > 0, "gte": order >= 0, "lt": order < 0, "lte": order <= 0}[comparison])


@pytest.mark.parametrize("comparison", ["gt", "gte", "lt", "lte", "ne"])
@pytest.mark.parametrize("value", [5, 5.0, -3, 5.5, "5", "", "a", "é", "\U0001f600"])
def test_numbers_compare_by_value_and_texts_by_code_point_and_nothing_else_does(comparison: str, value: Any) -> None:
    for root, place in (("metadata", with_metadata), ("data", create_with)):
        selection = from_data({f"{root}.a.b[{comparison}]": value}, "select")
        assert not selection.matches(place({"a": {}}))
        assert not selection.matches(place(None))
        for found in VALUES:
            document = place({"a": {"b": found}})
            assert selection.matches(document) == meant(comparison, found, value), found
            text = canonical(document, "2.0")
            if selection.matches(document):
                assert all(any(needle in text for needle in group) for group in selection.needles)


def with_metadata(metadata: Any) -> dict[str, Any]:
    return {"metadata": metadata}


def create_with(data: Any) -> dict[str, Any]:
    return {"operation": "CREATE", "asset": {"data": data}}


def test_whether_something_stands_there() -> None:
    for wanted in (True, False):
        for selection in (from_data({"metadata.a[exists]": wanted}, "select"), query({"metadata.a[exists]": wanted})):
            documents: list[Any] = [{"a": None}, {"a": {}}, {}, None, 5]
            found = [selection.matches(with_metadata(one)) for one in documents]
            assert found == [wanted, wanted, not wanted, not wanted, not wanted]
            assert bool(selection.needles) is wanted


def query(members: dict[str, Any]) -> Selection:
    selection = from_query({name: json.dumps(value) for name, value in members.items()})
    assert selection is not None
    return selection


def test_the_data_of_an_asset_is_that_of_its_create() -> None:
    """A TRANSFER has the asset's id alone, and what an election proposes is no asset's."""
    selection = from_data({"data.serial": 1}, "select")
    coin = create(1)
    found = [selection.matches(msgspec.json.decode(one.body)) for one in (coin, transfer(Coin(coin)), create(2))]
    assert found == [True, False, False]
    for document in (
        {"operation": "VALIDATOR_ELECTION", "asset": {"data": {"serial": 1}}},
        {"operation": "CREATE", "asset": [{"data": {"serial": 1}}]},
        {"operation": "CREATE", "asset": {"data": [{"serial": 1}]}},
        {"operation": "CREATE", "asset": {}, "metadata": {"serial": 1}},
    ):
        assert not selection.matches(document)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5.5", -5.5),
        ("1e2", 100.0),
        ("05", "05"),
        ("", ""),
        ("red", "red"),
        ('"5"', '"5"'),
        ("True", "True"),
    ],
)
def test_an_order_takes_a_number_for_a_number_and_all_else_for_a_text(text: str, value: Scalar) -> None:
    """It cannot mean both: `weight[gte]=5` is not after the weight "heavy"."""
    assert from_query({"metadata.a[gt]": text}) == from_data({"metadata.a[gt]": value}, "select")


def test_what_is_not_equal_is_none_of_what_a_query_value_means() -> None:
    selection = from_query({"metadata.a[ne]": "5"})
    assert selection is not None
    assert [selection.matches({"metadata": {"a": one}}) for one in (5, "5", 5.0, None)] == [False, False, True, True]


def test_two_comparisons_of_one_place_are_a_range() -> None:
    selection = from_query({"data.n[gte]": "2", "data.n[lt]": "4"})
    assert selection is not None
    assert [selection.matches(create_with({"n": n})) for n in range(1, 6)] == [False, True, True, False, False]


def test_brackets_that_hold_no_letters_belong_to_the_name() -> None:
    for name in ("a[0]", "[gt]a", "a[]", "a[gt] "):
        assert from_data({f"metadata.{name}": 1}, "select").matches({"metadata": {name: 1}})
    assert from_data({"metadata.[gt]": 1}, "select").matches({"metadata": {"": 2}})


COMPARISONS = "[ne] [gt] [gte] [lt] [lte] [exists]"


@pytest.mark.parametrize(
    ("select", "rule"),
    [
        ({"metadata.a[foo]": "5"}, f"'metadata.a[foo]': [foo] is no comparison; expected one of {COMPARISONS}"),
        ({"data.a[GT]": "5"}, f"'data.a[GT]': [GT] is no comparison; expected one of {COMPARISONS}"),
        ({"data.a[exists]": "yes"}, "'data.a[exists]': [exists] expected true or false, found 'yes'"),
        ({"data.a[exists]": ""}, "'data.a[exists]': [exists] expected true or false, found ''"),
        ({"data.a[gt]": "true"}, "'data.a[gt]': [gt] compares with a number or a text, found 'true'"),
        ({"data.a[lte]": "null"}, "'data.a[lte]': [lte] compares with a number or a text, found 'null'"),
        ({"data.a[lt]": "1e999"}, "'data.a[lt]': no transaction holds such a value: NaN and Infinity are no JSON"),
        ({"data.a[lt]": "9" * 5_000}, "'data.a[lt]': at most 1024 characters, not 5000"),
        ({"data.a[ne]": "x" * 1_025}, "'data.a[ne]': at most 1024 characters, not 1025"),
        ({"data" + ".a" * 300 + "[gt]": "1"}, f"'data{'.a' * 38}': at most 16 names in a path, not 300"),
        ({f"data.{n}[gt]": "1" for n in range(1_000)}, "'data.999[gt]': at most 16 members, not 1000"),
    ],
)
def test_a_wrong_comparison_is_refused_with_member_and_rule(select: dict[str, str], rule: str) -> None:
    with pytest.raises(MalformedSelection) as caught:
        from_query(select)
    assert str(caught.value) == rule


@pytest.mark.parametrize(
    ("value", "name", "found"),
    [
        (True, "gt", "[gt] compares with a number or a text, found true"),
        (None, "lte", "[lte] compares with a number or a text, found NoneType"),
        ([5], "gt", "expected a string, number, boolean or null, found list"),
        ("true", "exists", "[exists] expected true or false, found 'true'"),
        (1, "exists", "[exists] expected true or false, found int"),
    ],
)
def test_a_comparison_with_what_has_no_order_is_refused(value: Any, name: str, found: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_data({f"data.a[{name}]": value}, "select")
    assert str(caught.value) == f"select: 'data.a[{name}]': {found}"


@pytest.mark.parametrize("value", [math.inf, 10**309, "\ud800"])
@pytest.mark.parametrize("place", ["value", "name"])
def test_what_no_transaction_can_hold_is_refused(value: Any, place: str) -> None:
    select: Mapping[str, Any] = {"metadata.a": value} if place == "value" else {f"metadata.{value}\ud800": 1}
    with pytest.raises(ConfigurationError, match="no transaction holds such a value"):
        from_data(select, "select")


def test_a_value_of_a_type_of_its_own_is_refused() -> None:
    """It would be equal to nothing that stands in a transaction."""

    class Text(str):
        __slots__ = ()

    with pytest.raises(ConfigurationError, match="expected a string"):
        from_data({"metadata.a": Text("a")}, "select")


@pytest.mark.parametrize(
    "arguments",
    [{"operation": "create"}, {"asset": "5"}, {"owner": ""}, {"metadata.a": "x" * 1_025}, {"metadata.\ud800": "1"}],
)
def test_a_wrong_query_is_refused_as_the_clients_mistake(arguments: dict[str, str]) -> None:
    with pytest.raises(MalformedSelection, match=r": (expected|at most|no transaction)") as caught:
        from_query(arguments)
    assert isinstance(caught.value, EventError)
