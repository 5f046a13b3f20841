"""The WebSocket stream. Source: docs/reference/contract/websocket-api.md."""

import asyncio
import base64
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close

from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode
from bigchaindb.eventlog.token import WHOLE, decode, encode
from bigchaindb.ledger.checking import Chosen
from bigchaindb.serving.frame_budget import FRAME_COUNT_MAX
from bigchaindb.streams import websocket_frames
from bigchaindb.streams.shared_log import Place
from bigchaindb.streams.websocket import FLOOD, PATH, RECEIVE_BYTES
from bigchaindb.streams.websocket_frames import frames_of, read_frames
from bigchaindb.transaction.build import Payment, Spend, create, transfer
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef
from tests.integration.api.conftest import Start
from tests.support.frames import frame
from tests.support.raw import Wire, ask, narrow, request, until, wire
from tests.support.served import CHAIN_ID, KEY, Served

WITHIN_S = 90
"""Time for what a test waits for, on a busy machine."""
RECEIVED_BYTES_MAX = 4 * RECEIVE_BYTES
"""The kernel doubles what is asked for, and one read may come while frames are held already."""
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": base64.b64encode(bytes(16)).decode(),
}


@asynccontextmanager
async def following(served: Served, after: str | None = None, **options: Any) -> AsyncIterator[ClientConnection]:
    """Connect a client."""
    query = "" if after is None else f"?after={after}"
    async with connect(served.stream_url + query, **options) as client:
        yield client


async def received(client: ClientConnection, count: int) -> list[dict[str, Any]]:
    """Take so many messages; each must be text."""
    messages = []
    async with asyncio.timeout(WITHIN_S):
        for _ in range(count):
            message = await client.recv()
            assert isinstance(message, str)
            messages.append(json.loads(message))
    return messages


async def ids(client: ClientConnection, count: int) -> list[str]:
    return [message["transaction_id"] for message in await received(client, count)]


async def everything(client: ClientConnection) -> tuple[list[str], Close]:
    """Take what comes until the server closes; return the ids and how it closed."""
    seen: list[str] = []
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(ConnectionClosed) as caught:
            await collect(client, seen)
    assert caught.value.rcvd is not None
    return seen, caught.value.rcvd


async def collect(client: ClientConnection, seen: list[str]) -> None:
    while True:
        seen.append(json.loads(await client.recv())["transaction_id"])


