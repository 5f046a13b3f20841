"""A ledger that has something for every screen of the page, written without a node: the demo's story and more."""

import itertools
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bigchaindb.cli import demo_story
from bigchaindb.config import Limits
from bigchaindb.identity import make_chain_id
from bigchaindb.ledger.ports import RejectedRow
from bigchaindb.transaction import build, parse
from tests.support import chains, installed, ledgers, scale
from tests.support.chains import ALICE, NODE
from tests.support.ledgers import decide, ledger_over, open_store, propose

KEY_PAIR: Final = {"public": NODE.public_key, "private": NODE.private_key}
INVALID: Final = 2
"""Position of the first invalid block."""
HOSTILE_HEIGHT: Final = 3
PALLETS: Final = 300
"""Transactions of the largest blocks."""
BURIED: Final = 60
"""Levels of an asset's data; with the transaction around it, it stays below what a node takes."""
HOSTILE: Final = {
    "</script><script>window[`broken`]=1</script>": "<img src=x onerror='window.broken=1'>",
    "direction": "abc\u202egpj.exe",
    "__proto__": {"polluted": True},
    "javascript:alert(1)": "data:text/html,<b>no</b>",
    "template": "${7*7} {{7*7}} %s",
    "unseen": "zero\u200bwidth\u2066isolate\u0007bell",
}
SECONDS_BETWEEN: Final = 3
LEDGER_UNUSED_S_MAX: Final = 24 * 3600.0
"""A large ledger of other code is deleted that soon: one takes up to 1 GB."""
_SOURCES: Final = [
    *map(Path, (__file__, demo_story.__file__, chains.__file__, ledgers.__file__)),
    *(
        path
        for name in ("store", "ledger", "transaction")
        for path in (installed.CHECKOUT / "bigchaindb" / name).rglob("*")
        if path.suffix in {".py", ".sql"}
    ),
]
"""All that decides what the ledger is, the schemas as well."""


def hostile() -> dict[str, object]:
    """Return an asset's data that tries to be more than text: markup, directions, depth, many keys, a long text."""
    deep: object = "bottom"
    for level in range(BURIED):
        deep = {f"level {level}": deep}
    many = {f"key {number}": number for number in range(10_000)}
    return {**HOSTILE, "deep": deep, "many": many, "long": "x" * 1_000_000 + "end"}


def write_large(folder: Path) -> None:
    """Write the ledger as `write` does, with `scale.PAGE_ROWS` transactions; it is made once, and kept."""
    pins = b"".join(source.read_bytes() for source in sorted(_SOURCES))

    def make(made: Path) -> None:
        installed.forget_unused("ledger-*", LEDGER_UNUSED_S_MAX)
        write(made, scale.PAGE_ROWS)

    kept = installed.made_once(f"ledger-{scale.PAGE_ROWS}", pins, make)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


def write(folder: Path, count: int = scale.PAGE_TRANSACTIONS) -> None:
    """Write the ledger into the new data directory of a node that is started over it, with `KEY_PAIR`.

    Args:
        folder: of the ledger.
        count: of transactions, beside the demo's story.
    """
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    make_chain_id(folder)
    story = demo_story.tell()
    first = _created({"name": "the first one"})
    blocks: list[Sequence[bytes]] = [
        [first],
        [first],
        [_created({"name": "pallet", "number": number}) for number in range(PALLETS)],
        [_created(hostile())],
        *(
            [_created({"name": "pallet", "number": number}) for number in range(begin, begin + PALLETS)]
            for begin in range(PALLETS, count, PALLETS)
        ),
        *([signed.body for signed in burst] for burst in story.bursts),
        [story.refused.body],
        [_created({"name": "the last one"})],
    ]
    begin_s = int(time.time()) - SECONDS_BETWEEN * len(blocks)
    with open_store(folder) as store:
        ledger = ledger_over(store.writer)
        for bodies, timestamp in zip(blocks, itertools.count(begin_s, SECONDS_BETWEEN), strict=False):
            decide(ledger, propose(store.writer, *bodies, timestamp=timestamp))
        store.rejected_writer(Limits()).add(list(_rejected(story.refused.body, first)))


def _created(data: dict[str, object]) -> bytes:
    return build.create([ALICE], data=data).body


def _rejected(refused: bytes, conflicting: bytes) -> Iterator[RejectedRow]:
    transaction, other = parse(refused), parse(conflicting)
    message = f"input `{transaction.id}` was already spent by {other.id}"
    yield RejectedRow(transaction.id, transaction.asset_id or transaction.id, "DoubleSpend", message, refused)
