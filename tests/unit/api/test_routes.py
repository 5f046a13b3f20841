"""How a path finds its route."""

import logging
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.api.answers import Answer, Reply
from bigchaindb.api.call import Call, Context, Handler
from bigchaindb.api.route import METHOD_REFUSED, Route, by_method, chosen
from bigchaindb.api.routes import NESTED, PARENTS, RESOURCES, ROUTES, find, guarded, near
from bigchaindb.api.server import target
from bigchaindb.config import Limits

CONTEXT = cast("Context", SimpleNamespace(limits=Limits()))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_is_found_with_and_without_a_slash(route: object) -> None:
    path = str(getattr(route, "path", ""))
    concrete = path.replace("{id}", "abc").replace("{height_or_id}", "7")  # and the others as they are
    for asked in {concrete, concrete.rstrip("/") + "/"}:
        found = find(asked)
        assert found is not None
        assert found[0].path == path


@pytest.mark.parametrize("path", ["//", "/x", "/api", "/api/v1//", "/api/v1/transactions//", "/api/v1/a/b/c", "a"])
def test_nothing_else_is_found(path: str) -> None:
    assert find(path) is None


def test_a_parameter_is_decoded() -> None:
    found = find("/api/v1/transactions/a%20b%ff")
    assert found is not None
    assert found[1] == "a b�"


@given(st.text())
def test_no_path_confuses_it(path: str) -> None:
    find(path)
    find("/api/v1/blocks/" + path)


def test_no_two_parameters_share_a_parent() -> None:
    assert len(PARENTS) + len(NESTED) == sum("{" in path for path in RESOURCES)


def test_a_parameter_may_stand_before_the_last_segment() -> None:
    found = find("/api/v1/blocks/abc/proof/")
    assert found is not None
    assert (found[0].path, found[1]) == ("/api/v1/blocks/{height_or_id}/proof", "abc")
    assert find("/api/v1/blocks//proof") is None
    assert find("/api/v1/blocks/abc/other") is None
    assert find("/api/v1/transactions/abc/proof") is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("/a?b=c?d", ("/a", "b=c?d")),
        ("/a", ("/a", "")),
        ("http://host:1/a/b?c=d", ("/a/b", "c=d")),
        ("http://host", ("/", "")),
        ("*", ("*", "")),
        ("host:443", ("host:443", "")),
        ("/a://b", ("/a://b", "")),
    ],
)
def test_a_request_target_is_a_path_and_a_query(raw: str, expected: tuple[str, str]) -> None:
    assert target(raw) == expected


async def _no_body(_: int | None = None, /) -> bytes:
    return b""


async def test_a_defect_is_a_bare_500_and_its_traceback_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: Context, __: Call) -> Reply:
        raise ZeroDivisionError("a secret")

    with caplog.at_level(logging.ERROR):
        reply = await guarded(declared(broken), CONTEXT, Call("", "", _no_body))
    assert reply == Answer(500, b'{"message":"Internal Server Error"}\n')
    assert "a secret" in caplog.text


async def test_a_client_that_is_gone_is_no_defect() -> None:
    async def gone(_: Context, __: Call) -> Reply:
        raise ConnectionResetError

    with pytest.raises(ConnectionError):
        await guarded(declared(gone), CONTEXT, Call("", "", _no_body))


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/api/v1/transaction", "/api/v1/transactions"),
        ("/transactions", "/api/v1/transactions"),
        ("/api/v2/Transactions/", "/api/v1/transactions"),
        ("/api/v1/transactions//", "/api/v1/transactions"),
        ("/api/v1/block", "/api/v1/blocks"),
        ("/api/v1/transaction/abc", "/api/v1/transactions/{id}"),
        ("/event", "/api/v1/events"),
        ("/favicon.ico", None),
        ("/api/v1/nothing", None),
        ("/api", None),
        ("/x", None),
        ("//", None),
        ("/" + "a" * 8_000 + "/transactions", None),
    ],
)
def test_a_route_that_is_nearly_named_is_told(path: str, meant: str | None) -> None:
    assert find(path) is None
    assert near(path) == meant


@given(st.text())
def test_no_path_confuses_what_is_near(path: str) -> None:
    assert near(path) in {None, *(route.path for route in ROUTES)}


@pytest.mark.parametrize(
    ("methods", "allow"),
    [
        ("GET", "GET, HEAD, OPTIONS"),
        ("GET POST", "POST, GET, HEAD, OPTIONS"),
        ("GET PUT DELETE", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("POST", "POST, OPTIONS"),
    ],
)
def test_allow_names_the_methods_that_there_are(methods: str, allow: str) -> None:
    handlers = by_method((method, method) for method in methods.split())
    assert chosen(handlers, "HEAD") == ("GET" if "GET" in methods else chosen(handlers, "TRACE"))
    assert chosen(handlers, "TRACE") == Answer(405, METHOD_REFUSED, f"Allow: {allow}\r\n".encode())
    assert chosen(handlers, "OPTIONS") == Answer(200, headers=f"Allow: {allow}\r\n".encode())


async def _handler(_: Context, __: Call) -> Reply:
    raise AssertionError


def declared(handler: Handler = _handler, /, path: str = "/x", scope: str | None = "read", tag: str = "node") -> Route:
    return Route("GET", path, handler, scope, id="x", tag=tag, summary="x", answer=None)


@pytest.mark.parametrize(
    ("given", "why"), [({"scope": ""}, "needs a scope"), ({"path": "/x/{id}"}, "/x/"), ({"tag": "other"}, "other")]
)
def test_a_declaration_that_lacks_something_fails_at_import(given: dict[str, str], why: str) -> None:
    """What nobody decided about must not be open."""
    with pytest.raises(AssertionError, match=why):
        declared(**given)


def test_each_route_is_declared_once() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert len({route.id for route in ROUTES}) == len(ROUTES)