async def quiet(client: ClientConnection) -> None:
    """Require that nothing more comes."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.recv()


def token(served: Served, position: int, index: int = WHOLE) -> str:
    """Return the token of a place in the log."""
    log = served.store.log_reader()
    try:
        entry = log.entry(position)
        return encode(CHAIN_ID, position, index, bytes(32) if entry is None else entry.digest)
    finally:
        log.close()


class TestHandshake:
    """Source: section 2."""

    @pytest.mark.parametrize("target", [PATH, PATH + "/", PATH + "?foo=bar", PATH + "/?x"])
    async def test_a_correct_upgrade_of_any_origin_is_taken(self, served: Served, target: str) -> None:
        answer = await ask(served.stream.port, "GET", target, None, **UPGRADE, Origin="https://example.com")
        assert answer.status == 101

    async def test_no_subprotocol_and_no_extension_is_chosen(
        self, served: Served, caplog: pytest.LogCaptureFixture
    ) -> None:
        offered = {"Sec_WebSocket_Protocol": "x", "Sec_WebSocket_Extensions": "permessage-deflate"}
        answer = await ask(served.stream.port, "GET", PATH, None, **UPGRADE, **offered)
        assert answer.status == 101
        assert not {"sec-websocket-protocol", "sec-websocket-extensions"} & set(answer.headers)
        assert caplog.records == []

    @pytest.mark.parametrize(
        "target", ["/", "/api/v1/streams/nope", "/api/v1/streams/valid_tx", PATH + "//", "/api/v1/streams/"]
    )
    async def test_other_paths_are_not_found(self, served: Served, target: str) -> None:
        answer = await ask(served.stream.port, "GET", target, None, **UPGRADE)
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (404, "text/plain")

    @pytest.mark.parametrize(
        "change",
        [
            {"Upgrade": None},
            {"Connection": None},
            {"Upgrade": "h2c"},
            {"Connection": "keep-alive"},
            {"Sec_WebSocket_Key": None},
            {"Sec_WebSocket_Key": "short"},
            {"Sec_WebSocket_Key": "\xff"},
            dict.fromkeys(UPGRADE),
        ],
    )
    async def test_anything_but_an_upgrade_is_a_400(self, served: Served, change: dict[str, str | None]) -> None:
        headers = {name: value for name, value in {**UPGRADE, **change}.items() if value is not None}
        answer = await ask(served.stream.port, "GET", PATH, None, **headers)
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (400, "text/plain")

    @pytest.mark.parametrize("version", ["8", "12", "14", ""])
    async def test_another_version_is_a_400_that_names_ours(self, served: Served, version: str) -> None:
        answer = await ask(served.stream.port, "GET", PATH, None, **{**UPGRADE, "Sec_WebSocket_Version": version})
        assert (answer.status, answer.headers["sec-websocket-version"]) == (400, "13")

    async def test_a_coding_that_nobody_undoes_is_a_501(self, served: Served) -> None:
        answer = await ask(served.stream.port, "POST", PATH, Transfer_Encoding="gzip, chunked")
        assert (answer.status, answer.headers["connection"]) == (501, "close")

    @pytest.mark.parametrize("framing", [{"Content_Length": "6"}, {"Transfer_Encoding": "chunked"}])
    async def test_an_upgrade_with_a_body_is_a_400(self, served: Served, framing: dict[str, str]) -> None:
        """Its body could be taken for frames, or frames for its body."""
        body = b"\x81\x80\0\0\0\0" if "Content_Length" in framing else b"0\r\n\r\n"
        async with wire(served.stream.port) as opened:
            answer = await opened.ask(request("GET", PATH, None, **UPGRADE, **framing) + body)
            assert (answer.status, answer.headers["content-type"].split(";")[0]) == (400, "text/plain")
            assert (await opened.ask(request("GET", PATH, None, **UPGRADE))).status == 101

    async def test_frames_may_come_right_behind_the_request(self, served: Served) -> None:
        async with wire(served.stream.port) as opened:
            await opened.send(request("GET", PATH, None, **UPGRADE) + frame(9, b"x"))
            assert (await opened.answer()).status == 101
            assert await opened.reader.readexactly(3) == b"\x8a\x01x"

    async def test_one_address_gets_no_more_than_its_places(self, start: Start) -> None:
        """The answer comes before the upgrade: a close frame would cost the handshake that is to be spared."""
        served = await start(limits=Limits(address_connection_count_max=1))
        async with following(served):
            answer = await ask(served.stream.port, "GET", PATH, None, **UPGRADE)
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            assert b"limits.address_connection_count_max" in answer.body
        await until(lambda: served.stream.connection_count == 0, "the place to be free")
        async with following(served):
            pass

    async def test_a_post_is_a_405(self, served: Served) -> None:
        answer = await ask(served.stream.port, "POST", PATH, b"{}")
        assert (answer.status, answer.headers["allow"]) == (405, "GET,HEAD")

    async def test_one_too_many_is_a_503(self, start: Start) -> None:
        served = await start(limits=Limits(stream_connection_count_max=1))
        async with following(served):
            assert (await ask(served.stream.port, "GET", PATH, None, **UPGRADE)).status == 503

    @pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", b"GET /" + 9000 * b"a" + b" HTTP/1.1\r\n\r\n"])
    async def test_what_is_no_http_is_answered(self, served: Served, data: bytes) -> None:
        async with wire(served.stream.port) as opened:
            await opened.send(data)
            assert (await opened.answer()).status in {400, 431}


class TestMessages:
    """Source: section 3."""

    async def test_a_create_and_a_transfer(self, served: Served) -> None:
        async with following(served) as client:
            made = create([KEY], data={"n": 1})
            await served.engine.submit(made.body, Mode.COMMIT)
            details = details_of([KEY.public_key])
            passed = transfer(made.id, [Spend(OutputRef(made.id, 0), details, (KEY,))], [Payment(details)])
            await served.engine.submit(passed.body, Mode.COMMIT)
            first, second = await received(client, 2)
        assert set(first) == {"transaction_id", "asset_id", "block_id", "height"}
        assert (first["transaction_id"], first["asset_id"]) == (made.id, made.id)
        assert (second["transaction_id"], second["asset_id"]) == (passed.id, made.id)
        for message in (first, second):
            heights = await ask(served.api.port, "GET", f"/api/v1/blocks?transaction_id={message['transaction_id']}")
            assert heights.json() == [message["height"]]
            block = await ask(served.api.port, "GET", f"/api/v1/blocks/{message['block_id']}")
            assert message["transaction_id"] in [one["id"] for one in block.json()["block"]["transactions"]]

    async def test_order_is_that_of_the_blocks_and_nothing_repeats(self, served: Served) -> None:
        async with following(served) as client:
            await served.commit(300)
            messages = await received(client, 300)
            await quiet(client)
        assert [message["height"] for message in messages] == sorted(message["height"] for message in messages)
        in_blocks: list[str] = []
        for height in range(1, messages[-1]["height"] + 1):
            block = (await ask(served.api.port, "GET", f"/api/v1/blocks/{height}")).json()
            in_blocks += [one["id"] for one in block["transactions"]]
        assert [message["transaction_id"] for message in messages] == in_blocks

    async def test_nothing_is_sent_on_connect_and_nothing_old(self, served: Served) -> None:
        await served.commit(3)
        async with following(served) as client:
            await quiet(client)
            expected = await served.commit()
            assert await ids(client, 1) == expected

    async def test_what_is_sent_is_readable_before(self, served: Served) -> None:
        """Store readable, then stream (http-api.md, section 12)."""
        async with following(served) as client:
            for number in range(20):
                made = create([KEY], data={"n": number})
                await served.engine.submit(made.body, Mode.ASYNC)
                assert await ids(client, 1) == [made.id]
                assert (await ask(served.api.port, "GET", f"/api/v1/transactions/{made.id}")).status == 200

    async def test_invalid_blocks_and_rejected_transactions_are_never_sent(self, start: Start) -> None:
        served = await start(propose=lambda bodies: Chosen((*bodies, *bodies), ()))
        async with following(served) as client:
            [committed] = await served.commit()
            assert await ids(client, 1) == [committed]
            await quiet(client)

    async def test_frames_of_a_decision_are_those_that_the_log_gives(self, start: Start) -> None:
        """Clients that keep up get the first, clients that come back the second, with the same tokens."""
        served = await start(propose=lambda bodies: Chosen((*bodies, *bodies), ()))
        log, made = served.store.log_reader(), []
        served.hub.witness(lambda effects: made.extend(frames_of(effects, CHAIN_ID)))
        details = details_of([KEY.public_key])
        [first] = await served.commit()
        passed = transfer(first, [Spend(OutputRef(first, 0), details, (KEY,))], [Payment(details)])
        await served.engine.submit(passed.body, Mode.COMMIT)
        await served.commit(20)
        kept = [read_frames(log, CHAIN_ID, None, Place(after), after + 1) for after in range(served.hub.head)]
        log.close()
        assert made == kept
        assert b"" in [one.data for one in made]

    async def test_fifty_clients_all_get_all(self, served: Served) -> None:
        async def follow() -> list[str]:
            async with following(served) as client:
                ready.release()
                return await ids(client, 500)

        ready = asyncio.Semaphore(0)
        clients = [asyncio.create_task(follow()) for _ in range(50)]
        for _ in clients:
            await ready.acquire()
        committed = {id_ for _ in range(5) for id_ in await served.commit(100)}
        results = await asyncio.gather(*clients)
        assert all(result == results[0] for result in results)
        assert set(results[0]) == committed

    async def test_clients_that_come_and_go_meanwhile_miss_nothing_in_between(self, served: Served) -> None:
        async def committing() -> None:
            while following_still:
                committed.extend(await served.commit(5))

        async def follow(delay_s: float) -> list[str]:
            await asyncio.sleep(delay_s)
            async with following(served) as client:
                return await ids(client, 20)

        committed: list[str] = []
        following_still = True
        work = asyncio.create_task(committing())
        seen = await asyncio.gather(*(follow(number / 1000) for number in range(20)))
        following_still = False
        await work
        async with following(served, token(served, 0)) as client:
            everything = await ids(client, len(committed))
        for part in seen:
            start = everything.index(part[0])
            assert everything[start : start + 20] == part


class TestResuming:
    """`?after=TOKEN`: on with what comes behind a place, whatever happened meanwhile."""

    async def test_from_the_beginning_and_from_every_position(self, served: Served) -> None:
        committed = [id_ for _ in range(5) for id_ in await served.commit()]
        for position in range(5):
            async with following(served, token(served, position)) as client:
                committed += await served.commit()
                assert await ids(client, len(committed) - position) == committed[position:]
                await quiet(client)

    async def test_next_of_a_page_leads_to_the_stream(self, served: Served) -> None:
        """One token for every way to follow: read history in pages, then listen."""
        await served.commit(6)
        answer = await ask(served.api.port, "GET", "/api/v1/events?granularity=transaction&limit=4")
        document = answer.json()
        async with following(served, document["next"]) as client:
            rest = await ids(client, 2)
            await quiet(client)
        whole = (await ask(served.api.port, "GET", "/api/v1/events?granularity=transaction")).json()["events"]
        assert rest == [event["data"]["id"] for event in whole[4:]]

    async def test_from_within_a_block(self, served: Served) -> None:
        await served.commit(50)
        async with following(served, token(served, 0)) as client:
            messages = await received(client, 50)
        last = [message["transaction_id"] for message in messages if message["height"] == messages[-1]["height"]]
        head = served.hub.head
        for index in range(len(last)):
            async with following(served, token(served, head, index)) as client:
                assert await ids(client, len(last) - index - 1) == last[index + 1 :]
        async with following(served, token(served, head, 0)) as client:
            new = await served.commit()
            assert await ids(client, len(last)) == [*last[1:], *new]

    @pytest.mark.parametrize("after", ["", "nonsense", "1.", "1." + 38 * "A", "%00", "2." + 38 * "A"])
    async def test_what_is_no_token_is_a_400_before_the_upgrade(self, served: Served, after: str) -> None:
        with pytest.raises(InvalidStatus) as caught:
            async with following(served, after):
                pass
        assert caught.value.response.status_code == 400

    async def test_another_log_is_a_400(self, served: Served) -> None:
        """Resuming elsewhere would skip or repeat without a word (P8)."""
        await served.commit()
        for wrong in (
            encode("solo-other", 1, WHOLE, bytes(32)),
            encode(CHAIN_ID, 1, WHOLE, bytes(32)),
            encode(CHAIN_ID, 99, WHOLE, bytes(32)),
        ):
            answer = await ask(served.stream.port, "GET", f"{PATH}?after={wrong}", None, **UPGRADE)
            assert answer.status == 400
            assert b"the log does not hold position" in answer.body


class TestClients:
    """What clients send, and how connections end. Source: section 4."""

    async def test_garbage_is_ignored_and_disturbs_nobody(self, served: Served) -> None:
        async with following(served) as noisy, following(served) as other:
            for message in ("text", b"\x00\xff", "", 60_000 * "x", '{"a":1}'):
                await noisy.send(message)
            [committed] = await served.commit()
            assert await ids(noisy, 1) == [committed]
            assert await ids(other, 1) == [committed]

    async def test_a_ping_is_answered_with_its_payload(self, served: Served) -> None:
        async with following(served, ping_interval=None) as client:
            await asyncio.wait_for(await client.ping(b"payload"), 5)
            await client.pong(b"unsolicited")
            await asyncio.wait_for(await client.ping(), 5)

    @pytest.mark.parametrize("code", [1000, 4321])
    async def test_a_close_is_answered(self, served: Served, code: int) -> None:
        async with following(served) as client:
            await client.close(code)
            assert client.close_code in {1000, code}
        await until(lambda: served.stream.connection_count == 0, "the connection closed")

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
            (b"\x82\xff" + (70_000).to_bytes(8, "big") + 4 * b"\0" + 70_000 * b"x", 1009),
            (b"\x01\x81\0\0\0\0\xc3" + frame(0, b"x"), 1007),
            (frame(8, b"\x03\xe8\xff"), 1007),
            (frame(1, b"unmasked", is_masked=False), 1002),
            (frame(0, b"nothing to continue"), 1002),
            (frame(3, b"no opcode"), 1002),
            (b"\xc1\x80\0\0\0\0", 1002),
            (frame(9, 126 * b"x"), 1002),
            (frame(8, b"\x03"), 1002),
        ],
        ids=[
            "no UTF-8",
            "too large",
            "no UTF-8 across frames",
            "no UTF-8 in a reason",
            "no mask",
            "nothing begun",
            "unknown opcode",
            "a reserved bit",
            "a long ping",
            "half a code",
        ],
    )
    async def test_what_may_not_be_sent_closes_with_its_code(self, served: Served, sent: bytes, code: int) -> None:
        async with wire(served.stream.port) as opened:
            assert (await opened.ask(request("GET", PATH, None, **UPGRADE))).status == 101
            await opened.send(sent)
            header = await opened.reader.readexactly(4)
        assert (header[0], int.from_bytes(header[2:4], "big")) == (0x88, code)

    async def test_a_text_may_be_cut_within_a_letter(self, served: Served) -> None:
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            await opened.send(b"\x01\x81\0\0\0\0\xc3" + frame(9, b"y") + frame(0, b"\xa9") + frame(9, b"x"))
            assert await opened.reader.readexactly(6) == b"\x8a\x01y\x8a\x01x"

    async def test_a_client_that_reads_nothing_may_not_hold_its_place_by_closing(self, start: Start) -> None:
        served = await start()
        async with wire(served.stream.port, is_narrow=True) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            opened.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await served.commit(500)
            await served.commit(500)
            await opened.send(frame(8, b"\x03\xe8"))
            await until(lambda: served.stream.connection_count == 0, "the place to be free")

    async def test_a_reset_is_forgotten(self, served: Served) -> None:
        for _ in range(10):
            async with wire(served.stream.port) as opened:
                await opened.ask(request("GET", PATH, None, **UPGRADE))
        await until(lambda: served.stream.connection_count == 0, "all connections gone")
        await served.commit()

    async def test_a_silent_client_is_pinged_and_let_go_if_it_stays_silent(self, start: Start) -> None:
        served = await start(heartbeat_s=0.2)
        async with wire(served.stream.port) as dead, following(served, ping_interval=None) as alive:
            await dead.ask(request("GET", PATH, None, **UPGRADE))
            assert await dead.ended() == b"\x89\x00"
            await asyncio.sleep(0.5)
            [committed] = await served.commit()
            assert await ids(alive, 1) == [committed]

    async def test_a_node_that_stood_still_blames_no_client(self, start: Start) -> None:
        """A machine too busy to run the node, or one that was suspended, would close every stream when it goes on."""
        served = await start(heartbeat_s=0.2)
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            assert await opened.reader.readexactly(2) == b"\x89\x00"
            for _ in range(4):
                time.sleep(0.15)  # noqa: ASYNC251 - the node's loop is the one that stands still
                await asyncio.sleep(0)
            await opened.send(b"\x8a\x80\0\0\0\0")
            [committed] = await served.commit()
            assert committed.encode() in await opened.reader.readuntil(b"}")

    async def test_a_stop_closes_with_1001_and_a_token(self, start: Start) -> None:
        served = await start()
        async with following(served) as client:
            await served.commit(3)
            stopping = asyncio.create_task(served.stream.stop())
            seen, close = await everything(client)
            await stopping
        assert (len(seen), close.code) == (3, 1001)
        assert decode(close.reason, CHAIN_ID, served.hub.head).position == served.hub.head

    async def test_a_stop_tells_a_client_that_catches_up_how_far_it_got(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What it is written while its token is made belongs to what it has: else it would get that again."""
        monkeypatch.setattr(websocket_frames, "PIECE_BYTES", 1)
        served = await start()
        committed = [(await served.commit())[0] for _ in range(300)]
        async with following(served, token(served, 0)) as client:
            seen = await ids(client, 1)
            stopping = asyncio.create_task(served.stream.stop())
            more, close = await everything(client)
            await stopping
        seen += more
        assert seen == committed[: len(seen)]
        assert close.code == 1001
        assert decode(close.reason, CHAIN_ID, served.hub.head).position == len(seen)


