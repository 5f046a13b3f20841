"""Requests out of bytes, whatever way they are cut, and the bounds that the parser of the library does not have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.serving.parsing import (
    AHEAD_BYTES,
    FRAMING_BYTES_MAX,
    HEADER_COUNT_MAX,
    LINE_BYTES_MAX,
    PIECE_BYTES,
    RequestParser,
)
from bigchaindb.serving.request import BrokenBody, Refusal, Request

HOST = b"Host: a\r\n"
POST = b"POST /t HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
REQUESTS = (
    b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream \t\r\nX-Other: 1\r\n\r\n",
    POST + b"Content-Length: 5\r\n\r\nabcde",
    CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
    POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nabcde",
    POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
)


def parsed(*pieces: bytes) -> list[Request]:
    """Return the requests that pieces hold, as a connection feeds them."""
    parser = RequestParser()
    for piece in pieces:
        while piece:
            piece = piece[parser.feed(piece) :]  # noqa: PLW2901
    return list(parser.requests)


def told(request: Request) -> tuple[object, ...]:
    """Return all that a handler can see."""
    body = request.body
    return (
        request.method,
        request.target,
        dict(request.headers),
        (body.is_complete, body.joined()),
        (request.is_1_1, request.keeps_alive, request.may_upgrade),
        request.refusal,
    )


def refusals(*pieces: bytes) -> list[Refusal]:
    """Return the refusals among the requests."""
    return [one.refusal for one in parsed(*pieces) if one.refusal is not None]


async def reason(request: Request) -> str:
    """Return why the body of a request cannot be completed."""
    with pytest.raises(BrokenBody) as caught:
        await request.body.more()
    return str(caught.value)


@given(st.data())
def test_a_cut_changes_nothing(data: st.DataObject) -> None:
    sent = data.draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=4))
    whole = b"".join(sent)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert [told(one) for one in parsed(*pieces)] == [told(parsed(one)[0]) for one in sent]


def test_only_headers_that_somebody_reads_are_kept() -> None:
    [request] = parsed(REQUESTS[0])
    assert request.headers == {"host": "x", "accept": "text/event-stream"}


def test_the_first_of_equal_headers_counts() -> None:
    [request] = parsed(b"GET / HTTP/1.1\r\n" + HOST + b"Origin: a\r\nORIGIN: b\r\n\r\n")
    assert request.headers["origin"] == "a"


def test_an_upgrade_that_is_declined_has_its_body_read() -> None:
    for sent in (REQUESTS[3], REQUESTS[4]):
        first, second = parsed(sent + REQUESTS[1])
        assert not first.may_upgrade
        assert (first.body.joined(), second.body.joined()) == (b"abcde", b"abcde")


@pytest.mark.parametrize("framing", ["Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"])
def test_an_upgrade_that_is_declined_may_have_as_many_headers_as_others(framing: str) -> None:
    """Its framing is read twice, and is no header more for that."""
    more = "".join(f"X-{number}: 1\r\n" for number in range(HEADER_COUNT_MAX - 4))
    head = f"Connection: Upgrade\r\nUpgrade: h2c\r\n{framing}{more}\r\n".encode()
    body = b"abc" if "Length" in framing else b"3\r\nabc\r\n0\r\n\r\n"
    [one] = parsed(POST + head + body)
    assert one.body.joined() == b"abc"
    assert one.body.is_complete


def test_what_follows_an_upgrade_is_not_taken() -> None:
    parser = RequestParser()
    head = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert parser.feed(head + b"\x81\x80\0\0\0\0") == len(head)
    assert parser.requests[0].may_upgrade


def test_the_rest_of_an_announced_body_is_known() -> None:
    parser = RequestParser()
    assert parser.rest_bytes == 0
    parser.feed(POST + b"Content-Length: 9\r\n\r\nabc")
    assert (parser.rest_bytes, parser.in_body) == (6, True)
    parser.feed(b"defghi")
    assert (parser.rest_bytes, parser.in_body) == (0, False)


def test_a_body_waits_outside_until_it_is_wanted() -> None:
    parser = RequestParser()
    parser.feed(POST + b"Content-Length: 1000000\r\n\r\n" + (AHEAD_BYTES - 1) * b"x")
    assert parser.is_body_wanted
    parser.feed(b"x")
    before = parser.is_body_wanted
    parser.requests[0].body.is_wanted = True
    assert (before, parser.is_body_wanted) == (False, True)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + LINE_BYTES_MAX * b"a" + b" HTTP/1.1\r\n" + HOST,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + LINE_BYTES_MAX * b"a" + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + HEADER_COUNT_MAX * b"X: a\r\n",
    ],
    ids=["target", "header", "count"],
)
def test_more_than_a_head_may_have_is_a_431(head: bytes) -> None:
    [(status, text)] = refusals(head + b"\r\n")
    assert (status, "100 headers" in text, "8190 bytes" in text) == (431, True, True)


@pytest.mark.parametrize(
    "begun",
    [
        b"GET / HTTP/1.1\r\n" + HOST + b"X" * PIECE_BYTES,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * PIECE_BYTES,
        b"GET / HTTP/1.1\r\n" + HOST + b"X:" + b" " * PIECE_BYTES,
        b"\r\n" * (PIECE_BYTES // 2),
    ],
    ids=["name", "value", "blanks", "empty lines"],
)
def test_a_line_without_end_is_not_kept(begun: bytes) -> None:
    """The library joins the parts of a line, however long it gets."""
    parser = RequestParser()
    parser.feed(begun)
    more = begun[-2:] * (PIECE_BYTES // 2)
    for _ in range(2 + LINE_BYTES_MAX // PIECE_BYTES):
        parser.feed(more)
    assert parser.is_broken
    assert parser.requests[-1].refusal is not None
    assert parser.requests[-1].refusal.status == 431
    assert parser.feed(more) == len(more)
    assert len(parser.requests) == 1


@pytest.mark.parametrize(
    "rest",
    [
        b"3;x=" + 3 * PIECE_BYTES * b"a",
        3 * PIECE_BYTES * b"0",
        b"0\r\nX: " + 3 * PIECE_BYTES * b"a",
        b"0\r\n" + 2 * PIECE_BYTES * b"X: a\r\n",
        PIECE_BYTES * b"1\r\na\r\n",
    ],
    ids=["extension", "size", "trailer", "trailers", "chunks"],
)
async def test_framing_without_end_breaks_the_body(rest: bytes) -> None:
    parser = RequestParser()
    parser.feed(CHUNKED)
    for at in range(0, len(rest), PIECE_BYTES):
        parser.feed(rest[at : at + PIECE_BYTES])
    [request] = parser.requests
    assert not request.body.is_complete
    assert parser.is_broken
    assert await reason(request)


async def test_chunks_may_take_some_more_than_their_content() -> None:
    [request] = parsed(CHUNKED, 680 * b"1\r\na\r\n")
    assert request.body.size == 680
    [request] = parsed(CHUNKED, 2 * FRAMING_BYTES_MAX * b"1\r\na\r\n")
    assert "chunks too small" in await reason(request)


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505, "HTTP/2.0"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "'Host'"),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "'Host'"),
        (b"nonsense\r\n\r\n", 400, "malformed HTTP request: Invalid method"),
    ],
)
def test_what_is_no_request_is_refused_behind_those_before_it(sent: bytes, status: int, words: str) -> None:
    first, last = parsed(REQUESTS[0] + sent)
    assert first.refusal is None
    assert last.refusal is not None
    assert last.refusal.status == status
    assert words in last.refusal.text


def test_whoever_begins_with_tls_is_told() -> None:
    assert refusals(b"\x16\x03\x01\x02\x00") == [
        (400, "malformed HTTP request: this is TLS, the port is of plain HTTP")
    ]


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"gzip", b"identity", b"chunked, identity"])
def test_a_coding_that_nobody_undoes_is_named(coding: bytes) -> None:
    found = refusals(POST + b"Transfer-Encoding: " + coding + b"\r\n\r\n")
    assert found
    assert found[0][0] in {400, 501}


@pytest.mark.parametrize(
    "sent",
    [
        b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
def test_nothing_is_read_behind_what_software_disagrees_on(sent: bytes) -> None:
    assert [one.keeps_alive for one in parsed(sent)] == [False]


async def test_a_client_that_is_gone_breaks_the_body_off() -> None:
    parser = RequestParser()
    parser.feed(POST + b"Content-Length: 9\r\n\r\nabc")
    parser.break_off(ConnectionResetError("the client is gone"))
    parser.close()
    with pytest.raises(ConnectionResetError):
        await parser.requests[0].body.more()
    assert parser.feed(b"defghi") == 6


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (b"Authorization: Bearer bdb_secret\r\n", None),
        (b"Authorization: Basic eDpiZGJfc2VjcmV0\r\nAuthorization: Bearer other\r\n", None),
        (b"Sec-WebSocket-Protocol: a.v1\r\nSec-WebSocket-Protocol: bigchaindb.bearer.YmRiX3NlY3JldA\r\n", "a.v1"),
        (b"Sec-WebSocket-Protocol: bigchaindb.bearer.YmRiX3NlY3JldA, a, b\r\n", "a, b"),
    ],
)
def test_what_proves_a_principal_leaves_the_headers(lines: bytes, left: str | None) -> None:
    """Whatever prints a request must have no secret to print."""
    [request] = parsed(b"GET / HTTP/1.1\r\n" + HOST + lines + b"\r\n")
    assert request.key == "bdb_secret"
    assert request.headers.get("sec-websocket-protocol") == left
    assert "authorization" not in request.headers
    assert "secret" not in repr(request)
    assert "bearer" not in repr(request)


def test_subprotocols_without_a_key_are_kept() -> None:
    [request] = parsed(b"GET / HTTP/1.1\r\n" + HOST + b"Sec-WebSocket-Protocol: a, b\r\nAuthorization: x\r\n\r\n")
    assert (request.key, dict(request.headers)) == (None, {"host": "a", "sec-websocket-protocol": "a, b"})
