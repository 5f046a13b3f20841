"""The frames of subscriptions that clients in other languages are tested with: made, and read, as ever.

`subscriptions/frames.json` has the texts of both sides, and of malformed frames each with the error that answers it.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.api import subscription_frames as frames
from bigchaindb.api.subscription_frames import Ack, Malformed, Nack, Park, TaggedEvent
from bigchaindb.eventlog.lane import State
from bigchaindb.subscribers.consuming import Reason, Standing

KEPT: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("subscriptions").joinpath("frames.json").read_bytes())
EVENT: Final = b'{"id":"solo-1:00000000000000000041:0","partitionkey":"aa","specversion":"1.0"}'
STANDING: Final = Standing(State.CATCHING_UP, "", 2, "1.SGVsbG8", 3)
MADE: Final = {
    "attached": frames.attached("c7", 3, 30.0, STANDING),
    "attached with a heartbeat that is not whole": frames.attached("c8", 1, 7.5, STANDING),
    "events": frames.events([TaggedEvent(1, 1, EVENT), TaggedEvent(2, 4, EVENT)]),
    "revoked: behind a nacked one of its key": frames.revoked([3], Reason.ORDER),
    "revoked: unanswered for too long": frames.revoked([1], Reason.LATE),
    "revoked: the run ended": frames.revoked([1, 2, 7], Reason.ENDED),
    "level": frames.level(Standing(State.LIVE, "", 0, "1.U0dW", 3)),
    "state": frames.state(Standing(State.PAUSED, "paused by a person", 4, "1.U0dW", 3)),
    "state without a reason": frames.state(Standing(State.LIVE, "", 0, "1.U0dW", 3)),
    "done": frames.done(1, []),
    "done, with stale tags": frames.done("a-2", [3, 5]),
    "error": frames.error(frames.MALFORMED, "nothing was changed: why", 7),
    "error without a ref": frames.error(frames.MALFORMED, "nothing was changed: why", None),
}
READ: Final = {
    "ack": Ack(tags=[1]),
    "ack of several, with a ref": Ack(tags=[1, 2, 5], ref=1),
    "ack through": Ack(through=7, ref="a-2"),
    "ack of nothing": Ack(tags=[]),
    "nack": Nack([2]),
    "nack with everything": Nack([2, 3], 5.0, "account locked", True, 4),  # noqa: FBT003 - a frame
    "park": Park([9], "the account is gone"),
}


@pytest.mark.parametrize("name", MADE)
def test_the_frames_of_the_node_are_made_as_before(name: str) -> None:
    [kept] = [one for one in KEPT["node"] if one["name"] == name]
    assert MADE[name].decode() == kept["text"]
    assert (
        json.loads(kept["text"])["type"]
        == name.split(":", maxsplit=1)[0].split(",", maxsplit=1)[0].split(" ", maxsplit=1)[0]
    )


@pytest.mark.parametrize("name", READ)
def test_the_frames_of_clients_are_read_as_before(name: str) -> None:
    [kept] = [one for one in KEPT["client"] if one["name"] == name]
    assert frames.read(kept["text"].encode()) == READ[name]


@pytest.mark.parametrize("kept", KEPT["malformed"], ids=lambda kept: kept["name"])
def test_a_malformed_frame_has_its_error(kept: dict[str, Any]) -> None:
    found = frames.read(kept["text"].encode())
    assert isinstance(found, Malformed)
    answer = json.loads(frames.error(frames.MALFORMED, f"nothing was changed: {found.why}", found.ref))
    assert answer == kept["error"]


def test_every_kept_frame_is_tested() -> None:
    assert [one["name"] for one in KEPT["node"]] == [*MADE]
    assert [one["name"] for one in KEPT["client"]] == [*READ]
    assert KEPT["protocol"] == "bigchaindb.subscription.v1"
