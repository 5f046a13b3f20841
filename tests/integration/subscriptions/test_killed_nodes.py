"""The node is killed under its consumers, and so are they: each row of "If something ends" with a real node.

Source: docs/reference/subscriptions.md; promises P2, P6 and P17 to P19.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import Any

import pytest

from bigchaindb.simulated.chain import Recipe, write_data
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair
from tests.support import scale
from tests.support.http import Answer, request
from tests.support.node import Node, running_node
from tests.support.subscriber import Application, Consumer, Watch, connected, place_of
from tests.support.waiting import until

OWNER = KeyPair.from_seed(bytes(range(32)))
TRANSACTIONS = 20
"""In a block."""

pytestmark = pytest.mark.timeout(240 + scale.SUBSCRIBED_EVENTS / 20)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node whose ledger has `SUBSCRIBED_EVENTS` transactions."""
    folder, blocks = tmp_path_factory.mktemp("node"), scale.SUBSCRIBED_EVENTS // TRANSACTIONS
    write_data(folder / "data", Recipe(blocks=blocks, transactions=TRANSACTIONS, seed=scale.seed()))
    keypair = {"public": OWNER.public_key, "private": OWNER.private_key}
    with running_node(folder, settings={"keypair": keypair}) as one:
        yield one


def put(node: Node, name: str, **members: Any) -> None:
    definition = {"granularity": "transaction", "start": "genesis", **members}
    answer = request("PUT", f"{node.url}/api/v1/subscriptions/{name}", definition)
    assert answer.status in {200, 201}, answer.body


def standing(node: Node, name: str) -> dict[str, Any]:
    found: dict[str, Any] = node.get(f"subscriptions/{name}").json()
    return found


def everything(node: Node) -> set[tuple[int, int]]:
    """Return the places of all transactions of the ledger."""
    places, query = set[tuple[int, int]](), dict[str, str]()
    while True:
        page = node.get("events", granularity="transaction", limit=1_000, **query).json()
        places |= {place_of(one) for one in page["events"]}
        if page["head"]:
            return places
        query = {"after": page["next"]}


class Story:
    """A subscription of the node that is consumed while the node is killed.

    Attributes:
        watch: of all its deliveries.
        applications: that are connected.
        is_over: whether all that the ledger has is settled.
    """

    def __init__(self, node: Node, name: str, **members: Any) -> None:
        put(node, name, window=500, **members)
        self.node, self.name = node, name
        self.watch = Watch()
        self.draw = random.Random(scale.seed())
        self.applications: list[Application] = []
        self.is_over = False

    async def play(self, *instances: Any, kills: int) -> None:
        """Run instances of an application, and kill the node so often on their way."""
        async with asyncio.timeout(200 + scale.SUBSCRIBED_EVENTS / 20):
            await asyncio.gather(self._kill(kills), *(one(lambda: self.is_over) for one in instances))
        shown = await asyncio.to_thread(standing, self.node, self.name)
        assert (shown["lag"], shown["in_hand"]) == (0, 0)
        places = await asyncio.to_thread(everything, self.node)
        assert self.watch.seen.keys() == places
        assert self.watch.answered | self.watch.confirmed == places
        assert self.watch.repeats > 0, "no kill met anything in hand"

    async def _kill(self, kills: int) -> None:
        for number in range(kills):
            goal = (number + 1) * scale.SUBSCRIBED_EVENTS // (kills + 2)
            while len(self.watch.seen) < goal:  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.001)
            await asyncio.sleep(self.draw.random() * 0.02)
            self.node.kill()
            for one in self.applications:  # whoever notices it last must not be surprised by what others get
                one.break_off()
            await asyncio.to_thread(self.node.start)
            body = create([OWNER], data={"story": self.name, "number": number}).body
            answer = await asyncio.to_thread(self.node.post, body)  # one that commits while all come back
            assert answer.status == 202
        while not self.is_over:
            shown = await asyncio.to_thread(standing, self.node, self.name)
            self.is_over = shown["lag"] == shown["in_hand"] == 0
            await asyncio.sleep(0.05)


