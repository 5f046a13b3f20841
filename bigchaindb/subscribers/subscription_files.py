"""Definitions of subscriptions in node.db, each written together with the place where its lane begins. Decision: 0100.

The lanes' own thread calls all of it, in order.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from bigchaindb.errors import OrderRefused, StoreDamaged
from bigchaindb.eventlog import place
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.store import LaneRow, NodeDb, SubscriptionRow
from bigchaindb.subscribers.lane_log import LaneLog


class SubscriptionFiles:
    """The rows of subscriptions."""

    def __init__(self, node: NodeDb, logs: Mapping[str, LaneLog]) -> None:
        """Take the database, and the logs that subscriptions follow, by name."""
        self._node = node
        self._logs = logs

    def define(self, wanted: Subscription, head: int) -> None:
        """Write a new subscription down, with its lane at the place where it starts; durable before this returns.

        Raises:
            OrderRefused: something is kept of a lane of this name.
            StoreDamaged: the row of that name is not what was written.
            EventError: as `known`.
            StoreError: it could not be written.
        """
        name = wanted.name
        if self._node.has_lane(name):
            raise self._kept(name)
        log = self._logs[wanted.log]
        start, now = log.resolve(place.parse(wanted.start), head, wanted.numbering), time.time()
        digest = log.digest(wanted.numbering.position(start))
        lane = LaneRow(name, 0, start, start, digest, State.STOPPED, now, None, now)
        self._node.put_subscription(SubscriptionRow(name, wanted.text, now, start), lane)

    def _kept(self, name: str) -> OrderRefused:
        """Return why a name cannot be taken of which a lane is kept. Raises StoreDamaged: see `define`."""
        if self._node.subscription(name) is None:
            return OrderRefused(
                f"{name!r}: the place of an events plugin of this name is kept; take another name, or run "
                f"`bigchaindb plugins forget {name}`"
            )
        return OrderRefused(
            f"a subscription {name!r} is kept, and only a later version knows its definition; take another name, "
            "or delete it"
        )

    def redefine(self, wanted: Subscription) -> None:
        """Write another definition of a subscription down.

        Raises:
            StoreError: it could not be written.
        """
        if (row := self._node.subscription(wanted.name)) is not None:
            self._node.put_subscription(replace(row, definition=wanted.text))

    def delete(self, name: str) -> bool:
        """Delete a subscription with the rows of its lane, a damaged one too; return whether there was one."""
        with suppress(StoreDamaged):
            if self._node.subscription(name) is None:
                return False
        self._node.delete_subscription(name)
        return True

    def require_plugin(self, name: str) -> None:
        """Require that a name is no subscription's. Raises OrderRefused."""
        if self._node.subscription(name) is not None:
            raise OrderRefused(f"{name!r} is a subscription: delete it with `bigchaindb subscriptions delete {name}`")
