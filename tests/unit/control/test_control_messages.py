"""What is said over the control socket survives the way, and nonsense is told from it."""

import pytest

from bigchaindb.control import messages
from bigchaindb.errors import RequestFailed
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Discard, Pause, Restart, Resume, Retry, Seek
from bigchaindb.subscribers.lane_status import LaneStatus

STATUS = LaneStatus(
    name="sales",
    state=State.LIVE,
    since=1.5,
    epoch=2,
    position=3,
    lag=4,
    in_hand=(4, 5),
    oldest_s=0.25,
    attempts=1,
    failure_count=0,
    start_count=1,
    parked_count=6,
    error="",
    warning="",
    pid=7,
)


@pytest.mark.parametrize(
    "request_",
    [
        messages.GetLanes(),
        messages.GetConfiguration(),
        messages.GetHead(3, 1.5),
        messages.Ordered("sales", Pause()),
        messages.Ordered("sales", Resume()),
        messages.Ordered("sales", Restart()),
        messages.Ordered("sales", Seek("genesis")),
        messages.Ordered("sales", Retry()),
        messages.Ordered("sales", Discard((1, 2))),
        messages.Forget("sales"),
        messages.Reload(),
    ],
    ids=lambda one: type(getattr(one, "order", one)).__name__,
)
def test_each_request_arrives_as_it_was_said(request_: messages.Request) -> None:
    line = messages.encode(request_)
    assert line.count(b"\n") == 1
    assert messages.decode_request(line) == request_


@pytest.mark.parametrize(
    "answer",
    [
        messages.Lanes([STATUS]),
        messages.Lane(STATUS),
        messages.Configuration("/etc/node.json", None),
        messages.Head(9),
        messages.Reloaded([STATUS], {"sales": "no"}),
        messages.Done(),
        messages.Refused("why"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_each_answer_arrives_as_it_was_said(answer: messages.Answer) -> None:
    assert messages.decode_answer(messages.encode(answer)) == answer


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"type":"Shutdown"}',
        b'{"type":"Pause"}',
        b'{"type":"Seek","name":1}',
        b'{"type":"Discard","name":"sales","positions":[0]}',
        b'{"type":"Retry","name":"sales","positions":[9223372036854775808]}',
    ],
)
def test_nonsense_is_told_with_what_may_be_the_cause(line: bytes) -> None:
    """After an upgrade the command may be newer than the node that still runs."""
    with pytest.raises(RequestFailed, match="does it have another version"):
        messages.decode_request(line)
    with pytest.raises(RequestFailed, match="does it have another version"):
        messages.decode_answer(line)
