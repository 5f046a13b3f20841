"""200 proposals of a faulty validator, each of which breaks a rule, under light load: all are on record everywhere.

The network, the orders and the faults are those of `tests/integration/network/test_byzantine.py`; the faulty validator
slanders in its votes all the while. What it costs the others is in the figures of `mode=commit`.
"""

import random
import time
from collections.abc import Iterator
from itertools import count
from statistics import median
from typing import Final

from bench.load import percentile
from bench.measure import Scale
from bench.report import Figure, at_least, at_most
from tests.support.byzantine_node import COIN, CROWD_COUNT, EXTENSIONS, PROPOSALS, SPENT
from tests.support.byzantine_story import BYZANTINE, Orders, make_faulty_network, records_of, until_silent
from tests.support.chains import create
from tests.support.live_networks import Network

PROPOSAL_COUNT: Final = 200
PAUSE_S: Final = 0.05
SHARE_LEAST: Final = 0.95
"""On record: a validator that is late, on a busy machine, votes against a proposal without having judged it."""
COMMIT_S_MOST: Final = 3.0
CROWD_S_MOST: Final = 2.0
CROWD_RATIO_MOST: Final = 4.0
"""Either will do: on a busy machine any faulty proposal takes long."""
SAMPLES: Final = 3


def run(scale: Scale) -> list[Figure]:
    """Order the faults, trade until all are carried out, then compare the nodes."""
    choices = random.Random(0)
    folder = scale.folder / "byzantine"
    folder.mkdir()
    orders, numbers, latencies = Orders(folder / "orders"), count(1), list[float]()
    network = make_faulty_network(folder, orders)
    try:
        network.start()
        network[0].commit(COIN.transaction, SPENT)
        orders.give("extensions", *choices.choices([*EXTENSIONS], k=20 * PROPOSAL_COUNT))
        orders.give("proposals", *choices.choices([*PROPOSALS], k=scale.count(PROPOSAL_COUNT)))
        begin = time.monotonic()
        while not orders.are_carried_out():
            sent = time.monotonic()
            number = next(numbers)
            network[number % BYZANTINE].commit(create(number))
            latencies.append(time.monotonic() - sent)
            time.sleep(PAUSE_S)
        duration_s = time.monotonic() - begin
        until_silent(network[0])
        single_s, crowd_s = (slowest_s(network, orders, fault, numbers) for fault in ("empty", "crowd"))
        until_silent(network[0])
        network.until_equal()
        records = {record.name for record in records_of(network[0])}
        network.stop()
    finally:
        network.kill()
    proposed = {one.name for one in orders.proposed()}
    latencies.sort()
    return [
        Figure(what="faulty proposals", value=len(proposed), unit=""),
        Figure(what="one of them each", value=duration_s / len(proposed), unit="s"),
        Figure(
            what="share of them on record, the same on all nodes",
            value=len(records & proposed) / len(proposed),
            unit="",
            limit=at_least(SHARE_LEAST),
        ),
        Figure(what="records of anything else", value=len(records - proposed), unit="", limit=at_most(0)),
        Figure(
            what=f"mode=commit at a faulty proposal of {CROWD_COUNT:,} empty transactions",
            value=crowd_s,
            unit="s",
            peer=single_s,
            peer_name="at one of a single empty one",
            limit=at_most(max(CROWD_S_MOST, CROWD_RATIO_MOST * single_s)),
        ),
        Figure(what="mode=commit meanwhile, p50", value=percentile(latencies, 0.5), unit="s"),
        Figure(what="mode=commit, most", value=latencies[-1], unit="s", limit=at_most(COMMIT_S_MOST)),
    ]


def slowest_s(network: Network, orders: Orders, fault: str, numbers: Iterator[int]) -> float:
    """Return how long the slowest `mode=commit` takes while a fault is voted down and logged; the median of some."""
    samples = []
    for _ in range(SAMPLES):
        known = len(records_of(network[0]))
        orders.give("proposals", fault)
        slowest, end = 0.0, time.monotonic() + 60
        while time.monotonic() < end and (not orders.are_carried_out() or len(records_of(network[0])) == known):
            sent = time.monotonic()
            network[0].commit(create(next(numbers)))
            slowest = max(slowest, time.monotonic() - sent)
            time.sleep(PAUSE_S)
        samples.append(slowest)
    return median(samples)
