"""Networks of one and of four validators on this machine: throughput, latency, and where the time goes.

All nodes, their CometBFTs and the load generator share its cores, so the figures are what one machine can do; four
machines have four times the cores. The peer of each figure is what CometBFT reached in the plan with an application
that does nothing (docs/explanation/network.md), on a machine of this kind.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.documents import Documents
from bench.load import Plan, Seen, load, percentile, write_requests
from bench.measure import Scale, median
from bench.networks import network
from bench.node import Node
from bench.processes import answers
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
    figures: list[Figure] = []
    for count in (1, 4):
        rates = [_rate(scale, documents, count) for _ in range(scale.rounds)]
        figures.append(
            Figure(
                what=f"committed over HTTP, {count} validators, {CONNECTION_COUNT} connections",
                value=median(rates),
                unit="/s",
                limit=at_least(RATE_LEAST[count]),
            )
        )
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


def _rate(scale: Scale, documents: Documents, count: int) -> float:
    """Post to one node as fast as it takes; give what is committed each second."""
    folder = _folder(scale)
    posted = list(documents.lanes(scale.count(RATE_COUNT), CONNECTION_COUNT))
    requests = write_requests(folder / "requests", posted, "async")
    with network(folder, count) as nodes:
        _wait_until_all_follow(folder, documents, nodes)
        plan = Plan(port=nodes[0].port, requests=str(requests), connection_count=CONNECTION_COUNT)
        seen = _load(nodes[0], plan)
        begin_s = time.perf_counter()
        for id_, _ in posted[-CONNECTION_COUNT:]:  # the last of each connection; asked seldom, as asking costs too
            while not answers(nodes[0].port, f"/api/v1/transactions/{id_}")():
                time.sleep(ASK_S)
        return len(posted) / (seen.seconds + time.perf_counter() - begin_s)


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
