"""Pulling a subscription over HTTP; its desk is a list dealt out by `Sharing`.

Source: docs/reference/subscriptions.md; promises P18 and P19.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.api.puller import Puller
from bigchaindb.config import Limits
from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers.consuming import End
from tests.integration.api.conftest import Start
from tests.support.desks import ListDesk, ListDesks
from tests.support.pulls import PATH, asked, ids, pull
from tests.support.raw import ask, until
from tests.support.served import Served
from tests.support.subscribed import running


@pytest.fixture
def served(served_desk: Served) -> Served:
    return served_desk


async def test_events_are_leased_and_acknowledged_by_the_next_pull(served: Served, desk: ListDesk) -> None:
    desk.fill("a", "b", "c")
    first = await pull(served, count=2)
    assert (ids(first), first["level"], first["stale"]) == (["1:a", "2:b"], False, [])
    [lease, other] = [one["lease"] for one in first["events"]]
    assert lease.startswith("1.1.1.")
    assert len(lease.split(".")[3]) == 16
    second = await pull(served, count=5, ack=[lease, other])
    assert (ids(second), second["level"], second["token"]) == (["3:c"], True, "token-3")
    assert desk.settled == [1, 2]
    last = await pull(served, count=0, ack=[lease, second["events"][0]["lease"]])
    assert (last["events"], last["stale"], desk.settled) == ([], [lease], [1, 2, 3])
    await until(lambda: not desk.seats, "all pulls to be over")
    assert {line.split()[-1] for line in desk.log} == {"blameless"}


async def test_a_body_may_be_empty(served: Served, desk: ListDesk) -> None:
    desk.fill("a")
    answer = await ask(served.api.port, "POST", PATH, b"")
    assert ids(json.loads(answer.body)) == ["1:a"]


async def test_one_that_names_no_lease_fits_the_bound_of_leases(start: Start, desk: ListDesk) -> None:
    """An operator who wants short leases would otherwise refuse every pull that leaves them to the node."""
    served = await start(desks=ListDesks(a=desk), limits=Limits(lease_s_max=0.2))
    desk.fill("a")
    assert ids(await pull(served)) == ["1:a"]
    assert [one["attempt"] for one in (await pull(served, wait_s=30))["events"]] == [2]


async def test_a_nack_takes_the_later_event_of_its_key_along(served: Served, desk: ListDesk) -> None:
    desk.fill("a", "a", "b")
    first = await pull(served)
    nacked, later, other = (one["lease"] for one in first["events"])
    answered = await pull(served, count=0, nack=[{"lease": nacked, "delay_s": 0.05, "error": "locked"}], ack=[other])
    assert answered["stale"] == []
    assert (await pull(served, count=0, ack=[later]))["stale"] == [later]
    again = await pull(served, wait_s=30)
    assert [(one["event"]["id"], one["attempt"]) for one in again["events"]] == [("1:a", 2), ("2:a", 2)]
    assert "nack [(1, 1)] 0.05 'locked' False" in desk.log


@pytest.mark.parametrize("jump_s", [3e7, -3e7], ids=["forward", "back"])
async def test_a_lease_does_not_see_the_clock_jump(
    served: Served, desk: ListDesk, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    """Whoever works is robbed of its events, or one that is gone keeps them for a year."""
    really = time.time
    desk.fill("a", "b")
    [long] = (await pull(served, count=1, lease_s=3_600))["events"]
    [short] = (await pull(served, count=1, lease_s=1))["events"]
    monkeypatch.setattr(time, "time", lambda: really() + jump_s)
    [again] = (await pull(served, count=9, wait_s=60))["events"]
    assert (again["event"], again["attempt"]) == (short["event"], 2)
    assert (await pull(served, count=0, ack=[long["lease"]]))["stale"] == []


async def test_what_one_pull_sets_aside_is_written_down_together(served: Served, desk: ListDesk) -> None:
    """1,000 events were as many waits for the disk, one after the other."""
    desk.parking = asyncio.Event()
    for key in "abcdefgh":
        desk.add(key, b"{}")
    leases = [one["lease"] for one in (await pull(served, count=9))["events"]]
    parking = asyncio.ensure_future(pull(served, count=0, park=[{"lease": one} for one in leases]))
    async with asyncio.timeout(60):
        while sum(line.startswith("park") for line in desk.log) < len(leases):  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)
    assert not parking.done()
    desk.parking.set()
    assert (await parking)["stale"] == []
    assert len(desk.parked) == len(leases) >= 8


async def test_parking_is_answered_once_it_is_durable(served: Served, desk: ListDesk) -> None:
    desk.parking = asyncio.Event()
    desk.fill("a", "b")
    first, second = (one["lease"] for one in (await pull(served))["events"])
    parking = asyncio.ensure_future(pull(served, count=0, park=[{"lease": first, "error": "no account"}]))
    await until(lambda: any("no account" in line for line in desk.log), "the answer")
    assert (await pull(served, count=0, ack=[second]))["stale"] == [], "others go on"
    assert not parking.done()
    desk.parking.set()
    assert (await parking)["stale"] == []
    assert (desk.parked, sorted(desk.settled)) == ([1], [1, 2])


class TestLeases:
    async def test_what_is_not_answered_comes_again_after_its_lease(self, served: Served, desk: ListDesk) -> None:
        desk.fill("a", "b")
        first = await pull(served, lease_s=1)
        again = await pull(served, wait_s=30)
        assert [(one["event"]["id"], one["attempt"]) for one in again["events"]][:1] == [("1:a", 2)]
        assert (await pull(served, count=0, ack=[first["events"][0]["lease"]]))["stale"]
        assert desk.settled == []
        assert any(line.startswith("expire [(1, 1), (2, 1)]") for line in desk.log)

    async def test_a_lease_can_be_extended(self, served: Served, desk: ListDesk) -> None:
        desk.fill("a", "b")
        [first, second] = [one["lease"] for one in (await pull(served, lease_s=5))["events"]]
        assert (await pull(served, count=0, lease_s=60, extend=[first, "1.9.1.ab"]))["stale"] == ["1.9.1.ab"]
        again = await pull(served, wait_s=30)
        assert ids(again) == ["2:b"]
        assert (await pull(served, count=0, ack=[first, second]))["stale"] == [second]
        assert desk.settled == [1]

    async def test_many_extensions_look_at_the_leases_once(
        self, served: Served, desk: ListDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A body may name a thousand leases; each look costs as many steps as there are leases."""
        desk.fill(*map(str, range(1_000)))
        leases = [one["lease"] for one in (await pull(served, count=1_000))["events"]]
        looks: list[Puller] = []
        look = Puller._set_timer

        def counted(puller: Puller) -> None:
            looks.append(puller)
            look(puller)

        monkeypatch.setattr(Puller, "_set_timer", counted)
        assert (await pull(served, count=0, extend=leases, lease_s=60))["stale"] == []
        assert len(looks) <= 3
        assert (await asked(served, extend=[*leases, "x"])).status == 400

    async def test_those_of_an_earlier_run_are_stale(self, served: Served, desk: ListDesk) -> None:
        desk.fill("a")
        [lease] = [one["lease"] for one in (await pull(served))["events"]]
        desk.restart()
        again = await pull(served, ack=[lease])
        assert (again["stale"], [one["attempt"] for one in again["events"]]) == ([lease], [2])
        assert again["events"][0]["lease"].startswith("2.1.2.")

    async def test_those_of_another_subscription_are_stale(self, served: Served, desk: ListDesk) -> None:
        desk.fill("a")
        [lease] = [one["lease"] for one in (await pull(served))["events"]]
        answer = await asked(served, "/api/v1/subscriptions/b/pull", count=0, ack=[lease])
        assert (json.loads(answer.body)["stale"], desk.settled) == ([lease], [])


