"""Requests to nodes that misbehave, on real sockets."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from bigchaindb.client import AsyncClient, ClientUnusable, RequestFailed, answers, calls, http
from tests.support.odd_nodes import SILENCE, answer, odd_node, refusal
from tests.support.raw import until
from tests.support.tls import Authority, server_context

FOUND = answer(200, {"id": "abc"})
BUSY = refusal(503, "10 transactions are in flight; try again later")


@pytest.fixture
def unused() -> Iterator[str]:
    """The URL of a port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def test_a_transaction_is_asked_for_and_posted_as_it_is() -> None:
    async with odd_node(FOUND) as node, AsyncClient(node.url) as client:
        assert (await client.transaction("a/c"))["id"] == "abc"
        await client.ask(calls.post(b'{"id":"abc"}', "commit"))
        assert node.asked == [
            ("GET /api/v1/transactions/a%2Fc", b""),
            ("POST /api/v1/transactions?mode=commit", b'{"id":"abc"}'),
        ]
        assert node.headers[1]["content-type"] == "application/json"
        assert node.headers[0]["accept-encoding"] == "identity"


async def test_a_read_that_a_close_overtakes_ends_as_what_waits() -> None:
    """The library refuses to read on from a connection that is closed, with an error of its own."""
    connection = AsyncClient("http://127.0.0.1:1")._connection

    async def read() -> None:
        async with connection.until_closed():
            await connection.close()
            raise RuntimeError("Connection closed.")

    for _ in "closed under it", "closed before":
        with pytest.raises(ClientUnusable, match="this client is closed"):
            await read()


async def test_the_proof_is_returned_as_the_node_sent_it() -> None:
    async with odd_node(answer(200, b'{ "format": 1e2 }\n')) as node, AsyncClient(node.url) as client:
        assert await client.ask(calls.proof("7")) == b'{ "format": 1e2 }\n'


@pytest.mark.parametrize(
    "first", [BUSY, refusal(504, "x"), refusal(429, "x", Retry_After="0"), answer(502, b"<>"), b""]
)
async def test_the_same_bytes_are_sent_again_until_a_node_answers(first: bytes) -> None:
    """A node that is busy, starts or went away amid the answer; a transaction is there once however often it comes."""
    async with odd_node(first, first, answer(202, {"id": "abc"})) as node, AsyncClient(node.url) as client:
        assert (await client.ask(calls.post(b"{}", "commit")))["id"] == "abc"
        assert node.asked == [("POST /api/v1/transactions?mode=commit", b"{}")] * 3


def pause(monkeypatch: pytest.MonkeyPatch, *, long_from: int) -> None:
    """Take the time between rounds out, but for one that no deadline has."""
    monkeypatch.setattr(answers, "pause_s", lambda rounds, *_: 0.0 if rounds < long_from else 1e6)


async def test_a_node_that_stays_busy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pause(monkeypatch, long_from=3)
    async with odd_node(BUSY) as node, AsyncClient(node.url) as client:
        with pytest.raises(RequestFailed, match="answered 503: 10 transactions are in flight; try again later"):
            await client.ask(calls.post(b"{}", "commit"))
        assert len(node.asked) == 3


async def test_a_node_asks_for_a_pause_that_the_deadline_does_not_have() -> None:
    """Nobody waits for what cannot come."""
    async with (
        odd_node(refusal(429, "slow down", Retry_After="30")) as node,
        AsyncClient(node.url, deadline_s=20) as client,
    ):
        begun = time.monotonic()
        with pytest.raises(RequestFailed, match="429: slow down"):
            await client.validators()
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
async def test_a_refusal_is_not_repeated(status: int) -> None:
    async with odd_node(refusal(status, "no")) as node, AsyncClient(node.url) as client:
        with pytest.raises(RequestFailed, match=f"answered {status}: no") as refused:
            await client.validators()
        assert (refused.value.status, len(node.asked)) == (status, 1)


async def test_a_redirect_is_not_followed() -> None:
    async with odd_node(answer(302, {}, {"Location": "/"})) as node, AsyncClient(node.url) as client:
        with pytest.raises(RequestFailed, match="302"):
            await client.transaction("abc")
        assert len(node.asked) == 1


async def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_BYTES_MAX", 99)
    async with odd_node(answer(200, b"x" * 100)) as node, AsyncClient(node.url) as client:
        with pytest.raises(RequestFailed, match="has more than 99 bytes"):
            await client.validators()


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", FOUND[:-3], b"\0" * 9999])
async def test_what_is_no_answer_is_given_up_at_the_deadline(said: bytes) -> None:
    async with odd_node(said) as node, AsyncClient(node.url, deadline_s=0.3) as client:
        with pytest.raises(RequestFailed, match=r"^cannot ask http://127\.0\.0\.1:\d+: .+; is the node running"):
            await client.validators()


async def test_a_silent_node_is_given_up() -> None:
    async with odd_node(SILENCE) as node, AsyncClient(node.url, answer_s=0.1, deadline_s=0) as client:
        with pytest.raises(RequestFailed, match=r"no answer within 0\.1 s; is the node running"):
            await client.validators()


async def test_nobody_there_is_said_with_the_advice(unused: str) -> None:
    async with AsyncClient(unused, deadline_s=0, advice=" Start it.") as client:
        with pytest.raises(RequestFailed) as error:
            await client.validators()
    assert str(error.value) == (
        f"cannot ask {unused}: Connection refused; is the node running, and is that its address? Start it."
    )


