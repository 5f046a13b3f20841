"""Bytes that two pieces of software may take for different requests, and what each is answered with.

A proxy in front of the node that sees one request where the node sees two would pass on requests that it never checked
(request smuggling). So whatever is ambiguous is refused, and nothing behind it is read.
Source: RFC 9112, sections 2.2, 3.2, 5, 6 and 11.2; docs/reference/contract/http-api.md, section 1.
"""

import asyncio
from contextlib import suppress

import pytest

from tests.support.raw import Wire, wire
from tests.support.served import Served

HOST = b"Host: a\r\n"
GET = b"GET /api/v1 HTTP/1.1\r\n" + HOST
POST = b"POST /api/v1/transactions HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
NEXT = b"GET /api/v1/blocks/0 HTTP/1.1\r\n" + HOST + b"\r\n"
"""A further request, which is answered with 200 if it is read as one."""

REFUSED = {
    "both lengths": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, turned": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two equal lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n{a}",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n{a}",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\n{a}",
    "length +3": POST + b"Content-Length: +3\r\n\r\n{a}",
    "length -3": POST + b"Content-Length: -3\r\n\r\n{a}",
    "length 0x3": POST + b"Content-Length: 0x3\r\n\r\n{a}",
    "length 1_0": POST + b"Content-Length: 1_0\r\n\r\n{a}",
    "length of two words": POST + b"Content-Length: 1 1\r\n\r\n{a}",
    "no length": POST + b"Content-Length: \r\n\r\n{a}",
    "length 2^64": POST + b"Content-Length: 18446744073709551616\r\n\r\n{a}",
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "no coding": POST + b"Transfer-Encoding: \r\n\r\n0\r\n\r\n",
    "a coding behind a control character": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a coding before a tabulator": POST + b"Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n",
    "LF ends all lines": b"GET /api/v1 HTTP/1.1\nHost: a\n\n",
    "LF ends a line": GET + b"X: b\n\r\n",
    "LF ends the head": GET + b"\n",
    "CR ends a line": GET + b"X: b\rY: c\r\n\r\n",
    "CR in a value": GET + b"X: b\rc\r\n\r\n",
    "a folded line": GET + b"X: b\r\n c\r\n\r\n",
    "a line folded with a tabulator": GET + b"X: b\r\n\tc\r\n\r\n",
    "the first line is folded": b"GET /api/v1 HTTP/1.1\r\n Host: a\r\n\r\n",
    "a blank before the colon": GET + b"X : b\r\n\r\n",
    "a blank before the colon of a coding": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon of a length": POST + b"Content-Length : 3\r\n\r\n{a}",
    "a tabulator before the colon": GET + b"X\t: b\r\n\r\n",
    "no colon": GET + b"X\r\n\r\n",
    "no name": GET + b": b\r\n\r\n",
    "a name of two words": GET + b"X Y: b\r\n\r\n",
    "a name beyond ASCII": GET + b"X\xc3\xa9: b\r\n\r\n",
    "NUL in a name": GET + b"X\x00: b\r\n\r\n",
    "NUL in a value": GET + b"X: b\x00c\r\n\r\n",
    "a control character in a value": GET + b"X: b\x01c\r\n\r\n",
    "DEL in a value": GET + b"X: b\x7fc\r\n\r\n",
    "no host": b"GET /api/v1 HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /api/v1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a target beyond ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in the target": b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a control character in the target": b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tabulator in the target": b"GET /a\tb HTTP/1.1\r\n" + HOST + b"\r\n",
    "a blank in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target without slash": b"GET api/v1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an authority as target": b"GET a:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a blank behind the version": b"GET /api/v1 HTTP/1.1 \r\n" + HOST + b"\r\n",
    "a blank before the method": b" " + GET + b"\r\n",
    "version 1.2": b"GET /api/v1 HTTP/1.2\r\n" + HOST + b"\r\n",
    "version 1.10": b"GET /api/v1 HTTP/1.10\r\n" + HOST + b"\r\n",
    "version 3.0": b"GET /api/v1 HTTP/3.0\r\n" + HOST + b"\r\n",
    "http in small letters": b"GET /api/v1 http/1.1\r\n" + HOST + b"\r\n",
    "a method in small letters": b"get /api/v1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an unknown method": b"FOO /api/v1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method without end": 5000 * b"A",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a handshake of TLS": bytes.fromhex("16030100c8010000c403035b"),
    "SSH": b"SSH-2.0-OpenSSH_9.0\r\n",
    "SOCKS": b"\x05\x01\x00",
    "a PROXY line": b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n" + GET + b"\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "chunk size 2^64": CHUNKED + b"10000000000000000\r\n{a}\r\n0\r\n\r\n",
    "chunk size -1": CHUNKED + b"-1\r\n{a}\r\n0\r\n\r\n",
    "chunk size 0x3": CHUNKED + b"0x3\r\n{a}\r\n0\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\n{a}\r\n0\r\n\r\n",
    "a blank behind a chunk size": CHUNKED + b"3 \r\n{a}\r\n0\r\n\r\n",
    "a blank before a chunk size": CHUNKED + b" 3\r\n{a}\r\n0\r\n\r\n",
    "LF behind a chunk size": CHUNKED + b"3\n{a}\n0\n\n",
    "no line end behind a chunk": CHUNKED + b"3\r\n{a}0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"3\r\n{aaaa}\r\n0\r\n\r\n",
    "a line end in a chunk extension": CHUNKED + b'3;a="b\r\nc"\r\n{a}\r\n0\r\n\r\n',
    "a chunk extension without end": CHUNKED + b"3;" + 100_000 * b"a",
    "a chunk size without end": CHUNKED + 100_000 * b"0" + b"3\r\n{a}\r\n0\r\n\r\n",
    "a length in a trailer": CHUNKED + b"3\r\n{a}\r\n0\r\nContent-Length: 5\r\n\r\n",
    "a coding in a trailer": CHUNKED + b"3\r\n{a}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "trailers without end": CHUNKED + b"3\r\n{a}\r\n0\r\n" + 5_000 * b"X: a\r\n",
}
"""Each is answered with a single 400, then the connection ends."""


