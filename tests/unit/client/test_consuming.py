"""What the frames of a connection mean for the events in hand. Source: docs/reference/subscriptions.md."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.client.consuming import Session, SubscriptionEvent, lost_history
from bigchaindb.errors import HistoryLost, RequestFailed

VECTORS: Final = json.loads(
    (Path(__file__).parents[2] / "vectors/subscriptions/frames.json").read_text(encoding="utf-8")
)


def run(work: Callable[[], None]) -> None:
    work()


class Talk:
    """A session, and what it sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.session = Session(5, self.sent.append, run)

    def hear(self, **frame: Any) -> None:
        self.session.receive(json.dumps(frame))

    def given(self, *tags: int) -> None:
        envelope = {"type": "com.bigchaindb.transaction.valid.v1", "source": "urn:bigchaindb:c", "data": {"id": "x"}}
        events = [
            {"tag": tag, "attempt": 1, "event": {**envelope, "id": f"c:{tag}:0", "sequence": f"{tag}:0"}}
            for tag in tags
        ]
        self.hear(type="events", events=events)

    def take(self) -> SubscriptionEvent:
        event = self.session.take()
        assert event is not None
        return event


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_events_are_taken_in_order_and_answered_once(talk: Talk) -> None:
    talk.given(1, 2, 3)
    first, second, third = (talk.take() for _ in range(3))
    assert talk.session.take() is None
    second.nack(5, error="locked")
    second.ack()
    first.ack()
    third.park("why")
    first.ack()
    assert [json.loads(frame) for frame in talk.sent] == [
        {"type": "nack", "delay_s": 5, "error": "locked", "tags": [2], "ref": 1},
        {"type": "ack", "tags": [1], "ref": 2},
        {"type": "park", "error": "why", "tags": [3], "ref": 3},
    ]
    talk.hear(type="done", ref=1, stale=[])
    talk.hear(type="done", ref=3, stale=[3])
    assert talk.session.unconfirmed == {2}


def test_a_nack_has_only_what_was_given(talk: Talk) -> None:
    talk.given(1, 2)
    talk.take().nack()
    talk.take().nack(unavailable=True)
    assert [json.loads(frame) for frame in talk.sent] == [
        {"type": "nack", "tags": [1], "ref": 1},
        {"type": "nack", "unavailable": True, "tags": [2], "ref": 2},
    ]


def test_what_is_taken_back_is_neither_yielded_nor_answered(talk: Talk) -> None:
    talk.given(1, 2, 3)
    first = talk.take()
    talk.hear(type="revoked", tags=[1, 2, 99], reason="order")
    assert first.is_revoked
    first.ack()
    assert (talk.take().id, talk.session.take(), talk.sent) == ("c:3:0", None, [])


def test_the_end_of_a_connection_takes_all_back(talk: Talk) -> None:
    talk.given(1, 2)
    first = talk.take()
    talk.session.end()
    first.ack()
    assert (first.is_revoked, talk.session.take(), talk.sent) == (True, None, [])


def test_a_gap_is_raised_behind_what_came_before_it(talk: Talk) -> None:
    """P8."""
    talk.hear(type="attached", state="CATCHING_UP", consumer="c1")
    talk.given(1)
    reason = "the log does not hold position 41 as it was known; its head is 7"
    talk.hear(type="state", state="GAPPED", reason=reason)
    talk.take()
    with pytest.raises(HistoryLost) as lost:
        talk.session.take()
    assert (lost.value.position, lost.value.head, str(lost.value)) == (41, 7, reason)
    assert lost_history("restored from a backup").__notes__ == ["restored from a backup"]


@pytest.mark.parametrize("vector", [one for one in VECTORS["node"] if "events" not in one["name"]], ids=str)
def test_each_frame_of_a_node_is_read(talk: Talk, vector: dict[str, str]) -> None:
    if "error" in vector["name"]:
        with pytest.raises(RequestFailed, match="the node refused a frame of this client"):
            talk.session.receive(vector["text"])
    else:
        talk.session.receive(vector["text"])


def test_a_node_that_sends_more_than_was_asked_for_is_left(talk: Talk) -> None:
    """Memory is bounded by what this side asked for, whatever the other one does."""
    talk.given(1, 2, 3, 4, 5)
    talk.take().ack()
    talk.given(6)
    with pytest.raises(RequestFailed, match="the node sent 6 unanswered events, 5 were asked for"):
        talk.given(7)


def test_frames_and_members_of_later_releases_are_passed_over(talk: Talk) -> None:
    talk.hear(type="later", events=[], more={})
    talk.hear(type="state", state="LIVE", reason="", since=7)
    assert talk.session.state == "LIVE"


@pytest.mark.parametrize("frame", ["", "[]", "{}", '{"type":"events","events":[{}]}', "[" * 9999, b"\xff"])
def test_what_is_no_frame_is_said(talk: Talk, frame: str | bytes) -> None:
    with pytest.raises(RequestFailed, match=r"the node sent no frame of bigchaindb\.subscription\.v1"):
        talk.session.receive(frame)
