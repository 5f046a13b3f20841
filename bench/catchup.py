"""The speed at which a plugin enabled on a ledger of 1,000,000 transactions gets them all, beside the ways of 1.x.

1.x could not do it at all: a plugin saw what was published while it ran. Its queues are the peer for the rate alone.
"""

import time
from typing import Final

from bench.events import PEER_COUNTS, advertise_readers, distinct, prebuilt, through_a_host
from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.peer_events import through_an_exchange
from bench.report import Figure, ratio_at_least

BLOCK_SIZE: Final = 100
BLOCK_COUNT: Final = 10_000
RATE_LEAST: Final = 20.0
"""How many times as fast as in 1.x it has to be."""


def run(scale: Scale) -> list[Figure]:
    """Enable a plugin at the first event, in turn with the peer."""
    advertise_readers(scale.folder / "catchup-site")
    count = scale.count(BLOCK_COUNT)
    ledger = cached(scale, BLOCK_SIZE, count) / "data"
    plain = prebuilt(BLOCK_SIZE, scale.count(PEER_COUNTS[BLOCK_SIZE]), distinct(scale))
    wholes_s = []

    def catch_up() -> float:
        begin = time.perf_counter()
        per_s = through_a_host(ledger, count, "body")
        wholes_s.append(time.perf_counter() - begin)
        return per_s

    exchange, caught_up = (
        median(found) for found in alternate(scale.rounds, [lambda: through_an_exchange(plain), catch_up])
    )
    what = f"{count * BLOCK_SIZE:,} transactions in blocks of {BLOCK_SIZE}"
    return [
        Figure(
            what=f"{what}, from genesis, as bytes",
            value=caught_up * BLOCK_SIZE,
            unit="/s",
            peer=exchange * BLOCK_SIZE,
            peer_name="/s by the queues of 1.x, as dicts",
            limit=ratio_at_least(RATE_LEAST),
        ),
        Figure(what=f"{what}, from opening the ledger to its end", value=median(wholes_s), unit="s"),
    ]
