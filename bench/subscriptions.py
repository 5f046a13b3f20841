"""Subscriptions, consumed by a client in Node: rate, delay, what dies, and what they cost others and memory.

The client is `ws` with the few lines around it that count (bench/javascript): it reads every event, and answers for a
frame once it has read all of it. Beside it stands nats-server with the same events in a stream on disk and its own
client for Node, which pulls with the same window and acknowledges each event, as "explicit" wants it there. So both
clients run in the same language on one thread, and each acknowledges in the cheapest way that it has.
"""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.documents import Documents
from bench.latency import CONNECTION_COUNT, HALF_PER_S
from bench.ledgers import KEY, cached
from bench.load import Plan, Seen, load, percentile, write_requests
from bench.measure import Scale, alternate, median
from bench.node import Node
from bench.processes import Process, answers, family_mb
from bench.report import Figure, at_least, at_most, ratio_at_least, ratio_at_most
from tests.support import installed
from tests.support.http import exchange
from tests.support.ports import free_ports

CLIENTS: Final = Path(__file__).with_name("javascript")
PROTOCOL: Final = "bigchaindb.subscription.v1"
BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 1_000
WINDOW_COUNT: Final = 256
BATCH_COUNT: Final = 100
SINGLE_COUNT: Final = 20_000
"""Events that are taken strictly one at a time."""
DELAY_COUNT: Final = 20_000
NEIGHBOURS: Final = 10
NEIGHBOUR_PER_S: Final = 1_000.0
NEIGHBOUR_POST_COUNT: Final = 10_000
IDLE_COUNT: Final = 1_000
TAKEOVER_COUNT: Final = 10
LINES: Final = 1_000
"""Different events that fill the peer's stream."""
OURS: Final = {"keypair": {"private": KEY.private_key, "public": KEY.public_key}}
"""The settings of a node whose key has signed the made ledgers."""
BODY_BYTES_MAX: Final = 8 << 20


class Taken(NamedTuple):
    """A client's rate over all events, and the CPU of client and server for one."""

    per_s: float
    client_us: float
    server_us: float


