"""WebSockets on the port of HTTP: who gets one, and what the others are answered."""

import json

import pytest

from bigchaindb.access.gate import Gate, Principal, Visitor
from bigchaindb.access.scopes import Scopes
from bigchaindb.api.answers import Answer
from bigchaindb.api.problems import plain
from bigchaindb.api.upgrades import Opening, WebSocketRoute
from bigchaindb.config import Access
from bigchaindb.errors import UnknownSubscription
from bigchaindb.serving.websocket import accepted
from tests.integration.api.conftest import Start
from tests.support.raw import UPGRADE, ask

OPENED: list[tuple[str, str, str]] = []


async def opened(opening: Opening) -> Answer | None:
    """Accept, and end at once."""
    if opening.parameter == "none":
        raise UnknownSubscription("there is none")
    if opening.parameter == "full":
        return plain(429, "full")
    OPENED.append((opening.principal.name, opening.parameter, opening.query))
    opening.connection.transport.write(accepted(opening.request))
    opening.connection.transport.close()
    return None


ROUTES = (
    WebSocketRoute("/api/v1/streams/test", lambda _: "read", opened, lambda: None),
    WebSocketRoute("/api/v1/tests/", lambda name: f"subscribe:{name}", opened, lambda: None),
)


async def test_a_path_opens_with_and_without_a_parameter(start: Start) -> None:
    served = await start(websockets=ROUTES)
    OPENED.clear()
    for path in ("/api/v1/streams/test?a=b", "/api/v1/tests/a%20name", "/api/v1/streams/test/"):
        answer = await ask(served.api.port, "GET", path, **UPGRADE)
        assert answer.status == 101
    assert OPENED == [("", "", "a=b"), ("", "a name", ""), ("", "", "")]


async def test_an_error_of_the_tree_is_an_answer(start: Start) -> None:
    served = await start(websockets=ROUTES)
    for name, status in (("none", 404), ("full", 429)):
        answer = await ask(served.api.port, "GET", f"/api/v1/tests/{name}", **UPGRADE)
        assert (answer.status, json.loads(answer.body)["status"]) == (status, status)


@pytest.mark.parametrize(
    ("method", "changed", "status"),
    [
        ("GET", {"Sec_WebSocket_Version": "12"}, 400),
        ("GET", {"Sec_WebSocket_Key": "short"}, 400),
        ("GET", {"Upgrade": "other"}, 404),
        ("POST", {}, 404),
    ],
)
async def test_what_is_no_upgrade_is_a_request_like_any_other(
    start: Start, method: str, changed: dict[str, str], status: int
) -> None:
    served = await start(websockets=ROUTES)
    answer = await ask(served.api.port, method, "/api/v1/streams/test", **{**UPGRADE, **changed})
    assert answer.status == status


async def test_scope_and_origin_are_required(start: Start) -> None:
    served = await start(websockets=ROUTES, access=Access(anonymous="read", origins=("https://app.example",)))
    port = served.api.port
    assert (await ask(port, "GET", "/api/v1/tests/billing", **UPGRADE)).status == 401
    assert (await ask(port, "GET", "/api/v1/streams/test", **UPGRADE)).status == 101
    _, key = served.new_key("subscribe:billing")
    bearer = {**UPGRADE, "Authorization": f"Bearer {key}"}
    assert (await ask(port, "GET", "/api/v1/tests/billing", **bearer)).status == 101
    assert (await ask(port, "GET", "/api/v1/tests/other", **bearer)).status == 403
    foreign = {**UPGRADE, "Origin": "https://other.example"}
    assert (await ask(port, "GET", "/api/v1/streams/test", **foreign)).status == 403


async def test_a_watch_ends_what_needs_the_scope_that_is_gone() -> None:
    """Anonymous requests may lose one scope and keep another."""
    gate, ends = Gate(Scopes(("read", "subscribe:*"))), list[str]()
    anonymous = gate.admit(Visitor(None, "127.0.0.1", "/", False, {}))  # noqa: FBT003 - a tuple
    assert isinstance(anonymous, Principal)
    gate.watch(anonymous, lambda *_: ends.append("reader"))
    gate.watch(anonymous, lambda *_: ends.append("consumer"), "subscribe:a")
    gate.change(Scopes(("read",)))
    assert ends == ["consumer"]
    gate.change(Scopes())
    assert ends == ["consumer", "reader"]
