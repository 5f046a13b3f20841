"""`/api/v1/blocks` beside commits."""

from typing import cast

from bigchaindb.api.blocks import _v2
from bigchaindb.ledger.block import Block
from bigchaindb.ledger.ports import Queries
from tests.support.decisions import Chain, made


class Committing:
    """Queries between the first and the second of which the first block is committed."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []

    def _commit(self) -> None:
        if not self._blocks:
            self._blocks.append(Chain().valid(made(1)).last.block)

    def height(self) -> int:
        height = len(self._blocks)
        self._commit()
        return height

    def block(self, height: int) -> Block | None:
        found = dict(enumerate(self._blocks, 1)).get(height)
        self._commit()
        return found


def test_a_block_that_is_committed_meanwhile_is_never_an_empty_one() -> None:
    """Clients that wait for the next height ask again and again, and take what they get for final."""
    queries = cast("Queries", Committing())
    assert _v2(queries, 1) is None
    block = b'{"height":1,"transactions":[%b]}\n' % made(1).body
    assert _v2(queries, 1) == block
