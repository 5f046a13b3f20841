"""The signers of the last blocks of a network, read from the commits on its chain. Pure.

A commit lists the precommits that the proposer of the next block had in time. The memory is bounded: `BLOCK_COUNT`
commits, each with one address of 20 bytes for each validator.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

BLOCK_COUNT: Final = 100
"""Blocks over which signatures are counted."""
SILENT_COUNT: Final = 10
"""Blocks in a row without its signature after which a validator does not sign. A slow one misses some, since a proposer
waits for the last precommits for 50 ms only."""
AGAIN_COUNT: Final = 3
"""Blocks in a row with its signature after which a validator signs again."""


class SignedBlocks(NamedTuple):
    """Figures of one validator over the blocks that are kept.

    Attributes:
        signed_count: blocks that it signed.
        block_count: blocks that it could sign.
        height: the highest that it signed, kept for longer than the blocks; None: none is known.
    """

    signed_count: int
    block_count: int
    height: int | None


class _Commit(NamedTuple):
    signed: frozenset[bytes]
    absent: frozenset[bytes]

    def has(self, address: bytes) -> bool:
        """Whether it is a validator of the height."""
        return address in self.signed or address in self.absent


class Commits:
    """The commits of the last `BLOCK_COUNT` heights. Validators are named by their addresses."""

    def __init__(self) -> None:
        self._kept: dict[int, _Commit] = {}
        self._last: dict[bytes, int] = {}

    def take(self, height: int, signed: Iterable[bytes], absent: Iterable[bytes]) -> None:
        """Keep the commit of a block, instead of an earlier form of it: late precommits are added to a commit.

        Args:
            height: of the block.
            signed: validators whose precommit for the block is in the commit.
            absent: all others.
        """
        commit = _Commit(frozenset(signed), frozenset(absent))
        self._kept[height] = commit
        while len(self._kept) > BLOCK_COUNT:
            del self._kept[min(self._kept)]
        for address in commit.signed:
            self._last[address] = max(height, self._last.get(address, 0))
        if len(self._last) > len(commit.signed) + len(commit.absent):
            known = frozenset[bytes]().union(*(one.signed | one.absent for one in self._kept.values()))
            self._last = {address: last for address, last in self._last.items() if address in known}

    def missing(self, head: int) -> Iterator[int]:
        """Return the heights of the last `BLOCK_COUNT` up to `head` that are not kept, descending."""
        return (height for height in range(head, max(0, head - BLOCK_COUNT), -1) if height not in self._kept)

    def of(self, address: bytes) -> SignedBlocks:
        """Return what a validator signed."""
        chances = [address in one.signed for one in self._kept.values() if one.has(address)]
        return SignedBlocks(sum(chances), len(chances), self._last.get(address))

    def is_silent(self, address: bytes, *, above: int = 0) -> bool:
        """Whether a validator signed none of the last `SILENT_COUNT` blocks, all of them of heights above `above`."""
        chances = self._newest(address, SILENT_COUNT, above)
        return len(chances) == SILENT_COUNT and not any(chances)

    def signs_again(self, address: bytes) -> bool:
        """Whether a validator signed each of the last `AGAIN_COUNT` blocks."""
        chances = self._newest(address, AGAIN_COUNT)
        return len(chances) == AGAIN_COUNT and all(chances)

    def _newest(self, address: bytes, count: int, above: int = 0) -> list[bool]:
        """Return whether a validator signed, for up to `count` blocks, the newest first, since it became one."""
        found: list[bool] = []
        for height in sorted(self._kept, reverse=True)[:count]:
            commit = self._kept[height]
            if height <= above or not commit.has(address):
                break
            found.append(address in commit.signed)
        return found
