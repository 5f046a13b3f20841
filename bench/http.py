"""Transactions per second over HTTP, from POST to durable, and the CPU that each costs the node."""

from dataclasses import replace
from typing import Final

from bench.breakdown import breakdown
from bench.documents import Documents
from bench.load import Plan, Seen, load, per_s, server_us, write_requests
from bench.measure import Scale, alternate, median
from bench.node import load_a_node
from bench.processes import Process, answers, python
from bench.report import Figure, at_least, at_most
from tests.support.ports import free_ports

CONNECTION_COUNT: Final = 64
ASYNC_COUNT: Final = 30_000
COMMIT_COUNT: Final = 15_000


def run(scale: Scale) -> list[Figure]:
    """Measure both modes, the peer and the floor in turn."""
    documents = Documents()
    files = {
        mode: write_requests(scale.folder / mode, documents.lanes(scale.count(count), CONNECTION_COUNT), mode)
        for mode, count in (("async", ASYNC_COUNT), ("commit", COMMIT_COUNT))
    }
    port, own_port = free_ports(2)
    with (
        Process(python("bench.peer_http", str(port)), log=scale.folder / "peer.log") as peer,
        Process(python("bench.floor_http", str(own_port)), log=scale.folder / "floor.log") as floor,
    ):
        peer.wait_until(answers(port))
        floor.wait_until(answers(own_port))
        accept, commit = (
            Plan(port=port, requests=str(file), connection_count=CONNECTION_COUNT) for file in files.values()
        )
        runs = [
            lambda: load(peer, accept),
            lambda: load(floor, replace(accept, port=own_port)),
            lambda: load_a_node(scale, replace(accept, confirm=True)),  # until it can be read, so is durable (P4)
            lambda: load_a_node(scale, commit),
        ]
        nothing, own_nothing, accepted, committed = alternate(scale.rounds, runs)
    return [
        *_figures("async", accepted, nothing),
        *_figures("commit", committed, nothing),
        Figure(
            what="floor: CPU of the node's HTTP server, with a handler that does nothing",
            value=server_us(own_nothing),
            unit="µs",
            peer=server_us(nothing),
            peer_name="µs of aiohttp's server with such a handler",
        ),
        Figure(what="floor: CPU of the load generator", value=_client_us(nothing), unit="µs"),
        *breakdown(scale, http_us=server_us(own_nothing), whole_us=server_us(accepted)),
    ]


def _figures(mode: str, seen: list[Seen], nothing: list[Seen]) -> list[Figure]:
    return [
        Figure(
            what=f"committed, mode={mode}, {CONNECTION_COUNT} connections",
            value=per_s(seen),
            unit="/s",
            peer=per_s(nothing),
            peer_name="/s into aiohttp's server with a handler that does nothing",
            limit=at_least(5_000) if mode == "async" else None,
        ),
        Figure(
            what=f"server CPU of each, mode={mode}",
            value=server_us(seen),
            unit="µs",
            peer=server_us(nothing),
            peer_name="µs of the same",
            limit=at_most(200) if mode == "async" else None,
        ),
        Figure(what=f"load generator CPU of each, mode={mode}", value=_client_us(seen), unit="µs"),
    ]


def _client_us(seen: list[Seen]) -> float:
    return median(one.client_cpu_s * 1e6 / len(one.latencies) for one in seen)
