"""Who may do what, over HTTP, Server-Sent Events and WebSockets. Source: http-api.md, section 1, authentication."""

import asyncio
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Final, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from bigchaindb.access.keys import BEARER_PROTOCOL
from bigchaindb.access.scopes import Scopes
from bigchaindb.api.call import Context
from bigchaindb.api.routes import RESOURCES
from bigchaindb.config.access import READ, Access
from tests.integration.api.conftest import Start
from tests.support import made_secrets
from tests.support.http import Answer, exchange, request
from tests.support.raw import until, wire
from tests.support.served import Served
from tests.support.sse import listening


def protocol(key: str) -> str:
    """Return the subprotocol that carries a key."""
    return BEARER_PROTOCOL + urlsafe_b64encode(key.encode()).decode().rstrip("=")


WAYS: Final[Mapping[str, Callable[[str], dict[str, str]]]] = {
    "bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "basic": lambda key: {"Authorization": f"Basic {b64encode(f'any:{key}'.encode()).decode()}"},
    "subprotocol": lambda key: {"Sec-WebSocket-Protocol": f"first.v1, {protocol(key)}"},
}
SCOPES: Final = ("none", "read", "write", "operate", "subscribe:*", "read write")


def calls() -> Iterator[tuple[str, str, Sequence[str]]]:
    """Yield method, path and needed scopes of every route."""
    context = cast("Context", SimpleNamespace(lanes=SimpleNamespace(subscriptions={}, names=list)))
    for route in RESOURCES.values():
        path = route.path.replace("{id}", "ab" * 32).replace("{height_or_id}", "7").replace("{position}", "7")
        path = path.replace("{name}", "7")
        for method in dict.fromkeys(("GET", "HEAD", "OPTIONS", "PUT", *route.routes)):
            found = route.routes.get(method)
            yield method, path, () if found is None else found.scopes(context, "7")


