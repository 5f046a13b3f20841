"""The command line's HTTP client, on real sockets. Source: docs/reference/contract/http-api.md, sections 1 and 4."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from bigchaindb.cli.client import NodeClient
from bigchaindb.errors import RequestFailed


@contextmanager
def answering(*statuses: int, body: bytes) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Serve one answer after the other, the last to all further questions; yield the URL and what was asked."""
    asked: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.command, self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
            self.send_response(statuses[min(len(asked), len(statuses)) - 1])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


def test_a_transaction_is_asked_for_by_id() -> None:
    with answering(200, body=b'{"id": "abc"}') as (url, asked):
        assert NodeClient(url).transaction("a/c") == {"id": "abc"}
        assert asked == [("GET", "/api/v1/transactions/a%2Fc", b"")]


def test_a_proof_is_given_as_the_node_sent_it() -> None:
    with answering(200, body=b'{ "format": 1e2 }\n') as (url, asked):
        assert NodeClient(url).proof("a/c") == b'{ "format": 1e2 }\n'
        NodeClient(url).proof("position:7")
        assert [path for _, path, _ in asked] == ["/api/v1/blocks/a%2Fc/proof", "/api/v1/events/7/proof"]
    with (
        answering(404, body=b'{"message": "Not found", "status": 404}') as (url, _),
        pytest.raises(RequestFailed, match="404"),
    ):
        NodeClient(url).proof("7")


def test_a_transaction_is_posted_as_it_is() -> None:
    with answering(202, body=b'{"id": "abc"}') as (url, asked):
        NodeClient(url).post(b'{"id":"abc"}', "commit")
        assert asked == [("POST", "/api/v1/transactions?mode=commit", b'{"id":"abc"}')]


def test_a_refusal_says_what_the_node_said() -> None:
    body = json.dumps({"message": "Invalid transaction (DoubleSpend): x", "status": 400}).encode()
    with (
        answering(400, body=body) as (url, _),
        pytest.raises(RequestFailed, match=r"400: Invalid transaction \(DoubleSpend"),
    ):
        NodeClient(url).post(b"{}", "commit")


def test_a_node_that_is_busy_is_asked_again() -> None:
    with answering(503, 503, 202, body=b'{"id": "abc"}') as (url, asked):
        assert NodeClient(url).post(b"{}", "commit") == {"id": "abc"}
        assert asked == [("POST", "/api/v1/transactions?mode=commit", b"{}")] * 3


def test_a_node_that_stays_busy_is_given_up() -> None:
    with (
        answering(503, body=b'{"message": "try again later", "status": 503}') as (url, asked),
        pytest.raises(RequestFailed, match="503: try again later"),
    ):
        NodeClient(url, busy_s_max=0.6).post(b"{}", "commit")
    assert len(asked) == 2


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (502, b"Bad gateway"), (200, b"")])
def test_something_else_than_a_node_is_noticed(status: int, body: bytes) -> None:
    with answering(status, body=body) as (url, _), pytest.raises(RequestFailed, match="is it a node"):
        NodeClient(url).transaction("abc")


def test_a_redirect_is_not_followed() -> None:
    with answering(302, body=b"{}") as (url, asked), pytest.raises(RequestFailed, match="302"):
        NodeClient(url).transaction("abc")
    assert len(asked) == 1


def test_nobody_there_is_said() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(RequestFailed, match="is the node running"):
            NodeClient(f"http://127.0.0.1:{port}").transaction("abc")


def test_a_silent_node_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(RequestFailed, match=r"no answer within 0\.1 s"):
            NodeClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1).transaction("abc")


def test_a_key_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(RequestFailed, match=r"set BIGCHAINDB_ACCESS_KEY_FILE to a file with the key$") as refused:
        NodeClient("https://key:secret@ledger.example:9984")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["localhost:9984", "ftp://h", "file:///etc/passwd", "http://[::1", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(RequestFailed, match="is not the URL of a node"):
        NodeClient(url)
