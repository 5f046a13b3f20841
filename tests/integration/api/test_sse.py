"""Server-Sent Events: the log without end. Source: docs/reference/http-events.md; promises P3, P4, P8, P15; S1."""

import asyncio
import random
import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from typing import Any

import pytest

from bigchaindb.api import wire as written
from bigchaindb.config import Limits
from bigchaindb.errors import Stopping
from bigchaindb.eventlog import selection
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.events import EventTypes
from bigchaindb.ledger.checking import Chosen
from bigchaindb.streams import sse
from bigchaindb.streams.announced import Announced
from bigchaindb.streams.cloud_events import Choice
from bigchaindb.streams.shared_log import Frames, Place
from bigchaindb.streams.sse import read_frames
from tests.integration.api.conftest import Start
from tests.support.event_pages import commit, everything, page
from tests.support.raw import ask, until, wire
from tests.support.served import CHAIN_ID, KEY, Served, serving
from tests.support.sse import EventSource, listening


def sequences(events: list[dict[str, Any]]) -> list[str]:
    return [event["sequence"] for event in events]


async def gone(served: Served) -> None:
    await until(lambda: served.api.stream_count == 0, "the streams to be closed")


CHOICES = [
    Choice(selection.from_query(members), EventTypes.ALL, each_transaction)
    for members in ({}, {"metadata.colour": "red"})
    for each_transaction in (False, True)
]


def events_of(piece: bytes) -> list[bytes]:
    return [message for message in piece.split(b"\n\n") if b"\ndata: " in message]


class Followed:
    """A client that is level, falls behind, leaves and comes back as chance will have it."""

    def __init__(self, choice: Choice, chance: random.Random) -> None:
        self.choice = choice
        self.taken: list[bytes] = []
        self._chance = chance
        self._token = encode(CHAIN_ID, 0, WHOLE, bytes(32))

    async def follow(self, streams: sse.EventStreams) -> None:
        """Take events until the node stops."""
        has_left = True
        while has_left:
            try:
                stream = await streams.open(self.choice, self._token)
            except Stopping:
                return
            has_left = await self._take(stream.pieces)
            stream.close()

    async def _take(self, pieces: AsyncIterator[bytes]) -> bool:
        async for piece in pieces:
            self.taken += events_of(piece)
            self._token = re.findall(rb"^id: (.*)$", piece, re.MULTILINE)[-1].decode()
            if self._chance.random() < 0.1:
                return True
            for _ in range(self._chance.choice([0, 0, 0, 100])):
                await asyncio.sleep(0)
        return False


