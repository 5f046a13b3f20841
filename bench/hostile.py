"""The harm that strangers can do: one client commits, another floods the node or posts costly documents (S1).

Each attack runs twice in turn: against the node, and against a server that throws all away (`bench.bare`) on the same
machine beside a node that nobody attacks. The difference is the node's; the rest is what two processes that never stop
cost on these cores.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.attacker import SUBSCRIPTION
from bench.documents import Documents
from bench.load import percentile
from bench.measure import Scale, alternate, median
from bench.node import Node
from bench.processes import Process, family_mb, python, secured
from bench.report import Figure, at_most, ratio_at_most
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair
from tests.support.http import request
from tests.support.ports import free_ports

ATTACKS: Final = {
    "frames": "16 WebSocket clients that send small frames without end",
    "pings": "16 WebSocket clients that send pings without end",
    "nested": "32 clients that post nested lists",
    "exponents": "32 clients that post lists of 1e99",
    "controls": "32 clients that post control characters and 1e99",
    "words": "32 clients that post 60,000 new words",
    "outputs": "32 clients that post 1,800 outputs",
    "signatures": "32 clients that post 2,000 signatures",
    "depth": "32 clients that post lists in lists, 90 deep",
    "names": "32 clients that post 15,000 names of members",
    "searches": "8 clients that search for a common word, list and scan",
    "pipelined": "one client that sends GETs without end",
    "handshakes": "64 clients that begin TLS handshakes without end, from 16 addresses",
    "chunks": "8 clients that send a body in chunks of one byte",
    "unanswering": "16 consumers of a subscription that answer nothing",
    "unread": "16 consumers of a subscription that read nothing",
    "garbage": "16 consumers of a subscription that send garbage without end",
    "stale": "16 consumers of a subscription that send stale answers without end",
    "pulls": "32 clients that pull with lists of 65,000 answers",
    "keys": "8 clients with 100,000 addresses that try wrong access keys",
}
_KEY: Final = KeyPair.from_seed(bytes(32))
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {"keys": {"access": {"proxies": ["127.0.0.1"]}}}
"""Of the node under an attack: a proxy is believed, so that one machine has as many addresses as it likes."""
SECURE: Final = "handshakes"
"""The attack on a node that serves over TLS, as does the client that suffers."""
CONSUMING: Final = frozenset({"unanswering", "unread", "garbage", "stale", "pulls"})
STREAMING: Final = frozenset({"frames", "pings"})
ATTACK_S: Final = 30.0
PAUSE_S: Final = 0.05
"""Between two commits of the client that suffers."""
WAIT_MS_MAX: Final = 500.0
MEMORY_MB_MAX: Final = 100.0
STOP_S_MAX: Final = 2.0
WARM_COUNT: Final = 90
WARM_BYTES: Final = 900_000
"""Documents that fill the writer's page cache of 64 MiB, as any load does: the attack shall not be charged with it."""
ANSWER_S_MAX: Final = 60.0
P99_RATIO_MAX: Final = 3.0
"""Of the same figure while the same attackers use the machine and not the node."""
REST_S: Final = 60.0
"""Time after the attack in which the memory has to return."""
REST_RATIO_MAX: Final = 1.2
SECOND_ATTACK_S: Final = 2.0
"""The stop is measured under attack as well."""


class _Run(NamedTuple):
    """The answers that the other client got.

    Attributes:
        commits_ms: of each `mode=commit`, sorted.
        grown_mb: most memory of the node's processes, above what they had before the attack.
        rest: what they have a minute after it, as a multiple of that before.
        stop_s: from SIGTERM to the node's end, the attack going on.
    """

    commits_ms: list[float]
    grown_mb: float
    rest: float
    stop_s: float


def run(scale: Scale) -> list[Figure]:
    """Carry out every attack, or those that the environment variable ONLY names."""
    kinds = os.environ.get("ONLY", ",".join(ATTACKS)).split(",")
    return [figure for kind in kinds for figure in _figures(kind, scale)]