def statuses(port: int, headers: Mapping[str, str]) -> list[tuple[str, str, Sequence[str], int]]:
    """Send every call over one connection; return the status of each."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    found = []
    for method, path, scopes in calls():
        body: object = {} if method == "POST" else None
        found.append((method, path, scopes, exchange(connection, method, path, body, headers=headers).status))
    connection.close()
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_each_route_takes_a_key_with_its_scope_and_no_other(start: Start, way: str) -> None:
    """Otherwise a key for reading could write, or one could do nothing."""
    served = await start(access=Access(anonymous="none"))
    for text in SCOPES:
        _, key = served.new_key(text)
        for method, path, scopes, status in await asyncio.to_thread(statuses, served.api.port, WAYS[way](key)):
            may = not scopes or any(map(Scopes.parse(text, "scopes").allows, scopes))
            assert (status not in (401, 403)) == may, (text, method, path, status)
            assert may or status == 403, (text, method, path)


@pytest.mark.parametrize("text", [*(text for text in SCOPES if text != "operate")])
async def test_each_route_takes_an_anonymous_request_if_its_scope_is_everybodys(start: Start, text: str) -> None:
    served = await start(access=Access(anonymous=text))
    for method, path, scopes, status in await asyncio.to_thread(statuses, served.api.port, {}):
        may = not scopes or any(map(Scopes.parse(text, "scopes").allows, scopes))
        assert (status != 401) == may, (method, path, status)
        assert status != 403


def opened(served: Served, way: str, key: str) -> connect:
    """Open the stream with a key, as a browser does if by subprotocol."""
    if way == "subprotocol":
        return connect(served.stream_url, subprotocols=[Subprotocol("first.v1"), Subprotocol(protocol(key))])
    return connect(served.stream_url, additional_headers=WAYS[way](key))


@pytest.mark.parametrize("way", WAYS)
async def test_the_stream_takes_a_key_that_may_read_and_no_other(start: Start, way: str) -> None:
    served = await start(access=Access(anonymous="none"))
    for text in SCOPES:
        _, key = served.new_key(text)
        if "read" in text:
            async with opened(served, way, key) as client:
                assert client.subprotocol == ("first.v1" if way == "subprotocol" else None)
        else:
            with pytest.raises(InvalidStatus) as refused:
                async with opened(served, way, key):
                    pass
            assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as refused:
        async with connect(served.stream_url):
            pass
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["WWW-Authenticate"] == "Bearer"


async def get(served: Served, headers: Mapping[str, str], path: str = "/api/v1/blocks/7") -> Answer:
    return await asyncio.to_thread(request, "GET", served.url + path, headers=headers)


async def test_an_answer_names_what_is_missing(start: Start) -> None:
    served = await start(access=Access(anonymous="none"))
    id_, key = served.new_key("write")
    for headers, status, text in (
        ({}, 401, "needs the scope read; an anonymous request has none: send an access key"),
        (WAYS["bearer"](key), 403, f"needs the scope read; the access key {id_} (test) has write"),
    ):
        answer = await get(served, headers)
        assert (answer.status, answer.json()) == (status, {"message": text, "status": status})
        assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


async def test_keys_that_are_wrong_are_refused_with_what_is_wrong_and_never_with_500(start: Start) -> None:
    served = await start()
    _, key = served.new_key("read")
    revoked, revoked_key = served.new_key("read")
    served.revoke(revoked)
    other = made_secrets.remember(served.new_key("read")[1])
    for shown, status, text in (
        (key[:-1], 401, "the access key is cut or has a typing error: it has 65 characters"),
        (key[:20] + ("a" if key[20] != "a" else "b") + key[21:], 401, "the access key is cut or has a typing error"),
        (key + "x" * 8_000, 401, "the access key is cut or has a typing error: it has 8066 characters"),
        (other[:4] + "0" * 12 + other[16:], 401, "the access key is cut or has a typing error"),
        (revoked_key, 401, f"the access key {revoked} (test) was revoked on "),
        ("bdb_", 401, "the access key is cut or has a typing error: it has 4 characters"),
    ):
        answer = await get(served, WAYS["bearer"](shown))
        assert answer.status == status, text
        assert answer.json()["message"].startswith(text)
    assert (await get(served, WAYS["bearer"](key + "x" * 9_000))).status == 431  # as any header of that length


async def test_an_authorization_without_a_key_is_ignored(served: Served) -> None:
    """It was meant for a proxy in front: 1.x and 2.x ignored it."""
    for value in ("Bearer eyJhbGciOiJIUzI1NiJ9", "Basic dXNlcjpwYXNz", "Digest x", "é", ""):
        assert (await get(served, {"Authorization": value}, "/")).status == 200


async def test_a_key_in_a_query_proves_nothing_and_is_warned_of_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    served = await start(access=Access(anonymous="none"))
    _, key = served.new_key("read")
    for _ in range(2):
        assert (await get(served, {}, f"/api/v1/blocks/7?access_key={key}")).status == 401
    assert sum("an access key stands in the address" in line for line in caplog.messages) == 1


async def test_what_needs_no_body_does_not_read_it(start: Start) -> None:
    """A stranger must not fill the memory of a node that would refuse the request anyway."""
    served = await start(access=Access(anonymous="read"))
    head = b"POST /api/v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    async with wire(served.api.port) as opened:
        answer = await opened.ask(head)
    assert (answer.status, answer.headers["connection"]) == (401, "close")


async def test_revocation_ends_every_open_stream_of_the_key_and_no_other(start: Start) -> None:
    """Whoever lost the right to read must not go on reading because the connection is an old one."""
    served = await start(access=Access(anonymous="none"))
    id_, key = served.new_key("read")
    _, other_key = served.new_key("read")
    async with (
        connect(served.stream_url, additional_headers=WAYS["bearer"](key)) as ended,
        connect(served.stream_url, additional_headers=WAYS["bearer"](other_key)) as other,
        listening(served.api.port, headers=WAYS["bearer"](key)) as source,
    ):
        served.revoke(id_)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(ended.recv(), 60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason.startswith(f"the access key {id_} (test) was revoked on")
        while await source.message() is not None:
            pass
        await served.commit()
        assert await asyncio.wait_for(other.recv(), 60)
    assert (await get(served, WAYS["bearer"](key))).status == 401
    assert not served.gate._streams


async def test_a_stream_ends_when_its_key_expires(start: Start) -> None:
    served = await start(access=Access(anonymous="none"))
    _, key = served.new_key("read", expires=int(time.time()) + 5)  # a busy machine takes a while to connect
    async with connect(served.stream_url, additional_headers=WAYS["bearer"](key)) as client:
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(client.recv(), 60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_streams_of_anonymous_clients_end_when_the_door_is_closed(served: Served) -> None:
    async with connect(served.stream_url) as client, listening(served.api.port) as source:
        served.gate.change(Scopes(("write",)))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(client.recv(), 60)
        while await source.message() is not None:
            pass
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason.partition(";")[0]) == (1008, f"needs the scope {READ}")


async def test_clients_that_leave_are_forgotten(served: Served) -> None:
    for _ in range(3):
        async with connect(served.stream_url), listening(served.api.port):
            assert sum(map(len, served.gate._streams.values())) == 2
        await until(lambda: not served.gate._streams, "the streams to be forgotten")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["Authorization", "Sec-WebSocket-Protocol"]),
    value=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=100).map(lambda some: b"Basic " + b64encode(some)),
        st.binary(max_size=100).map(lambda some: BEARER_PROTOCOL.encode() + urlsafe_b64encode(some)),
        st.binary(max_size=100).map(lambda some: b"Bearer bdb_" + some),
    ),
)
async def test_no_credentials_break_the_node(served: Served, name: str, value: bytes) -> None:
    async with wire(served.api.port) as opened:
        answer = await opened.ask(b"GET / HTTP/1.0\r\n%b: %b\r\n\r\n" % (name.encode(), value))
    assert answer.status in {200, 400, 401, 429}