async def test_nothing_is_lost_or_comes_again_without_a_reason_when_the_node_is_killed(node: Node) -> None:
    """Rows of the node, the consumer and the connection: answers, nacks and parking are under way at each kill."""
    story = Story(node, "kills")
    applications = [Application(story.watch, story.draw, nacks=0.05, parks=0.02) for _ in range(3)]
    story.applications += applications

    async def disturb(is_over: Callable[[], bool]) -> None:
        while not is_over():
            await asyncio.sleep(story.draw.random())
            story.draw.choice(applications).break_off()

    def instance(one: Application) -> Callable[[Callable[[], bool]], Any]:
        return lambda is_over: one.run(lambda: node.url, "kills", "?window=100&batch=20", is_over)

    await story.play(*map(instance, applications), disturb, kills=scale.SUBSCRIBED_KILLS)


async def test_pulls_lose_nothing_when_they_and_the_node_are_killed(node: Node) -> None:
    """What was pulled and not answered comes after its lease, or at once with the node's next run."""
    story = Story(node, "pulls")
    pullers = [Puller(story) for _ in range(3)]
    await story.play(*(one.run for one in pullers), kills=scale.SUBSCRIBED_KILLS)


class Puller:
    """An instance of an application that pulls: a cron job, or a function."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.held: dict[str, tuple[int, int]] = {}

    async def run(self, is_over: Callable[[], bool]) -> None:
        watch, draw = self.story.watch, self.story.draw
        while not is_over():
            answered, self.held = self.held, {}
            if draw.random() < 0.1:  # it dies: nobody answers
                watch.may_come_again(answered.values())
                answered = {}
            watch.answered.update(answered.values())
            watch.may_come_again(answered.values())
            body = {"count": 25, "wait_s": 0.2, "lease_s": 1, "ack": [*answered]}
            try:
                answer = await asyncio.to_thread(self._ask, body)
            except (OSError, HTTPException):  # the node was killed before it had answered, or amid its answer
                await asyncio.sleep(0.05)
                continue
            if answer.status != 200:
                assert answer.status == 503, answer.body
                continue
            found = answer.json()
            for lease, place in answered.items():
                if lease not in found["stale"]:
                    watch.confirmed.add(place)
                    watch.allowed.discard(place)
            for one in found["events"]:
                self.held[one["lease"]] = watch.delivered(one["event"], one["attempt"], self.held.values())
            watch.may_come_again(self.held.values())  # a lease may be over before its answer arrives

    def _ask(self, body: dict[str, Any]) -> Answer:
        node = self.story.node
        return request("POST", f"{node.url}/api/v1/subscriptions/{self.story.name}/pull", body)


class TestOneEvent:
    """One kill at one moment, and one event."""

    async def test_an_ack_on_the_next_connection_reaches_no_old_tag(self, node: Node) -> None:
        put(node, "tags")
        async with connected(node.url, "tags", "?window=5") as client:
            assert [one["tag"] for one in await Consumer(client).events(5)] == [1, 2, 3, 4, 5]
        async with connected(node.url, "tags", "?window=3") as client:
            consumer = Consumer(client)
            again = await consumer.events(3)
            assert [(one["tag"], one["attempt"]) for one in again] == [(1, 2), (2, 2), (3, 2)]
            await consumer.say(type="ack", tags=[4, 5], ref=1)
            assert (await consumer.next("done"))["stale"] == [4, 5]
        assert standing(node, "tags")["cursor"] < place_of(again[0]["event"])[0]

    async def test_what_is_done_never_comes_again_and_a_delay_is_memory(self, node: Node) -> None:
        put(node, "delay", order="none")
        async with connected(node.url, "delay", "?window=3") as client:
            consumer = Consumer(client)
            acked, parked, nacked = await consumer.events(3)
            await consumer.say(type="ack", tags=[1], ref=1)
            await consumer.next("done")
            await consumer.say(type="park", tags=[2], error="for a person", ref=2)
            while (await consumer.next("done"))["ref"] != 2:
                pass
            await consumer.say(type="nack", tags=[3], delay_s=3_600, ref=3)
            while (await consumer.next("done"))["ref"] != 3:
                pass
            await asyncio.to_thread(node.kill)
        await asyncio.to_thread(node.start)
        shown = node.get("subscriptions/delay/parked").json()
        assert len(json.dumps(shown).split("for a person")) == 2
        async with connected(node.url, "delay", "?window=200") as client:
            events = await Consumer(client).next("events")
        ids = [one["event"]["id"] for one in events["events"]]
        assert ids[0] == nacked["event"]["id"]
        assert not {acked["event"]["id"], parked["event"]["id"]} & {*ids}

    async def test_leases_of_an_earlier_run_are_stale(self, node: Node) -> None:
        put(node, "leases", order="none")
        path = f"{node.url}/api/v1/subscriptions/leases/pull"
        pulled = request("POST", path, {"count": 2, "lease_s": 3_600}).json()["events"]
        leases = [one["lease"] for one in pulled]
        node.kill()
        node.start()
        answer = request("POST", path, {"count": 2, "ack": leases}).json()
        assert answer["stale"] == leases
        again = [(one["event"]["id"], one["attempt"]) for one in answer["events"]]
        assert again, "one that only begins is waited for"
        assert again == [(one["event"]["id"], 2) for one in pulled][: len(again)]  # it may have read one of two by then

    async def test_one_whose_library_answers_pings_loses_its_events_by_an_order(self, node: Node) -> None:
        """Without `answer_s` a living consumer keeps its events; a person sees that, and ends it."""
        put(node, "hung", order="log")
        async with connected(node.url, "hung", "?window=2&name=till-7") as hung:
            held = await Consumer(hung).events(2)
            async with connected(node.url, "hung", "?window=2") as other:
                await Consumer(other).next("attached")
                [first, _] = standing(node, "hung")["consumers"]
                assert (first["name"], first["in_hand"]) == ("till-7", 2)
                restarting = asyncio.to_thread(request, "POST", f"{node.url}/api/v1/subscriptions/hung/restart")
                assert (await restarting).status == 200
                revoked = await Consumer(hung).next("revoked")
                assert (revoked["tags"], revoked["reason"]) == ([1, 2], "ended")
                hung.transport.abort()
                again = await Consumer(other).events(2)
                assert [one["event"]["id"] for one in again] == [one["event"]["id"] for one in held]

    async def test_one_that_hangs_loses_its_events_after_the_time_for_an_answer(self, node: Node) -> None:
        put(node, "late", answer_s=1)
        async with connected(node.url, "late", "?window=2") as hung:
            held = await Consumer(hung).events(2)
            revoked: list[int] = []
            while {*revoked} != {1, 2}:
                frame = await Consumer(hung).next("revoked")
                assert frame["reason"] in {"late", "order"}
                revoked += frame["tags"]
            hung.transport.abort()
        taken: dict[str, int] = {}
        lost = {one["event"]["id"] for one in held}
        async with connected(node.url, "late", "?window=2") as other:
            # Events of other keys may come before: until the node notices the end, and while one alone waits.
            while not lost <= taken.keys():
                for one in (await Consumer(other).next("events"))["events"]:
                    taken[one["event"]["id"]] = one["attempt"]
                    await Consumer(other).say(type="ack", tags=[one["tag"]])
        assert min(taken[one] for one in lost) >= 2

    async def test_a_node_that_stops_says_so_and_blames_nobody(self, node: Node) -> None:
        put(node, "stop")
        async with connected(node.url, "stop", "?window=1") as client:
            await Consumer(client).events(1)
            stopping = asyncio.to_thread(node.stop)
            closed, code = await asyncio.gather(Consumer(client).closed(), stopping)
            assert (closed.code, code) == (1001, 0)
        await asyncio.to_thread(node.start)
        until(lambda: standing(node, "stop")["in_hand"] >= 1, what="what was in hand")
