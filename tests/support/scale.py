"""The counts that decide how long the suite takes, and the seeds that it plays.

`make test` uses the first number of each, `make test-long` the second: it sets `TEST_SCALE=long`. No test runs in one
of them alone.
"""

import os
import random
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

VARIABLE: Final = "TEST_SCALE"
FIRST_SEED_VARIABLE: Final = "TEST_FIRST_SEED"
SCALES: Final = ("suite", "long")
SCALE: Final = os.environ.get(VARIABLE) or SCALES[0]
if SCALE not in SCALES:
    raise RuntimeError(f"{VARIABLE}={SCALE!r}: must be one of {', '.join(SCALES)}")


def of(*, suite: int, long: int) -> int:
    """Return the number of the scale that this run has."""
    return long if SCALE == "long" else suite


def commit_count() -> int:
    """Return how many commits led to this checkout; 0 where no history came with the files."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-list", "--count", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return 0
    return int(done.stdout) if done.returncode == 0 else 0


def _first_seed() -> int:
    drawn = random.SystemRandom().randrange(2**31) if SCALE == "long" else commit_count()
    return int(os.environ.setdefault(FIRST_SEED_VARIABLE, str(drawn)))  # the workers of a run take the same one


FIRST_SEED: Final = _first_seed()
"""The first seed of every simulation. The suite's is the number of commits: each commit plays other histories, and
plays the same ones when it is tested again. A long run draws its own."""
ONLY_SEED: Final = int(os.environ["SEED"]) if os.environ.get("SEED") else None
"""The one seed that a person wants to see played again."""


def seeds(count: int) -> Sequence[int]:
    """Return the seeds that a simulation plays."""
    return range(FIRST_SEED, FIRST_SEED + count) if ONLY_SEED is None else (ONLY_SEED,)


def play(count: int, history: Callable[[random.Random], None]) -> None:
    """Play so many histories; the error of one names its seed."""
    for seed in seeds(count):
        try:
            history(random.Random(seed))
        except BaseException as error:
            error.add_note(f"SEED={seed} plays it again")
            raise


def seed() -> int:
    """Return the seed of a test that plays one history."""
    return FIRST_SEED if ONLY_SEED is None else ONLY_SEED


LONG_TEST_S: Final = 3_600
"""Time for a test of a long run that has none of its own."""
EXAMPLES: Final = of(suite=100, long=500)
"""Examples of a property without a number of its own."""
DELIVERY_HISTORIES: Final = of(suite=32, long=2_000)
NETWORK_HISTORIES: Final = of(suite=25, long=600)
VOTING_HISTORIES: Final = of(suite=25, long=500)
LANE_MODEL_RUNS: Final = of(suite=150, long=1_500)
SHARING_MODEL_RUNS: Final = of(suite=150, long=2_000)
SHARING_HISTORIES: Final = of(suite=1_000, long=100_000)
SUBSCRIBED_KILLS: Final = of(suite=4, long=40)
SUBSCRIBED_EVENTS: Final = of(suite=2_000, long=20_000)
SUBSCRIBED_BY_ASSET: Final = of(suite=2_000, long=100_000)
"""The order that most have; the others would take an hour."""
SESSION_HISTORIES: Final = of(suite=150, long=10_000)
QUEUE_MODEL_RUNS: Final = of(suite=60, long=1_000)
BYTECODE_KILLS: Final = of(suite=30, long=200)
STORE_HISTORIES: Final = of(suite=3, long=60)
FILTER_EXAMPLES: Final = of(suite=300, long=3_000)
SEARCH_EXAMPLES: Final = of(suite=250, long=2_000)
HTTP_EXAMPLES: Final = of(suite=300, long=2_000)
PROVENANCES: Final = of(suite=300, long=3_000)
PROOF_MUTATIONS: Final = of(suite=1_000, long=10_000)
"""Changed proofs that both checkers judge, Python's and the page's."""

NODE_KILLS: Final = of(suite=60, long=600)
CHECK_KILLS: Final = of(suite=20, long=300)
STORE_KILLS: Final = of(suite=60, long=1_000)
PLUGIN_KILLS: Final = of(suite=50, long=300)
DESCENDANT_KILLS: Final = of(suite=3, long=20)
"""Of each of node, host and both keepers; each kill leaves five descendants to be ended."""
HOST_KILLS: Final = of(suite=8, long=60)
SINK_KILLS: Final = of(suite=8, long=24)
SINK_RUN_BLOCKS: Final = of(suite=60, long=1_110)
SINK_RUN_TRANSACTIONS: Final = of(suite=4, long=100)
"""In each valid block, a message of each: 100,000 of a long run."""
SINK_RUN_SERVICE_KILLS: Final = of(suite=2, long=20)
SINK_RUN_PLUGIN_KILLS: Final = of(suite=3, long=100)
WEBHOOK_KILLS: Final = of(suite=12, long=50)
"""Of a sink with many requests on their way."""
NETWORK_KILLS: Final = of(suite=4, long=25)
SSE_RESTARTS: Final = of(suite=6, long=30)
PAGE_KILLS: Final = of(suite=5, long=20)
PAGE_TRANSACTIONS: Final = of(suite=300, long=100_000)
"""Of the ledger whose page is looked at, beside the demo's story."""
PAGE_ROWS: Final = of(suite=100_000, long=1_000_000)
"""Of the ledger that four nodes show, and whose screens open at once all the same."""
PAGE_FLOOD: Final = of(suite=100_000, long=400_000)
"""Blocks in summary that a page takes as fast as they come."""
STOPS: Final = of(suite=3, long=20)

CONSUMED_EVENTS: Final = of(suite=2_000, long=100_000)
"""Of a subscription that consumers in other languages share."""
STREAMS: Final = of(suite=100, long=200)
SMALL_TRANSACTIONS: Final = of(suite=3_000, long=6_000)
LARGE_TRANSACTIONS: Final = of(suite=300, long=600)
LONG_LEDGER_TRANSACTIONS: Final = of(suite=13_000, long=20_000)
"""A follower that reads nothing must have more before it than its connection's buffers hold: 3 MB."""
OUTBOX_TRANSACTIONS: Final = of(suite=4_000, long=6_000)
