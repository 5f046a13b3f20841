"""Whether this node keeps up with its network, observed through its CometBFT. Belongs to the event loop.

A living process proves nothing: a node is well when its height moves with that of its peers.
"""

import logging
from collections.abc import Callable
from typing import Final, Protocol

from bigchaindb.engine.cometbft.rpc_answers import ConsensusState, NetInfo, NodeStatus
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION, other_rules
from bigchaindb.errors import CometBftUnavailable

COMPARE_S: Final = 5.0
"""Time between two requests about the peers, whose answer is longer than that about the node itself."""
DEGRADED_S: Final = 30.0
"""Time that the height may stand still while a peer has more: longer than any round, and any restart of a peer."""
STALLED_S: Final = 10.0
"""Time that the height may stand still while transactions wait. A round whose proposer is away takes one to two."""

_log: Final = logging.getLogger(__name__)


class Asks(Protocol):
    """The requests to CometBFT. All raise CometBftUnavailable."""

    async def status(self) -> NodeStatus:
        """Return its identity and its height."""
        ...

    async def consensus_state(self) -> ConsensusState:
        """Return the height that is being decided, and the heights of its peers."""
        ...

    async def net_info(self) -> NetInfo:
        """Return its peers, and how they name themselves."""
        ...


class Health:
    """The last observations.

    Attributes:
        has_caught_up: whether CometBFT answers and has caught up.
        is_held: set from outside: the node does not follow yet though CometBFT has caught up.
        is_following: whether CometBFT has caught up and the node is not held.
        is_degraded: whether the height has stood still for `DEGRADED_S` although peers are ahead.
        is_stalled: whether the height has stood still for `STALLED_S` although transactions wait.
        height: of its last block, 0 before the first.
        peer_count: nodes that it is connected to.
        round: attempt at the next block, from 0.
    """

    def __init__(
        self, rpc: Asks, now: Callable[[], float], compared: Callable[[ConsensusState, NetInfo], None]
    ) -> None:
        """Send no request before `update`.

        Args:
            rpc: of this node's CometBFT.
            now: a clock that never goes back, seconds.
            compared: is called with each answer about the peers, after all else of it is taken.
        """
        self._rpc = rpc
        self._now = now
        self._compared = compared
        self._compare_s = now()
        self._well_s = now()
        self._decided_s = now()
        self.has_caught_up = False
        self.is_held = False
        self.is_following = False
        self.is_degraded = False
        self.is_stalled = False
        self.height = 0
        self.peer_count = 0
        self._strangers: frozenset[str] = frozenset()
        self.round = 0

    async def update(self, undecided_count: int = 0) -> None:
        """Request once; log changes.

        Args:
            undecided_count: transactions of this node's clients that wait to be decided.
        """
        try:
            status = await self._rpc.status()
            is_due = self._now() >= self._compare_s
            about_peers = (await self._rpc.consensus_state(), await self._rpc.net_info()) if is_due else None
        except CometBftUnavailable as error:
            self.has_caught_up = False
            self._follow(following=False, why=str(error))
            self.peer_count = 0
            return
        moved, self.height = status.sync.height != self.height, status.sync.height
        self.has_caught_up = not status.sync.is_catching_up
        self._follow(following=self.has_caught_up and not self.is_held, why="it catches up")
        if moved:
            self._well_s = self._now()
        if moved or not undecided_count:
            self._decided_s = self._now()
        self._expect_decisions(undecided_count)
        if about_peers is not None:
            consensus, net = about_peers
            self._find_strangers(net)
            self._compare_s = self._now() + (0 if self.is_held else COMPARE_S)
            self.peer_count = sum(bool(peer.address) for peer in consensus.peers)
            self.round = consensus.round_state.round
            self._compare(consensus.blocks_ahead(self.height))
            self._compared(consensus, net)

    def _follow(self, *, following: bool, why: str) -> None:
        if following and not self.is_following:
            _log.info("the node follows its network", extra={"height": self.height})
        elif self.is_following and not following:
            _log.warning("the node no longer follows its network", extra={"height": self.height, "why": why})
        self.is_following = following

    def _expect_decisions(self, undecided_count: int) -> None:
        is_stalled = self._now() - self._decided_s >= STALLED_S
        about = {"height": self.height, "undecided": undecided_count, "peers": self.peer_count}
        if is_stalled and not self.is_stalled:
            _log.warning(
                "nothing is decided: nodes of more than two thirds of the power must be connected", extra=about
            )
        elif self.is_stalled and not is_stalled:
            _log.info("the network decides again", extra=about)
        self.is_stalled = is_stalled

    def _find_strangers(self, others: NetInfo) -> None:
        """Log each peer of other rules, once while it stays: its proposals and votes do not count here."""
        found = {one.node.id: one.node.versions.app for one in others.peers if one.node.versions.app != RULES_VERSION}
        for peer in sorted(found.keys() - self._strangers):
            told = f"it has {other_rules(found[peer], RULES_VERSION)}"
            _log.error("a peer has other rules, and its votes do not count", extra={"peer": peer, "error": told})
        self._strangers = frozenset(found)

    def _compare(self, ahead: int) -> None:
        """Take the number of blocks that peers are ahead of this node."""
        now_s = self._now()
        if not ahead:
            self._well_s = now_s
        is_degraded = now_s - self._well_s >= DEGRADED_S
        about = {"height": self.height, "peers_ahead": ahead}
        if is_degraded and not self.is_degraded:
            _log.warning("degraded: the height stands still and peers are ahead", extra=about)
        elif self.is_degraded and not is_degraded:
            _log.info("no longer degraded", extra=about)
        self.is_degraded = is_degraded
