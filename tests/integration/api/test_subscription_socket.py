"""A subscription over WebSocket, with a client library and by hand; its desk is a list dealt out by `Sharing`.

Source: docs/reference/subscriptions.md; promises P18 and P19.
"""

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bigchaindb.api.subscription_socket import PROTOCOL
from bigchaindb.config import Access, Limits
from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers.consuming import End
from tests.integration.api.conftest import Start
from tests.support.desks import ListDesk, ListDesks
from tests.support.frames import frame
from tests.support.raw import UPGRADE, Wire, request, until, wire
from tests.support.served import Served
from tests.support.subscriber import Consumer

WITHIN_S = 60.0
OFFERED = Subprotocol(PROTOCOL)


class Subscribed:
    """A node's inside with subscriptions over lists."""

    def __init__(self, served: Served, desks: ListDesks) -> None:
        self.served = served
        self.desks = desks.desks

    @property
    def port(self) -> int:
        return self.served.api.port

    @asynccontextmanager
    async def consuming(self, name: str = "a", query: str = "", **options: Any) -> AsyncIterator[Consumer]:
        url = f"ws://127.0.0.1:{self.port}/api/v1/subscriptions/{name}{query}"
        async with connect(url, subprotocols=[OFFERED], max_size=2**23, **options) as client:
            assert client.subprotocol == PROTOCOL
            yield Consumer(client)


def numbered(count: int, *, keys: int = 10_000) -> list[tuple[int, bytes]]:
    return [(number % keys, b'{"number":%d}' % number) for number in range(1, count + 1)]


@pytest.fixture
def desks() -> ListDesks:
    return ListDesks(a=ListDesk(), b=ListDesk())


async def subscribed(start: Start, desks: ListDesks, **settings: Any) -> Subscribed:
    return Subscribed(await start(desks=desks, **settings), desks)


async def test_a_client_library_takes_every_event_once_and_in_order(start: Start, desks: ListDesks) -> None:
    here = await subscribed(start, desks)
    desks.desks["a"].events += numbered(2_000, keys=7)
    taken: list[int] = []
    async with here.consuming(query="?window=256&batch=50&name=till") as consumer:
        attached = await consumer.next("attached")
        assert (attached["window"], attached["heartbeat_s"], attached["lag"]) == (256, 30.0, 2_000)
        assert desks.desks["a"].seats[0].label == "till"
        while len(taken) < 2_000:
            events = (await consumer.next("events"))["events"]
            assert len(events) <= 50
            taken += [one["event"]["number"] for one in events]
            await consumer.say(type="ack", through=events[-1]["tag"])
        await consumer.say(type="ack", tags=[], ref=1)
        assert await consumer.next("done") == {"type": "done", "ref": 1, "stale": []}
    assert taken == sorted(taken) == desks.desks["a"].settled
    await until(lambda: not desks.desks["a"].seats, "the consumer to leave")
    assert desks.desks["a"].log == ["leave c1 blameless"]


async def test_the_window_is_within_the_nodes_limit_unless_more_is_asked_for(start: Start, desks: ListDesks) -> None:
    """Who asks for nothing gets more than the operator allows."""
    here = await subscribed(start, desks, limits=Limits(subscription_window_count_max=10))
    async with here.consuming() as consumer:
        assert (await consumer.next("attached"))["window"] == 10


async def test_events_of_one_that_breaks_off_go_to_another_at_once(start: Start, desks: ListDesks) -> None:
    here = await subscribed(start, desks)
    desks.desks["a"].events += numbered(3)
    async with here.consuming() as first, here.consuming() as second:
        await first.events(3)
        first.client.transport.abort()
        again = await second.events(3)
        assert [(one["tag"], one["attempt"]) for one in again] == [(1, 2), (2, 2), (3, 2)]
        assert desks.desks["a"].log == ["leave c1 lost"]


@pytest.mark.parametrize(("code", "how"), [(1000, "blameless"), (1001, "blameless"), (1011, "lost"), (4999, "lost")])
async def test_a_close_of_the_client_says_whether_it_blames(
    start: Start, desks: ListDesks, code: int, how: str
) -> None:
    here = await subscribed(start, desks)
    async with here.consuming() as consumer:
        await consumer.client.close(code)
    await until(lambda: bool(desks.desks["a"].log), "the consumer to leave")
    assert desks.desks["a"].log == [f"leave c1 {how}"]


