"""The time that a client waits: from POST to the WebSocket message, and for mode=commit to answer."""

from typing import Final

from bench.documents import Documents
from bench.load import Plan, Seen, load, percentile, write_requests
from bench.measure import Scale, alternate, median
from bench.node import load_a_node
from bench.processes import Process, answers, python
from bench.report import Figure, at_most
from tests.support.ports import free_ports

CONNECTION_COUNT: Final = 64
COMMIT_CONNECTION_COUNT: Final = 32
HALF_PER_S: Final = 2_500.0
"""Half of the 5,000 transactions a second that the node has to keep up with (`bench.http`)."""
STREAM_COUNT: Final = 10_000
COMMIT_COUNT: Final = 10_000


def run(scale: Scale) -> list[Figure]:
    """Measure the stream at half load, then commit with clients that wait, each beside the floor."""
    documents = Documents()
    posts = documents.lanes(scale.count(STREAM_COUNT), CONNECTION_COUNT)
    streamed = str(write_requests(scale.folder / "streamed", posts, "async"))
    waiting = documents.lanes(scale.count(COMMIT_COUNT), COMMIT_CONNECTION_COUNT)
    committed = str(write_requests(scale.folder / "committed", waiting, "commit"))
    [port] = free_ports(1)
    with Process(python("bench.peer_http", str(port)), log=scale.folder / "peer.log") as peer:
        peer.wait_until(answers(port))
        pace = Plan(port=port, requests=streamed, connection_count=CONNECTION_COUNT, per_s=HALF_PER_S)
        wait = Plan(port=port, requests=committed, connection_count=COMMIT_CONNECTION_COUNT)
        runs = [
            lambda: load(peer, pace),
            lambda: load_a_node(scale, pace, stream=True),
            lambda: load(peer, wait),
            lambda: load_a_node(scale, wait),
        ]
        floor, stream, floor_waiting, commit = alternate(scale.rounds, runs)
    return [
        *_figures(f"POST to WebSocket message at {HALF_PER_S:,.0f}/s", [s.stream_latencies for s in stream], floor, 10),
        *_figures("mode=commit answers, 32 clients", [s.latencies for s in commit], floor_waiting, 15),
    ]


def _figures(what: str, found: list[list[float]], floor: list[Seen], p50_ms_max: float) -> list[Figure]:
    def at(share: float) -> float:
        return median(percentile(latencies, share) * 1e3 for latencies in found)

    return [
        Figure(
            what=f"{what}, p50",
            value=at(0.5),
            unit="ms",
            peer=median(percentile(seen.latencies, 0.5) * 1e3 for seen in floor),
            peer_name="ms for 202 from a handler that does nothing",
            limit=at_most(p50_ms_max),
        ),
        Figure(what=f"{what}, p99", value=at(0.99), unit="ms"),
    ]
