"""A definition is read to one meaning, or refused with the member, its rule and the value found."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import MalformedSubscription
from bigchaindb.eventlog import numbering
from bigchaindb.eventlog.retrying import OnFailure, Policy
from bigchaindb.eventlog.selection import ALL
from bigchaindb.eventlog.subscription import DEFINITION_BYTES_MAX, Subscription
from bigchaindb.events import EventTypes

ASSET: Final = "ab" * 32
LIMIT: Final = 65_536

_SELECTS: Final = st.dictionaries(
    st.sampled_from(["metadata.a", "metadata.b.c", "metadata.d"]),
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["x", "y"]),
).map(lambda select: dict(sorted(select.items())))
_COMMON: Final = {
    "select": _SELECTS,
    "start": st.sampled_from(["now", "genesis", "position:4", "1.AAAA"]),
    "window": st.integers(1, LIMIT),
    "retry": st.fixed_dictionaries(
        {},
        optional={
            "attempts": st.integers(1, 99),
            "duration_s": st.integers(0, 99) | st.floats(0, 99),
            "delay_s_max": st.floats(0.001, 99),
        },
    ),
    "on_failure": st.sampled_from(["park", "block", "skip"]),
    "answer_s": st.none() | st.integers(1, 10**9) | st.floats(1, 10**9),
    "expires_s": st.none() | st.integers(10, 10**9),
}
_ORDER: Final = {"order": st.sampled_from(["asset", "log", "none"])}


def _of(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional={**_COMMON, **optional})


DEFINITIONS: Final = st.one_of(
    _of(
        {},
        {
            "log": st.just("events"),
            "granularity": st.just("block"),
            "types": st.sampled_from([["valid"], ["invalid"], ["valid", "invalid"], ["invalid", "valid"]]),
            "order": st.sampled_from(["log", "none"]),
        },
    ),
    _of({"granularity": st.just("transaction")}, {**_ORDER, "types": st.just(["valid"])}),
    _of({"log": st.just("rejected")}, {**_ORDER, "granularity": st.just("transaction")}),
)
ANYTHING: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS: Final = tuple(Subscription.read("n", {}).document)


def _json(one: Subscription, member: str) -> str:
    return json.dumps(one.document[member], sort_keys=True)


def read(**definition: object) -> Subscription:
    """Return the subscription of a definition."""
    return Subscription.read("billing", definition, LIMIT)


def test_a_definition_may_be_empty() -> None:
    one = read()
    assert json.loads(one.text) == {
        "log": "events",
        "granularity": "block",
        "types": ["valid", "invalid"],
        "select": {},
        "order": "log",
        "start": "now",
        "window": 1024,
        "retry": {"attempts": 5, "duration_s": 600, "delay_s_max": 60},
        "on_failure": "park",
        "answer_s": None,
        "expires_s": None,
    }
    assert (one.policy, one.selection, one.types) == (Policy(), ALL, EventTypes.BLOCK_VALID | EventTypes.BLOCK_INVALID)


def test_every_member_is_read() -> None:
    one = read(
        granularity="transaction",
        types=["valid"],
        select={"operation": "TRANSFER", "metadata.kind": "sale"},
        order="none",
        start="height:7",
        window=9,
        retry={"attempts": 2, "duration_s": 0.5, "delay_s_max": 3},
        on_failure="block",
        answer_s=2.5,
        expires_s=60,
    )
    assert (one.name, one.log, one.granularity, one.order, one.start) == (
        "billing",
        "events",
        "transaction",
        "none",
        "height:7",
    )
    assert (one.types, one.window_count, one.answer_s, one.expires_s) == (EventTypes.BLOCK_VALID, 9, 2.5, 60)
    assert one.selection.operation == "TRANSFER"
    assert (one.policy.attempts, one.policy.duration_s, one.policy.backoff.max_s) == (2, 0.5, 3)
    assert one.policy.on_failure is OnFailure.BLOCK


def test_defaults_follow_the_granularity() -> None:
    assert read(granularity="transaction").document["order"] == "asset"
    assert read(granularity="transaction").document["types"] == ["valid"]
    assert read(granularity="transaction").numbering is numbering.TRANSACTIONS
    assert read().numbering is numbering.ROWS


def test_rejected_transactions_are_one_by_one() -> None:
    one = read(log="rejected")
    assert (one.granularity, one.order, one.types) == ("transaction", "asset", EventTypes.ALL)
    assert one.numbering is numbering.ROWS


@given(DEFINITIONS)
def test_what_is_stored_is_read_as_it_was(definition: dict[str, Any]) -> None:
    """A subscription must not change when the node starts again, nor what clients see differ from what they may put."""
    one = read(**definition)
    again = Subscription.read("billing", json.loads(one.text))
    assert (again, again.text) == (one, one.text)
    assert again.differences(one) == []


@given(DEFINITIONS, DEFINITIONS)
def test_what_differs_is_named(definition: dict[str, Any], other: dict[str, Any]) -> None:
    """Two applications that share a name by mistake learn it, and see in what."""
    one, two = read(**definition), read(**other)
    differing = [name for name in MEMBERS if _json(one, name) != _json(two, name)]
    assert [text.split()[0] for text in one.differences(two)] == [name for name in differing if name != "start"]


@pytest.mark.parametrize(("ours", "theirs"), [(1, True), (1, 1.0), (0, False)])
def test_values_that_python_takes_for_equal_differ(ours: object, theirs: object) -> None:
    one, two = read(select={"metadata.a": ours}), read(select={"metadata.a": theirs})
    assert one.differences(two) == [
        f'select is {{"metadata.a":{json.dumps(ours)}}}, not {{"metadata.a":{json.dumps(theirs)}}}'
    ]


def test_a_number_is_one_however_it_is_written() -> None:
    assert read(answer_s=5).differences(read(answer_s=5.0)) == []


@given(DEFINITIONS, DEFINITIONS)
def test_a_change_keeps_the_start_and_what_is_fixed(definition: dict[str, Any], other: dict[str, Any]) -> None:
    one, two = read(**definition), read(**other)
    if (one.log, one.granularity) != (two.log, two.granularity):
        with pytest.raises(MalformedSubscription, match="is fixed as '"):
            one.changed(two)
        return
    changed = one.changed(two)
    assert changed.differences(two) == []
    assert changed.start == one.start


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ([], "the definition: must be an object, found a list"),
        ({"filter": 1}, "'filter': unknown member; a subscription has log, granularity, types, select, order, start"),
        ({"log": "blocks"}, "log: must be 'events' or 'rejected', found 'blocks'"),
        ({"log": 1}, "log: must be 'events' or 'rejected', found 1"),
        ({"granularity": "tx"}, "granularity: must be 'block' or 'transaction', found 'tx'"),
        ({"log": "rejected", "granularity": "block"}, "granularity: the log of rejected transactions has no blocks"),
        ({"log": "rejected", "types": ["valid"]}, "types: belongs to the log 'events', found a list"),
        ({"types": []}, "types: must be a list of 'valid', 'invalid' or both, found a list"),
        ({"types": "valid"}, "types: must be a list of 'valid', 'invalid' or both, found 'valid'"),
        ({"types": [["valid"]]}, "types: must be a list of"),
        ({"types": ["invalid"], "granularity": "transaction"}, "types: transactions are those of valid blocks"),
        ({"select": []}, "select: expected an object, found list"),
        ({"select": {"kind": 1}}, "select: 'kind': expected one of operation, asset, owner, metadata.<path>"),
        ({"order": "asset"}, "order: a block is of no single asset"),
        ({"order": "key"}, "order: must be 'asset' or 'log' or 'none', found 'key'"),
        ({"start": "yesterday"}, "start: must be now, genesis, height:N, .*found 'yesterday'"),
        ({"start": 0}, "start: must be now, genesis, height:N, .*found 0"),
        ({"log": "rejected", "start": "height:1"}, "start: rejected transactions are of no block; .*found 'height:1'"),
        ({"log": "rejected", "start": "time:1"}, "start: rejected transactions are of no block"),
        ({"window": 0}, "window: must be a whole number from 1 to 65536, found 0"),
        ({"window": 65_537}, "window: must be a whole number from 1 to 65536, found 65537"),
        ({"window": 1.5}, "window: must be a whole number from 1 to 65536, found 1.5"),
        ({"window": True}, "window: must be a whole number from 1 to 65536, found True"),
        ({"window": "9"}, "window: must be a whole number from 1 to 65536, found '9'"),
        ({"retry": 5}, "retry: must be an object, found 5"),
        ({"retry": {"count": 5}}, "retry.'count': unknown member; retry has attempts, duration_s, delay_s_max"),
        ({"retry": {"attempts": 0}}, "retry.attempts: must be a whole number from 1 to 1000000, found 0"),
        ({"retry": {"duration_s": -1}}, "retry.duration_s: must be a number from 0 to 1000000000, found -1"),
        ({"retry": {"delay_s_max": 0}}, "retry.delay_s_max: must be a number from 0.001 to 1000000000, found 0"),
        ({"on_failure": "drop"}, "on_failure: must be 'park' or 'block' or 'skip', found 'drop'"),
        ({"answer_s": 0.5}, "answer_s: must be a number from 1 to 1000000000, found 0.5"),
        ({"answer_s": float("nan")}, "answer_s: must be a number from 1 to 1000000000, found nan"),
        ({"answer_s": {}}, "answer_s: must be a number from 1 to 1000000000, found an object"),
        ({"expires_s": 9}, "expires_s: must be a number from 10 to 1000000000, found 9"),
    ],
)
def test_a_bad_member_is_named_with_its_rule_and_value(definition: Any, message: str) -> None:
    with pytest.raises(MalformedSubscription, match=message):
        Subscription.read("billing", definition, LIMIT)


def test_what_no_limit_holds_is_what_the_database_takes() -> None:
    """A lower limit must not make a stored definition unreadable."""
    assert Subscription.read("billing", {"window": LIMIT + 1}).window_count == LIMIT + 1


def test_a_limit_below_the_usual_window_is_the_window() -> None:
    assert Subscription.read("billing", {}, 9).window_count == 9


def test_a_definition_that_would_fill_the_memory_is_refused() -> None:
    many = {f"metadata.{number}": "x" * 1024 for number in range(16)}
    with pytest.raises(MalformedSubscription, match=f"at most {DEFINITION_BYTES_MAX} are allowed; select less"):
        read(select=many)


@pytest.mark.parametrize("name", ["", ".a", "a/b", "a\nb", "a" * 101])
def test_a_name_follows_the_rule_of_plugins(name: str) -> None:
    with pytest.raises(MalformedSubscription, match="name: must be 1 to 100 printable characters, without a slash"):
        Subscription.read(name, {})


@given(ANYTHING)
def test_anything_else_is_refused_and_never_fails_otherwise(value: object) -> None:
    """Whatever a stranger sends is an answer of 400, never of 500."""
    definitions = [value, *({member: value} for member in MEMBERS), {"retry": {"attempts": value}}]
    for definition in definitions:
        try:
            one = Subscription.read("billing", definition, LIMIT)
        except MalformedSubscription:
            continue
        assert Subscription.read("billing", json.loads(one.text)) == one
