"""What questions about owners and assets take on ledgers of any size, and what eight clients of them cost commits.

As a program it is those clients: `python -m bench.questions PORT PATH...`, until it is killed.
"""

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from bench.documents import Documents, Owner
from bench.hostile import Client
from bench.ledgers import KEY, Growing, cached
from bench.load import percentile
from bench.measure import Scale, alternate, median
from bench.node import Node
from bench.processes import python
from bench.report import Figure, at_most, ratio_at_most
from bigchaindb.store import Store, holdings
from bigchaindb.store.migrations import open_ledger

COUNTS: Final = (10_000, 1_000_000)
"""Transactions of the ledgers."""
BLOCK_SIZE: Final = 1_000
HELD: Final = {count: Owner.of(count.to_bytes(32, "big")) for count in (20, 10_000, 100_000)}
"""Owners by the outputs that each has."""
PAGE_COUNT: Final = 50
REPEAT_COUNT: Final = 200
PAGE_MS_MAX: Final = 1.0
HTTP_MS_MAX: Final = 10.0
CLIENT_COUNT: Final = 8
COMMIT_COUNT: Final = 400
PAUSE_S: Final = 0.02
P50_RATIO_MAX: Final = 1.2
P99_RATIO_MAX: Final = 2.0


def run(scale: Scale) -> list[Figure]:
    """Ask each ledger in turn, then commit beside clients of the largest."""
    figures: list[Figure] = []
    for count in COUNTS:
        folder = _ledger(scale, scale.count(count))
        figures += _asked(folder, scale.count(count))
    return [*figures, *_over_http(folder, scale)]


def _ledger(scale: Scale, count: int) -> Path:
    """Return a ledger of so many transactions and those of the owners above."""
    folder = cached(scale, min(BLOCK_SIZE, count), max(1, count // BLOCK_SIZE))
    with closing(Growing(folder / "data")) as ledger:
        for held_count, owner in HELD.items():
            documents = Documents(2_000_000 + held_count, owners=[owner])
            supply = documents.bare_blocks(min(BLOCK_SIZE, held_count))
            for _ in range(max(1, held_count // BLOCK_SIZE)):
                ledger.add(next(supply))
    return folder


def _asked(folder: Path, count: int) -> Iterator[Figure]:
    with closing(Store(folder / "data")) as store, closing(open_ledger(store.directory.ledger)) as connection:
        queries = store.queries().holdings
        asked = queries.outputs_of_owner(HELD[20].text, asset_id=None, spent=None, before=None, limit=PAGE_COUNT)
        create = holdings.page(connection, asked).elements.partition(b'"asset_id":"')[2][:64].decode()

        def page() -> object:
            given = {"asset_id": None, "spent": None, "before": None, "limit": PAGE_COUNT}
            return holdings.page(connection, queries.outputs_of_owner(HELD[100_000].text, **given))  # type: ignore[arg-type]

        def of_asset() -> object:
            given = {"transaction_id": None, "spent": None, "before": None, "limit": PAGE_COUNT}
            found = queries.outputs_of_asset(create, **given)  # type: ignore[arg-type]
            assert found is not None
            return holdings.page(connection, found)

        about = f"of {count:,} transactions"
        for what, ask in (
            (f"{PAGE_COUNT} newest outputs of an owner {about}", page),
            (f"outputs of an asset {about}", of_asset),
        ):
            yield Figure(what=what, value=ms_each(ask, REPEAT_COUNT), unit="ms", limit=at_most(PAGE_MS_MAX))
        for held_count, owner in HELD.items():

            def balances(key: str = owner.text) -> object:
                return holdings.document(connection, queries.balances(key, 100_000))

            repeat_count = max(3, min(REPEAT_COUNT, 100_000 // held_count))
            yield Figure(
                what=f"balances over {held_count:,} outputs {about}", value=ms_each(balances, repeat_count), unit="ms"
            )


def ms_each(ask: Callable[[], object], count: int) -> float:
    """Return the median of the ms that asking takes."""
    taken = []
    for _ in range(count):
        begin = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - begin) * 1e3)
    return median(taken)


def _over_http(folder: Path, scale: Scale) -> Iterator[Figure]:
    owner = f"/api/v1/owners/{HELD[100_000].text}"
    with Node(folder, settings={"keypair": {"public": KEY.public_key, "private": KEY.private_key}}) as node:
        client = Client(node.port, None)
        page = median(client.get(f"{owner}/outputs?limit={PAGE_COUNT}") for _ in range(REPEAT_COUNT))
        yield Figure(what=f"- {PAGE_COUNT} newest outputs over HTTP", value=page, unit="ms", limit=at_most(HTTP_MS_MAX))

        paths = [owner, f"{owner}/outputs?limit=1000", f"{owner}/outputs?spent=true"]
        yield from commits_beside(node.port, client, paths, "ask for balances and pages", scale)


def commits_beside(port: int, client: Client, paths: Sequence[str], what: str, scale: Scale) -> Iterator[Figure]:
    """Commit alone and beside eight clients in turn, which ask for paths: `what` they do."""
    documents = Documents(seed=9)

    def commits() -> list[float]:
        found = []
        for _ in range(scale.count(COMMIT_COUNT)):
            found.append(client.commit(documents.create()[0].body))
            time.sleep(PAUSE_S)
        return sorted(found)

    def beside() -> list[float]:
        with _asking(port, paths):
            return commits()

    asked, alone = alternate(scale.rounds, [beside, commits])
    for name, share, bound in (("p50", 0.5, P50_RATIO_MAX), ("p99", 0.99, P99_RATIO_MAX)):
        yield Figure(
            what=f"commit beside {CLIENT_COUNT} clients that {what}, {name}",
            value=median(percentile(one, share) for one in asked),
            unit="ms",
            peer=median(percentile(one, share) for one in alone),
            peer_name="ms without them",
            limit=ratio_at_most(bound),
        )


@contextmanager
def _asking(port: int, paths: Sequence[str]) -> Iterator[None]:
    """Have eight clients ask for paths in turn meanwhile."""
    with subprocess.Popen(python("bench.questions", str(port), *paths), stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        try:
            assert asking.stdout.readline() == "ready\n", "the clients did not begin"
            yield
        finally:
            asking.kill()


async def _ask(port: int, paths: Iterator[str]) -> None:
    """Ask for one path after the other over one connection, for ever."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        writer.write(f"GET {next(paths)} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))


async def _clients(port: int, paths: Sequence[str]) -> None:
    print("ready", flush=True)
    await asyncio.gather(*(_ask(port, itertools.cycle(paths)) for _ in range(CLIENT_COUNT)))


if __name__ == "__main__":
    asyncio.run(_clients(int(sys.argv[1]), sys.argv[2:]))
