"""Every bound on bodies of requests, and how it is said. Source: http-api.md, section 1, NODE limits."""

import asyncio
import gzip

import pytest

from bigchaindb.api import pace
from bigchaindb.config import Limits
from bigchaindb.transaction.build import create
from tests.integration.api.conftest import Start
from tests.support.raw import ask, request, wire
from tests.support.served import KEY, POST, SHORT, Served, until_closed


class TestBodies:
    async def test_a_chunked_body_is_a_body(self, served: Served) -> None:
        made = create([KEY], data={"n": 1})
        head = request("POST", POST, Transfer_Encoding="chunked")
        async with wire(served.api.port) as opened:
            await opened.send(head)
            for piece in (made.body[:100], made.body[100:]):
                await opened.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                await asyncio.sleep(0.01)
            await opened.send(b"0\r\n\r\n")
            assert (await opened.answer()).status == 202

    @pytest.mark.parametrize("coding", ["gzip, chunked", "gzip,chunked", "x, y, chunked"])
    async def test_a_coding_that_nobody_undoes_is_a_501_and_the_connection_ends(
        self, served: Served, coding: str
    ) -> None:
        """Else a compressed body would be refused as malformed JSON, byte 0."""
        made = gzip.compress(create([KEY], data={"n": 1}).body)
        async with wire(served.api.port) as opened:
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(made), made)
            answer = await opened.ask(request("POST", POST, Transfer_Encoding=coding) + body)
            assert (answer.status, answer.headers["connection"], answer.json()["status"]) == (501, "close", 501)
            assert answer.json()["message"].startswith("Transfer-Encoding ")
            assert answer.headers["x-request-id"]
            assert await opened.ended() == b""

    async def test_a_document_in_chunks_of_one_byte_is_taken(self, served: Served) -> None:
        made = create([KEY], data={"n": 1})
        body = b"".join(b"1\r\n%c\r\n" % byte for byte in made.body) + b"0\r\n\r\n"
        async with wire(served.api.port) as opened:
            assert (await opened.ask(request("POST", POST, Transfer_Encoding="chunked") + body)).status == 202
            assert (await opened.ask(request("GET", "/api/v1"))).status == 200

    async def test_a_body_that_is_mostly_framing_is_a_400(self, served: Served) -> None:
        """Each chunk costs the loop 8 µs: eight such clients kept every commit waiting for seconds."""
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, Transfer_Encoding="chunked") + 20_000 * b"1\r\n{\r\n")
            answer = await opened.answer()
            assert (answer.status, answer.headers["connection"]) == (400, "close")
            assert answer.json()["message"].startswith("malformed HTTP request: chunks too small: ")
        await until_closed(served)

    @pytest.mark.parametrize("chunk_bytes", [20, 1_000, 60_000])
    async def test_a_large_body_in_chunks_is_taken_whatever_their_size(self, served: Served, chunk_bytes: int) -> None:
        made = create([KEY], data={"text": 200_000 * "x"}).body
        pieces = [made[at : at + chunk_bytes] for at in range(0, len(made), chunk_bytes)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        async with wire(served.api.port) as opened:
            asked = request("POST", POST, Transfer_Encoding="chunked") + body + request("GET", "/api/v1")
            assert (await opened.ask(asked)).status == 202
            assert (await opened.answer()).status == 200

    async def test_whoever_waits_for_a_100_gets_it(self, served: Served) -> None:
        """curl sends nothing more for a second otherwise."""
        made = create([KEY], data={"n": 2})
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, Expect="100-continue", Content_Length=str(len(made.body))))
            assert await opened.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert (await opened.ask(made.body)).status == 202

    async def test_a_megabyte_is_taken(self, start: Start) -> None:
        served = await start()
        made = create([KEY], data={"text": 1_000_000 * "x"})
        assert (await ask(served.api.port, "POST", POST, made.body)).status == 202

    @pytest.mark.parametrize("size", [1001, 300_000, 10_000_000])
    async def test_a_larger_body_is_a_413_and_the_connection_ends(self, start: Start, size: int) -> None:
        served = await start(limits=Limits(body_bytes_max=1000))
        async with wire(served.api.port) as opened:
            opened.writer.write(request("POST", POST, size * b"x"))
            answer = await opened.answer()
            assert answer.status == 413
            assert answer.json() == {"message": "the request body is larger than 1000 bytes", "status": 413}
            assert answer.headers["connection"] == "close"

    async def test_a_larger_chunked_body_is_a_413_as_soon_as_it_is(self, start: Start) -> None:
        served = await start(limits=Limits(body_bytes_max=1000))
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, Transfer_Encoding="chunked") + b"7d0\r\n" + 2000 * b"x" + b"\r\n")
            assert (await opened.answer()).status == 413

    async def test_a_size_that_is_only_announced_is_refused_without_reading(self, served: Served) -> None:
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, Content_Length=str(10**15), Expect="100-continue"))
            assert (await opened.answer()).status == 413

    async def test_a_slow_body_is_a_408(self, start: Start) -> None:
        served = await start(limits=SHORT)
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, Content_Length="100") + b"{")
            answer = await opened.answer()
            assert (answer.status, answer.headers["connection"]) == (408, "close")
        await until_closed(served)

    async def test_a_body_that_breaks_off_is_a_400(self, served: Served) -> None:
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, Transfer_Encoding="chunked") + b"5\r\nabc")
            await asyncio.sleep(0.05)
            await opened.send(b"defghij\r\n")
            answer = await opened.answer()
            assert answer.status == 400
            assert "the body is incomplete" in answer.json()["message"]

    async def test_unfinished_bodies_are_bounded_together(self, start: Start) -> None:
        served = await start(limits=Limits(receiving_bytes_max=150_000, body_bytes_max=150_000))
        async with wire(served.api.port) as first, wire(served.api.port) as second:
            for opened in (first, second):
                await opened.send(request("POST", POST, Content_Length="150000"))
                await opened.send(100_000 * b"x")
            await asyncio.sleep(0.05)
            done, _ = await asyncio.wait(
                [asyncio.create_task(opened.answer()) for opened in (first, second)], return_when="FIRST_COMPLETED"
            )
            assert {answer.result().status for answer in done} == {503}
            assert "limits.receiving_bytes_max" in next(iter(done)).result().json()["message"]

    async def test_refused_bodies_make_large_ones_wait_and_small_ones_not(
        self, served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Else whoever posts megabytes for nothing takes the loop for himself: others' commits waited 60 to 140 ms."""
        monkeypatch.setattr(pace, "SLOW_BYTES_PER_S", 1_000)
        large = create([KEY], data={"text": 200_000 * "x"}).body
        assert (await ask(served.api.port, "POST", POST, large[:-1])).status == 400
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", POST, large))
            answer = asyncio.create_task(opened.answer())
            for number in range(3):
                small = create([KEY], data={"number": number}).body
                assert (await ask(served.api.port, "POST", POST, small)).status == 202
            assert not answer.done()
            answer.cancel()
        assert "large request bodies are read slowly, since large ones are refused" in caplog.text

    async def test_a_body_nobody_reads_ends_the_connection(self, served: Served) -> None:
        async with wire(served.api.port) as opened:
            answer = await opened.ask(request("PUT", "/", Content_Length="1000000"))
            assert (answer.status, answer.headers["connection"]) == (405, "close")
