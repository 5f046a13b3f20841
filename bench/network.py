"""Networks of one and of four validators on this machine: throughput, latency, and where the time goes.

All nodes, their CometBFTs and the load generator share its cores, so the figures are what one machine can do; four
machines have four times the cores.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.consensus import calls
from bench.documents import Documents
from bench.load import Plan, Seen, load, percentile, write_requests
from bench.measure import Scale, alternate, median
from bench.networks import network
from bench.node import Node
from bench.processes import answers, child_of, cpu_s
from bench.report import Figure, at_least, at_most

CONNECTION_COUNT: Final = 64
PACED_CONNECTION_COUNT: Final = 32
RATE_COUNT: Final = 20_000
PACES: Final = ((5.0, 100, 80.0), (100.0, 2_000, 200.0))
"""Transactions per second, how many, and most milliseconds at the median."""
RATE_LEAST: Final = {1: 4_000.0, 4: 1_000.0}
ASK_S: Final = 0.02
FOLLOW_S_MAX: Final = 60.0


def run(scale: Scale) -> list[Figure]:
    """Measure one validator, then four."""
    documents = Documents()
    figures = calls(scale)
    alone, one_validator, four = alternate(
        scale.rounds,
        [partial(_load_nodes, scale, documents, count) for count in (0, 1, 4)],
    )
    for count, found in ((1, one_validator), (4, four)):
        who = f"{count} validator{'s' if count > 1 else ''}"
        figures += [
            Figure(
                what=f"committed over HTTP, {who}, {CONNECTION_COUNT} connections",
                value=median(one.per_s for one in found),
                unit="/s",
                peer=median(one.per_s for one in alone),
                peer_name="/s by a node without a network",
                limit=at_least(RATE_LEAST[count]),
            ),
            Figure(
                what=f"CPU of the node that is posted to, {who}",
                value=median(one.node_us for one in found),
                unit="µs each",
                peer=median(one.node_us for one in alone),
                peer_name="µs of a node without a network",
            ),
            Figure(what=f"CPU of its CometBFT, {who}", value=median(one.engine_us for one in found), unit="µs each"),
        ]
    for per_s, pace_count, most_ms in PACES:
        latencies = _latencies(scale, documents, per_s, max(50, scale.count(pace_count)))
        figures += [
            Figure(
                what=f"mode=commit answers, 4 validators, {per_s:g}/s, p{round(share * 100)}",
                value=percentile(latencies, share) * 1e3,
                unit="ms",
                limit=at_most(most_ms) if share == 0.5 else None,
            )
            for share in (0.5, 0.95)
        ]
    return figures


class _Loaded(NamedTuple):
    """The work of a network under load.

    Attributes:
        per_s: transactions committed each second.
        node_us: CPU of the node that was posted to, for each.
        engine_us: CPU of its CometBFT, for each; 0 without one.
    """

    per_s: float
    node_us: float
    engine_us: float


def _load_nodes(scale: Scale, documents: Documents, count: int) -> _Loaded:
    """Post to one node of so many validators as fast as it takes; 0 is a node without a network."""
    folder = _folder(scale)
    posted = list(documents.lanes(scale.count(RATE_COUNT), CONNECTION_COUNT))
    requests = write_requests(folder / "requests", posted, "async")
    with network(folder, count) if count else _alone(folder) as nodes:
        _wait_until_all_follow(folder, documents, nodes)
        plan = Plan(port=nodes[0].port, requests=str(requests), connection_count=CONNECTION_COUNT)
        engine = child_of(nodes[0].pid, "cometbft") if count else None
        before = _used_s(nodes[0], engine)
        seen = _load(nodes[0], plan)
        begin_s = time.perf_counter()
        for id_, _ in posted[-CONNECTION_COUNT:]:  # the last of each connection; asked seldom, as asking costs too
            while not answers(nodes[0].port, f"/api/v1/transactions/{id_}")():
                time.sleep(ASK_S)
        seconds = seen.seconds + time.perf_counter() - begin_s
        used_us = [
            (now - used) * 1e6 / len(posted) for now, used in zip(_used_s(nodes[0], engine), before, strict=True)
        ]
        return _Loaded(len(posted) / seconds, *used_us)


def _used_s(node: Node, engine: int | None) -> tuple[float, float]:
    """Return the CPU seconds of the node with its children, and of its CometBFT."""
    of_engine = 0.0 if engine is None else cpu_s(engine)
    return node.cpu_s() - of_engine, of_engine


@contextmanager
def _alone(folder: Path) -> Iterator[list[Node]]:
    with Node(folder / "alone") as node:
        yield [node]


def _latencies(scale: Scale, documents: Documents, per_s: float, count: int) -> list[float]:
    folder = _folder(scale)
    requests = write_requests(folder / "requests", documents.lanes(count, PACED_CONNECTION_COUNT), "commit")
    with network(folder, 4) as nodes:
        _wait_until_all_follow(folder, documents, nodes)
        plan = Plan(port=nodes[0].port, requests=str(requests), connection_count=PACED_CONNECTION_COUNT, per_s=per_s)
        return sorted(_load(nodes[0], plan).latencies)


def _load(node: Node, plan: Plan) -> Seen:
    seen = load(node, plan)
    assert set(seen.statuses) == {"202"}, (seen.statuses, seen.refusals)
    return seen


def _wait_until_all_follow(folder: Path, documents: Documents, nodes: Sequence[Node]) -> None:
    """Commit a transaction through each node: one that does not follow the network yet refuses."""
    for number, node in enumerate(nodes):
        requests = write_requests(folder / f"first-{number}", documents.lanes(1, 1), "commit")
        plan = Plan(port=node.port, requests=str(requests), connection_count=1)
        end_s = time.monotonic() + FOLLOW_S_MAX
        while "202" not in load(node, plan).statuses:
            assert time.monotonic() < end_s, f"node {number} does not follow the network"
            time.sleep(0.2)


def _folder(scale: Scale) -> Path:
    folder = scale.folder / f"network-{time.monotonic_ns()}"
    folder.mkdir()
    return folder
