"""SQLite: the ledger and its event log on disk, by the rules of one writer and many readers.

`Store` owns a data directory; `Log` reads the event log from any process.
"""

from bigchaindb.store.kept import LaneRow, SubscriptionRow, TroubleRow
from bigchaindb.store.log import Log
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.store import Store

__all__ = ["LaneRow", "Log", "NodeDb", "Store", "SubscriptionRow", "TroubleRow"]