def _figures(kind: str, scale: Scale) -> Iterator[Figure]:
    documents = Documents(seed=7)
    attacked, beside = alternate(
        scale.rounds,
        [lambda: _suffer(kind, scale, documents, at_node=True), lambda: _suffer(kind, scale, documents, at_node=False)],
    )
    yield Figure(
        what=f"another's commit beside {ATTACKS[kind]}, p50",
        value=median(percentile(one.commits_ms, 0.5) for one in attacked),
        unit="ms",
        peer=median(percentile(one.commits_ms, 0.5) for one in beside),
        peer_name="ms with the attack on a bare server",
    )
    yield Figure(
        what=f"- p99 ({kind})",
        value=median(percentile(one.commits_ms, 0.99) for one in attacked),
        unit="ms",
        peer=median(percentile(one.commits_ms, 0.99) for one in beside),
        peer_name="ms with the attack on a bare server",
        limit=ratio_at_most(P99_RATIO_MAX),
    )
    yield Figure(
        what=f"- longest ({kind})",
        value=max(one.commits_ms[-1] for one in attacked),
        unit="ms",
        peer=max(one.commits_ms[-1] for one in beside),
        peer_name="ms with the attack on a bare server",
        limit=at_most(WAIT_MS_MAX),
    )
    yield Figure(
        what=f"- memory beyond that before ({kind})",
        value=max(one.grown_mb for one in attacked),
        unit="MiB",
        limit=at_most(MEMORY_MB_MAX),
    )
    yield Figure(
        what=f"- memory a minute later, times that before ({kind})",
        value=max(one.rest for one in attacked),
        unit="x",
        limit=at_most(REST_RATIO_MAX),
    )
    yield Figure(
        what=f"- SIGTERM to the end ({kind})",
        value=max(one.stop_s for one in attacked),
        unit="s",
        limit=at_most(STOP_S_MAX),
    )


def _suffer(kind: str, scale: Scale, documents: Documents, *, at_node: bool) -> _Run:
    folder = scale.folder / f"hostile-{len(list(scale.folder.glob('hostile-*')))}"
    [bare_port] = free_ports(1)
    with (
        Node(folder, settings=SETTINGS.get(kind, {}), is_secure=kind == SECURE) as node,
        Process(python("bench.bare", str(bare_port)), log=folder / "bare.log"),
    ):
        client = Client(node.port, node.authority)
        for _ in range(20):
            client.commit(documents.create()[0].body)
        for number in range(WARM_COUNT):
            client.commit(create([_KEY], data={"number": number, "text": WARM_BYTES * "x"}).body)
        if kind in CONSUMING:
            definition = {"granularity": "transaction", "order": "none", "window": 65_536}
            assert (
                request("PUT", f"http://127.0.0.1:{node.port}/api/v1/subscriptions/{SUBSCRIPTION}", definition).status
                == 201
            )
        before_mb = family_mb(node.pid)
        port = bare_port if not at_node else node.stream_port if kind in STREAMING else node.port
        with _attacking(kind, port):
            found, end = [], time.perf_counter() + scale.share * ATTACK_S
            while time.perf_counter() < end:
                found.append(client.commit(documents.create()[0].body))
                time.sleep(PAUSE_S)
            grown_mb = node.memory_mb() - before_mb
        rest = _rest(node, before_mb) if at_node else 1.0
        with _attacking(kind, port):
            time.sleep(SECOND_ATTACK_S)
            stop_s = node.stop()
    return _Run(sorted(found), grown_mb, rest, stop_s)


def _rest(node: Node, before_mb: float) -> float:
    """Wait until the memory has returned, for a minute at most; return it as a multiple of that before."""
    end = time.perf_counter() + REST_S
    while (rest := family_mb(node.pid) / before_mb) > REST_RATIO_MAX and time.perf_counter() < end:
        time.sleep(1)
    return rest


@contextmanager
def _attacking(kind: str, port: int) -> Iterator[None]:
    with subprocess.Popen(python("bench.attacker", kind, str(port)), stdout=subprocess.PIPE, text=True) as attacker:
        assert attacker.stdout is not None
        try:
            assert attacker.stdout.readline() == "ready\n", "the attacker did not begin"
            yield
        finally:
            attacker.kill()


class Client:
    """Sends one request after the other over one connection."""

    def __init__(self, port: int, authority: Path | None) -> None:
        self._socket = secured(socket.create_connection(("127.0.0.1", port), ANSWER_S_MAX), authority)

    def commit(self, body: bytes) -> float:
        """Commit; return how long that took, in ms."""
        head = f"POST /api/v1/transactions?mode=commit HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        # A 504 is a wait as well.
        return self._exchange(head.encode() + body, (b"HTTP/1.1 202 ", b"HTTP/1.1 504 "))

    def get(self, path: str) -> float:
        """Read; return how long that took, in ms."""
        return self._exchange(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode(), (b"HTTP/1.1 200 ",))

    def _exchange(self, request: bytes, expected: tuple[bytes, ...]) -> float:
        begin = time.perf_counter()
        self._socket.sendall(request)
        answer = b""
        while not answer.endswith(b"}\n"):
            piece = self._socket.recv(65536)
            assert piece, answer
            answer += piece
        assert answer.startswith(expected), answer[:200]
        return (time.perf_counter() - begin) * 1e3
