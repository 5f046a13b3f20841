"""No bytes from anyone are a defect: never a 500, never the end of the server, never a line in the log but our own."""

import asyncio
import json
import logging
import re
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bigchaindb.api import examples
from bigchaindb.api.route import Route
from bigchaindb.api.routes import ROUTES
from bigchaindb.config import Access
from tests.support import scale
from tests.support.raw import ask, request, wire
from tests.support.served import Served, serving

PATHS = [route.path for route in ROUTES]
ARGUMENTS = [argument for route in ROUTES for argument in (*route.arguments, *filter(None, [route.parameter]))]
NAMES = sorted({argument.name for argument in ARGUMENTS})
FAMILIES = ["metadata.a", "metadata.a.b[gt]", "data.a[lte]", "data.a[ne]", "data.kind[exists]"]
"""Members of families of names."""
VALUES = [
    *sorted({argument.example for argument in ARGUMENTS if argument.example is not None}),
    "now",
    "summary",
    "transaction",
    "",
    "true",
    64 * "a",
    43 * "1",
    "CREATE",
    "commit",
    "1",
    "-1",
    "%00",
    "%ff%fe",
    "%ED%A0%80",
    '"',
    "%F0%9F%98%80",
    99 * "9",
]

names = st.sampled_from([*NAMES, "status", "foo", "%"]) | st.text(alphabet="ab%&=+;?#", max_size=4)
values = st.sampled_from(VALUES) | st.text(alphabet='ab%&=+;"*-()', max_size=8)
queries = st.lists(st.tuples(names, values), max_size=4).map(lambda pairs: "&".join(f"{n}={v}" for n, v in pairs))
paths = st.sampled_from(PATHS) | st.builds(
    lambda parent, last: f"{parent.rpartition('/')[0]}/{last}", st.sampled_from(PATHS), values
)
methods = st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "CONNECT", "TRACE"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
bodies = st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode())
BORDERS = Access(origins=("https://a.example",), proxies=("127.0.0.1",))
HEADERS = [
    "",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\n",
    "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "Origin: \xe9\r\n",
    "Content-Encoding: gzip\r\n",
    "X\r\n",
    " X: a\r\n",
]
named = st.builds(
    "{}: {}\r\n".format,
    st.sampled_from(["Host", "Origin", "X-Forwarded-For", "X-Request-Id"]),
    st.sampled_from(["null", "http://a", "[::1]:9", "192.0.2.7:80", "a, b", "9" * 300])
    | st.text(st.characters(max_codepoint=255)),
)


def head(method: str, path: str, query: str, header: str) -> bytes:
    return f"{method} {path}?{query} HTTP/1.1\r\nHost: a\r\n{header}\r\n".encode("latin-1")


def declared(route: Route) -> st.SearchStrategy[bytes]:
    """Make requests of a route with arguments that it has, so that they come further than to the first refusal."""
    own = [argument.name for argument in route.arguments if argument.matches is None]
    known = st.sampled_from([*own, *FAMILIES]) if len(own) < len(route.arguments) else st.sampled_from(own or ["none"])
    pairs = st.lists(st.tuples(known, values), max_size=4 if own else 0)
    asked = pairs.map(lambda found: "&".join(f"{name}={value}" for name, value in found))
    path = values.map(lambda value: re.sub("{.*}", lambda _: value.replace("?", "") or "x", route.path))
    return st.builds(head, st.just(route.method), path, asked, st.just(""))


heads = st.builds(head, methods, paths, queries, st.sampled_from(HEADERS) | named) | st.sampled_from(ROUTES).flatmap(
    declared
)
sent = st.lists(heads | bodies | st.binary(max_size=200), min_size=1, max_size=4).map(b"".join)


async def survives(served: Served, data: bytes) -> bytes:
    """Send bytes, take what comes, and see that the next client is served."""
    async with wire(served.api.port) as opened:
        await opened.send(data)
        opened.writer.write_eof()
        received = await opened.ended()
    assert b" 500 " not in received, (data, received)
    assert (await ask(served.api.port, "GET", "/api/v1")).status == 200
    return received


@pytest.mark.parametrize("strategy", [sent, heads], ids=["bytes", "heads"])
def test_any_bytes(strategy: st.SearchStrategy[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        running = serving(tmp_path, access=BORDERS)
        served = runner.run(running.__aenter__())
        runner.run(served.commit(3))
        example = json.dumps(examples.TRANSACTION).encode()
        assert runner.run(ask(served.api.port, "POST", "/api/v1/transactions?mode=commit", example)).status == 202

        @given(strategy)
        @settings(max_examples=scale.HTTP_EXAMPLES, suppress_health_check=list(HealthCheck))
        def any_bytes(data: bytes) -> None:
            runner.run(survives(served, data))

        any_bytes()
        runner.run(running.__aexit__(None, None, None))
    ours = ("HTTP API error: ", "HTTP API errors: ")
    foreign = [
        r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING and not r.getMessage().startswith(ours)
    ]
    assert foreign == []


def test_any_body(tmp_path: Path) -> None:
    """Whatever is posted has an answer: 400 unless it is a transaction."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        running = serving(tmp_path)
        served = runner.run(running.__aenter__())

        @given(bodies)
        @settings(max_examples=scale.HTTP_EXAMPLES)
        def any_body(body: bytes) -> None:
            answer = runner.run(ask(served.api.port, "POST", "/api/v1/transactions", body))
            assert answer.status == 400
            assert set(answer.json()) <= {"message", "status"}

        any_body()
        runner.run(running.__aexit__(None, None, None))


async def test_any_cut_of_two_requests_is_two_answers(served: Served) -> None:
    data = request("POST", "/api/v1/transactions", b'{"a":1}') + request("GET", "/api/v1/blocks/0")
    for cut in range(1, len(data)):
        async with wire(served.api.port) as opened:
            await opened.send(data[:cut])
            await asyncio.sleep(0)
            await opened.send(data[cut:])
            assert [(await opened.answer()).status for _ in range(2)] == [400, 200]
