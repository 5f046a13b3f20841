"""How a node stands: whether it takes part in deciding, and whether it is healthy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bigchaindb.engine.engine import NetworkFigures
from bigchaindb.engine.room import usage_of
from bigchaindb.errors import StoreDamaged


class Complaint(NamedTuple):
    """Why a node is not healthy.

    Attributes:
        kind: `damaged`, `full`, `halted`, `behind` or `stopping`.
        reason: for people, whoever they are.
    """

    kind: str
    reason: str


STOPPING = Complaint("stopping", "the node is about to stop")


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """What a node knows of itself.

    Attributes:
        chain_id: of its ledger.
        ledger: the file, on whose disk it writes.
        disk_free_bytes_min: below which it takes no transaction.
        genesis_hash: of its network, hex; None on a node alone.
        network: returns the figures of the network; None on a node alone.
        damage: returns what was found damaged first; None: nothing.
        failed: background tasks and threads that have failed since the start, by name.
    """

    chain_id: str
    ledger: Path
    disk_free_bytes_min: int
    genesis_hash: str | None = None
    network: Callable[[], NetworkFigures | None] = lambda: None
    damage: Callable[[], StoreDamaged | None] = lambda: None
    failed: Sequence[str] = ()

    def free_bytes(self) -> int:
        """Measure what the node may still write on its disk."""
        return usage_of(self.ledger).free_bytes

    def complaint(self) -> Complaint | None:
        """Return why the node is not healthy; the first reason of several counts. It measures the disk."""
        if (damage := self.damage()) is not None:
            where = f"`{damage.table}` of " if damage.table else ""
            return Complaint("damaged", f"data in {where}the node's files are damaged: run `bigchaindb check`")
        if (free := self.free_bytes()) < self.disk_free_bytes_min:
            least = f"limits.disk_free_bytes_min is {self.disk_free_bytes_min:,}"
            return Complaint("full", f"the disk is nearly full, {free:,} bytes are free, and {least}: make room")
        figures = self.network()
        return None if figures is None else _of_network(figures)


def standing(figures: NetworkFigures | None) -> str:
    """Return in one word how a node stands in its network; a node alone always decides."""
    if figures is None:
        return "deciding"
    if figures.is_degraded:
        return "degraded"
    if not figures.is_following:
        return "behind"
    return "stalled" if figures.is_stalled or not _decides(figures) else "following"


def _of_network(figures: NetworkFigures) -> Complaint | None:
    match standing(figures):
        case "following":
            return None
        case "stalled":
            signing, total = figures.signing_power, figures.total_power
            text = f"the network decides nothing: power {signing} of {total} is connected and signs, "
            return Complaint("halted", f"{text}and more than {total * 2 // 3} is needed")
        case "degraded":
            return Complaint("behind", f"the node stands still at height {figures.height:,} although its peers go on")
        case _:
            return Complaint("behind", f"the node catches up with its network, at height {figures.height:,}")


def _decides(figures: NetworkFigures) -> bool:
    return 3 * figures.signing_power > 2 * figures.total_power