class Client:
    """A program in Node that writes lines of JSON."""

    def __init__(self, program: Path, *arguments: str, authority: Path | None = None) -> None:
        environment = {} if authority is None else {"NODE_EXTRA_CA_CERTS": str(authority)}
        self._process = subprocess.Popen(
            [installed.node(), program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()

    def wait_for(self, member: str) -> dict[str, Any]:
        """Return the next line that has a member."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if member in (found := json.loads(line)):
                return dict(found)
        raise RuntimeError(f"a client ended without {member!r}; its output is above")

    def tell(self, plan: object) -> None:
        """Write a line to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(plan).encode() + b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()


class Desk:
    """A node whose subscriptions get names of their own."""

    def __init__(self, node: Node, clients: Path, *, prefix: str = "") -> None:
        self.node = node
        self._clients = clients
        self._names = (f"{prefix}s{number}" for number in count())

    def subscribe(self, **members: object) -> str:
        """Create a subscription to every transaction; return its path."""
        path = f"/api/v1/subscriptions/{next(self._names)}"
        definition = {"granularity": "transaction", "start": "genesis", **members}
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port)
        if self.node.authority is not None:
            context = ssl.create_default_context(cafile=self.node.authority)
            connection = http.client.HTTPSConnection("127.0.0.1", self.node.port, context=context)
        answer = exchange(connection, "PUT", path, definition)
        connection.close()
        assert answer.status == 201, answer
        return path

    def client(self, *paths: str, event_count: int, window: int = WINDOW_COUNT, answer: bool = True) -> Client:
        """Start a client that consumes subscriptions."""
        client = Client(self._clients / "subscriber.js", authority=self.node.authority)
        client.tell(self.plan(*paths, event_count=event_count, window=window, answer=answer))
        return client

    def plan(
        self, *paths: str, event_count: int, window: int = WINDOW_COUNT, answer: bool = True
    ) -> Mapping[str, object]:
        """Return what a client is to do."""
        scheme = "ws" if self.node.authority is None else "wss"
        query = f"window={window}&batch={min(window, BATCH_COUNT)}"
        urls = [f"{scheme}://127.0.0.1:{self.node.port}{path}?{query}" for path in paths]
        return {"urls": urls, "count": event_count, "answer": answer}

    def take(self, event_count: int, *, window: int = WINDOW_COUNT) -> Taken:
        """Consume the log's first events by a new subscription."""
        with self.client(self.subscribe(), event_count=event_count, window=window) as client:
            client.wait_for("attached")
            before = self.node.cpu_s()
            (found,) = client.wait_for("done")["done"]
            server_s = self.node.cpu_s() - before
        return Taken(found["events"] / found["seconds"], found["cpuUs"], server_s * 1e6 / found["events"])


def run(scale: Scale) -> list[Figure]:
    """Measure all of it."""
    clients = _clients(scale)
    ledger = cached(scale, BLOCK_SIZE, scale.count(BLOCK_COUNT))
    with Node(ledger, settings=OURS) as node:
        desk = Desk(node, clients)
        figures = [*_rates(scale, desk, clients), _takeover(desk), _stalled(scale, desk)]
    figures += _secured(scale, ledger, clients)
    figures.append(_restart(scale, ledger, clients))
    figures += _idle(scale, clients)
    return [*figures, *_delays(scale, clients), *_neighbours(scale, clients)]


def _clients(scale: Scale) -> Path:
    """Return a folder with the clients and what they use."""
    packages = installed.javascript_packages(CLIENTS / "package.json")
    folder = scale.folder / "clients"
    shutil.copytree(CLIENTS, folder)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    return folder


def _rates(scale: Scale, desk: Desk, clients: Path) -> list[Figure]:
    event_count, single_count = scale.count(BLOCK_COUNT) * BLOCK_SIZE, scale.count(SINGLE_COUNT)
    with _peer(scale, desk, clients, event_count) as pull:
        desk.take(event_count)  # the log is in memory from then on, as the peer's stream is
        found, peer = alternate(scale.rounds, [lambda: desk.take(event_count), pull])
        single = [desk.take(single_count, window=1) for _ in range(scale.rounds)]
    what = f"events to a client, window {WINDOW_COUNT}, batch {BATCH_COUNT}"
    per_s, peer_per_s = (median(one.per_s for one in side) for side in (found, peer))
    name = "/s from nats-server, pulled, each acked"
    return [
        Figure(what=what, value=per_s, unit="/s", peer=peer_per_s, peer_name=name, limit=ratio_at_least(0.5)),
        Figure(what="- the same beside the plan", value=per_s, unit="/s", limit=at_least(40_000)),
        Figure(
            what="- CPU of the node",
            value=median(one.server_us for one in found),
            unit="µs",
            peer=median(one.server_us for one in peer),
            peer_name="µs of nats-server",
        ),
        Figure(
            what="- CPU of the client",
            value=median(one.client_us for one in found),
            unit="µs",
            peer=median(one.client_us for one in peer),
            peer_name="µs of its client",
        ),
        Figure(
            what="events to a client, window 1",
            value=median(one.per_s for one in single),
            unit="/s",
            limit=at_least(8_000),
        ),
    ]


@contextmanager
def _peer(scale: Scale, desk: Desk, clients: Path, event_count: int) -> Iterator[Callable[[], Taken]]:
    """Run nats-server with as many events; yield what has its client take all of them."""
    folder = scale.folder / "nats"
    folder.mkdir()
    lines = folder / "lines"
    page = exchange(
        http.client.HTTPConnection("127.0.0.1", desk.node.port),
        "GET",
        f"/api/v1/events?granularity=transaction&limit={LINES}",
    ).json()
    lines.write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in page["events"]))
    port, monitor = free_ports(2)
    configuration = folder / "nats.conf"
    configuration.write_text(
        f'listen: 127.0.0.1:{port}\nhttp: 127.0.0.1:{monitor}\njetstream {{ store_dir: "{folder}/js" }}\n'
    )
    command = [str(Path(sys.executable).with_name("nats-server")), "-c", str(configuration)]
    with Process(command, log=folder / "log") as server:
        server.wait_until(answers(monitor, "/healthz"))
        with Client(clients / "nats.js", str(port), str(lines), str(event_count), str(WINDOW_COUNT)) as client:
            client.wait_for("filled")

            def pull() -> Taken:
                before = server.cpu_s()
                client.tell("go")
                found = client.wait_for("seconds")
                server_s = server.cpu_s() - before
                return Taken(event_count / found["seconds"], found["cpuUs"], server_s * 1e6 / event_count)

            yield pull


