"""Proxies in front of the node, and pages of other origins. Source: docs/reference/configuration.md, "Access"."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bigchaindb.access.writers import Writers
from bigchaindb.config import Access, Limits
from bigchaindb.config.access import RateSettings, ScopeRates
from bigchaindb.serving.arrival import Reason
from bigchaindb.streams.websocket import PATH
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair
from tests.integration.api.conftest import Start
from tests.support.raw import UPGRADE, Wire, ask, request, until, wire
from tests.support.served import KEY, Served
from tests.support.sse import listening

LISTED = Access(origins=("https://app.example",))
BEHIND = Access(proxies=("127.0.0.1",))
FEW = Limits(address_connection_count_max=2)
STREAM = "/api/v1/events"


class TestProxies:
    async def test_a_proxy_is_not_bounded_but_each_of_its_clients_is(self, start: Start) -> None:
        """Else one client behind a proxy takes the places of all others, or all together get only those of one."""
        served = await start(access=BEHIND, limits=FEW)
        async with AsyncExitStack() as streams:

            async def follow(client: str) -> Wire:
                opened = await streams.enter_async_context(wire(served.api.port))
                await opened.send(request("GET", STREAM, None, Accept="text/event-stream", X_Forwarded_For=client))
                return opened

            for _ in range(2):
                assert (await (await follow("192.0.2.7")).reader.readline()).startswith(b"HTTP/1.1 200 ")
            refused = await (await follow("spoofed, 192.0.2.7")).answer()
            assert refused.status == 503
            assert "limits.address_connection_count_max" in refused.json()["message"]
            assert (await (await follow("192.0.2.8")).reader.readline()).startswith(b"HTTP/1.1 200 ")
            for _ in range(3):
                assert (await ask(served.api.port, "GET", "/")).status == 200
            assert served.api.refused_counts[Reason.ADDRESS] == 1
        await until(lambda: served.api.connection_count == 0, "the streams to end")
        async with listening(served.api.port) as again:
            assert again.status == 200

    async def test_an_idle_connection_of_a_proxy_counts_for_nobody(self, start: Start) -> None:
        """Proxies keep connections open, and serve other clients over them."""
        served = await start(access=BEHIND, limits=FEW)
        async with AsyncExitStack() as kept:
            for _ in range(5):
                opened = await kept.enter_async_context(wire(served.api.port))
                assert (await opened.ask(request("GET", "/", None, X_Forwarded_For="192.0.2.7"))).status == 200
            assert (await opened.ask(request("GET", "/", None, X_Forwarded_For="192.0.2.7"))).status == 200

    async def test_a_websocket_behind_a_proxy_counts_for_its_client(self, start: Start) -> None:
        served = await start(access=BEHIND, limits=FEW)
        async with AsyncExitStack() as kept:
            statuses = []
            for _ in range(3):
                opened = await kept.enter_async_context(wire(served.stream.port))
                statuses.append((await opened.ask(request("GET", PATH, None, **UPGRADE, X_Forwarded_For="::7"))).status)
        assert statuses == [101, 101, 503]

    async def test_who_is_no_proxy_can_claim_no_address(self, start: Start) -> None:
        served = await start(limits=FEW)
        async with AsyncExitStack() as kept:
            for number in range(2):
                opened = await kept.enter_async_context(wire(served.api.port))
                assert (await opened.ask(request("GET", "/", None, X_Forwarded_For=f"192.0.2.{number}"))).status == 200
            assert (await ask(served.api.port, "GET", "/", None, X_Forwarded_For="192.0.2.9")).status == 503

    @pytest.mark.parametrize("header", ["", "unknown", "192.0.2.7,", "x, [", "é"])
    async def test_a_client_without_an_address_is_served(self, start: Start, header: str) -> None:
        served = await start(access=BEHIND, limits=FEW)
        assert (await ask(served.api.port, "GET", "/", None, X_Forwarded_For=header)).status == 200


class TestOrigins:
    """Source: http-api.md, section 1, "CORS"."""

    @pytest.mark.parametrize("target", ["/", "/nope", "/api/v1/outputs", "/api/v1/transactions?asset_id=" + 64 * "a"])
    async def test_a_list_narrows_who_may_read(self, start: Start, target: str) -> None:
        served = await start(access=LISTED)
        port = served.api.port
        ours = await ask(port, "GET", target, None, Origin="https://app.example")
        assert ours.headers["access-control-allow-origin"] == "https://app.example"
        for foreign in ({"Origin": "https://other.example"}, {}):
            answer = await ask(port, "GET", target, None, **foreign)
            assert "access-control-allow-origin" not in answer.headers
            assert "Origin" in answer.headers["vary"]

    async def test_a_preflight_of_another_origin_gets_nothing(self, start: Start) -> None:
        served = await start(access=LISTED)
        asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
        answer = await ask(
            served.api.port, "OPTIONS", "/api/v1/transactions", None, Origin="https://a.example", **asked
        )
        assert not [name for name in answer.headers if name.startswith("access-control")]

    async def test_a_websocket_of_another_origin_is_refused_before_the_upgrade(self, start: Start) -> None:
        """CORS does not cover WebSockets: browsers leave it to the server."""
        served = await start(access=LISTED)
        for origin, status in (("https://app.example", 101), ("https://other.example", 403), ("null", 403)):
            answer = await ask(served.stream.port, "GET", PATH, None, **UPGRADE, Origin=origin)
            assert answer.status == status, origin
        assert b"access.origins" in answer.body
        assert served.gate.refused == {403: 2}
        assert (await ask(served.stream.port, "GET", PATH, None, **UPGRADE)).status == 101


async def test_the_upgrade_has_the_id_of_its_request(served: Served) -> None:
    answer = await ask(served.stream.port, "GET", PATH, None, **UPGRADE, X_Request_Id="a-stream")
    assert answer.headers["x-request-id"] == "a-stream"
    assert (await ask(served.stream.port, "GET", "/nope")).headers["x-request-id"]


async def test_a_create_that_no_writer_signed_is_403(served: Served, tmp_path: Path) -> None:
    """Source: docs/reference/errors.md."""
    (tmp_path / "writers").write_text(f"{KEY.public_key}\n")
    served.engine.require_writer(Writers(tmp_path / "writers").require)
    target = "/api/v1/transactions?mode=commit"
    stranger = KeyPair.from_seed(bytes(32))
    answer = await ask(served.api.port, "POST", target, create([stranger]).body)
    assert (answer.status, answer.json()["status"]) == (403, 403)
    assert "access.writers" in answer.json()["message"]
    assert served.gate.refused == {403: 1}
    assert (await ask(served.api.port, "POST", target, create([KEY]).body)).status == 202


class TestRates:
    """Source: docs/reference/configuration.md, "Access"."""

    async def test_a_client_that_posts_too_often_is_told_when_to_come_again(self, start: Start) -> None:
        served = await start(access=Access(rates=RateSettings(anonymous=ScopeRates(write=(0.001, 2)))))
        target, port = "/api/v1/transactions?mode=commit", served.api.port
        assert [(await ask(port, "POST", target, create([KEY], data={"n": n}).body)).status for n in range(2)] == [
            202
        ] * 2
        async with wire(port) as opened:
            refused = await opened.ask(request("POST", target, create([KEY]).body))
            assert (refused.status, refused.json()["status"]) == (429, 429)
            assert int(refused.headers["retry-after"]) > 900
            assert "access.rates.anonymous.write" in refused.json()["message"]
            assert (await opened.ask(request("GET", "/api/v1"))).status == 200

    async def test_its_unread_body_is_not_read(self, start: Start) -> None:
        """Whoever is refused must not cost the memory of a body."""
        served = await start(access=Access(rates=RateSettings(anonymous=ScopeRates(write=(0.001, 1)))))
        await ask(served.api.port, "POST", "/api/v1/transactions", b"{")
        async with wire(served.api.port) as opened:
            await opened.send(request("POST", "/api/v1/transactions", None, Content_Length="1000000"))
            assert (await opened.answer(to="POST")).status == 429
            assert await opened.ended() == b""

    async def test_streams_count_as_reading_and_addresses_are_those_of_clients(self, start: Start) -> None:
        few = Access(rates=RateSettings(anonymous=ScopeRates(read=(0.001, 1))), proxies=("127.0.0.1",))
        served = await start(access=few)
        for client in ("192.0.2.1", "192.0.2.2"):
            found = [
                (await ask(served.stream.port, "GET", PATH, None, **UPGRADE, X_Forwarded_For=client)).status
                for _ in range(2)
            ]
            assert found == [101, 429]
