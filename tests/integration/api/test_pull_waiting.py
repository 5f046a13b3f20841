"""Pulls that wait for events, and what ends their waiting. Source: docs/reference/subscriptions.md; promise P18."""

import asyncio
import json

import pytest

from bigchaindb.config import Access, Limits
from bigchaindb.eventlog.lane import State
from tests.integration.api.conftest import Start
from tests.support.desks import ListDesk, ListDesks
from tests.support.pulls import PATH, asked, ids, pull
from tests.support.raw import ask, request, until, wire
from tests.support.served import Served


@pytest.fixture
def served(served_desk: Served) -> Served:
    return served_desk


class TestWaiting:
    async def test_a_pull_waits_for_an_event(self, served: Served, desk: ListDesk) -> None:
        waiting = asyncio.ensure_future(pull(served, wait_s=60))
        await until(lambda: bool(desk.seats), "the pull")
        desk.fill("a")
        assert ids(await waiting) == ["1:a"]

    async def test_a_wait_that_is_over_is_level(self, served: Served) -> None:
        found = await pull(served, wait_s=0.05)
        assert (found["events"], found["level"]) == ([], True)

    async def test_one_that_does_not_wait_gets_what_a_subscription_has_that_only_begins(
        self, served: Served, desk: ListDesk
    ) -> None:
        """Without consumers a subscription is stopped, and its desk begins with the pull."""
        desk.fill("a")
        desk.state = State.STOPPED
        waiting = asyncio.ensure_future(pull(served))
        await until(lambda: bool(desk.seats), "the pull")
        desk.change(State.LIVE)
        assert ids(await waiting) == ["1:a"]

    async def test_a_client_that_goes_frees_its_place_at_once(self, served: Served, desk: ListDesk) -> None:
        async with wire(served.api.port) as one:
            await one.send(request("POST", PATH, b'{"wait_s":60}'))
            await until(lambda: bool(desk.seats), "the pull")
        await until(lambda: not desk.seats, "its place to be free")
        assert desk.log == ["leave c1 blameless"]
        async with wire(served.api.port) as one:
            await one.send(request("POST", PATH, b'{"wait_s":60}'))
            await until(lambda: bool(desk.seats), "the pull")
            one.writer.write_eof()
            await until(lambda: not desk.seats, "its place to be free")

    async def test_there_are_so_many_at_most(self, start: Start, desk: ListDesk) -> None:
        served = await start(desks=ListDesks(a=desk), limits=Limits(pull_waiting_count_max=1))
        desk.fill("a")
        [lease] = [one["lease"] for one in (await pull(served))["events"]]
        waiting = asyncio.ensure_future(pull(served, wait_s=60))
        await until(lambda: len(desk.seats) == 2, "the pull")
        answer = await asked(served, ack=[lease])
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert desk.settled == [], "nothing was carried out"
        assert (await pull(served, count=0, ack=[lease]))["stale"] == [], "answers alone always are"
        desk.fill("b")
        await waiting
        assert ids(await pull(served)) == []

    async def test_consumers_have_a_bound(self, served: Served, desk: ListDesk) -> None:
        desk.consumer_count_max = 1
        desk.fill("a", "b")
        [lease] = [one["lease"] for one in (await pull(served, count=1))["events"]]
        answer = await asked(served)
        assert (answer.status, answer.headers["retry-after"]) == (429, "1")
        assert ids(await pull(served, ack=[lease])) == ["2:b"], "its answer made room"

    async def test_one_without_room_says_which_answers_counted(self, served: Served, desk: ListDesk) -> None:
        """They are carried out before: whoever sends them again finds them stale."""
        desk.consumer_count_max = 1
        desk.fill("a", "b")
        first, second = [one["lease"] for one in (await pull(served))["events"]]
        answer = await asked(served, count=0, ack=[first, "1.9.9.x"], extend=[second])
        assert (answer.status, json.loads(answer.body)["stale"], desk.settled) == (429, ["1.9.9.x"], [1])

    async def test_a_key_that_is_revoked_ends_the_wait(self, start: Start, desk: ListDesk) -> None:
        served = await start(desks=ListDesks(a=desk), access=Access(anonymous="none"))
        id_, key = served.new_key("subscribe:a")
        _, other = served.new_key("subscribe:b")
        _, operator = served.new_key("operate")
        bearers = [{"Authorization": f"Bearer {one}"} for one in (other, operator)]
        for refused, status in (({}, 401), *((one, 403) for one in bearers)):
            assert (await ask(served.api.port, "POST", PATH, b"{}", **refused)).status == status
        waiting = asyncio.ensure_future(
            ask(served.api.port, "POST", PATH, b'{"wait_s":60}', Authorization=f"Bearer {key}")
        )
        await until(lambda: bool(desk.seats), "the pull")
        served.revoke(id_)
        assert (await waiting).status == 401
        assert not desk.seats