class TestAtTheHead:
    async def test_pieces_of_a_decision_are_those_that_the_log_gives(self, start: Start) -> None:
        """Clients that wait at the head get the first, all others the second, with the same tokens (P15)."""
        served = await start(propose=lambda bodies: Chosen((*bodies, *bodies), ()))
        log, decisions = served.store.log_reader(), list[Announced]()
        served.hub.witness(lambda effects: decisions.append(Announced(effects)))
        id_ = await commit(served, metadata={"colour": "red"})
        await served.commit(20)
        choices = [
            Choice(selection.from_query(members), types, each_transaction, is_summary)
            for members in ({}, {"operation": "CREATE"}, {"asset": id_}, {"owner": KEY.public_key}, {"metadata.a": "b"})
            for types in (EventTypes.ALL, EventTypes.BLOCK_VALID, EventTypes.BLOCK_INVALID)
            for each_transaction in (False, True)
            for is_summary in (False, True)
        ]
        positions = [(one, position) for one in decisions for position in one.positions]
        assert [position for _, position in positions] == list(range(1, served.hub.head + 1))
        for choice in choices:
            for one, position in positions:
                place = Place(position - 1), position
                assert read_frames(one, CHAIN_ID, choice, *place) == read_frames(log, CHAIN_ID, choice, *place)
        log.close()

    async def test_nothing_is_read_for_a_client_that_waits_there(self, served: Served) -> None:
        def read(*_: object) -> Frames:
            raise AssertionError("the log was read")

        served.api._log._read = read
        async with listening(served.api.port) as all_, listening(served.api.port, "?metadata.colour=red") as red:
            await until(lambda: served.api._streams._level.total() == 2, "both clients to wait")
            plain, colourful = await commit(served), await commit(served, metadata={"colour": "red"})
            ids = [event["data"]["block"]["transactions"][0]["id"] for event in await all_.events(2)]
            assert ids == [plain, colourful]
            assert len(await red.events(1)) == 1

    async def test_what_is_too_much_for_the_loop_is_read(self, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sse, "LOOP_BYTES_MAX", 1)
        async with listening(served.api.port) as source:
            await until(lambda: bool(served.api._streams._level), "the client to wait")
            id_ = await commit(served)
            event = await source.event()
        assert [one["id"] for one in event["data"]["block"]["transactions"]] == [id_]

    @pytest.mark.parametrize("seed", range(2))
    async def test_who_falls_behind_or_comes_back_gets_each_event_once_in_order(self, start: Start, seed: int) -> None:
        """From announcements or from the log, across a stop in the middle, with and without a filter (P3, P15)."""
        chance = random.Random(seed)
        served = await start(propose=lambda bodies: Chosen((*bodies, *bodies), ()))
        log = served.api._log
        followed = [Followed(choice, chance) for choice in (*CHOICES, *CHOICES)]
        announced_counts = []
        served.hub.witness(lambda _: announced_counts.append(served.api._streams._level.total()))
        for streams, stops_at in ((served.api._streams, 25), (sse.EventStreams(log, sse.Places(100)), 50)):
            following = [asyncio.create_task(one.follow(streams)) for one in followed]
            for number in range(50):
                if number == stops_at:
                    streams.stop()
                await commit(served, metadata={"colour": chance.choice(["red", "green"])})
                for _ in range(chance.choice([0, 1, 100])):
                    await asyncio.sleep(0)
            streams.stop()
            await asyncio.gather(*following)
        assert 0 < sum(announced_counts) < len(followed) * len(announced_counts), "no client was level, or all were"
        with closing(served.store.log_reader()) as reader:
            for one in followed:
                place, expected = Place(0), list[bytes]()
                while place.position < served.hub.head:
                    data, place, _ = read_frames(reader, CHAIN_ID, one.choice, place, served.hub.head)
                    expected += events_of(data)
                assert one.taken == expected


