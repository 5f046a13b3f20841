"""What a node has left of the lane of a plugin, for orders while none runs."""

from contextlib import closing
from pathlib import Path
from typing import Any

from bigchaindb.config import PluginSettings, Settings
from bigchaindb.eventlog.lane import Lane, Progress, State, Trouble
from bigchaindb.eventlog.orders import Order
from bigchaindb.store import Store, TroubleRow
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.offline import OfflineDesk
from tests.support.event_logs import LogWriter

NAME = "sales"
CHAIN = "solo-test"


class Ledger:
    """A ledger of five events and what a node has left of the lane of one plugin."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        writer = LogWriter(self.store.writer)
        for _ in range(5):
            writer.valid(1)

    def left(self, state: State, progress: Progress, *, parked: tuple[int, ...] = (), error: str = "") -> None:
        """Write a lane down as a node does."""
        files = LaneFiles(self.store, CHAIN)
        troubles = {position: Trouble(3, 3, 1.0, "no") for position in progress.in_hand}
        lane = Lane(state, 1, progress, troubles, error=error)
        files.begin_epoch(NAME, lane, since=1.0, head=5, slot_count=8).close()
        for position in parked:
            files.park(NAME, {position: Trouble(2, 2, 1.0, "cannot digest")})
        files.close()

    def desk(self, **plugin: Any) -> OfflineDesk:
        return OfflineDesk(self.store, CHAIN, settings(**plugin))

    def order(self, order: Order, name: str = NAME) -> None:
        with closing(self.desk()) as desk:
            desk.order(name, order)

    def next_node(self) -> Lane:
        """Return the lane as the next node finds it."""
        files = LaneFiles(self.store, CHAIN)
        lane = files.recover(NAME, "now")
        files.close()
        return lane

    def parked(self) -> list[TroubleRow]:
        return self.store.node.parked(NAME)


def settings(**plugin: Any) -> Settings:
    return Settings(events_plugins={NAME: PluginSettings(**plugin)})
