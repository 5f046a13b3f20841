"""The WebSocket stream. Source: docs/reference/contract/websocket-api.md."""

import asyncio

import pytest
from websockets.exceptions import InvalidStatus

from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.ledger.checking import Chosen
from bigchaindb.streams.shared_log import Place
from bigchaindb.streams.websocket import PATH
from bigchaindb.streams.websocket_frames import frames_of, read_frames
from bigchaindb.transaction.build import Payment, Spend, create, transfer
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef
from tests.integration.api.conftest import Start
from tests.support.frames import frame
from tests.support.raw import UPGRADE, ask, request, until, wire
from tests.support.served import CHAIN_ID, KEY, Served
from tests.support.stream_clients import following, ids, quiet, received, token


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
        assert answer.headers["x-request-id"]

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