async def statuses(opened: Wire, data: bytes) -> list[int]:
    """Send bytes and close this side; return the status of each answer until the server ends the connection."""
    opened.writer.write(data)
    await opened.writer.drain()
    opened.writer.write_eof()
    found: list[int] = []
    while not opened.reader.at_eof():
        try:
            answer = await opened.answer(to="HEAD" if data.startswith(b"HEAD") and not found else "GET")
        except EOFError:
            break
        found.append(answer.status)
    return found


@pytest.mark.parametrize("data", REFUSED.values(), ids=list(REFUSED))
async def test_what_is_ambiguous_is_a_400_and_nothing_behind_it_is_read(served: Served, data: bytes) -> None:
    async with wire(served.api.port) as opened:
        await opened.send(data + NEXT)
        answer = await opened.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert answer.json()["message"].startswith("malformed HTTP request: ")
        assert await opened.ended() == b""


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\r\n\r\n" + GET + b"\r\n" + NEXT, [200, 200]),
        (b"GET  /api/v1 HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, [200, 200]),
        (GET + b"X:\r\nY: \xff\r\n\r\n" + NEXT, [200, 200]),
        (GET + b"X: 1\r\nX: 2\r\n\r\n" + NEXT, [200, 200]),
        (GET + b"Content-Length: 3\r\n\r\nabc" + NEXT, [200, 200]),
        (GET + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + NEXT, [200, 200]),
        (b"HEAD /api/v1 HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc" + NEXT, [200, 200]),
        (POST + b"Content-Length:\t3 \r\n\r\n{a}" + NEXT, [400, 200]),
        (POST + b"\r\n" + NEXT, [400, 200]),
        (POST + b"Transfer-Encoding: ChUnKeD\r\n\r\n3\r\n{a}\r\n0\r\n\r\n" + NEXT, [400, 200]),
        (CHUNKED + b'003;a="b;c"\r\n{a}\r\n0\r\nX: a\r\n\r\n' + NEXT, [400, 200]),
        (
            b"POST /api/v1/transactions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{a}\r\n0\r\n\r\n" + NEXT,
            [400],
        ),
        (POST + b"Content-Length: 3\r\n\r\n{a}nonsense\r\n\r\n" + NEXT, [400, 400]),
        (GET + b"\r\nnonsense\r\n\r\n", [200, 400]),
        (GET + b"Connection: close\r\n\r\n" + NEXT, [200]),
        (POST + b"Connection: close\r\nContent-Length: 3\r\n\r\n{a}" + NEXT, [400]),
        (b"GET /api/v1 HTTP/1.0\r\n\r\n" + NEXT, [200]),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n" + NEXT, [501]),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + NEXT, [501]),
        (POST + b"Content-Length: 18446744073709551615\r\n\r\n{a}" + NEXT, [413]),
        (b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, [404]),
        (b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc" + NEXT, [404]),
        (GET + UPGRADE + b"\r\n" + NEXT, [200, 200]),
        (POST + UPGRADE + b"Content-Length: 3\r\n\r\n{a}" + NEXT, [400, 200]),
        (POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n3\r\n{a}\r\n0\r\n\r\n" + NEXT, [400, 200]),
        (POST + UPGRADE.replace(b"websocket", b"h2c") + b"Content-Length: 3\r\n\r\n{a}" + NEXT, [400, 200]),
        (b"GET /api/v1 HTTP/2.0\r\n" + HOST + b"\r\n" + NEXT, [505]),
        (b"GET /api/v1 HTTP/0.9\r\n\r\n" + NEXT, [505]),
        (b"GET /api/v1\r\n\r\n" + NEXT, [505]),
        (b"GET http://b/api/v1 HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, [200, 200]),
        (b"GET https://u:p@b:1/api/v1?x HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, [200, 200]),
        (b"GET http://b HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, [200, 200]),
        (b"GET //b/api/v1 HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, [404, 200]),
        (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, [404, 200]),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n" + NEXT, [404, 200]),
        (POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n{a}" + NEXT, [400, 200]),
        (POST + b"Expect: 200-maybe\r\nContent-Length: 3\r\n\r\n{a}" + NEXT, [400, 200]),
    ],
)
async def test_how_many_requests_these_bytes_are(served: Served, data: bytes, found: list[int]) -> None:
    async with wire(served.api.port) as opened:
        assert await statuses(opened, data) == found


async def test_what_is_sent_without_end_behind_an_error_is_not_read_without_end(served: Served) -> None:
    """16 such clients made another one's commit wait ten times as long."""
    sent, piece = 0, bytes(256 * 1024)
    async with wire(served.api.port) as opened:
        await opened.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await opened.answer()
        with suppress(ConnectionError):
            async with asyncio.timeout(60):
                while True:
                    await opened.send(piece)
                    sent += len(piece)
    assert sent < 64 * 1024 * 1024


async def test_a_client_of_http_1_0_gets_no_100(served: Served) -> None:
    """It would take it for the answer (RFC 9110, section 10.1.1)."""
    head = b"POST /api/v1/transactions HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    async with wire(served.api.port) as opened:
        assert await statuses(opened, head) == [400]