class TestFloods:
    """Clients have nothing to say here, and whoever sends all the same delays nobody (S1)."""

    PING = frame(9, b"x")
    PONG = b"\x8a\x01x"

    async def test_as_many_pings_as_the_budget_has_are_answered_at_once(self, served: Served) -> None:
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            await opened.send(FRAME_COUNT_MAX * self.PING)
            assert await opened.reader.readexactly(FRAME_COUNT_MAX * 3) == FRAME_COUNT_MAX * self.PONG
            assert all(one.transport.is_reading() for one in connections(served))

    async def test_a_burst_is_heard_out_second_by_second(self, served: Served) -> None:
        """A library that sends at once what it had kept is no flood."""
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            count = 2 * FRAME_COUNT_MAX + 1
            await opened.send(count * self.PING)
            await until(lambda: not any(one.transport.is_reading() for one in connections(served)), "reading to pause")
            assert await opened.reader.readexactly(count * 3) == count * self.PONG
            await until(lambda: all(one.transport.is_reading() for one in connections(served)), "reading to go on")
            assert served.stream.flood_count == 0

    @pytest.mark.parametrize("with_the_request", [False, True])
    async def test_a_flood_is_not_read_costs_others_nothing_and_ends_with_1008(
        self, served: Served, caplog: pytest.LogCaptureFixture, *, with_the_request: bool
    ) -> None:
        """16 such clients stopped all commits, and SIGTERM, for 11 s."""
        async with AsyncExitStack() as stack:
            other = await stack.enter_async_context(following(served))
            floods = [await stack.enter_async_context(wire(served.stream.port)) for _ in range(16)]
            upgrade = request("GET", PATH, None, **UPGRADE)
            for one in floods:
                if with_the_request:
                    one.writer.write(upgrade + 500_000 * self.PING)
                else:
                    await one.ask(upgrade)
                    one.writer.write(500_000 * self.PING)
            reading = [asyncio.create_task(self.received(one)) for one in floods]
            for _ in range(20):
                committed = await served.commit()
                assert await ids(other, 1) == committed
            await until(lambda: served.stream.flood_count == 16, "all floods to be ended")
            followers = served.stream._feed.followers
            assert all(len(one.socket._inbound._held) <= RECEIVED_BYTES_MAX for one in followers)
            for received in await asyncio.gather(*reading):
                assert received.endswith(frame(8, (1008).to_bytes(2, "big") + FLOOD.encode(), is_masked=False))
                assert received.count(self.PONG) <= 12 * FRAME_COUNT_MAX  # 5 s beyond the budget, 5 s to close
            await quiet(other)
        lines = [one for one in caplog.records if one.message == f"WebSocket clients closed: {FLOOD}"]
        assert 1 <= len(lines) < 16

    @staticmethod
    async def received(opened: Wire) -> bytes:
        """Read to the end, which is a reset where the server has left something unread."""
        seen = b""
        with contextlib.suppress(ConnectionError):
            while piece := await opened.reader.read(65_536):
                seen += piece
        return seen

    async def test_a_flood_that_reads_no_answers_is_not_read_either(self, served: Served) -> None:
        """Pongs that nobody takes must not pile up, nor the pings behind them."""
        async with wire(served.stream.port, is_narrow=True) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            opened.writer.transport.pause_reading()  # type: ignore[attr-defined]
            opened.writer.write(500_000 * frame(9, 125 * b"x"))
            await until(lambda: served.stream.flood_count == 1, "the flood to be ended")
            for one in connections(served):
                assert one.transport.get_write_buffer_size() < 12 * FRAME_COUNT_MAX * 127
            await until(lambda: served.stream.connection_count == 0, "the connection to be let go")

    async def test_a_stop_does_not_wait_for_floods(self, start: Start) -> None:
        served = await start()
        async with wire(served.stream.port) as opened:
            await opened.ask(request("GET", PATH, None, **UPGRADE))
            opened.writer.write(500_000 * self.PING)
            await until(lambda: not any(one.transport.is_reading() for one in connections(served)), "reading to pause")
            await served.stream.stop()
            assert served.stream.connection_count == 0