async def test_a_node_that_is_away_is_told_about_once_and_soon(unused: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever mistyped a port must not wait for the deadline without a word."""
    caplog.set_level("INFO", "bigchaindb.client")
    async with AsyncClient(unused, deadline_s=4) as client:
        with pytest.raises(RequestFailed):
            await client.validators()
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage() for record in told] == [f"{unused}: Connection refused; asking again for up to 4 s"]
    failed = [record for record in caplog.records if record.levelname == "INFO"]
    assert failed, "each further try informs"


async def test_a_node_that_answers_soon_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    async with odd_node(BUSY, FOUND) as node, AsyncClient(node.url) as client:
        await client.transaction("abc")
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


async def test_the_next_node_is_asked_when_one_does_not_answer(unused: str) -> None:
    async with odd_node(FOUND) as node, AsyncClient([unused, node.url]) as client:
        begun = time.monotonic()
        assert (await client.transaction("abc"))["id"] == "abc"
        assert (await client.transaction("abc"))["id"] == "abc"
        assert (client.url, len(node.asked)) == (node.url, 2)
        assert time.monotonic() - begun < 5, "no pause before a node that was not asked yet"


async def test_the_error_names_every_address_that_was_tried(unused: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pause(monkeypatch, long_from=1)
    async with odd_node(BUSY) as node, AsyncClient([unused, node.url]) as client:
        with pytest.raises(RequestFailed) as error:
            await client.validators()
    text = str(error.value)
    assert text.startswith(f"cannot ask {unused} (Connection refused), {node.url} (answered 503)")
    assert text.endswith("; are the nodes running, and are those their addresses?")


async def test_a_node_that_nobody_reaches_may_be_given_up_before_one_that_is_busy(unused: str) -> None:
    async with AsyncClient(unused, deadline_s=60, unreachable_s=0) as client:
        begun = time.monotonic()
        with pytest.raises(RequestFailed, match="Connection refused; is the node running"):
            await client.validators()
        assert time.monotonic() - begun < 10


async def test_a_name_that_nobody_has() -> None:
    async with AsyncClient("http://no-such-host.invalid", deadline_s=0) as client:
        with pytest.raises(RequestFailed, match=r"^cannot ask http://no-such-host\.invalid: \w.*; is the node running"):
            await client.validators()


async def secured(authority: Authority, names: str) -> asyncio.Server:
    """Serve with a certificate for these names."""
    return await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server_context(authority.sign(names))
    )


async def test_a_certificate_of_another_name_is_refused_at_once(authority: Authority) -> None:
    """TLS that is not as it must be does not pass: nothing is sent again."""
    async with await secured(authority, "DNS:other.example") as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with AsyncClient(url, tls=authority.file) as client:
            with pytest.raises(
                RequestFailed, match=r"its certificate is not trusted: IP address mismatch.*under a name or"
            ):
                await client.validators()
        async with AsyncClient(url) as client:
            with pytest.raises(RequestFailed, match=r"not trusted: .*; set SSL_CERT_FILE to the file of the authority"):
                await client.validators()


async def test_tls_where_there_is_none() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(400, b"?"))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with AsyncClient(f"https://127.0.0.1:{port}", tls=ssl.create_default_context()) as client:
            with pytest.raises(RequestFailed, match=rf"it answers without TLS; ask http://127\.0\.0\.1:{port}$"):
                await client.validators()


async def test_a_client_closed_while_it_waits_ends_what_waits() -> None:
    async with odd_node(SILENCE) as node:
        client = AsyncClient(node.url)
        waiting = [asyncio.create_task(client.validators()) for _ in range(3)]
        await until(lambda: len(node.asked) == 3, "all requests")
        await client.close()
        for task in waiting:
            with pytest.raises(ClientUnusable, match="this client is closed; make a new one"):
                await task
        with pytest.raises(ClientUnusable):
            await client.validators()
        await client.close()


async def test_a_client_closed_between_two_attempts() -> None:
    async with odd_node(refusal(503, "busy", Retry_After="25")) as node:
        client = AsyncClient(node.url)
        waiting = asyncio.create_task(client.validators())
        await until(lambda: bool(node.asked), "a request")
        await asyncio.sleep(0.1)
        await client.close()
        async with asyncio.timeout(15):  # less than the pause
            with pytest.raises(ClientUnusable):
                await waiting


async def test_who_cancels_a_request_gets_his_cancellation() -> None:
    async with odd_node(SILENCE) as node, AsyncClient(node.url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.validators()


def test_a_client_belongs_to_one_event_loop(unused: str) -> None:
    client = AsyncClient(unused, deadline_s=0)

    async def ask() -> None:
        await client.validators()

    with pytest.raises(RequestFailed):
        asyncio.run(ask())
    with pytest.raises(ClientUnusable, match="opened in another event loop; make a client of its own for each"):
        asyncio.run(ask())
    asyncio.run(client.close())


async def test_a_client_belongs_to_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that share a socket read each other's answers."""
    async with odd_node(FOUND) as node, AsyncClient(node.url) as client:
        await client.transaction("abc")
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(ClientUnusable, match="opened in another process, before a fork"):
            await client.transaction("abc")
        monkeypatch.undo()
        await client.transaction("abc")
