"""Pieces of the log, from every place and with every bound: the same events (P15)."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bigchaindb.api.events import accepts_stream
from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog.selection import Selection
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.events import EventTypes
from bigchaindb.ledger.ports import LogReader
from bigchaindb.ledger.summaries import summary_of_event, summary_of_transaction
from bigchaindb.store.store import Store
from bigchaindb.streams.cloud_events import Choice, Item, read_piece
from bigchaindb.streams.shared_log import Place, place_of, token_at
from bigchaindb.streams.sse import frames, heartbeat, opening
from tests.support.chains import Coin, create, transfer
from tests.support.event_logs import LogWriter

CHAIN = "solo-1"
SIZES = (3, 0, 1, 7, 2, 1, 12, 1)
"""CREATEs of each block, every other of which is passed on in it; 0 is a rejected proposal."""
CHOICES = (
    Choice(),
    Choice(types=EventTypes.BLOCK_VALID),
    Choice(types=EventTypes.BLOCK_INVALID),
    Choice(types=EventTypes.BLOCK_VALID, each_transaction=True),
    Choice(Selection(operation="TRANSFER"), EventTypes.BLOCK_VALID, each_transaction=True),
    Choice(Selection(operation="CREATE")),
    Choice(is_summary=True),
    Choice(types=EventTypes.BLOCK_VALID, is_summary=True),
    Choice(Selection(operation="CREATE"), is_summary=True),
    Choice(types=EventTypes.BLOCK_VALID, each_transaction=True, is_summary=True),
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogReader]:
    store = Store(tmp_path_factory.mktemp("pieces") / "data")
    writer = LogWriter(store.writer)
    serial = count()
    for size in SIZES:
        if size:
            made = [create(next(serial)) for _ in range(size)]
            passed = [transfer(Coin(one)) for one in made[::2]]
            writer._commit(EventTypes.BLOCK_VALID, [*made, *passed])
        else:
            writer.invalid()
    with closing(store), closing(store.log_reader()) as log:
        yield log


def all_of(log: LogReader, choice: Choice) -> list[Item]:
    piece = read_piece(log, CHAIN, choice, Place(0), len(SIZES), count_max=10**6, bytes_max=10**9)
    assert piece.place == Place(len(SIZES))
    return list(piece.items)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choice=st.sampled_from(CHOICES), count_max=st.integers(1, 9), bytes_max=st.integers(1, 3_000))
def test_pieces_of_any_size_are_the_same_events(log: LogReader, choice: Choice, count_max: int, bytes_max: int) -> None:
    place = Place(0)
    taken: list[Item] = []
    while place.position < len(SIZES):
        piece = read_piece(log, CHAIN, choice, place, len(SIZES), count_max=count_max, bytes_max=bytes_max)
        assert len(piece.items) <= count_max
        assert piece.place > place  # else a client would ask for ever
        assert place_of(log, piece.token, CHAIN, len(SIZES)) == piece.place
        taken += piece.items
        place = piece.place
    assert taken == all_of(log, choice)


@pytest.mark.parametrize("choice", CHOICES)
def test_behind_each_event_come_exactly_the_later_ones(log: LogReader, choice: Choice) -> None:
    """A client that lost its connection anywhere repeats none and misses none."""
    expected = all_of(log, choice)
    for number, item in enumerate(expected, 1):
        place = place_of(log, item.token, CHAIN, len(SIZES))
        assert place == item.place
        piece = read_piece(log, CHAIN, choice, place, len(SIZES), count_max=10**6, bytes_max=10**9)
        assert list(piece.items) == expected[number:]


def test_a_summary_is_an_event_of_its_own_type_with_other_data(log: LogReader) -> None:
    """The same source, id and type with other data would be the same CloudEvent."""
    for choice in CHOICES[:6]:
        short = [json.loads(one.envelope) for one in all_of(log, replace(choice, is_summary=True))]
        whole = [json.loads(one.envelope) for one in all_of(log, choice)]
        kind = "transaction" if choice.each_transaction else "block"
        sum_up = summary_of_transaction if choice.each_transaction else summary_of_event
        bodies = [one.envelope.partition(b',"data":')[2][:-1] for one in all_of(log, choice)]
        assert [one.pop("data") for one in short] == [json.loads(sum_up(body)) for body in bodies]
        assert {one.pop("type") for one in short} == {f"com.bigchaindb.{kind}.summary.v1"}
        for one in whole:
            del one["data"], one["type"]
        assert short == whole


def test_ids_and_sequences_are_unique_and_ascending(log: LogReader) -> None:
    for choice in CHOICES:
        envelopes = [json.loads(item.envelope) for item in all_of(log, choice)]
        assert len({one["id"] for one in envelopes}) == len(envelopes)
        assert [one["sequence"] for one in envelopes] == sorted(one["sequence"] for one in envelopes)


def test_nothing_is_read_beyond_the_durable_head(log: LogReader) -> None:
    piece = read_piece(log, CHAIN, Choice(), Place(2), 2, count_max=10, bytes_max=10**6)
    assert (piece.items, piece.place, piece.token) == ((), Place(2), token_at(log, CHAIN, 2))


def test_a_token_of_another_log_is_refused(log: LogReader) -> None:
    with pytest.raises(HistoryLost):
        place_of(log, encode(CHAIN, 3, WHOLE, bytes(32)), CHAIN, len(SIZES))


def test_messages_are_those_of_the_html_standard(log: LogReader) -> None:
    """`id:` without `data:` moves a browser's last event id and dispatches nothing."""
    piece = read_piece(log, CHAIN, Choice(), Place(0), 1, count_max=1, bytes_max=10**6)
    (item,) = piece.items
    assert frames(piece) == b"id: %b\nevent: %b\ndata: %b\n\n" % (
        piece.token.encode(),
        b"com.bigchaindb.block.valid.v1",
        item.envelope,
    )
    assert b"\n" not in item.envelope
    assert b"\r" not in item.envelope
    assert opening("1.x") == b"retry: 1000\nid: 1.x\n\n"
    assert heartbeat(3, 5, "1.x") == b": at 3 of 5\nid: 1.x\n\n"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream;q=0.9, application/json", True),
        ("application/json, text/event-stream", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-streams", False),
    ],
)
def test_only_who_names_the_type_gets_a_stream(accept: str, *, expected: bool) -> None:
    """`*/*` is what every client sends, and a page is what it expects."""
    assert accepts_stream(accept) is expected