def connections(served: Served) -> list[Any]:
    """Return the server's side of all clients."""
    return list(served.stream._listener._places)


class TestSlowClients:
    """Whoever does not read delays nobody, costs a bounded buffer, and misses nothing (S1)."""

    LIMITS = Limits(stream_buffer_bytes_max=100_000, stream_stall_s_max=WITHIN_S)
    IMPATIENT = Limits(stream_buffer_bytes_max=50_000, stream_stall_s_max=0.4)

    async def test_a_late_client_is_served_on_from_the_log(self, start: Start) -> None:
        served = await start(limits=self.LIMITS)
        async with sleeping(served) as slow, following(served) as quick:
            committed = await commit_before(quick, served)
            assert [follower.late for follower in served.stream._feed.followers].count(True) == 1
            assert await ids(slow, len(committed)) == committed
            await until(lambda: not any(f.late for f in served.stream._feed.followers), "the client to be level again")
            last = await served.commit()
            assert await ids(slow, 1) == last
            await quiet(slow)

    async def test_a_client_that_takes_nothing_is_closed_with_a_token_and_comes_back(self, start: Start) -> None:
        served = await start(limits=self.IMPATIENT)
        async with sleeping(served) as stuck, following(served) as quick:

            async def given_up() -> tuple[list[str], Close]:
                await until(lambda: any(f.closing for f in served.stream._feed.followers), "the client to be given up")
                return await everything(stuck)

            leaving = asyncio.create_task(given_up())  # beside the commits: what is not taken soon goes with a reset
            committed = await commit_before(quick, served)
            seen, close = await leaving
        assert close.code == 1013
        assert len(close.reason.encode()) <= 123
        async with following(served, close.reason) as back:
            seen += await ids(back, len(committed) - len(seen))
            await quiet(back)
        assert seen == committed

    async def test_one_that_never_reads_again_is_let_go(self, start: Start) -> None:
        served = await start(limits=self.IMPATIENT)
        async with sleeping(served), following(served) as quick:
            await commit_before(quick, served)
            await until(lambda: served.stream.connection_count == 1, "the connection to be given up")

    async def test_one_that_closes_its_side_and_reads_nothing_is_let_go(self, start: Start) -> None:
        served = await start(limits=self.LIMITS)
        async with sleeping(served) as stuck, following(served) as quick:
            await commit_before(quick, served)
            assert any(f._transport.get_write_buffer_size() for f in served.stream._feed.followers), "nothing is unsent"
            stuck.transport.write_eof()
            await until(lambda: served.stream.connection_count == 1, "the connection to be given up")

    async def test_a_full_buffer_is_known_to_a_stream_that_takes_it_over(self, start: Start) -> None:
        """Answers that a client did not read fill it before the upgrade, and it is reported full once."""
        served = await start(limits=Limits(stream_buffer_bytes_max=20_000, stream_stall_s_max=WITHIN_S))
        async with wire(served.stream.port, is_narrow=True) as opened:
            await until(lambda: len(connections(served)) == 1, "the connection to be there")
            [connection] = connections(served)
            connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            sent = 0
            while connection.transport.get_write_buffer_size() < 25_000:
                opened.writer.write(20 * request("GET", "/nothing", None))
                sent += 20
                # Requests that pile up would fill the buffer beyond the mark at which no more are served.
                await until(lambda: next(copy(served.stream._ids._numbers)) > sent, "the answers")  # noqa: B023
            opened.writer.write(request("GET", PATH, None, **UPGRADE))
            await until(lambda: bool(served.stream._feed.followers), "the upgrade")
            [follower] = served.stream._feed.followers
            assert follower.socket.flow.drained is not None

    async def test_memory_for_a_client_is_bounded_by_its_buffer_and_a_block(self, start: Start) -> None:
        served = await start(limits=self.LIMITS)
        async with sleeping(served), following(served) as quick:
            for _ in range(3):
                await commit_before(quick, served)
                [unsent] = [f._transport.get_write_buffer_size() for f in served.stream._feed.followers if f.late]
                assert unsent < 100_000 + 2 * 300_000


@asynccontextmanager
async def sleeping(served: Served) -> AsyncIterator[ClientConnection]:
    """Connect a client that takes next to nothing until it is asked to, with little room in both kernel buffers."""
    options: dict[str, Any] = {"sock": narrow(served.stream.port), "max_queue": 1, "ping_interval": None}
    async with following(served, None, **options, close_timeout=0.1) as client:
        for follower in served.stream._feed.followers:
            follower._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield client


async def commit_before(client: ClientConnection, served: Served) -> list[str]:
    """Commit a megabyte of messages; return their ids as another client gets them, without delay.

    That client reads meanwhile: else it would be a slow one itself wherever the kernel's buffers do not hold all.
    """
    reading = asyncio.create_task(ids(client, 4_000))
    for _ in range(8):
        await served.commit(500)
    return await reading
