"""Keeps a key from voting until the chain has shown whether it voted before. Belongs to the event loop.

A node whose record of signatures is empty is a new one, or one that lost its disk; the second may have voted on the
very next height. Only the chain shows which, so the node first follows with a key that nobody knows, and no vote of its
own can leave it, whenever it is killed. Once it has caught up it searches the last commits for signatures of its own
key.

Source: docs/decisions/0049-a-key-without-a-record.md.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.commits import BLOCK_COUNT
from bigchaindb.engine.cometbft.files import Layout
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.cometbft.signer import signed_height
from bigchaindb.errors import SignerUnknown
from bigchaindb.ledger.validators import ValidatorSet, address_text
from bigchaindb.transaction.keys import KeyPair

BEGINNING_S: Final = 10.0
"""Time to wait for a chain without blocks, where not enough of its validators are connected to begin one: a peer that
is new itself would show it as empty."""

_log: Final = logging.getLogger(__name__)


class Probation:
    """One node's key.

    Attributes:
        is_held: whether CometBFT runs with another key than this node's.
    """

    def __init__(self, layout: Layout, key: KeyPair, own: bytes, *, is_held: bool) -> None:
        """Begin with the state that `bigchaindb.engines` has found and written.

        Args:
            layout: where CometBFT's files are.
            key: the node's pair.
            own: its address.
            is_held: whether CometBFT is started with another key.
        """
        self._layout = layout
        self._key = key
        self._own = own
        self.is_held = is_held
        self._recorded = 0
        self._empty_s: float | None = None

    def decided(self, request: pb.RequestFinalizeBlock) -> None:
        """Compare a decided block with the record of what this node's key has signed.

        Raises:
            SignerUnknown: the chain has a signature that the record lacks.
        """
        height = request.height - 1
        votes = request.decided_last_commit.votes
        if self.is_held or height <= self._recorded or not any(_is_signed(one, self._own) for one in votes):
            return
        self._recorded = signed_height(self._layout) or 0
        if height > self._recorded:
            raise SignerUnknown(
                f"the chain has a signature of this node's key at height {height}, and "
                f"`{self._layout.validator_state}` ends at {self._recorded}: another node signs with this key, or the "
                "file is an older one; make sure that no other node has the key, and then run "
                "`bigchaindb network signed HEIGHT`, one more than `network status` of another node shows"
            )

    def has_seen_head(self, height: int, *, can_begin: bool, now_s: float) -> bool:
        """Whether the chain that CometBFT has caught up with is the whole chain.

        Args:
            height: of the last block.
            can_begin: whether validators with more than two thirds of the power are connected.
            now_s: of a clock that never goes back.
        """
        if height or can_begin:
            return True
        self._empty_s = now_s if self._empty_s is None else self._empty_s
        return now_s - self._empty_s >= BEGINNING_S

    async def conclude(
        self, rpc: CometBftRpc, height: int, validators: ValidatorSet, restart: Callable[[], Awaitable[None]]
    ) -> None:
        """Allow the key to vote, if it may.

        Args:
            rpc: of CometBFT, which has caught up.
            height: of the last block.
            validators: of the next.
            restart: starts CometBFT anew.

        Raises:
            SignerUnknown: it has voted before, and may have voted on the next height.
            CometBftUnavailable: CometBFT does not answer.
            StartupError: the genesis cannot be read.
        """
        signed = await self._last_signed(rpc, height) if validators.power_of(self._own) else None
        if signed is not None:
            self._layout.validator_state.unlink(missing_ok=True)  # it is empty: the next start is refused at once
            raise SignerUnknown(
                f"this validator's key has signed block {signed} of this chain, and this node has no record of what it "
                "has signed, so it may have voted on the next height before its disk was lost: make sure that the old "
                f"node does not run any more, and then run `bigchaindb network signed {height + 1}`"
            )
        if height:
            files.put_validator_state(self._layout, height=height, round_=0, step=0)
        files.put_validator_key(self._layout, self._key)
        self._recorded = height
        self.is_held = False
        _log.info("this node's key has not signed before and may sign from now on", extra={"height": height})
        await restart()

    async def _last_signed(self, rpc: CometBftRpc, head: int) -> int | None:
        """Return the highest of the last blocks that this node's key has signed."""
        own = address_text(self._own)
        first = files.read_genesis(self._layout, rules_version=RULES_VERSION).initial_height
        for height in range(head, max(first - 1, head - BLOCK_COUNT), -1):
            signatures = (await rpc.commit(height)).signed_header.commit.signatures
            if any(one.validator_address == own for one in signatures):  # of an absent one it is empty
                return height
        return None


def _is_signed(vote: pb.VoteInfo, address: bytes) -> bool:
    return vote.validator.address == address and vote.block_id_flag != pb.BLOCK_ID_FLAG_ABSENT