class TestFollowing:
    async def test_it_begins_with_what_is_committed_from_now_on(self, served: Served) -> None:
        await commit(served)
        async with listening(served.api.port) as source:
            assert source.status == 200
            assert source.headers["content-type"] == "text/event-stream"
            assert source.headers["cache-control"] == "no-store"
            assert source.headers["access-control-allow-origin"] == "*"
            id_ = await commit(served)
            event = await source.event()
        assert [one["id"] for one in event["data"]["block"]["transactions"]] == [id_]

    async def test_a_client_that_got_nothing_yet_knows_where_to_come_back_to(self, served: Served) -> None:
        """What is committed between a lost connection and the next must come."""
        await commit(served)
        async with listening(served.api.port) as source:
            place = source.last_id
        expected = await commit(served)
        async with listening(served.api.port, last_event_id=place) as source:
            event = await source.event()
        assert [one["id"] for one in event["data"]["block"]["transactions"]] == [expected]

    async def test_after_begins_there_and_the_header_of_a_browser_that_comes_back_is_stronger(
        self, served: Served
    ) -> None:
        """A browser asks for the same address again, with the old `after` in it."""
        for _ in range(4):
            await commit(served)
        begin = (await page(served, limit=1))["next"]
        async with listening(served.api.port, f"?after={begin}") as source:
            first, second = await source.events(2)
            place = source.last_id
        async with listening(served.api.port, f"?after={begin}", last_event_id=place) as source:
            (third,) = await source.events(1)
        assert sequences([first, second, third]) == [f"{position:020d}" for position in (2, 3, 4)]

    @pytest.mark.parametrize(
        "query",
        [
            "granularity=block",
            "granularity=transaction",
            "granularity=transaction&metadata.colour=red",
            "metadata.colour=red",
            "metadata.colour=green",
            "type=valid&operation=CREATE",
        ],
    )
    async def test_live_late_and_by_pages_are_the_same_events(self, served: Served, query: str) -> None:
        """P15: nobody can tell from the events how they came."""
        arguments = dict(part.split("=") for part in query.split("&"))
        zero = encode(CHAIN_ID, 0, WHOLE, bytes(32))
        last = "type=valid&metadata.colour=last"
        async with listening(served.api.port, f"?{query}") as live:
            for number in range(60):
                await commit(served, metadata={"colour": random.Random(number).choice(["red", "green", "blue"])})
            expected = await everything(served, **arguments)
            assert 10 < len(expected) <= 60
            assert await live.events(len(expected)) == expected
        async with listening(served.api.port, f"?{query}&after={zero}") as late:
            assert await late.events(len(expected)) == expected
        assert await everything(served, **dict(part.split("=") for part in last.split("&"))) == []

    async def test_resuming_behind_each_event_repeats_none_and_misses_none(self, served: Served) -> None:
        """Also within a block, where a transaction is an event."""
        await served.commit(6)
        await served.commit(3)
        zero = encode(CHAIN_ID, 0, WHOLE, bytes(32))
        expected = await everything(served, granularity="transaction")
        place, taken = zero, []
        for _ in expected:
            async with listening(served.api.port, "?granularity=transaction", last_event_id=place) as source:
                taken += await source.events(1)
                place = source.last_id
        assert taken == expected

    async def test_many_clients_at_the_head_share_one_read(self, served: Served) -> None:
        """A hundred clients must not cost a hundred times the work of one."""
        async with AsyncExitStack() as stack:
            sources = [await stack.enter_async_context(listening(served.api.port)) for _ in range(100)]
            await until(lambda: served.api.stream_count == 100, "the streams to be open")
            await commit(served)
            received = [await source.event() for source in sources]
            assert all(event == received[0] for event in received)
            assert len(served.api._log._shared) == 1

    async def test_a_client_that_leaves_is_forgotten_at_once(self, start: Start) -> None:
        """Otherwise browsers that come back could fill the node with streams that nobody reads."""
        served = await start(limits=Limits(sse_connection_count_max=1))
        for _ in range(3):
            async with listening(served.api.port) as source:
                assert source.status == 200
            await gone(served)
        async with wire(served.api.port) as half:
            await half.send(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
            await until(lambda: served.api.stream_count == 1, "the stream to be open")
            half.writer.write_eof()
            await gone(served)

    async def test_a_client_that_closes_its_side_with_its_request_gets_no_stream(self, served: Served) -> None:
        """It has left before the stream begins, and would hold a place until something fails."""
        async with wire(served.api.port) as opened:
            opened.writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
            opened.writer.write_eof()
            async with asyncio.timeout(60):
                received = await opened.reader.read()
            assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        await gone(served)


class TestHeartbeat:
    async def test_silence_is_broken_and_the_place_moves_though_nothing_matches(self, start: Start) -> None:
        """Otherwise a client of a rare filter would look through the same log again after each lost connection."""
        served = await start(sse_heartbeat_s=0.05)
        async with listening(served.api.port, "?metadata.never=here") as source:
            await commit(served)
            head = (await page(served))["next"]
            async with asyncio.timeout(60):
                while source.last_id != head:
                    message = await source.message()
                    assert message is not None
                    assert set(message) == {"id"}
            assert f"at {served.hub.head} of {served.hub.head}" in source.comments

    async def test_it_comes_beside_events_of_others_too(self, start: Start) -> None:
        served = await start(sse_heartbeat_s=0.05)
        async with listening(served.api.port, "?metadata.never=here") as source:
            begin = source.last_id
            for _ in range(20):
                await commit(served)
                await asyncio.sleep(0.01)
            async with asyncio.timeout(60):
                while source.last_id == begin:  # a slow machine beats before the first commit, too
                    assert await source.message() is not None


class TestRefusals:
    async def test_another_log_is_gone_so_that_browsers_stop(self, served: Served) -> None:
        """A browser comes back for ever unless the answer is no 200 (P8)."""
        async with listening(served.api.port, last_event_id=encode("solo-other", 1, WHOLE, bytes(32))) as source:
            assert source.status == 410
        assert served.api.stream_count == 0

    @pytest.mark.parametrize(
        ("query", "header", "named"), [("?after=x", None, b'"after"'), ("", "x", b'"Last-Event-ID"')]
    )
    async def test_what_is_no_token_is_named(
        self, served: Served, query: str, header: str | None, named: bytes
    ) -> None:
        headers = {"Accept": "text/event-stream", **({"Last_Event_ID": header} if header else {})}
        answer = await ask(served.api.port, "GET", f"/api/v1/events{query}", None, **headers)
        assert answer.status == 400
        assert named in answer.body

    async def test_one_too_many_is_told_to_come_later(self, start: Start) -> None:
        """Streams must leave connections for those who post."""
        served = await start(limits=Limits(sse_connection_count_max=1))
        async with listening(served.api.port), listening(served.api.port) as second:
            assert (second.status, second.headers["retry-after"]) == (503, "1")
            assert (await ask(served.api.port, "GET", "/api/v1")).status == 200

    async def test_head_has_the_headers_alone(self, served: Served) -> None:
        answer = await ask(served.api.port, "HEAD", "/api/v1/events", None, Accept="text/event-stream")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        await gone(served)

    async def test_no_cache_takes_a_page_for_a_stream(self, served: Served) -> None:
        """One address gives both."""
        async with listening(served.api.port) as source:
            assert source.headers["vary"] == "Accept"
        assert (await ask(served.api.port, "GET", "/api/v1/events")).headers["vary"] == "Accept"

    async def test_a_client_of_http_1_0_gets_it_without_chunks(self, served: Served) -> None:
        async with wire(served.api.port) as opened:
            await opened.send(b"GET /api/v1/events HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n")
            await opened.reader.readuntil(b"\r\n\r\n")
            assert (await opened.reader.readuntil(b"\n\n")).startswith(b"retry: 1000\nid: 1.")


class TestSlowClients:
    async def test_it_costs_nobody_anything_and_gets_everything_once_it_reads(self, served: Served) -> None:
        """The log is the buffer (S1)."""
        async with (
            listening(served.api.port, is_narrow=True) as slow,
            listening(served.api.port) as quick,
        ):
            for _ in range(100):
                await commit(served, text="x" * 200_000)
                await quick.event()
            (transport,) = [
                connection.transport
                for connection in served.api._listener._places
                if connection.transport.get_write_buffer_size()
            ]
            assert transport.get_write_buffer_size() < 2**20
            assert sequences(await slow.events(100)) == [f"{position:020d}" for position in range(1, 101)]

    async def test_clients_at_the_head_share_the_bytes_that_they_have_not_taken(self, served: Served) -> None:
        """A block may have 4 MiB: a thousand clients with a copy each would need as many GiB."""
        async with AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(listening(served.api.port, is_narrow=True))
            stack.callback(tracemalloc.stop)
            tracemalloc.start()
            wires = [one.transport for one in served.api._listener._places]
            while not all(one.get_write_buffer_size() for one in wires):  # the kernel takes the first megabytes
                await commit(served, text="x" * 900_000)
            held = tracemalloc.take_snapshot().filter_traces(
                [tracemalloc.Filter(inclusive=True, filename_pattern=written.__file__)]
            )
            assert sum(trace.size for trace in held.traces) < 900_000

    async def test_one_that_takes_nothing_is_ended(self, start: Start) -> None:
        served = await start(limits=Limits(stream_stall_s_max=0.5))
        async with listening(served.api.port, is_narrow=True):
            for _ in range(30):
                await commit(served, text="x" * 200_000)
            await gone(served)


class TestStop:
    async def test_a_stop_ends_each_stream_with_its_place(self, tmp_path: Any) -> None:
        """Whoever comes back after a restart sees each event once, in order."""
        async with AsyncExitStack() as clients:
            async with serving(tmp_path) as served:
                sources = [await clients.enter_async_context(listening(served.api.port)) for _ in range(5)]
                filtered = await clients.enter_async_context(listening(served.api.port, "?metadata.never=here"))
                await served.commit(20)
                head = (await page(served))["next"]
                expected = await everything(served)
            seen = [await source.rest() for source in sources]
            assert await filtered.rest() == []
            assert {source.last_id for source in [*sources, filtered]} == {head}
            assert all(events == expected for events in seen)
        async with serving(tmp_path) as again, listening(again.api.port, last_event_id=head) as source:
            await again.commit()
            assert await source.event() == (await page(again, after=head))["events"][0]

    async def test_a_stop_waits_for_no_slow_client(self, tmp_path: Any) -> None:
        async with AsyncExitStack() as clients:
            async with asyncio.timeout(100), serving(tmp_path) as served:
                slow = await clients.enter_async_context(listening(served.api.port, is_narrow=True))
                for _ in range(30):
                    await commit(served, text="x" * 200_000)
                begun = asyncio.get_running_loop().time()
            assert asyncio.get_running_loop().time() - begun < Limits().stream_stall_s_max / 2
            assert isinstance(slow, EventSource)