class TestStates:
    @pytest.mark.parametrize(
        ("state", "status"),
        [(State.GAPPED, 410), (State.PAUSED, 409), (State.BLOCKED, 409), (State.FAILED, 409)],
    )
    async def test_one_that_gives_nothing_says_so(
        self, served: Served, desk: ListDesk, state: State, status: int
    ) -> None:
        desk.fill("a")
        [lease] = [one["lease"] for one in (await pull(served))["events"]]
        desk.change(state, "why")
        answer = await asked(served, wait_s=60, ack=[lease])
        assert (answer.status, json.loads(answer.body)) == (
            status,
            {
                "message": f"the subscription 'a' is {state}: why",
                "status": status,
                "state": str(state),
                "reason": "why",
                "stale": [lease],
            },
        )

    async def test_a_state_that_changes_ends_the_wait(self, served: Served, desk: ListDesk) -> None:
        waiting = asyncio.ensure_future(asked(served, wait_s=60))
        await until(lambda: bool(desk.seats), "the pull")
        desk.change(State.PAUSED)
        assert (await waiting).status == 409

    @pytest.mark.parametrize(("end", "status"), [(End.DELETED, 404), (End.STOPPING, 503)])
    async def test_an_end_ends_the_wait(self, served: Served, desk: ListDesk, end: End, status: int) -> None:
        desk.fill("a")
        [lease] = [one["lease"] for one in (await pull(served))["events"]]
        waiting = asyncio.ensure_future(asked(served, wait_s=60))
        await until(lambda: len(desk.seats) == 2, "the pull")
        desk.end(end)
        assert (await waiting).status == status
        desk.restart()
        assert (await pull(served, count=0, ack=[lease]))["stale"] == [lease]

    async def test_an_unknown_subscription(self, served: Served) -> None:
        assert (await asked(served, "/api/v1/subscriptions/none/pull")).status == 404


