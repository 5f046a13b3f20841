"""What TLS costs: POST/s over connections that stay open, and the CPU of each event on the stream."""

from dataclasses import replace
from typing import Final

from bench.documents import Documents
from bench.load import Plan, per_s, server_us, write_requests
from bench.measure import Scale, alternate
from bench.node import load_a_node
from bench.report import Figure, at_least

CONNECTION_COUNT: Final = 64
POST_COUNT: Final = 15_000
SHARE_MIN: Final = 0.8
"""Of the POST/s without TLS, in the same run."""


def figures(scale: Scale) -> list[Figure]:
    """Measure a node with and without a certificate in turn, each with one follower of the stream."""
    documents = Documents(seed=11)
    count = scale.count(POST_COUNT)
    requests = write_requests(scale.folder / "posts", documents.lanes(count, CONNECTION_COUNT), "async")
    plan = Plan(port=0, requests=str(requests), connection_count=CONNECTION_COUNT, confirm=True)
    plain, secure, with_stream, with_secure_stream = alternate(
        scale.rounds,
        [
            lambda: load_a_node(scale, plan),
            lambda: load_a_node(scale, plan, is_secure=True),
            lambda: load_a_node(scale, replace(plan, confirm=False), stream=True),
            lambda: load_a_node(scale, replace(plan, confirm=False), stream=True, is_secure=True),
        ],
    )
    return [
        Figure(
            what="POST/s over TLS",
            value=per_s(secure),
            unit="/s",
            peer=per_s(plain),
            peer_name="/s without TLS",
            limit=at_least(SHARE_MIN * per_s(plain)),
        ),
        Figure(
            what="- CPU of the node",
            value=server_us(secure),
            unit="us",
            peer=server_us(plain),
            peer_name="us without TLS",
        ),
        Figure(
            what="- and with an event each",
            value=server_us(with_secure_stream),
            unit="us",
            peer=server_us(with_stream),
            peer_name="us without TLS",
        ),
    ]
