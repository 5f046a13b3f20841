"""Events a second that reach a plugin, kept and acknowledged, beside the ways of 1.x that keep nothing."""

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from bench.documents import Documents
from bench.ledgers import cached
from bench.measure import Scale, alternate, median
from bench.peer_events import PlainEvent, through_an_exchange, through_one_queue
from bench.plugins import install, running, until
from bench.report import Figure, ratio_at_least
from bigchaindb.config import PluginSettings
from bigchaindb.store import Store

COUNTS: Final = {1: 60_000, 100: 1_500, 1_000: 200}
"""Events in the ledgers, by transactions of each."""
PEER_COUNTS: Final = {1: 20_000, 100: 600, 1_000: 60}
"""Events through the peers, which are slower."""
AS_DICTS: Final = {1: 3.0, 100: 2.5, 1_000: 1.7}
AS_BYTES: Final = {1: 6.0, 100: 15.0, 1_000: 7.0}
"""How many times as fast as in 1.x it has to be."""
DICTS_AS_BARE: Final = 1.0
BYTES_AS_BARE: Final = 0.85
"""For events of one transaction: how many times as fast as a bare queue of the same things, which keeps nothing."""
DISTINCT_COUNT: Final = 20_000
PLUGIN: Final = "bench_reader"
RUN_COUNT_MAX: Final = 32
"""Runs over one ledger; each needs a plugin of its own."""
WAIT_S_MAX: Final = 60.0


def run(scale: Scale) -> list[Figure]:
    """Measure each size of block in turn with its peers."""
    advertise_readers(scale.folder / "site")
    pool = distinct(scale)
    return [figure for size in COUNTS for figure in _of_size(scale, size, pool)]


def _of_size(scale: Scale, size: int, pool: list[dict[str, Any]]) -> list[Figure]:
    count = scale.count(COUNTS[size])
    ledger = cached(scale, size, count) / "data"
    plain = prebuilt(size, scale.count(PEER_COUNTS[size]), pool)
    plain_bytes = [PlainEvent(event.type, json.dumps(event.data, separators=(",", ":")).encode()) for event in plain]
    runs = [
        lambda: through_an_exchange(plain),
        lambda: through_one_queue(plain),
        lambda: through_one_queue(plain_bytes),
        lambda: through_a_host(ledger, count, "data"),
        lambda: through_a_host(ledger, count, "body"),
    ]
    exchange, bare, bare_bytes, as_dicts, as_bytes = (median(found) for found in alternate(scale.rounds, runs))
    what = f"events of {size:,} to a plugin"
    return [
        Figure(
            what=f"{what}, as dicts",
            value=as_dicts,
            unit="/s",
            peer=exchange,
            peer_name="/s by the queues of 1.x, as dicts",
            limit=ratio_at_least(AS_DICTS[size]),
        ),
        Figure(
            what=f"{what}, as bytes",
            value=as_bytes,
            unit="/s",
            peer=exchange,
            peer_name="/s by the queues of 1.x, as dicts",
            limit=ratio_at_least(AS_BYTES[size]),
        ),
        Figure(
            what=f"{what}, as dicts",
            value=as_dicts,
            unit="/s",
            peer=bare,
            peer_name="/s by one bare queue of dicts",
            limit=ratio_at_least(DICTS_AS_BARE) if size == 1 else None,
        ),
        Figure(
            what=f"{what}, as bytes",
            value=as_bytes,
            unit="/s",
            peer=bare_bytes,
            peer_name="/s by one bare queue of bytes",
            limit=ratio_at_least(BYTES_AS_BARE) if size == 1 else None,
        ),
    ]


def through_a_host(ledger: Path, count: int, read: str) -> float:
    """Run the plugin from the first event on, as the node does; return events per second."""
    number = len(list(ledger.glob("result-*")))
    result = ledger / f"result-{number}.json"
    settings = PluginSettings(start="genesis", options={"count": count, "read": read, "result": str(result)})
    plugins = {f"{PLUGIN}_{number}": settings}  # a lane of its own: it begins at the first event

    async def deliver() -> None:
        async with running(store, plugins):
            await until(result.exists, within_s=WAIT_S_MAX)

    with closing(Store(ledger)) as store:
        asyncio.run(deliver())
    found: dict[str, float] = json.loads(result.read_text())
    return found["per_s"]


def distinct(scale: Scale) -> list[dict[str, Any]]:
    """Make transactions as dicts for the peers."""
    documents = Documents()
    return [documents.dictionary() for _ in range(scale.count(DISTINCT_COUNT))]


def prebuilt(size: int, count: int, pool: list[dict[str, Any]]) -> list[PlainEvent]:
    """Build events of distinct transactions, as 1.x had them in memory."""
    events = []
    for number in range(count):
        transactions = [pool[(number * size + index) % len(pool)] for index in range(size)]
        block = {"node_pubkey": "4K9s", "timestamp": "1700000000", "transactions": transactions, "voters": ["4K9s"]}
        events.append(PlainEvent(1, {"block": block, "id": f"{number:064x}", "signature": "3Z"}))
    return events


def advertise_readers(site: Path) -> None:
    """Install the plugin's entry points, one for each run, for this process and the hosts that it starts."""
    install(site, {f"{PLUGIN}_{number}": "bench.reader_plugin" for number in range(RUN_COUNT_MAX)})
