"""The frames of `bigchaindb.subscription.v1`: texts to values and back. Pure.

Source: docs/reference/subscriptions.md, section "The WebSocket protocol"; tests/vectors/subscriptions.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, NamedTuple

import msgspec
import orjson
from msgspec import UNSET, Meta, Struct, UnsetType

from bigchaindb.subscribers.consuming import Reason, Standing

REF_CHARACTERS_MAX: Final = 100
DELAY_S_MAX: Final = 604_800.0
"""A week, as for plugins: what waits for longer is better parked."""
MALFORMED: Final = "malformed"
EVENT_OVERHEAD_BYTES: Final = 64
"""At most of a frame for each event besides its envelope: its tag, its attempt, and what is between."""

_INTEGER_MAX: Final = 2**63 - 1
Tag = Annotated[int, Meta(ge=1, le=_INTEGER_MAX)]
Ref = (
    Annotated[int, Meta(ge=-_INTEGER_MAX, le=_INTEGER_MAX)] | Annotated[str, Meta(max_length=REF_CHARACTERS_MAX)] | None
)
Delay = Annotated[float, Meta(ge=0, le=DELAY_S_MAX)]


class Ack(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="ack"):
    """The events are dealt with: those of `tags`, or all of this connection up to `through`."""

    tags: list[Tag] | UnsetType = UNSET
    through: Annotated[int, Meta(ge=0, le=_INTEGER_MAX)] | UnsetType = UNSET
    ref: Ref = None

    def __post_init__(self) -> None:
        if (self.tags is UNSET) == (self.through is UNSET):
            raise ValueError("needs one of `tags` and `through`")


class Nack(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="nack"):
    """The events are to come again."""

    tags: list[Tag]
    delay_s: Delay | None = None
    error: str = ""
    unavailable: bool = False
    ref: Ref = None


class Park(Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="park"):
    """The events are to be set aside for a person."""

    tags: list[Tag]
    error: str = ""
    ref: Ref = None


Answer = Ack | Nack | Park


class Malformed(NamedTuple):
    """A frame that is none.

    Attributes:
        why: for people.
        ref: of the frame, if that could be read.
    """

    why: str
    ref: int | str | None


class TaggedEvent(NamedTuple):
    """A delivery on its way to a client.

    Attributes:
        tag: what the client answers for.
        attempt: of the delivery.
        envelope: the CloudEvent as JSON.
    """

    tag: int
    attempt: int
    envelope: bytes


_ANSWERS: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)
_REFS: Final[msgspec.json.Decoder[int | str | None]] = msgspec.json.Decoder(Ref)


class _AnyFrame(Struct):
    ref: msgspec.Raw = msgspec.Raw(b"null")


_any_of: Final = msgspec.json.Decoder(_AnyFrame).decode


def read(text: bytes) -> Answer | Malformed:
    """Return what a client's frame says."""
    try:
        return _ANSWERS.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Malformed(f"{error}; the types are ack, nack and park", _ref_of(text))


def _ref_of(text: bytes) -> int | str | None:
    try:
        return _REFS.decode(_any_of(text).ref)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def attached(consumer: str, window: int, heartbeat_s: float, standing: Standing) -> bytes:
    """Return the first frame to a client."""
    return orjson.dumps(
        {
            "type": "attached",
            "consumer": consumer,
            "window": window,
            "heartbeat_s": heartbeat_s,
            "state": str(standing.state),
            "lag": standing.lag,
            "token": standing.token,
        }
    )


def events(given: Iterable[TaggedEvent]) -> bytes:
    """Return a frame of deliveries."""
    return b'{"type":"events","events":[%b]}' % b",".join(
        [b'{"tag":%d,"attempt":%d,"event":%b}' % one for one in given]
    )


def revoked(tags: Sequence[int], reason: Reason) -> bytes:
    """Return the frame for deliveries that are the client's no longer."""
    return orjson.dumps({"type": "revoked", "tags": tags, "reason": str(reason)})


def level(standing: Standing) -> bytes:
    """Return the frame that tells up to where the log was looked at."""
    return orjson.dumps({"type": "level", "token": standing.token, "lag": standing.lag})


def state(standing: Standing) -> bytes:
    """Return the frame of another state."""
    return orjson.dumps({"type": "state", "state": str(standing.state), "reason": standing.reason})


def done(ref: int | str, stale: Sequence[int]) -> bytes:
    """Return the frame for an answer that was carried out."""
    return orjson.dumps({"type": "done", "ref": ref, "stale": stale})


def error(code: str, message: str, ref: int | str | None) -> bytes:
    """Return the frame for a client's frame that changed nothing."""
    frame = {"type": "error", "code": code, "message": message}
    return orjson.dumps(frame if ref is None else {**frame, "ref": ref})
