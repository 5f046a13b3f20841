"""`bigchaindb.events` as embedders and plugins know it. Source: event-plugin-api.md, sections 2 and 6."""

import json
import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint
from queue import Empty
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import errors, events
from bigchaindb.config_utils import load_events_plugins
from bigchaindb.errors import ConfigurationError, EventError
from bigchaindb.events import POISON_PILL, Event, EventTypes, Exchange
from bigchaindb.ledger.block import Block, Header, event_body

BLOCK = Block(
    Header("ab" * 32, 7, 1_507_294_217, "key", ("key",), None), (b'{"id":"1"}', b'{"amount":9007199254740993}')
)
BODY = event_body(BLOCK)


def logged(body: bytes = BODY) -> Event:
    return Event(1, body=body, chain_id="solo-1", position=42, height=7, time=1_507_294_217, attempt=2)


def test_2_1_1_each_subscriber_gets_the_types_it_asked_for() -> None:
    exchange = Exchange()
    valid = exchange.get_subscriber_queue(EventTypes.BLOCK_VALID)
    both = exchange.get_subscriber_queue(EventTypes.BLOCK_VALID | EventTypes.BLOCK_INVALID)
    everything = exchange.get_subscriber_queue()
    invalid = exchange.get_subscriber_queue(EventTypes.BLOCK_INVALID)
    exchange.dispatch(Event(EventTypes.BLOCK_VALID, {"id": "x"}))
    for queue in (valid, both, everything):
        event = queue.get(timeout=60)
        assert (event.type, event.data) == (EventTypes.BLOCK_VALID, {"id": "x"})
    assert invalid.qsize() == 0


def test_2_1_2_the_pill_ends_run_and_reaches_nobody() -> None:
    exchange = Exchange()
    subscriber = exchange.get_subscriber_queue()
    exchange.get_publisher_queue().put(Event(EventTypes.BLOCK_VALID, "x"))
    exchange.get_publisher_queue().put(POISON_PILL)
    exchange.run()
    assert exchange.publisher_queue.qsize() == 0
    assert exchange.started_queue.get(timeout=60) == "STARTED"
    assert subscriber.get(timeout=60).data == "x"
    with pytest.raises(Empty):
        subscriber.get(timeout=0.05)


def test_2_1_3_nobody_subscribes_once_it_ran() -> None:
    exchange = Exchange()
    exchange.publisher_queue.put(POISON_PILL)
    exchange.run()
    for _ in range(2):  # 2.x forgot it at the first refusal
        with pytest.raises(RuntimeError, match=r"^Cannot create a new subscriber queue while Exchange is running\.$"):
            exchange.get_subscriber_queue()


def test_2_1_5_plugins_are_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EntryPoint(name, "tests_plugin_stand_in", "bigchaindb.events") for name in ("one", "two")]
    monkeypatch.setattr(
        "bigchaindb.subscribers.plugins.entry_points", lambda group: found if group == "bigchaindb.events" else []
    )
    monkeypatch.setitem(sys.modules, "tests_plugin_stand_in", type(sys)("tests_plugin_stand_in"))
    monkeypatch.setattr(sys.modules["tests_plugin_stand_in"], "run", print, raising=False)
    loaded = load_events_plugins(["one", "two"])
    assert [name for name, _ in loaded] == ["one", "two"]
    assert loaded[0][1].run is print
    assert load_events_plugins(None) == []


def test_a_string_is_no_list_of_plugins() -> None:
    with pytest.raises(ConfigurationError, match="list of names, found 'one'"):
        load_events_plugins("one")


def test_masks_are_kept_with_their_queues_and_mask_0_gets_nothing() -> None:
    exchange = Exchange()
    first, second = exchange.get_subscriber_queue(1), exchange.get_subscriber_queue(1)
    assert exchange.queues == {1: [first, second]}
    nothing = exchange.get_subscriber_queue(0)
    exchange.dispatch(Event(1, None))
    assert first.get(timeout=60).type == second.get(timeout=60).type == 1
    assert nothing.qsize() == 0


def test_the_types_are_those_of_1x() -> None:
    assert (EventTypes.ALL, EventTypes.BLOCK_VALID, EventTypes.BLOCK_INVALID) == (-1, 1, 2)
    assert POISON_PILL == "POISON_PILL"


def test_what_plugins_catch_comes_with_it() -> None:
    assert (events.Closed, events.HistoryLost, events.Unavailable) == (
        errors.Closed, errors.HistoryLost, errors.Unavailable
    )  # fmt: skip


def test_data_is_the_superset_with_one_list_of_transactions() -> None:
    """Source: docs/reference/contract/blocks-and-votes.md, section 5.1."""
    event = logged()
    assert event.data == {**json.loads(BODY), "transactions": event.data["block"]["transactions"]}
    assert event.data["transactions"] is event.data["block"]["transactions"]
    assert event.data is event.data


@given(st.integers())
def test_integers_of_any_size_stay_exact(number: int) -> None:
    body = event_body(Block(BLOCK.header, (b'{"amount":%d}' % number,)))
    transaction: dict[str, object] = {**logged(body).data["transactions"][0]}
    assert transaction["amount"] == number


def test_no_number_takes_long() -> None:
    """See the test of this name for `bigchaindb.transaction.reading`."""
    event = logged(event_body(Block(BLOCK.header, (b'{"numbers":[1e+300%b]}' % (100_000 * b",1e+300"),))))
    before_s = process_time()
    assert list(event.data["transactions"][0].values()) == [[1e300] * 100_001]
    assert process_time() - before_s < 0.5


def test_p5_id_and_body_are_the_log_s() -> None:
    event = logged()
    assert event.id == "solo-1:00000000000000000042"
    assert event.body is BODY
    assert (event.type, event.position, event.height, event.time, event.attempt) == (1, 42, 7, 1_507_294_217, 2)


@pytest.mark.parametrize("parsed", [False, True])
def test_an_event_of_the_log_can_be_pickled(parsed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    event = logged()
    if parsed:
        assert event.data
    copy = pickle.loads(pickle.dumps(event))
    assert (copy.id, copy.body, copy.type, copy.height, copy.time, copy.attempt) == (
        event.id, event.body, 1, 7, event.time, 2
    )  # fmt: skip
    assert copy.data == event.data
    assert copy.data["transactions"] is copy.data["block"]["transactions"]


def test_an_event_made_by_hand_keeps_its_data_and_has_no_body() -> None:
    shared = ["transaction"]
    copy = pickle.loads(pickle.dumps(Event(2, {"block": {"transactions": shared}, "transactions": shared})))
    assert (copy.type, copy.position) == (2, 0)
    assert copy.data["transactions"] is copy.data["block"]["transactions"]
    with pytest.raises(EventError, match="made from data alone"):
        copy.body  # noqa: B018 - reading it is the point


def test_events_are_equal_to_themselves_alone() -> None:
    event = logged()
    assert event == event  # noqa: PLR0124 - the point
    assert event != logged()
    assert repr(event) == "<Event type=1 position=42 height=7 attempt=2>"


def test_the_module_needs_no_node() -> None:
    """A plugin that imports it pays for nothing else of ours."""
    code = "import sys, bigchaindb.events; print(*sorted(m for m in sys.modules if m.startswith('bigchaindb')))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["bigchaindb", "bigchaindb.documents", "bigchaindb.errors", "bigchaindb.events"]