async def test_answers_right_before_a_close_count(start: Start, desks: ListDesks) -> None:
    """They come in one read with the close frame."""
    here = await subscribed(start, desks)
    desks.desks["a"].events += numbered(2)
    async with upgraded(here) as one:
        await until(lambda: len(desks.desks["a"].seats[0].out) == 2, "events to be given")
        await one.send(frame(1, b'{"type":"ack","tags":[1,2]}') + frame(8, (1000).to_bytes(2, "big")))
        await one.ended()
    await until(lambda: desks.desks["a"].log == ["leave c1 blameless"], "the consumer to leave")
    assert desks.desks["a"].settled == [1, 2]


@asynccontextmanager
async def upgraded(here: Subscribed, query: str = "", **options: Any) -> AsyncIterator[Wire]:
    """Connect by hand."""
    asked = request("GET", f"/api/v1/subscriptions/a{query}", **UPGRADE, Sec_WebSocket_Protocol=PROTOCOL)
    async with wire(here.port, **options) as one:
        answer = await one.ask(asked)
        assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, PROTOCOL)
        yield one


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("?window=0", "window"),
            ("?window=65537", "window"),
            ("?window=1e3", "window"),
            ("?window=" + "9" * 5_000, "window"),
            ("?batch=1001", "batch"),
            ("?batch=", "batch"),
            ("?heartbeat=4.9", "heartbeat"),
            ("?heartbeat=301", "heartbeat"),
            ("?heartbeat=nan", "heartbeat"),
            ("?name=" + "n" * 101, "name"),
            ("?name=%0a", "name"),
            ("?windows=5", "windows"),
        ],
    )
    async def test_an_argument_beyond_its_bound(self, start: Start, desks: ListDesks, query: str, found: str) -> None:
        here = await subscribed(start, desks)
        async with wire(here.port) as one:
            path = f"/api/v1/subscriptions/a{query}"
            answer = await one.ask(request("GET", path, **UPGRADE, Sec_WebSocket_Protocol=PROTOCOL))
        assert answer.status == 400
        assert found in str(json.loads(answer.body)["message"])
        assert not desks.desks["a"].seated_count

    async def test_without_the_subprotocol_or_the_subscription(self, start: Start, desks: ListDesks) -> None:
        here = await subscribed(start, desks)
        for name, offer, status in (
            ("a", {}, 400),
            ("a", {"Sec_WebSocket_Protocol": "bigchaindb.subscription.v2"}, 400),
            ("none", {"Sec_WebSocket_Protocol": PROTOCOL}, 404),
            ("a", {"Sec_WebSocket_Protocol": f"bigchaindb.subscription.v2, {PROTOCOL}"}, 101),
        ):
            async with wire(here.port) as one:
                answer = await one.ask(request("GET", f"/api/v1/subscriptions/{name}", **UPGRADE, **offer))
            assert answer.status == status
        assert answer.headers["sec-websocket-protocol"] == PROTOCOL

    async def test_a_subscription_that_is_full(self, start: Start, desks: ListDesks) -> None:
        desks.desks["a"].consumer_count_max = 1
        here = await subscribed(start, desks)
        async with here.consuming(), wire(here.port) as one:
            asked = request("GET", "/api/v1/subscriptions/a", **UPGRADE, Sec_WebSocket_Protocol=PROTOCOL)
            answer = await one.ask(asked)
            assert (answer.status, answer.headers["retry-after"]) == (429, "1")
        await until(lambda: not desks.desks["a"].seats, "the place to be free")
        async with here.consuming() as consumer:
            await consumer.next("attached")


