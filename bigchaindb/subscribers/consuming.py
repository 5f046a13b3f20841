"""What a subscription and those who consume it ask of each other. Belongs to the event loop; nothing here waits.

A *consumer* is a WebSocket connection or a pull. Attached to a subscription's desk it has an *attendance*, by which it
takes deliveries and answers for them, until it leaves. Source: promises P17 to P19.
"""

from collections.abc import Awaitable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.sharing import Delivery


class Given(NamedTuple):
    """One delivery to a consumer.

    Attributes:
        delivery: what an answer is for.
        envelope: the CloudEvent as JSON.
    """

    delivery: Delivery
    envelope: bytes


class Reason(StrEnum):
    """Why deliveries were taken back."""

    ORDER = "order"
    """An earlier event of their key is to come again."""
    LATE = "late"
    """The consumer had the event for longer than the subscription allows."""
    ENDED = "ended"
    """The run ended: a seek, a pause, a restart."""


class End(StrEnum):
    """Why an attendance ends by itself."""

    DELETED = "deleted"
    STOPPING = "stopping"


class Standing(NamedTuple):
    """A subscription at one moment.

    Attributes:
        state: of its lane.
        reason: why; "" if there is nothing to say.
        lag: events of the log behind the place that was read.
        token: of that place: what is up to it was looked at.
        epoch: of the run, or of the last one; 0 if it never ran.
    """

    state: State
    reason: str
    lag: int
    token: str
    epoch: int


class Consumer(Protocol):
    """Who consumes, as the desk sees it. No method may call back into the attendance before it has returned."""

    def wake(self) -> None:
        """Take note that `Attendance.take` may have something."""
        ...

    def revoke(self, deliveries: Sequence[Delivery], reason: Reason) -> None:
        """Take note that these are the consumer's no longer; an answer for one is stale.

        What an answer hands back itself is not among them, but what it takes along is: later events of its key.
        """
        ...

    def changed(self, standing: Standing) -> None:
        """Take note of another state of the subscription."""
        ...

    def end(self, end: End) -> None:
        """Take note that the attendance is over; nothing may be called on it any more."""
        ...


class Attendance(Protocol):
    """A consumer's place at the desk, across the epochs of its lane."""

    @property
    def consumer(self) -> str:
        """The name of the consumer, as the subscription's status has it; no other ever gets it."""
        ...

    @property
    def standing(self) -> Standing:
        """How the subscription stands."""
        ...

    @property
    def is_level(self) -> bool:
        """Whether nothing is left to give to the consumer, but for what it has no room for."""
        ...

    def take(self, count_max: int, bytes_max: int) -> list[Given]:
        """Return the next deliveries, as many as the consumer's window has room for; always one, however large.

        None if there is nothing for it now: `Consumer.wake` follows once there may be.
        """
        ...

    def stop_taking(self) -> None:
        """End taking: what is the consumer's and was not taken goes to others, and it answers for the rest alone."""
        ...

    def ack(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Settle deliveries in the lane page; return those that are stale."""
        ...

    def nack(
        self, deliveries: Sequence[Delivery], *, delay_s: float | None, error: str, is_unavailable: bool
    ) -> Sequence[Delivery]:
        """Hand deliveries back, to come again; return those that are stale.

        Args:
            deliveries: of this consumer.
            delay_s: when; None leaves it to the subscription's retry.
            error: why, for people.
            is_unavailable: the target is at fault, so that the event is never set aside.
        """
        ...

    def park(self, deliveries: Sequence[Delivery], *, error: str) -> Awaitable[Sequence[Delivery]]:
        """Set events aside for a person; return the stale ones once the others are durably recorded."""
        ...

    def expire(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Hand deliveries back that the consumer has had for too long, as if it was lost; return the stale ones."""
        ...

    def leave(self, *, is_blameless: bool) -> None:
        """End the attendance; what is out goes to others, and an event given alone is blamed unless `is_blameless`."""
        ...


class Desks(Protocol):
    """All subscriptions, for those who consume."""

    def attach(self, name: str, consumer: Consumer, *, room_count: int, label: str) -> Attendance:
        """Seat a consumer, in whatever state the subscription is.

        Args:
            name: of the subscription.
            consumer: to be told of deliveries.
            room_count: the most deliveries that it may have out.
            label: for people; "" is none.

        Raises:
            UnknownSubscription: there is none of that name.
            StoreDamaged: its row is not what was written.
            Overloaded: it has as many consumers as it may have.
            Stopping: the node stops.
        """
        ...
