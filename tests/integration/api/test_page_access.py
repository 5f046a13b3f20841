"""The access key of the operator's page: who gets it, how often, and how it ends."""

import json
import time

import pytest

from bigchaindb.access.exchange import CODE_COUNT_MAX, IN_CLEAR, KEY_S
from bigchaindb.access.gate import Visitor
from bigchaindb.config.access import Access
from tests.integration.api.conftest import Start
from tests.support import made_secrets
from tests.support.http import Answer
from tests.support.raw import ask, wire
from tests.support.served import Served
from tests.support.sse import listening

SCOPES = ["read", "operate", "subscribe:*"]
AT = "/api/v1/access"


@pytest.fixture
async def closed(start: Start) -> Served:
    return await start(access=Access(anonymous="none"))


async def exchange(served: Served, code: str, **headers: str) -> Answer:
    return await ask(served.api.port, "POST", f"{AT}/exchange", json.dumps({"code": code}).encode(), **headers)


async def key_of(served: Served) -> str:
    answer = await exchange(served, made_secrets.remember(served.exchange.new_code()))
    assert answer.status == 200, answer
    return made_secrets.remember(str(answer.json()["key"]))


async def test_a_code_gives_a_key_once(closed: Served) -> None:
    """Who reads the command line of the browser must not get a second key."""
    code = made_secrets.remember(closed.exchange.new_code())
    made = await exchange(closed, code)
    found = made.json()
    made_secrets.remember(found["key"])
    assert (made.status, found["scopes"], made.headers["cache-control"]) == (200, SCOPES, "no-store")
    assert abs(found["expires"] - time.time() - KEY_S) < 600
    shown = await ask(closed.api.port, "GET", f"{AT}/self", Authorization=f"Bearer {found['key']}")
    assert shown.json() == {"name": "page", "scopes": SCOPES, "expires": found["expires"]}
    (listed,) = closed.book.keys.values()
    assert (listed.name, listed.expires) == ("page", found["expires"])
    again = await exchange(closed, code)
    assert (again.status, again.headers["www-authenticate"]) == (401, "Bearer")
    assert "run `bigchaindb page` again" in again.json()["message"]
    assert len(closed.book.keys) == 1


async def test_a_code_ends_after_a_minute(closed: Served) -> None:
    code = made_secrets.remember(closed.exchange.new_code())
    closed.exchange._ends = dict.fromkeys(closed.exchange._ends, time.monotonic() - 0.001)
    assert (await exchange(closed, code)).status == 401


async def test_codes_that_wait_are_bounded(closed: Served) -> None:
    codes = [made_secrets.remember(closed.exchange.new_code()) for _ in range(CODE_COUNT_MAX + 1)]
    assert (await exchange(closed, codes[0])).status == 401
    assert (await exchange(closed, codes[1])).status == 200
    assert len(closed.exchange._ends) == CODE_COUNT_MAX - 1


async def test_wrong_codes_count_as_wrong_keys(closed: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "bigchaindb.access")
    statuses = [(await exchange(closed, f"wrong {number}")).status for number in range(25)]
    assert statuses[:20] == [401] * 20
    assert 429 in statuses
    assert closed.gate.refused[401] + closed.gate.refused[429] == 25
    assert {record.__dict__["who"] for record in caplog.records} == {"code"}
    assert "wrong 1" not in caplog.text
    assert (await exchange(closed, made_secrets.remember(closed.exchange.new_code()))).status == 200


@pytest.mark.parametrize("anonymous", ["none", "read write subscribe:*"])
@pytest.mark.parametrize(
    "line", [b"Origin: https://elsewhere.example\r\nHost: localhost", b"Host: rebound.example"], ids=["origin", "host"]
)
async def test_a_foreign_page_gets_no_key(start: Start, line: bytes, anonymous: str) -> None:
    """Any page in the operator's browser could try, and one could have made its name lead here."""
    served = await start(access=Access(anonymous=anonymous))
    code = made_secrets.remember(served.exchange.new_code())
    body = json.dumps({"code": code}).encode()
    async with wire(served.api.port) as opened:
        head = b"POST %b/exchange HTTP/1.1\r\n%b\r\nContent-Length: %d\r\n\r\n" % (AT.encode(), line, len(body))
        assert (await opened.ask(head + body)).status == 403
    assert (await exchange(served, code)).status == 401  # it was shown to a stranger
    assert not served.book.keys


async def test_a_code_in_clear_from_another_machine_is_spent(closed: Served) -> None:
    code = made_secrets.remember(closed.exchange.new_code())
    there = Visitor(None, "192.0.2.7", f"{AT}/exchange", is_exposed=True, headers={}, method="POST")
    denial = closed.exchange.refusal(code, there)
    assert denial is not None
    assert (denial.status, denial.text) == (403, IN_CLEAR)
    assert (await exchange(closed, code)).status == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"code": 5}', b'{"code": "\xff"}', b'{"code": "a", "b": 1}'])
async def test_what_is_no_code_is_refused(closed: Served, body: bytes) -> None:
    answer = await ask(closed.api.port, "POST", f"{AT}/exchange", body)
    assert answer.status == 400
    assert answer.json()["message"].startswith('the body must be {"code": "…"}: ')


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 2000\r\n\r\n" + b"a" * 2_000,
        b"Content-Length: 1000000\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"a" * 2_000,
    ],
    ids=["small", "large", "chunked"],
)
async def test_a_body_without_a_scope_takes_no_room(closed: Served, body: bytes) -> None:
    """Who has no key must not fill what transactions arrive in; the answer comes before the rest of the body."""
    async with wire(closed.api.port) as opened:
        answer = await opened.ask(b"POST %b/exchange HTTP/1.1\r\nHost: localhost\r\n%b" % (AT.encode(), body))
    assert (answer.status, "larger than 1024 bytes" in answer.json()["message"]) == (413, True)


async def test_the_page_locks_itself(closed: Served) -> None:
    key = await key_of(closed)
    async with listening(closed.api.port, headers={"Authorization": f"Bearer {key}"}) as stream:
        assert (await ask(closed.api.port, "POST", f"{AT}/lock", b"", Authorization=f"Bearer {key}")).status == 204
        assert await stream.message() is None
    again = await ask(closed.api.port, "POST", f"{AT}/lock", b"", Authorization=f"Bearer {key}")
    assert (again.status, "was revoked" in again.json()["message"]) == (401, True)


async def test_no_other_key_is_locked(closed: Served) -> None:
    _, other = closed.new_key("read operate")
    for headers in ({"Authorization": f"Bearer {other}"}, {}):
        answer = await ask(closed.api.port, "POST", f"{AT}/lock", b"", **headers)
        assert (answer.status, "access key revoke" in answer.json()["message"]) == (409, True)
    assert (await ask(closed.api.port, "GET", "/api/v1", Authorization=f"Bearer {other}")).status == 200


async def test_a_request_without_a_key_learns_what_it_may_do(start: Start) -> None:
    served = await start(access=Access(anonymous="read"))
    assert (await ask(served.api.port, "GET", f"{AT}/self")).json() == {
        "name": None,
        "scopes": ["read"],
        "expires": None,
    }


async def test_keys_of_the_page_that_are_over_make_room(closed: Served) -> None:
    """One a working day must not fill the list of keys."""
    for _ in range(3):
        key = await key_of(closed)
        await ask(closed.api.port, "POST", f"{AT}/lock", b"", Authorization=f"Bearer {key}")
    other, _ = closed.new_key("read")
    closed.revoke(other)
    await key_of(closed)
    assert sorted(key.name for key in closed.book.keys.values()) == ["page", "test"]
