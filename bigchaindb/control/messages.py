"""Messages of the control socket: one request and one answer a connection, each a line of JSON.

The socket is in the data directory, which only its owner may enter, and who may do anything anyway. So errors are sent
in full, without the secrets of the configuration.
"""

from typing import Final, TypeAlias

import msgspec

from bigchaindb.engine.engine import NetworkFigures
from bigchaindb.errors import RequestFailed
from bigchaindb.eventlog.orders import Order
from bigchaindb.subscribers.lane_status import LaneStatus

REQUEST_BYTES_MAX: Final = 64 * 1024
"""Three times the 1,000 positions of 18 digits that one order may name."""
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""Holds the lanes of a thousand plugins, each with its window in hand."""
HEAD_WAIT_S_MAX: Final = 30.0
"""Time that the node holds back a request that waits for the head to move."""


class GetLanes(msgspec.Struct, frozen=True, tag=True):
    """Ask for the status of all lanes."""


class GetConfiguration(msgspec.Struct, frozen=True, tag=True):
    """Ask for the file with the node's list of plugins."""


class GetHead(msgspec.Struct, frozen=True, tag=True):
    """Ask for the durable head of the log. Answered once it is beyond a position, or after the wait.

    Attributes:
        beyond: the position; -1 is answered at once.
    """

    beyond: int = -1
    wait_s: float = 0.0


class GetNetwork(msgspec.Struct, frozen=True, tag=True):
    """Ask for the node's figures of its network."""


class Ordered(msgspec.Struct, frozen=True, tag=True):
    """An order to the lane of one plugin; the answer is the changed lane."""

    name: str
    order: Order


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Delete the lane of a plugin that is not enabled."""

    name: str


class Reload(msgspec.Struct, frozen=True, tag=True):
    """Read the list of plugins again, and run those."""


Request: TypeAlias = GetLanes | GetConfiguration | GetHead | GetNetwork | Ordered | Forget | Reload


class Lanes(msgspec.Struct, frozen=True, tag=True):
    """Answers `GetLanes`."""

    lanes: list[LaneStatus]


class Lane(msgspec.Struct, frozen=True, tag=True):
    """Answers `Ordered`."""

    lane: LaneStatus


class Configuration(msgspec.Struct, frozen=True, tag=True):
    """Answers `GetConfiguration`.

    Attributes:
        path: of the file; None if this node has none to read again.
        given_elsewhere: what sets the list of plugins instead of the file, in words; None if the file does.
    """

    path: str | None
    given_elsewhere: str | None


class Head(msgspec.Struct, frozen=True, tag=True):
    """Answers `GetHead`: the last durable position."""

    position: int


class Network(msgspec.Struct, frozen=True, tag=True):
    """Answers `GetNetwork`; None: the node is on its own."""

    figures: NetworkFigures | None


class Reloaded(msgspec.Struct, frozen=True, tag=True):
    """Answers `Reload`: the lanes, and by name the errors of plugins that could not be started."""

    lanes: list[LaneStatus]
    errors: dict[str, str]


class Done(msgspec.Struct, frozen=True, tag=True):
    """Answers `Forget`."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Answers any request that was not carried out, with the reason."""

    error: str


Answer: TypeAlias = Lanes | Lane | Configuration | Head | Network | Reloaded | Done | Refused

_requests: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
_answers: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)


def encode(message: Request | Answer) -> bytes:
    """Return the line to send."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Decode a request.

    Raises:
        RequestFailed: the line is no request; the programs may have different versions.
    """
    try:
        return _requests.decode(line)
    except msgspec.MsgspecError as error:
        raise RequestFailed(f"the node does not know this request: {error}; does it have another version?") from error


def decode_answer(line: bytes) -> Answer:
    """Decode an answer.

    Raises:
        RequestFailed: the line is no answer.
    """
    try:
        return _answers.decode(line)
    except msgspec.MsgspecError as error:
        raise RequestFailed(f"the node's answer is malformed: {error}; does it have another version?") from error
