"""Every bound on requests and connections, and how it is said. Source: http-api.md, section 1, NODE limits."""

import asyncio
import contextlib
import itertools
import json
import time
from contextlib import AsyncExitStack
from typing import Final

import pytest

from bigchaindb.config import Limits
from bigchaindb.serving import arrival, connection
from bigchaindb.serving.arrival import REFUSAL_COUNT_MAX, Reason
from bigchaindb.serving.parsing import PIECE_BYTES
from bigchaindb.transaction.build import Payment, Spend, create, transfer
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef
from tests.integration.api.conftest import Start
from tests.support.raw import Wire, ask, request, until, wire
from tests.support.served import KEY, POST, SHORT, Served, until_closed

READ_BYTES_MAX: Final = 256 * 1024
"""What uvloop reads at once."""


class TestKeepAlive:
    async def test_one_connection_takes_many_requests(self, served: Served) -> None:
        async with wire(served.api.port) as opened:
            for _ in range(3):
                assert (await opened.ask(request("GET", "/api/v1"))).status == 200
                assert (await opened.ask(request("POST", POST, b"{"))).status == 400
            assert served.api.connection_count == 1

    async def test_a_client_may_ask_for_the_end(self, served: Served) -> None:
        async with wire(served.api.port) as opened:
            answer = await opened.ask(request("GET", "/", Connection="close"))
            assert answer.headers["connection"] == "close"
            assert await opened.ended() == b""

    async def test_http_1_0_is_answered_and_closed_unless_asked(self, served: Served) -> None:
        async with wire(served.api.port) as opened:
            answer = await opened.ask(b"GET /api/v1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert answer.headers["connection"] == "keep-alive"
            assert (await opened.ask(b"GET /api/v1 HTTP/1.0\r\n\r\n")).headers["connection"] == "close"
            assert await opened.ended() == b""

    async def test_requests_sent_at_once_are_answered_in_order(self, served: Served) -> None:
        async with wire(served.api.port) as opened:
            await opened.send(b"".join(request("GET", f"/api/v1/blocks/{n}") for n in (0, 1, 0)))
            assert [(await opened.answer()).status for _ in range(3)] == [200, 404, 200]

    async def test_requests_without_end_are_answered_in_order_and_wait_outside(self, served: Served) -> None:
        """What is read and not answered must not grow: the client's own system keeps the rest."""
        async with wire(served.api.port) as opened:
            asked = [request("GET", f"/api/v1/blocks/{number % 2}") for number in range(10_000)]
            sending = asyncio.create_task(opened.send(b"".join(asked)))
            held = 0
            for number in range(len(asked)):
                assert (await opened.answer()).status == (200, 404)[number % 2], number
                held = max(held, *(len(one._unparsed) for one in served.api._listener._places))
            await sending
            assert PIECE_BYTES < held <= READ_BYTES_MAX < sum(map(len, asked))

    async def test_a_transfer_may_follow_its_create_at_once(self, served: Served) -> None:
        """Served side by side, the second could be judged before the first is known (RFC 9112, section 9.3.2)."""
        details = details_of([KEY.public_key])
        sent = [create([KEY], data={"n": 1})]
        for _ in range(20):
            last = sent[-1].id
            sent.append(transfer(sent[0].id, [Spend(OutputRef(last, 0), details, (KEY,))], [Payment(details)]))
        target = "/api/v1/transactions?mode=async"
        async with wire(served.api.port) as opened:
            await opened.send(b"".join(request("POST", target, one.body) for one in sent))
            assert [(await opened.answer()).status for _ in sent] == len(sent) * [202]

    async def test_an_idle_connection_is_closed_in_the_end(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client that never sends anything would hold a place for ever."""
        monkeypatch.setattr(connection, "KEEP_ALIVE_S", 0.5)
        served = await start(limits=SHORT)
        async with wire(served.api.port) as silent, wire(served.api.port) as used:
            assert (await used.ask(request("GET", "/"))).status == 200
            assert await silent.ended() == b""
            assert await used.ended() == b""
        await until_closed(served)

    async def test_a_client_that_closes_its_side_still_gets_its_answer(self, served: Served) -> None:
        """Never close after reading a POST without answering (driver-expectations.md, 1.4)."""
        made = create([KEY], data={"n": 1})
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, made.body))
            opened.writer.write_eof()
            assert (await opened.answer()).status == 202
            assert await opened.ended() == b""

    async def test_a_stop_answers_what_has_been_read(self, start: Start) -> None:
        served = await start()
        made = create([KEY], data={"n": 1})
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, made.body))
            places = served.api._listener._places
            await until(lambda: served.hub.head > 0 or any(one._request for one in places), "the request to be read")
            stopping = asyncio.create_task(served.api.stop())
            assert (await opened.answer()).status == 202
            await stopping
            assert await opened.ended() == b""

    async def test_an_upgrade_to_http_2_is_declined_and_the_request_answered(self, served: Served) -> None:
        """Java's client asks for it with every request, POSTs included."""
        made = create([KEY], data={"n": 2})
        asked = {
            "Connection": "Upgrade, HTTP2-Settings",
            "Upgrade": "h2c",
            "HTTP2_Settings": "AAEAAEAAAAIAAAABAAMAAABk",
        }
        answer = await ask(served.api.port, "POST", POST, made.body, **asked)
        assert (answer.status, answer.json()) == (202, json.loads(made.body))

    async def test_a_request_behind_a_refused_upgrade_is_answered(self, served: Served) -> None:
        """What follows an upgrade waits for its answer; it must not wait for ever."""
        asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
        both = request("GET", "/api/v1", None, **asked) + request("GET", "/api/v1", None, X_Padding="x" * 6000)
        async with wire(served.api.port) as opened:
            assert (await opened.ask(both)).status == 200
            assert (await opened.answer()).status == 200
        async with wire(served.stream.port) as opened:
            assert (await opened.ask(both)).status == 404
            assert (await opened.answer()).status == 404


class TestHeads:
    async def test_a_request_line_of_4094_bytes_works(self, served: Served) -> None:
        target = "/api/v1/assets?search=" + "x" * (4094 - len("GET /api/v1/assets?search= HTTP/1.1"))
        assert (await ask(served.api.port, "GET", target)).status == 200

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /" + 8200 * b"a" + b" HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + 8200 * b"a" + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: a\r\n" % n for n in range(101)) + b"\r\n",
        ],
        ids=["line", "header", "count"],
    )
    async def test_too_much_is_a_431_that_names_the_limits(self, served: Served, head: bytes) -> None:
        async with wire(served.api.port) as opened:
            answer = await opened.ask(head)
            assert (answer.status, answer.json()["status"]) == (431, 431)
            assert "8190 bytes" in answer.json()["message"]
            assert answer.headers["access-control-allow-origin"] == "*"

    @pytest.mark.parametrize(
        "data", [b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", b"FOO / HTTP/1.1\r\n\r\n"]
    )
    async def test_what_is_no_http_is_a_400_in_json(self, served: Served, data: bytes) -> None:
        async with wire(served.api.port) as opened:
            await opened.send(data)
            answer = await opened.answer()
            assert (answer.status, answer.json()["status"]) == (400, 400)
            assert answer.json()["message"].startswith("malformed HTTP request: ")
            assert await opened.ended() == b""

    async def test_a_head_that_trickles_in_is_a_408(self, start: Start) -> None:
        """A slow loris holds its connection for the deadline, however busy it looks."""
        served = await start(limits=SHORT)
        async with wire(served.api.port) as opened:
            began = time.monotonic()
            trickling = asyncio.create_task(self.trickle(opened))
            answer = await opened.answer()
            trickling.cancel()
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert time.monotonic() - began > 0.2
        await until_closed(served)

    async def test_the_deadline_is_of_each_head_not_of_the_connection(self, start: Start) -> None:
        served = await start(limits=SHORT)
        async with wire(served.api.port) as opened:
            for _ in range(3):
                assert (await opened.ask(request("GET", "/"))).status == 200
                await asyncio.sleep(0.2)

    @staticmethod
    async def trickle(opened: Wire) -> None:
        await opened.send(b"GET / HTTP/1.1\r\n")
        for number in itertools.count():
            await opened.send(b"X%d: a\r\n" % number)
            await asyncio.sleep(0.02)


class TestConnections:
    async def test_one_too_many_is_a_503_and_others_go_on(self, start: Start) -> None:
        served = await start(limits=Limits(connection_count_max=2))
        async with wire(served.api.port) as first, wire(served.api.port) as second:
            for opened in (first, second):
                assert (await opened.ask(request("GET", "/"))).status == 200
            async with wire(served.api.port) as third:
                answer = await third.ask(request("GET", "/"))
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")
                assert answer.headers["access-control-allow-origin"] == "*"
                assert await third.ended() == b""
            assert (await first.ask(request("GET", "/"))).status == 200
        await until_closed(served)
        assert (await ask(served.api.port, "GET", "/")).status == 200

    async def test_one_address_gets_no_more_than_its_places(self, start: Start) -> None:
        """One machine must not shut all others out."""
        served = await start(limits=Limits(address_connection_count_max=2))
        async with wire(served.api.port) as first, wire(served.api.port) as second:
            for opened in (first, second):
                assert (await opened.ask(request("GET", "/"))).status == 200
            answer = await ask(served.api.port, "GET", "/")
            assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (503, "1", "close")
            assert "limits.address_connection_count_max" in answer.json()["message"]
            assert served.api.refused_counts == {Reason.PLACES: 0, Reason.ADDRESS: 1}
            assert (await first.ask(request("GET", "/"))).status == 200
        await until_closed(served)
        assert (await ask(served.api.port, "GET", "/")).status == 200

    async def test_refusals_are_bounded_and_told_in_one_line(
        self, start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each refused client holds a file for a moment, and could write a line of the log."""
        monkeypatch.setattr(arrival, "REFUSAL_S", 60.0)  # all of them connect in that time
        served = await start(limits=Limits(address_connection_count_max=1))
        async with wire(served.api.port), AsyncExitStack() as stack:
            count = REFUSAL_COUNT_MAX + 20
            refused = [await stack.enter_async_context(wire(served.api.port)) for _ in range(count)]
            answers = await asyncio.gather(*(self.told(one) for one in refused))
            assert sum(answers) <= REFUSAL_COUNT_MAX
            assert served.api.refused_counts[Reason.ADDRESS] == count
        lines = [one for one in caplog.records if "connections refused" in one.message]
        assert len(lines) < 10
        assert vars(lines[0])["listener"] == "http"

    @staticmethod
    async def told(opened: Wire) -> bool:
        """Whether a refused client gets to read why."""
        with contextlib.suppress(ConnectionError):
            await opened.send(request("GET", "/"))
        return b" 503 " in await opened.ended()

    async def test_200_clients_may_connect_at_once(self, served: Served) -> None:
        answers = await asyncio.gather(*(ask(served.api.port, "GET", "/api/v1") for _ in range(200)))
        assert {answer.status for answer in answers} == {200}

    async def test_half_open_connections_leave_nothing(self, served: Served) -> None:
        made = create([KEY], data={"n": 1})
        for data in (
            b"",
            b"GET / HT",
            request("POST", POST, made.body),
            request("POST", POST, Content_Length="9") + b"{",
        ):
            async with wire(served.api.port) as opened:
                await opened.send(data)
                await asyncio.sleep(0.01)
        await until_closed(served)

    async def test_a_client_that_takes_nothing_is_let_go(self, start: Start) -> None:
        """Else 4,096 such clients would hold all connections, and what was written for them, for ever."""
        served = await start(limits=SHORT)
        [transaction_id] = await served.commit(text=500_000 * "x")
        async with wire(served.api.port) as opened:
            opened.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: served.api.connection_count == 1, "the connection")
            await opened.send(b"".join(request("GET", f"/api/v1/transactions/{transaction_id}") for _ in range(30)))
            await until_closed(served)