async def test_a_body_that_no_pull_needs_is_not_read(served: Served) -> None:
    """A stranger's list of a million texts holds every commit up while it is read."""
    largest = json.dumps({"ack": ["x" * 60] * 1_000}).encode().ljust(256 * 1024)
    assert (await ask(served.api.port, "POST", PATH, largest)).status == 200
    many = await ask(served.api.port, "POST", PATH, b'{"ack":[%b]}' % b",".join([b'""'] * 16_002))
    assert (many.status, b"it has 16001 commas" in many.body) == (400, True)
    refused = await ask(served.api.port, "POST", PATH, largest + b" ")
    assert refused.status == 413
    assert json.loads(refused.body)["message"] == "the body has 262145 bytes, at most 262144 are read"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"count": -1}, "$.count"),
        ({"count": 1_001}, "$.count"),
        ({"count": 1.5}, "$.count"),
        ({"wait_s": 61}, "$.wait_s"),
        ({"wait_s": -1}, "$.wait_s"),
        ({"lease_s": 0.5}, "$.lease_s"),
        ({"lease_s": 3_601}, "`lease_s` is 3601, and must be 1 to 3600 (limits.lease_s_max)"),
        ({"ack": "x"}, "$.ack"),
        ({"ack": [1]}, "$.ack[0]"),
        ({"nack": ["x"]}, "$.nack[0]"),
        ({"nack": [{}]}, "`lease`"),
        ({"nack": [{"lease": "x", "delay_s": 1e9}]}, "$.nack[0].delay_s"),
        ({"nack": [{"lease": "x", "delay": 1}]}, "a nack has lease, delay_s, error, unavailable"),
        ({"park": [{"lease": "x", "delay_s": 1}]}, "a park has lease, error"),
        ({"acks": []}, "`acks`; a pull has count, wait_s, lease_s, ack, nack, park, extend"),
        ([], "object"),
        (5, "object"),
    ],
)
async def test_what_is_no_pull_is_refused_and_changes_nothing(
    served: Served, desk: ListDesk, body: Any, found: str
) -> None:
    answer = await ask(served.api.port, "POST", PATH, json.dumps(body).encode())
    assert answer.status == 400
    message = json.loads(answer.body)["message"]
    assert message.startswith("the body is no pull: ")
    assert found in message
    assert desk.seated_count == 0


@pytest.mark.parametrize("body", [b"x", b"\xff", b"{", 100_000 * b"["])
async def test_bytes_that_are_no_json_are_refused(served: Served, body: bytes) -> None:
    assert (await ask(served.api.port, "POST", PATH, body)).status == 400


async def test_a_pull_has_a_mebibyte_before_its_last_event(served: Served, desk: ListDesk) -> None:
    for number in range(40):
        desk.add(number, b'"%b"' % (40_000 * b"x"))
    desk.add("large", b'"%b"' % (3_000_000 * b"x"))
    first = await pull(served, count=1_000)
    assert 20 < len(first["events"]) < 40
    assert not first["level"]
    sizes = [len(json.dumps(one["event"])) for one in first["events"]]
    assert sum(sizes[:-1]) < Limits().event_page_bytes_max
    leases = [one["lease"] for one in first["events"]]
    rest = await pull(served, count=1_000, ack=leases)
    assert len(first["events"]) + len(rest["events"]) == 41


async def test_what_a_pull_has_no_bytes_for_is_with_the_next_one_at_once(start: Start, tmp_path: Path) -> None:
    """Events that no client has seen wait for the lease of another client's events."""
    async with running(tmp_path / "subscribed") as node:
        node.grow(12)
        await node.subscribe("a", granularity="transaction", order="none")
        served = await start(desks=node.desks, limits=Limits(event_page_bytes_max=4_096))
        found = [await pull(served, count=1_000, lease_s=3_600, wait_s=60)]
        while sum(len(one["events"]) for one in found) < 60:
            found.append(await pull(served, count=1_000, lease_s=3_600, wait_s=60))
            assert found[-1]["events"], found[-1]
        given = [(one["event"]["id"], one["attempt"]) for page in found for one in page["events"]]
        assert [attempt for _, attempt in given] == [1] * 60
        places = [tuple(map(int, name.split(":")[-2:])) for name, _ in given]
        assert places == sorted({*places})
        assert len(found) > 2, "no pull was limited"
        leases = [one["lease"] for page in found for one in page["events"]]
        assert (await pull(served, count=0, ack=leases))["stale"] == []
        await node.until(lambda status: not status.in_hand)


async def test_many_pulls_side_by_side_take_every_event_once(served: Served, desk: ListDesk) -> None:
    """As functions of a cloud do: each takes a few, answers, and is gone."""
    desk.fill(*(str(number % 50) for number in range(500)))
    taken: list[str] = []

    async def function() -> None:
        leases: list[str] = []
        while True:
            found = await pull(served, count=3, ack=leases)
            assert found["stale"] == []
            leases = [one["lease"] for one in found["events"]]
            taken.extend(ids(found))
            if len(desk.settled) + len(leases) >= 500 and not leases:
                return

    await asyncio.gather(*(function() for _ in range(10)))
    assert len(taken) == 500 == len(set(taken))
    assert sorted(desk.settled) == [*range(1, 501)]
    for key in range(50):
        of_key = [int(one.split(":")[0]) for one in taken if one.split(":")[1] == str(key)]
        assert of_key == sorted(of_key)
