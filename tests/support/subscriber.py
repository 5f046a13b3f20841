"""Applications that consume a subscription as an application should, and hold the node to its promises meanwhile.

A `Watch` knows every delivery of a subscription to all its consumers: it fails as soon as an event comes again without
a reason, or before an earlier one of its key. Source: promises P2, P17, P18 and P19.
"""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.frames import Close
from websockets.typing import Subprotocol

PROTOCOL: Final = Subprotocol("bigchaindb.subscription.v1")
AGAIN_S: Final = 0.05
"""Time between two tries to connect."""
MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
WITHIN_S: Final = 120.0


@asynccontextmanager
async def connected(url: str, name: str, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    """Connect a consumer to a node's HTTP address."""
    path = f"{url.replace('http', 'ws', 1)}/api/v1/subscriptions/{name}{query}"
    async with connect(path, subprotocols=[PROTOCOL], max_size=MESSAGE_BYTES_MAX, **options) as client:
        yield client


def place_of(event: dict[str, Any]) -> tuple[int, int]:
    """Return the place of an event in the log: its position, and its index in the block."""
    parts = event["id"].split(":")
    return (
        (int(parts[-2]), int(parts[-1]))
        if event["type"].startswith("com.bigchaindb.transaction")
        else (int(parts[-1]), 0)
    )


class Consumer:
    """A connected client."""

    def __init__(self, client: ClientConnection) -> None:
        self.client = client

    async def next(self, *kinds: str) -> dict[str, Any]:
        """Take the next frame of these kinds, or of any but `level`; others are passed over."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                found: dict[str, Any] = json.loads(await self.client.recv())
                if found["type"] in kinds or (not kinds and found["type"] != "level"):
                    return found

    async def events(self, count: int) -> list[dict[str, Any]]:
        """Take so many events."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += (await self.next("events"))["events"]
        assert len(found) == count
        return found

    async def say(self, **said: Any) -> None:
        await self.client.send(json.dumps(said))

    async def closed(self) -> Close:
        """Take what comes until the node closes; return how it did."""
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(ConnectionClosed) as caught:
                await self._exhaust()
        assert caught.value.rcvd is not None
        return caught.value.rcvd

    async def _exhaust(self) -> None:
        while True:
            await self.client.recv()


@dataclass
class Watch:
    """What is known of all deliveries of one subscription.

    Attributes:
        order: of the subscription.
        seen: the attempt of the last delivery of each event, by its place.
        answered: events for which an ack or a park was sent, and nothing else since.
        confirmed: those of which `done` said that it counted.
        allowed: events that may come again.
        repeats: deliveries of events that had been delivered before.
        keys: the places of each key that were seen.
        key: of each place.
        history: what happened to each place, for people.
    """

    order: str = "asset"
    seen: dict[tuple[int, int], int] = field(default_factory=dict)
    answered: set[tuple[int, int]] = field(default_factory=set)
    confirmed: set[tuple[int, int]] = field(default_factory=set)
    allowed: set[tuple[int, int]] = field(default_factory=set)
    repeats: int = 0
    stale: int = 0
    keys: dict[str, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))
    key: dict[tuple[int, int], str] = field(default_factory=dict)
    history: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))

    def delivered(self, event: dict[str, Any], attempt: int, held: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """Note a delivery to a consumer that holds other events; return the event's place."""
        place, key = place_of(event), self.key_of(event)
        self.note([place], f"delivered {attempt}")
        told = f"{place}: {self.history[place]}"
        assert place not in self.confirmed, f"it was settled, and comes again: {told}"
        if place in self.seen:
            assert place in self.allowed, f"it comes again without a reason: {told}"
            assert attempt > self.seen[place], f"{place} has attempt {attempt} after {self.seen[place]}"
            self.repeats += 1
        self.seen[place] = attempt
        self.answered.discard(place)
        self.allowed.discard(place)
        mine = set(held)
        before = {other for other in self.keys[key] if other < place}
        assert before <= self.answered | mine, f"{place} comes before {before - self.answered - mine} of its key"
        self.keys[key].add(place)
        self.key[place] = key
        return place

    def note(self, places: Iterable[tuple[int, int]], what: str) -> None:
        for place in places:
            self.history[place].append(what)

    def key_of(self, event: dict[str, Any]) -> str:
        """Return the key of an event: its asset, one for all, or its own."""
        return str({"asset": event.get("partitionkey"), "log": "log", "none": event["id"]}[self.order])

    def may_come_again(self, places: Iterable[tuple[int, int]]) -> None:
        """Note that a consumer has lost events, or gave them back."""
        allowed = [place for place in places if place not in self.confirmed]
        self.note(allowed, "may come again")
        self.allowed.update(allowed)


class Application:
    """One instance of an application: connects again whenever it has to, and answers for what it gets."""

    def __init__(self, watch: Watch, draw: random.Random, *, nacks: float = 0.0, parks: float = 0.0) -> None:
        self.watch = watch
        self.name = f"instance {id(self) % 1_000}"
        self.draw = draw
        self.nacks, self.parks = nacks, parks
        self.connections = 0
        self._client: ClientConnection | None = None
        self._begin()

    def _begin(self) -> None:
        self.held: dict[int, tuple[int, int]] = {}  # by tag
        self.pending: dict[int, tuple[str, dict[int, tuple[int, int]]]] = {}  # by ref
        self.ref = 0

    def break_off(self) -> None:
        """End the connection as a crash does: without a word, and without reading what has come."""
        if self._client is not None:
            self._client.transport.abort()
            self._client = None
            self._give_up()

    def _give_up(self) -> None:
        unconfirmed = [place for _, tags in self.pending.values() for place in tags.values()]
        self.watch.may_come_again([*self.held.values(), *unconfirmed])
        self._begin()

    async def run(self, url: Callable[[], str], name: str, query: str, is_done: Callable[[], bool]) -> None:
        """Consume until told that all is done."""
        while not is_done():
            try:
                async with connected(url(), name, query, open_timeout=5) as client:
                    self._client = client
                    self.connections += 1
                    self._begin()
                    await self._consume(client, is_done)
            except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError, EOFError):
                await asyncio.sleep(AGAIN_S)
            finally:
                self._client = None
                self._give_up()

    async def _consume(self, client: ClientConnection, is_done: Callable[[], bool]) -> None:
        while not is_done():
            try:
                async with asyncio.timeout(0.5):
                    text = await client.recv()
            except TimeoutError:
                continue
            if self._client is None:
                return
            frame = json.loads(text)
            match frame["type"]:
                case "events":
                    self._take(frame["events"])
                    await self._answer(client)
                case "revoked":
                    self._lose(frame["tags"])
                case "done":
                    self._confirm(frame)
                case "error":
                    raise AssertionError(frame)

    def _take(self, events: list[dict[str, Any]]) -> None:
        for one in events:
            # What is being nacked is held until the node has said that it is done.
            nacked = [place for kind, tags in self.pending.values() if kind == "nack" for place in tags.values()]
            held = [*self.held.values(), *nacked]
            self.watch.note([place_of(one["event"])], f"to {self.name}")
            place = self.held[one["tag"]] = self.watch.delivered(one["event"], one["attempt"], held)
            if self.watch.key[place] in self._given_back():
                self.watch.may_come_again([place])

    def _given_back(self) -> set[str]:
        """Return the keys of which something is being given back: the later ones go with it, to anybody."""
        given_back = [tags.values() for kind, tags in self.pending.values() if kind in {"nack", "park"}]
        return {self.watch.key[place] for places in given_back for place in places}

    def _lose(self, tags: list[int]) -> None:
        for tag in tags:
            place = self.held.get(tag)
            self.watch.note([] if place is None else [place], f"revoked from {self.name}")
            self.held.pop(tag, None)
            for _, waiting in self.pending.values():
                place = place or waiting.get(tag)
            if place is not None:
                self.watch.answered.discard(place)
                self.watch.may_come_again([place])

    def _confirm(self, frame: dict[str, Any]) -> None:
        kind, tags = self.pending.pop(frame["ref"])
        self.watch.stale += len(frame["stale"])
        for tag, place in tags.items():
            self.watch.note([place], f"done for {self.name}, {'stale' if tag in frame['stale'] else 'right'}")
            if tag in frame["stale"] or kind == "nack":
                self.watch.may_come_again([place])
            else:
                self.watch.confirmed.add(place)
                self.watch.allowed.discard(place)

    async def _answer(self, client: ClientConnection) -> None:
        """Answer for what is held, in the order of its tags; some of it later."""
        drawn = self.draw.random()
        tags = sorted(self.held)
        if drawn < self.nacks:
            await self._send(client, "nack", [self.draw.choice(tags)], delay_s=self.draw.choice([0, 0.02]), error="no")
        elif drawn < self.nacks + self.parks:
            await self._send(client, "park", [tags[0]], error="set aside")
        if self.held:
            tags = sorted(self.held)
            if self.draw.random() < 0.5:
                tags = tags[: self.draw.randint(1, len(tags))]
                await self._send(client, "ack", tags)
            else:
                await self._send(client, "ack", tags, through=tags[-1])

    async def _send(self, client: ClientConnection, kind: str, tags: list[int], **members: Any) -> None:
        self.ref += 1
        taken = {tag: self.held.pop(tag) for tag in tags}
        self.pending[self.ref] = kind, taken
        self.watch.note(taken.values(), f"{kind} by {self.name}")
        if kind != "nack":
            self.watch.answered.update(taken.values())
        if kind != "ack":
            keys = self._given_back()
            others = [place for _, tags in self.pending.values() for place in tags.values()]
            self.watch.may_come_again(
                place for place in [*self.held.values(), *others] if self.watch.key[place] in keys
            )
        named = {} if "through" in members else {"tags": tags}
        await client.send(json.dumps({"type": kind, **named, **members, "ref": self.ref}))
