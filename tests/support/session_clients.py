"""A consumer of a subscription without a socket, and lists of events for it."""

import json
from typing import Any

from bigchaindb.api.subscription_session import Session
from tests.support.desks import ListDesk, ListDesks, Seat


class Client:
    """A consumer whose socket takes all: what it was sent, and what it has by that."""

    def __init__(self, desk: ListDesk, *, window: int = 3, batch: int = 100) -> None:
        self.desk = desk
        self.now_s = 0.0
        self.frames: list[dict[str, Any]] = []
        self.session = Session(window, batch, 0.0)
        self.seat: Seat = ListDesks(a=desk).attach("a", self.session, room_count=window, label="")
        self.session.attend(self.seat)
        self.frames.append(json.loads(self.session.opening(30.0)))

    def take(self, *, may_give: bool = True) -> list[dict[str, Any]]:
        """Take what comes; return it."""
        came: list[dict[str, Any]] = []
        while found := self.session.next_frames(self.now_s, may_give=may_give):
            came += [json.loads(one) for one in found]
        self.frames += came
        return came

    def say(self, **frame: Any) -> list[dict[str, Any]]:
        """Send a frame; return what comes then."""
        assert self.session.receive(json.dumps(frame).encode()) is None
        return self.take()

    def tags(self) -> list[int]:
        """Take what comes; return the tags of the events, the only frames that may come."""
        came = [frame for frame in self.take() if frame["type"] != "level"]
        assert {frame["type"] for frame in came} <= {"events"}
        return [event["tag"] for frame in came for event in frame["events"]]


def desk_of(*keys: str, **options: Any) -> ListDesk:
    desk = ListDesk(**options)
    desk.fill(*keys)
    return desk