def _secured(scale: Scale, ledger: Path, clients: Path) -> list[Figure]:
    event_count = scale.count(BLOCK_COUNT) * BLOCK_SIZE
    with Node(ledger, settings=OURS, is_secure=True) as node:
        found = [Desk(node, clients, prefix=f"tls{number}-").take(event_count) for number in range(scale.rounds)]
    return [
        Figure(what="events to a client over TLS", value=median(one.per_s for one in found), unit="/s"),
        Figure(what="- CPU of the node", value=median(one.server_us for one in found), unit="µs"),
    ]


def _takeover(desk: Desk) -> Figure:
    """Kill who holds all that was given out, and see when who stands by has it."""
    found = []
    for _ in range(TAKEOVER_COUNT):
        path = desk.subscribe(order="log")
        with desk.client(path, event_count=WINDOW_COUNT, answer=False) as first:
            first.wait_for("held")
            with desk.client(path, event_count=1) as second:
                second.wait_for("attached")
                begin = time.monotonic()
                first.kill()
                found.append(second.wait_for("first")["first"] - begin)
    return Figure(
        what="consumer killed until another has its events", value=median(found) * 1e3, unit="ms", limit=at_most(50)
    )


def _stalled(scale: Scale, desk: Desk) -> Figure:
    """Pass all events by a consumer that reads nothing, beside one that takes them."""
    event_count = scale.count(BLOCK_COUNT) * BLOCK_SIZE
    path = desk.subscribe(order="none")
    with _connected(desk.node, path):
        with desk.client(path, event_count=event_count // 10) as warm:
            warm.wait_for("done")
        before = family_mb(desk.node.pid)
        with desk.client(path, event_count=event_count * 9 // 10 - WINDOW_COUNT) as client:
            client.wait_for("done")
        grown = family_mb(desk.node.pid) - before
    return Figure(
        what=f"memory beside a consumer that reads nothing, {event_count:,} events",
        value=grown,
        unit="MiB",
        limit=at_most(4),
    )


def _idle(scale: Scale, clients: Path) -> list[Figure]:
    """Start a node with many subscriptions that nobody uses, beside its start without them."""
    folder = scale.folder / "idle"
    with Node(folder) as node:
        alone_s, alone_mb = node.start_s, family_mb(node.pid)
        desk = Desk(node, clients)
        for _ in range(IDLE_COUNT):
            desk.subscribe()
    with Node(folder) as node:
        start_s, grown = node.start_s, family_mb(node.pid) - alone_mb
    what, name = f"{IDLE_COUNT:,} idle subscriptions", "s without them"
    return [
        Figure(what=f"memory of {what}", value=grown, unit="MiB", limit=at_most(4)),
        Figure(what="- start of a node with them", value=start_s, unit="s", peer=alone_s, peer_name=name),
    ]


def _restart(scale: Scale, ledger: Path, clients: Path) -> Figure:
    """Kill a node, start it again, and come back as soon as its port is open."""
    with Node(ledger, settings=OURS) as node:
        path = Desk(node, clients, prefix="restart-").subscribe()
        with _connected(node, path) as consumer:
            consumer.recv()
        node.kill()
    found = []
    for _ in range(scale.rounds):
        with Node(ledger, settings=OURS, is_awaited=False) as node:
            node.wait_until(lambda node=node: _is_open(node.port))  # type: ignore[misc]
            begin = time.perf_counter()
            with _connected(node, path) as consumer:
                while json.loads(consumer.recv())["type"] != "events":
                    pass
            found.append(time.perf_counter() - begin)
            node.kill()
    return Figure(
        what="killed node's port open until the first event", value=median(found) * 1e3, unit="ms", limit=at_most(1_000)
    )


def _is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _connected(node: Node, path: str) -> ClientConnection:
    address = f"ws://127.0.0.1:{node.port}{path}?window={WINDOW_COUNT}"
    return connect(
        address, subprotocols=[Subprotocol(PROTOCOL)], max_size=BODY_BYTES_MAX, compression=None, ping_interval=None
    )


def _delays(scale: Scale, clients: Path) -> list[Figure]:
    """Time each event of a node at half load beside a bare socket that is told of the head in the same moment."""
    posts = Documents(seed=7).lanes(scale.count(DELAY_COUNT), CONNECTION_COUNT)
    requests = str(write_requests(scale.folder / "half", posts, "async"))
    found = [_delay(scale, clients, requests, len(posts)) for _ in range(scale.rounds)]
    what = f"event announced until a client has it, {HALF_PER_S:,.0f}/s"

    def figure(name: str, share: float, bound: float) -> Figure:
        ours, bare = (median(percentile(one[side], share) * 1e3 for one in found) for side in (0, 1))
        peer = "ms to the same process by a bare socket"
        return Figure(what=f"{what}, {name}", value=ours, unit="ms", peer=bare, peer_name=peer, limit=at_most(bound))

    return [figure("p50", 0.5, 3), figure("p99", 0.99, 20)]


def _delay(scale: Scale, clients: Path, requests: str, event_count: int) -> tuple[list[float], list[float]]:
    [port] = free_ports(1)
    folder = scale.folder / f"half-{time.monotonic_ns()}"
    with Client(clients / "subscriber.js", str(port)) as client:
        client.wait_for("listening")
        with Node(folder, module="bench.announcing_node", environment={"ANNOUNCE_PORT": str(port)}) as node:
            desk = Desk(node, clients)
            client.tell(desk.plan(desk.subscribe(), event_count=event_count))
            client.wait_for("attached")
            load(node, Plan(port=node.port, requests=requests, connection_count=CONNECTION_COUNT, per_s=HALF_PER_S))
            seen = client.wait_for("seen")["seen"]
    heads = {int(position): stamps for position, stamps in seen["heads"].items()}
    events = [at - heads[int(position)][0] for position, at in seen["events"].items()]
    return sorted(events), sorted(at - announced for announced, at in heads.values())


def _neighbours(scale: Scale, clients: Path) -> list[Figure]:
    """POST at a pace while ten consumers take every event, beside the same without them."""
    posts = Documents(seed=8).lanes(scale.count(NEIGHBOUR_POST_COUNT), CONNECTION_COUNT)
    requests = str(write_requests(scale.folder / "neighbours", posts, "commit"))

    def beside(consumer_count: int) -> Seen:
        with Node(scale.folder / f"neighbours-{time.monotonic_ns()}") as node:
            desk = Desk(node, clients)
            plan = Plan(port=node.port, requests=requests, connection_count=CONNECTION_COUNT, per_s=NEIGHBOUR_PER_S)
            paths = [desk.subscribe() for _ in range(consumer_count)]
            with desk.client(*paths, event_count=len(posts)) as client:
                for _ in paths:
                    client.wait_for("attached")
                seen = load(node, plan)
                if paths:
                    client.wait_for("done")
        return seen

    found, alone = alternate(scale.rounds, [lambda: beside(NEIGHBOURS), lambda: beside(0)])
    p50, p50_alone = (median(percentile(one.latencies, 0.5) * 1e3 for one in side) for side in (found, alone))
    us, us_alone = (median(one.server_cpu_s * 1e6 / len(posts) for one in side) for side in (found, alone))
    what = f"mode=commit at {NEIGHBOUR_PER_S:,.0f}/s beside {NEIGHBOURS} consumers of every event"
    name = "ms without them"
    return [
        Figure(what=f"{what}, p50", value=p50, unit="ms", peer=p50_alone, peer_name=name, limit=ratio_at_most(1.2)),
        Figure(what="- CPU of the node for an event to one of them", value=(us - us_alone) / NEIGHBOURS, unit="µs"),
    ]
