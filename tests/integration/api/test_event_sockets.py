"""The event log over WebSockets. Source: docs/reference/http-events.md; promises P3, P5, P8, P15; S1."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close

from bigchaindb.api import event_sockets
from bigchaindb.config import Access, Limits
from bigchaindb.errors import HistoryLost
from bigchaindb.ledger.checking import Chosen
from bigchaindb.streams.shared_log import SharedLog
from tests.integration.api.conftest import Start
from tests.support.event_pages import commit, everything, page
from tests.support.raw import UPGRADE, ask, request, until, wire
from tests.support.served import Served
from tests.support.stream_clients import WITHIN_S, received

PATH = "/api/v1/streams/events"


@asynccontextmanager
async def following(served: Served, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    """Connect a client and take its first message, which is a place."""
    url = f"ws://127.0.0.1:{served.api.port}{PATH}{query}"
    async with connect(url, max_size=8 << 20, **options) as client:
        [first] = await received(client, 1)
        assert first.keys() == {"token"}
        yield client


async def to_the_end(client: ClientConnection) -> tuple[list[dict[str, Any]], Close]:
    """Take what comes until the server closes; return it, and how it closed."""
    taken: list[dict[str, Any]] = []
    with pytest.raises(ConnectionClosed) as caught:
        await collect(client, taken)
    assert caught.value.rcvd is not None
    return taken, caught.value.rcvd


async def collect(client: ClientConnection, taken: list[dict[str, Any]]) -> None:
    while True:
        taken += await received(client, 1)


async def flood(client: ClientConnection) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            await client.send("x" * 1_000)


async def test_each_event_comes_with_the_token_behind_it(served: Served) -> None:
    """The token continues a stream, a page or Server-Sent Events alike."""
    async with following(served) as client:
        for number in range(3):
            await commit(served, n=number)
        messages = await received(client, 3)
    assert [one["event"] for one in messages] == await everything(served)  # P5, P15
    behind = await page(served, after=messages[0]["token"])
    assert behind["events"] == [one["event"] for one in messages[1:]]
    async with following(served, f"?after={messages[1]['token']}") as client:
        assert await received(client, 1) == messages[2:]


async def test_it_takes_the_arguments_of_pages(start: Start) -> None:
    served = await start(propose=lambda bodies: Chosen((*bodies, *bodies), ()))
    nothing = (await page(served))["next"]
    await commit(served, metadata={"colour": "red"})
    await commit(served, metadata={"colour": "green"})
    for arguments in (
        {"metadata__colour": "green"},
        {"type": "invalid"},
        {"granularity": "transaction"},
        {"operation": "CREATE", "granularity": "transaction"},
        {"detail": "summary"},
        {"detail": "summary", "granularity": "transaction"},
        {"detail": "summary", "metadata__colour": "green"},
    ):
        expected = await everything(served, **arguments)
        query = "&".join(f"{name.replace('__', '.')}={value}" for name, value in arguments.items())
        async with following(served, f"?after={nothing}&{query}") as client:
            assert [one["event"] for one in await received(client, len(expected))] == expected


async def test_after_a_silence_comes_the_place_alone(start: Start) -> None:
    """A client whose filter matches rarely does not have the same log read again."""
    served = await start(sse_heartbeat_s=0.05)
    async with following(served, "?operation=TRANSFER", max_queue=None) as client:
        await commit(served)
        head = (await page(served))["next"]
        while (message := (await received(client, 1))[0]) != {"token": head}:
            assert message.keys() == {"token"}


async def test_what_is_wrong_is_an_answer_before_the_upgrade(served: Served) -> None:
    for query, status in (("?after=x", 400), ("?afer=1", 400), ("?type=invalid&granularity=transaction", 400)):
        with pytest.raises(InvalidStatus) as caught:
            async with following(served, query):
                raise AssertionError
        assert caught.value.response.status_code == status
    await commit(served)
    token = (await page(served))["next"]
    other = token[:-1] + ("A" if token[-1] != "A" else "Q")
    with pytest.raises(InvalidStatus) as caught:
        async with following(served, f"?after={other}"):
            raise AssertionError
    assert caught.value.response.status_code == 410
    plain = await ask(served.api.port, "GET", PATH)
    assert (plain.status, "send an upgrade request" in plain.json()["message"]) == (400, True)
    assert served.api.stream_count == 0


async def test_no_more_are_open_than_allowed(start: Start) -> None:
    served = await start(limits=Limits(sse_connection_count_max=1))
    async with following(served):
        assert (await ask(served.api.port, "GET", PATH, **UPGRADE)).status == 503
    await until(lambda: served.api.stream_count == 0, "the client's place to be free")
    async with following(served):
        assert served.api.stream_count == 1


async def test_a_stop_sends_what_is_durable_and_closes_with_1001(start: Start) -> None:
    served = await start()
    async with following(served) as client:
        await commit(served)
        stopping = asyncio.create_task(served.api.stop())
        messages, close = await to_the_end(client)
        await stopping
    assert [len(one) for one in messages] == [2, 1]
    assert messages[0]["token"] == messages[1]["token"]
    assert (close.code, "come back with the last token" in close.reason) == (1001, True)


async def test_a_revoked_key_ends_the_stream(start: Start) -> None:
    served = await start(access=Access(anonymous="none"))
    assert (await ask(served.api.port, "GET", PATH, **UPGRADE)).status == 401
    id_, key = served.new_key("read")
    async with following(served, additional_headers={"Authorization": f"Bearer {key}"}) as client:
        served.revoke(id_)
        _, close = await to_the_end(client)
    assert close.code == 1008


async def test_a_client_that_floods_is_closed_and_others_go_on(served: Served) -> None:
    async with following(served) as other, following(served) as client:
        with pytest.raises(ConnectionClosed):
            await flood(client)
        assert client.close_code == 1008
        id_ = await commit(served)
        [message] = await received(other, 1)
        assert message["event"]["data"]["block"]["transactions"][0]["id"] == id_


async def test_a_client_that_reads_nothing_is_closed_and_misses_nothing_when_it_returns(start: Start) -> None:
    limits = Limits(stream_stall_s_max=0.2, stream_buffer_bytes_max=1_000)
    served = await start(limits=limits)
    url = f"ws://127.0.0.1:{served.api.port}{PATH}"
    async with connect(url, max_size=8 << 20, max_queue=1, ping_interval=None) as client:
        [first] = await received(client, 1)
        client.transport.pause_reading()
        while served.api.stream_count:
            await commit(served, text="x" * 200_000)
        client.transport.resume_reading()
        messages, close = await to_the_end(client)
    assert close.code in {1013, 1006}
    token = [first, *messages][-1]["token"]
    rest = await everything(served, after=token)
    assert [*(one["event"] for one in messages if "event" in one), *rest] == await everything(served)


async def test_a_client_that_is_gone_without_a_word_is_found(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that fell silent keeps a place of the streams for good."""
    monkeypatch.setattr(event_sockets, "HEARTBEAT_S", 1.0)
    monkeypatch.setattr(event_sockets, "CHECK_S", 0.05)
    async with following(served) as client, wire(served.api.port) as silent:
        assert (await silent.ask(request("GET", PATH, **UPGRADE))).status == 101
        await silent.ended()
        await commit(served)
        assert "event" in (await received(client, 1))[0], "who answers pings stays"


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [(HistoryLost(3, 2), 1013, event_sockets.LOST), (RuntimeError("a defect"), 1011, "")],
    ids=["lost", "defect"],
)
async def test_whatever_ends_it_there_is_a_close_frame(
    served: Served, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, reason: str
) -> None:
    """Its client takes a defect for a fault of the network, or a lost place for a stop of the node."""

    async def fail(*_: object) -> None:
        raise error

    async with following(served) as client:
        monkeypatch.setattr(SharedLog, "next", fail)
        await commit(served)
        _, close = await to_the_end(client)
        assert (close.code, close.reason) == (code, reason)


async def test_damage_closes_with_1011_and_the_events_before_it_are_served(served: Served) -> None:
    nothing = (await page(served))["next"]
    for _ in range(3):
        await commit(served)
    with served.store.node.batch():
        served.store._connection.execute("UPDATE events SET digest = x'00' WHERE position = 2")
    async with following(served, f"?after={nothing}") as client:
        messages, close = await to_the_end(client)
    assert len(messages) <= 1
    assert close.code == 1011
