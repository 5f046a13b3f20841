"""`streams`: what is unset follows the request, and nothing raw is reflected. Source: configuration-and-cli.md, §2."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.api.advertised import docs_url, stream_url
from bigchaindb.config import Settings, WebSocketServer
from bigchaindb.config.settings import Page, Server
from bigchaindb.config.tls import Tls

PATH = "/stream"


def url(host_header: str, **settings: object) -> str:
    return stream_url(WebSocketServer(**settings), lambda: 4711, PATH)(host_header)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("node.example:9984", "node.example"),
        ("node.example", "node.example"),
        ("10.0.0.7:80", "10.0.0.7"),
        ("my_host-1:1", "my_host-1"),
        ("[::1]:9984", "[::1]"),
        ("[2001:DB8::0:1]", "[2001:db8::1]"),
    ],
)
def test_what_is_unset_follows_the_request_and_the_real_port(header: str, host: str) -> None:
    assert url(header) == f"ws://{host}:4711/stream"
    assert url(header, scheme="wss") == f"wss://{host}:4711/stream"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "a b",
        "a/b",
        "a:b",
        "a:",
        "u@h",
        "a\r\nX: y",
        "<script>",
        "[::1",
        "[zz]",
        "[:::]:1",
        "é",
        "a:123456",
        "-a",
        "h?",
    ],
)
def test_a_host_that_is_none_gives_the_configured_name(header: str) -> None:
    assert url(header) == "ws://localhost:4711/stream"
    assert url(header, host="10.0.0.7") == "ws://10.0.0.7:4711/stream"
    assert url(header, host="0.0.0.0") == "ws://localhost:4711/stream"
    assert url(header, host="fe80::1") == "ws://[fe80::1]:4711/stream"


def test_what_is_set_counts() -> None:
    settings = {"advertised_scheme": "wss", "advertised_host": "shop.example", "advertised_port": 443}
    assert url("node.example", **settings) == "wss://shop.example:443/stream"
    assert url("node.example", advertised_port=443) == "ws://node.example:443/stream"
    assert url("node.example", advertised_host="shop.example") == "ws://shop.example:4711/stream"


@given(st.text() | st.text(alphabet="[]:.0123456789abcdefg@/ -_\r\n"))
def test_no_header_changes_more_than_the_host(header: str) -> None:
    assert re.fullmatch(r"ws://([A-Za-z0-9._-]+|\[[0-9a-f:.]+\]):4711/stream", url(header))


@pytest.mark.parametrize(
    ("settings", "header", "expected"),
    [
        (Settings(), "node.example:80", "http://node.example:80/docs"),
        (Settings(), "[::1]", "http://[::1]/docs"),
        (Settings(), "a/b", "http://localhost:4711/docs"),
        (Settings(server=Server(bind="[fe80::1]:1")), "", "http://[fe80::1]:4711/docs"),
        (Settings(tls=Tls(ended_by_proxy=True)), "h", "https://h/docs"),
        (Settings(wsserver=WebSocketServer(advertised_scheme="wss")), "h", "https://h/docs"),
        (Settings(page=Page(enabled=False)), "h", "http://h/api/v1/openapi.json"),
        (Settings(server=Server(docs_url="https://docs.example/3")), "h", "https://docs.example/3"),
    ],
)
def test_the_documentation_is_the_nodes_own_unless_it_is_configured(
    settings: Settings, header: str, expected: str
) -> None:
    assert docs_url(settings, lambda: 4711)(header) == expected
