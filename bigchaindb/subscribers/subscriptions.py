"""All subscriptions of a node: created, changed, deleted, and attached to. Belongs to the event loop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Container, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Final

import msgspec

from bigchaindb.errors import (
    BigchainDBError,
    ConfigurationError,
    MalformedSubscription,
    OrderRefused,
    Overloaded,
    StartupError,
    Stopping,
    StoreFull,
    SubscriptionDiffers,
    UnknownSubscription,
)
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.store import SubscriptionRow
from bigchaindb.store.node_rows import Damaged
from bigchaindb.subscribers.consumers import Consumers
from bigchaindb.subscribers.consuming import Attendance, Consumer, End
from bigchaindb.subscribers.desk_log import DeskLog
from bigchaindb.subscribers.lane_notes import log_waiting
from bigchaindb.subscribers.lanes import STOPS, Lanes

CHANGE_COUNT_MAX: Final = 64
"""Changes that wait for each other: each writes to the disk, and may wait seconds for the end of a run."""

_log: Final = logging.getLogger(__name__)


class Subscriptions:
    """Implements `bigchaindb.subscribers.consuming.Desks`."""

    def __init__(self, lanes: Lanes) -> None:
        """Do nothing before `start`; the lanes' files are open."""
        shared = lanes.shared
        self._lanes = lanes
        self._logs = {name: DeskLog(source, shared.machine.start_thread) for name, source in lanes.logs.items()}
        self._all: dict[str, Consumers] = {}
        self._damaged: list[Damaged] = []
        self._consumers = count(1)
        self._change_count = 0
        self._expiring: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take up what is written down.

        Raises:
            ConfigurationError: a plugin has the name of a subscription.
        """
        for row in await self._lanes.in_thread(self._lanes.store.node.subscriptions):
            if row.name in self._lanes.all:
                raise two_of(row.name)
            if (wanted := read_back(row)) is not None:
                await self._add(wanted)
                log_waiting(row.name, self._all[row.name], self._all[row.name].lane.lane)
        self._damaged = await self._lanes.in_thread(self._lanes.store.node.damaged_subscriptions)

    def stop(self) -> None:
        """Send all consumers away: the node stops."""
        for consumers in self._all.values():
            consumers.end(End.STOPPING)

    def close(self) -> None:
        """Close the logs."""
        for log in self._logs.values():
            log.close()

    @property
    def definitions(self) -> Mapping[str, Subscription]:
        """What there is, by name."""
        return {name: one.wanted for name, one in self._all.items()}

    def attach(self, name: str, consumer: Consumer, *, room_count: int, label: str) -> Attendance:
        """See `Desks`."""
        if self._lanes.is_stopping:
            raise Stopping(STOPS)
        return self._known(name).attach(f"c{next(self._consumers)}", consumer, room_count=room_count, label=label)

    def token(self, name: str) -> str:
        """Return the token of a cursor, as it was written down last: up to there all is settled.

        Raises:
            UnknownSubscription: there is none of that name.
            StoreDamaged: its row is not what was written.
        """
        return self._known(name).token

    def _known(self, name: str) -> Consumers:
        if (consumers := self._all.get(name)) is not None:
            return consumers
        for one in self._damaged:
            if one.row[0] == name or one.is_of(name):
                raise one.error
        raise UnknownSubscription(name)

    async def create(self, wanted: Subscription, *, is_change: bool = False) -> bool:
        """Create a subscription; durable before this returns. Whether it is new: the same again is none.

        Args:
            wanted: the subscription.
            is_change: take another definition of a name that exists, and go on at its place.

        Raises:
            SubscriptionDiffers: the name exists with another definition.
            MalformedSubscription: a member is fixed that is to change.
            OrderRefused: the name is an events plugin's.
            Overloaded: there are as many as there may be, or as many changes wait as may.
            EventError: its start is in no log, or in another.
            StoreError: it could not be written down.
        """
        async with self._in_line():
            if self._lanes.is_stopping:
                raise Stopping(STOPS)
            if (consumers := self._all.get(wanted.name)) is None:
                await self._create(wanted)
                return True
            if differences := consumers.wanted.differences(wanted):
                if not is_change:
                    raise SubscriptionDiffers(wanted.name, differences)
                await self._change(consumers, consumers.wanted.changed(wanted))
            return False

    async def delete(self, name: str) -> None:
        """Delete a subscription, and all that is kept of it; nothing happens if there is none.

        Raises:
            OrderRefused: an event is about to be recorded as parked, and the disk is full.
            Overloaded: as many changes wait as may.
            StoreError: it could not be written down.
        """
        lanes = self._lanes
        async with self._in_line():
            if name not in self._all:
                if name not in lanes.all:
                    await lanes.in_thread(lanes.files.delete, name)  # of a damaged row, or of a later version
                    self._damaged = await lanes.in_thread(lanes.store.node.damaged_subscriptions)
                return
            async with lanes.ordering(name) as lane:
                await lane.between_processes()
                del lanes.all[name]  # what is saved meanwhile would stay
                try:
                    await lanes.in_thread(lanes.files.delete, name)
                except (BigchainDBError, OSError):
                    lanes.all[name] = lane
                    raise
                self._all.pop(name).end(End.DELETED)

    @asynccontextmanager
    async def _in_line(self) -> AsyncIterator[None]:
        """Make one change at a time. Raises Overloaded: see `CHANGE_COUNT_MAX`."""
        if self._change_count == CHANGE_COUNT_MAX:
            raise Overloaded(f"{CHANGE_COUNT_MAX} changes of subscriptions are under way; try again later")
        self._change_count += 1
        try:
            async with self._lanes.changing:
                yield
        finally:
            self._change_count -= 1

    async def _create(self, wanted: Subscription) -> None:
        lanes, count_max = self._lanes, self._lanes.shared.limits.subscription_count_max
        require_room(wanted.name, lanes.all, len(self._all), count_max)
        await lanes.in_thread(lanes.files.subscriptions.define, wanted, lanes.logs[wanted.log].hub.head)
        try:
            await self._add(wanted)
        except (BigchainDBError, OSError):
            # As without a free descriptor: whoever asks again would find a row without a lane.
            with suppress(BigchainDBError, OSError):
                await lanes.in_thread(lanes.files.delete, wanted.name)
            raise

    async def _change(self, consumers: Consumers, wanted: Subscription) -> None:
        lanes = self._lanes
        async with lanes.ordering(wanted.name) as lane:
            await lane.records.require_recorded()
            await lanes.in_thread(lanes.files.subscriptions.redefine, wanted)  # first: it may be refused
            await lane.between_processes()
            consumers.redefine(wanted)
            lane.configure(consumers)
            if lane.lane.state in {State.STOPPED, State.FAILED}:
                with suppress(StartupError, StoreFull):  # it is changed, and tried again after a while
                    await lanes.run(lane)

    async def _add(self, wanted: Subscription) -> None:
        consumers = Consumers(wanted, self._lanes.shared, self._logs[wanted.log], self._expire)
        consumers.lane = await self._lanes.add(wanted.name, consumers)
        self._all[wanted.name] = consumers
        consumers.watch_expiry()

    def _expire(self, consumers: Consumers) -> None:
        task = asyncio.create_task(self._expired(consumers))
        self._expiring.add(task)
        task.add_done_callback(self._expiring.discard)

    async def _expired(self, consumers: Consumers) -> None:
        """Delete a subscription that nobody consumes, as its definition wants."""
        name = consumers.wanted.name
        if self._all.get(name) is not consumers or consumers.is_wanted or self._lanes.is_stopping:
            return
        fields = {"subscription": name, "expires_s": consumers.wanted.expires_s}
        try:
            await self.delete(name)
        except (BigchainDBError, OSError) as error:
            _log.error("cannot delete a subscription that has expired", extra={**fields, "error": str(error)})
            consumers.watch_expiry()
        else:
            _log.warning("a subscription has expired, as nobody consumed it, and is deleted", extra=fields)


def require_room(name: str, lanes: Container[str], count: int, count_max: int) -> None:
    """Require that a subscription may be created.

    Raises:
        OrderRefused: the name is an events plugin's.
        Overloaded: there are as many as there may be.
    """
    if name in lanes:
        raise OrderRefused(f"{name!r} is an events plugin; take another name for the subscription")
    if count >= count_max:
        raise Overloaded(
            f"there are {count_max} subscriptions (limits.subscription_count_max); delete one, or raise the limit"
        )


def two_of(name: str) -> ConfigurationError:
    """Return the error for a plugin that has the name of a subscription."""
    return ConfigurationError(
        f"events_plugins.{name}: a subscription has this name, and each needs a place of its own in the log; "
        f"delete it with `bigchaindb subscriptions delete {name}`, or leave the plugin out"
    )


def definition_of(row: SubscriptionRow) -> Subscription:
    """Return a subscription as it was written down.

    Raises:
        MalformedSubscription: only a later version understands it.
    """
    try:
        return Subscription.read(row.name, msgspec.json.decode(row.definition))
    except msgspec.DecodeError as error:
        raise MalformedSubscription(f"the definition: {error}") from error


def read_back(row: SubscriptionRow) -> Subscription | None:
    """Return a subscription as it was written down; None if only a later version understands it."""
    try:
        return definition_of(row)
    except MalformedSubscription as error:
        _log.error(
            "a subscription does not run: this version does not know its definition, which is kept as it is",
            extra={"subscription": row.name, "error": str(error)},
        )
        return None