class TestEnds:
    async def test_malformed_three_times(self, start: Start, desks: ListDesks) -> None:
        here = await subscribed(start, desks)
        desks.desks["a"].events += numbered(1)
        async with here.consuming() as consumer:
            await consumer.events(1)
            for ref in (1, 2, 3):
                await consumer.say(type="settle", ref=ref)
                assert (await consumer.next("error"))["ref"] == ref
            assert (await consumer.closed()).code == 4400
        await until(lambda: desks.desks["a"].log == ["leave c1 lost"], "the consumer to leave")

    async def test_a_message_that_is_no_text_is_malformed(self, start: Start, desks: ListDesks) -> None:
        here = await subscribed(start, desks)
        async with here.consuming() as consumer:
            await consumer.client.send(b'{"type":"ack","tags":[1]}')
            assert (await consumer.next("error"))["message"] == "nothing was changed: a frame must be a text"

    @pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1])
    async def test_a_frame_of_64_kib_is_the_largest(self, start: Start, desks: ListDesks, size: int) -> None:
        here = await subscribed(start, desks)
        text = '{"type":"ack","tags":[],"ref":1' + (size - 32) * " " + "}"
        assert len(text) == size
        async with here.consuming() as consumer:
            await consumer.client.send(text)
            if size > 64 * 1024:
                assert (await consumer.closed()).code == 1009
            else:
                assert (await consumer.next("done"))["ref"] == 1
        await until(lambda: bool(desks.desks["a"].log), "the consumer to leave")

    async def test_a_text_in_pieces_is_one_frame(self, start: Start, desks: ListDesks) -> None:
        here = await subscribed(start, desks)
        async with here.consuming() as consumer:
            await consumer.client.send(iter(['{"type":"ack",', '"tags":[]', ',"ref":1}']))
            assert (await consumer.next("done"))["ref"] == 1

    async def test_a_subscription_that_is_deleted(self, start: Start, desks: ListDesks) -> None:
        here = await subscribed(start, desks)
        async with here.consuming() as consumer:
            await consumer.next("attached")
            desks.desks["a"].end(End.DELETED)
            assert (await consumer.closed()).code == 4404

    async def test_a_node_that_stops(self, start: Start, desks: ListDesks) -> None:
        here = await subscribed(start, desks)
        desks.desks["a"].events += numbered(1)
        async with here.consuming() as consumer:
            await consumer.events(1)
            stopping = asyncio.ensure_future(here.served.api.stop())
            assert (await consumer.closed()).code == 1001
            await stopping
        await until(lambda: desks.desks["a"].log == ["leave c1 blameless"], "the consumer to leave")

    async def test_a_key_that_is_revoked_or_expires(self, start: Start, desks: ListDesks) -> None:
        here = await subscribed(start, desks, access=Access(anonymous="none"))
        id_, key = here.served.new_key("subscribe:a")
        _, brief = here.served.new_key("subscribe:a", int(time.time()) + 5)  # a busy machine takes a while to connect
        bearer = base64.urlsafe_b64encode(brief.encode()).decode().rstrip("=")
        url = f"ws://127.0.0.1:{here.port}/api/v1/subscriptions/a"
        by_header = connect(url, subprotocols=[OFFERED], additional_headers={"Authorization": f"Bearer {key}"})
        by_protocol = connect(url, subprotocols=[OFFERED, Subprotocol(f"bigchaindb.bearer.{bearer}")])
        async with by_header as revoked, by_protocol as expired:
            assert expired.subprotocol == PROTOCOL
            here.served.revoke(id_)
            assert (await Consumer(revoked).closed()).code == 1008
            assert (await Consumer(expired).closed()).code == 4401
        both = ["leave c1 blameless", "leave c2 blameless"]
        await until(lambda: desks.desks["a"].log == both, "both to leave")

    async def test_a_silent_client_loses_its_events_after_one_and_a_half_heartbeats(
        self, start: Start, desks: ListDesks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Its machine is gone without a word: nothing answers pings."""
        monkeypatch.setattr("bigchaindb.api.subscription_socket.HEARTBEAT_S_MIN", 0.1)
        monkeypatch.setattr("bigchaindb.api.subscription_socket.CHECK_S", 0.05)
        here = await subscribed(start, desks)
        desks.desks["a"].events += numbered(2)
        async with upgraded(here, "?heartbeat=1&window=1"), here.consuming(query="?heartbeat=1") as living:
            await living.events(1)
            again = await living.events(1)
            assert (again[0]["event"]["number"], again[0]["attempt"]) == (1, 2)
            await asyncio.sleep(2.5)
            assert living.client.close_code is None, "its library answers pings"
        assert "silent for 1.5 s" in str([vars(one).get("last") for one in caplog.records])


async def test_states_are_told_and_the_connection_stays(start: Start, desks: ListDesks) -> None:
    here = await subscribed(start, desks)
    desk = desks.desks["a"]
    async with here.consuming() as consumer:
        await consumer.next("attached")
        desk.change(State.PAUSED, "paused")
        assert await consumer.next() == {"type": "state", "state": "PAUSED", "reason": "paused"}
        desk.add("k", b"1")
        desk.change(State.LIVE)
        assert await consumer.next() == {"type": "state", "state": "LIVE", "reason": ""}
        assert [one["event"] for one in await consumer.events(1)] == [1]


class TestStrangers:
    """What one consumer does costs another nothing, and loses no event."""

    async def test_one_that_reads_nothing_is_given_no_more_than_its_buffer_and_then_closed(
        self, start: Start, desks: ListDesks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bigchaindb.api.subscription_socket.CHECK_S", 0.05)
        limits = Limits(stream_stall_s_max=4.0)
        desk = desks.desks["a"]
        desk.window = 1_000
        desk.__post_init__()
        here = await subscribed(start, desks, limits=limits)
        async with upgraded(here, "?window=1000", is_narrow=True):
            for number in range(1_000):
                desk.add(number, b'"%b"' % (20_000 * b"x"))
            await until(lambda: len(desk.seats[0].out) > 20, "events to be given")
            [seat], given = desk.seats, 0
            while given < len(seat.out):  # what it has stays its own
                given = len(seat.out)
                await asyncio.sleep(0.2)
            assert len(seat.out) == given < 1_000, "20 MB fit in no buffer"
            assert len(seat.of._outbox) == 0  # type: ignore[attr-defined]
            async with here.consuming(query="?window=1000&batch=1000") as other:
                taken = set[int]()
                await until(lambda: len(desk.seats) == 1, "the other to be given up")
                while len(taken) < 1_000:
                    taken |= {one["tag"] for one in (await other.next("events"))["events"]}
        assert desk.log[0] == "leave c1 lost"

    @pytest.mark.parametrize(
        "flood",
        [frame(9, b""), frame(1, b'{"type":"ack","tags":[99]}'), frame(1, b'{"type":"ack","tags":[99],"ref":1}')],
        ids=["pings", "stale answers", "stale answers with a ref"],
    )
    async def test_a_flood_keeps_nobody_waiting(self, start: Start, desks: ListDesks, flood: bytes) -> None:
        here = await subscribed(start, desks)
        desk = desks.desks["a"]
        async with upgraded(here, "?window=1") as one, here.consuming(query="?window=1") as other:
            one.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            one.writer.write(flood * 200_000)
            desk.add("held by the flood", b"0")
            for number in range(200):
                desk.add(number, b"%d" % number)
                [event] = await other.events(1)
                await other.say(type="ack", tags=[event["tag"]])
            assert desk.seats[0].of.out_count == 1  # type: ignore[attr-defined]
        await until(lambda: not desk.seats, "both to leave")
        assert sorted([*desk.settled, 1]) == [*range(1, 202)]

    async def test_one_whose_library_answers_pings_alone_keeps_its_events(self, start: Start, desks: ListDesks) -> None:
        here = await subscribed(start, desks)
        desk = desks.desks["a"]
        desk.events += numbered(3)
        async with here.consuming(query="?window=2") as first, here.consuming() as second:
            await first.events(2)
            [third] = await second.events(1)
            assert third["event"]["number"] == 3
            desk.late(1)
            assert await first.next("revoked") == {"type": "revoked", "tags": [1], "reason": "late"}
            await second.say(type="ack", tags=[third["tag"]])
            first.client.transport.abort()
            while len(desk.settled) < 3:  # an event that was lost twice comes alone
                [again] = await second.events(1)
                assert again["attempt"] >= 2
                await second.say(type="ack", tags=[again["tag"]], ref=1)
                await second.next("done")
            assert sorted(desk.settled) == [1, 2, 3]
