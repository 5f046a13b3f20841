"""A client of the ledger for applications: `AsyncClient` for asyncio, `Client` for threads and scripts.

It imports nothing of the node. Source: docs/reference/client.md.
"""

from bigchaindb.client.blocking import Client, Subscription
from bigchaindb.client.calls import Status
from bigchaindb.client.client import AsyncClient
from bigchaindb.client.consuming import SubscriptionEvent
from bigchaindb.client.event import Event, LogEvent, Proven
from bigchaindb.client.subscription import AsyncSubscription
from bigchaindb.documents import BlockEvent, Transaction
from bigchaindb.errors import (
    CannotSpend,
    ClientUnusable,
    HistoryLost,
    MalformedToken,
    ProofError,
    RequestFailed,
    TransactionRefused,
)
from bigchaindb.key_files import new_keypair, read_keypair, write_keypair
from bigchaindb.transaction.keys import KeyPair

__all__ = [
    "AsyncClient",
    "AsyncSubscription",
    "BlockEvent",
    "CannotSpend",
    "Client",
    "ClientUnusable",
    "Event",
    "HistoryLost",
    "KeyPair",
    "LogEvent",
    "MalformedToken",
    "ProofError",
    "Proven",
    "RequestFailed",
    "Status",
    "Subscription",
    "SubscriptionEvent",
    "Transaction",
    "TransactionRefused",
    "new_keypair",
    "read_keypair",
    "write_keypair",
]
