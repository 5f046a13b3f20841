"""A process that commits blocks as fast as it can, to be killed."""

import random
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from bigchaindb.store import Store
from bigchaindb.transaction.model import OutputRef
from tests.support.decisions import Chain, random_block

GENERATION_ROWS = 200
"""So few that rows move at all times."""


def write(path: Path, seed: int, acknowledged: Connection) -> None:
    """Commit until killed; print each position once its commit has returned."""
    draw = random.Random(seed)
    unspent = list[tuple[OutputRef, str]]()
    with closing(Store(path, generation_rows=GENERATION_ROWS)) as store:
        decisions = Chain(store.writer.tip())
        while True:
            block = random_block(draw, unspent, draw.randint(1, 10))
            effects = decisions.invalid(*block[:2]) if draw.random() < 0.1 else decisions.valid(*block)
            if effects.last.event.reason is not None:
                unspent.clear()  # what it made does not exist
            store.writer.commit(effects)
            acknowledged.send_bytes(effects.last.event.position.to_bytes(8, "big") + effects.last.event.digest)
            store.writer.tidy()
