"""What lists and counts of the log take from its newest event back, on ledgers of any size, and what scans cost others.

Blocks have 1,000 transactions, and 20 rejected proposals lie among them. Filters that an index answers are those of an
asset and of a text; a number is scanned for, and no transaction has it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import orjson

from bench.hostile import Client
from bench.ledgers import KEY, TIMESTAMP, Growing, cached
from bench.measure import Scale, median
from bench.node import Node
from bench.questions import commits_beside, ms_each
from bench.report import Figure, at_most
from bigchaindb.errors import AmountError
from bigchaindb.eventlog.selection import from_query
from bigchaindb.events import EventTypes
from bigchaindb.ledger import proposal, transition
from bigchaindb.reader.frames import NOW, EventPage
from bigchaindb.reader.newest import read_newest
from bigchaindb.store import Store
from bigchaindb.streams.cloud_events import Choice

COUNTS: Final = (10_000, 1_000_000)
"""Transactions of the ledgers."""
BLOCK_SIZE: Final = 1_000
INVALID_COUNT: Final = 20
PAGE_COUNT: Final = 50
REPEAT_COUNT: Final = 200
PAGE_MS_MAX: Final = 1.0
HTTP_MS_MAX: Final = 10.0
SCAN_S: Final = 0.25
CHAIN: Final = "solo-bench"
RARE: Final = {"metadata.sequence[lt]": "0"}
"""What no transaction has, and what all have to be decoded for."""
ABSENT: Final = {"metadata.rare[gt]": "0"}
"""What no transaction names."""


@dataclass(frozen=True)
class List:
    """A list of the log."""

    name: str
    members: Mapping[str, str]
    types: int = EventTypes.ALL
    each_transaction: bool = False

    @property
    def query(self) -> str:
        """Return its arguments."""
        kind = {EventTypes.BLOCK_INVALID: "&type=invalid"}.get(self.types, "")
        granularity = "&granularity=transaction" if self.each_transaction else ""
        return (
            "".join(f"&{name}={value.replace(' ', '+')}" for name, value in self.members.items()) + kind + granularity
        )


def run(scale: Scale) -> list[Figure]:
    """Ask each ledger in turn, then commit beside clients that scan the largest."""
    figures: list[Figure] = []
    for full in COUNTS:
        count = scale.count(full)
        folder = _ledger(scale, count)
        lists = _lists(folder)
        figures += _asked(folder, lists, count)
    return [*figures, *_over_http(folder, lists, scale)]


def _ledger(scale: Scale, count: int) -> Path:
    size = min(BLOCK_SIZE, count)
    folder = cached(scale, size, max(1, count // size))
    with closing(Growing(folder / "data")) as ledger:
        writer = ledger.store.writer
        fault = proposal.Fault("transactions[1]", AmountError("bench"), 1)
        for block in ledger.blocks(3, INVALID_COUNT):
            tip, bodies = writer.tip(), [one.body for one in block]
            proposed = proposal.sign_proposal(
                bodies, height=tip.height + 1, timestamp=TIMESTAMP, voters=(KEY.public_key,), key=KEY
            )
            writer.commit(transition.finalize(proposal.Verdict(proposed, (), fault), tip, KEY))
            ledger.add(block)
    return folder


def _lists(folder: Path) -> list[List]:
    with closing(Store(folder / "data")) as store, closing(store.log_reader()) as log:
        found = partial(page, store, log, choice=Choice(types=EventTypes.BLOCK_VALID, each_transaction=True))
        newest = orjson.loads(found(members={}, limit=1_000))["events"]
    create = next(one["data"] for one in newest if one["data"]["operation"] == "CREATE")
    moved = next((one["data"] for one in newest if one["data"]["operation"] == "TRANSFER"), create)
    asset, owner = moved["asset"].get("id", moved["id"]), moved["inputs"][0]["owners_before"][0]
    return [
        List("blocks", {}),
        List("transactions", {}, EventTypes.BLOCK_VALID, each_transaction=True),
        List("CREATEs", {"operation": "CREATE"}, EventTypes.BLOCK_VALID, each_transaction=True),
        List("rejected proposals", {}, EventTypes.BLOCK_INVALID),
        List("of an asset", {"asset": asset}, EventTypes.BLOCK_VALID, each_transaction=True),
        List("of an owner", {"owner": owner}, EventTypes.BLOCK_VALID, each_transaction=True),
        List("of one text", {"data.serial": create["asset"]["data"]["serial"]}, each_transaction=True),
        List("of common words", {"data.model": create["asset"]["data"]["model"]}, each_transaction=True),
    ]


def page(
    store: Store,
    log: object,
    *,
    members: Mapping[str, str],
    choice: Choice,
    limit: int = PAGE_COUNT,
    before: str = NOW,
    is_count: bool = False,
    scan_s: float = SCAN_S,
) -> bytes:
    """Return a page or a count as the reader process makes it."""
    head = store.writer.tip().position
    history = store.queries().history_for(choice.selection, None, head)
    asked = EventPage(
        members=dict(members),
        types=choice.types,
        each_transaction=choice.each_transaction,
        is_summary=choice.is_summary,
        after=None,
        before=before,
        history=history,
        is_count=is_count,
        head=head,
        count_max=limit,
        bytes_max=1 << 20,
    )
    end_s = time.monotonic() + scan_s
    return read_newest(log, CHAIN, choice, asked, lambda: time.monotonic() >= end_s).body  # type: ignore[arg-type]


def _asked(folder: Path, lists: list[List], count: int) -> Iterator[Figure]:
    about = f"of {count:,} transactions"
    with closing(Store(folder / "data")) as store, closing(store.log_reader()) as log:
        for one in lists:
            choice = Choice(from_query(one.members), one.types, one.each_transaction, is_summary=True)
            taken_ms = ms_each(partial(page, store, log, members=one.members, choice=choice), REPEAT_COUNT)
            name = f"{PAGE_COUNT} newest {one.name} in short, {about}"
            yield Figure(what=name, value=taken_ms, unit="ms", limit=at_most(PAGE_MS_MAX))
        for name, members in (("decoded", RARE), ("passed over", ABSENT)):
            yield from _scan(store, log, members, f"- a count for which all are {name}, {about}")


def _scan(store: Store, log: object, members: Mapping[str, str], what: str) -> Iterator[Figure]:
    choice = Choice(from_query(members), EventTypes.BLOCK_VALID, each_transaction=True)
    before, is_end, requests = NOW, False, []
    used = time.process_time()
    while not is_end:
        begin = time.perf_counter()
        answer = orjson.loads(page(store, log, members=members, choice=choice, before=before, is_count=True))
        requests.append((time.perf_counter() - begin) * 1e3)
        before, is_end = answer["next"], answer["end"]
    yield Figure(what=what, value=time.process_time() - used, unit="s CPU")
    yield Figure(what=f"{what}: the longest request", value=max(requests), unit="ms", limit=at_most(1.2e3 * SCAN_S))


def _over_http(folder: Path, lists: list[List], scale: Scale) -> Iterator[Figure]:
    with Node(folder, settings={"keypair": {"public": KEY.public_key, "private": KEY.private_key}}) as node:
        client = Client(node.port, None)
        for one in lists:
            path = f"/api/v1/events?before=now&detail=summary&limit={PAGE_COUNT}{one.query}"
            value = median(client.get(path) for _ in range(REPEAT_COUNT))
            yield Figure(what=f"- {one.name} over HTTP", value=value, unit="ms", limit=at_most(HTTP_MS_MAX))

        scans = [
            f"/api/v1/events{kind}before=now&{name}={value}"
            for kind in ("?", "/count?")
            for name, value in (*RARE.items(), *ABSENT.items())
        ]
        yield from commits_beside(node.port, client, scans, "scan", scale)
