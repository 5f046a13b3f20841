"""What is said over the control socket: one request and one answer, each a line of JSON, then it is closed.

The socket lies in the data directory, which nobody but its owner may enter: whoever can ask may do anything anyway. So
errors are told in full, without the secrets of the configuration.
"""

from typing import Final, TypeAlias

import msgspec

from bigchaindb.engine.engine import NetworkFigures
from bigchaindb.errors import RequestFailed
from bigchaindb.eventlog.orders import Order
from bigchaindb.subscribers.lane_status import LaneStatus

REQUEST_BYTES_MAX: Final = 64 * 1024
"""Fits 1,000 positions of 18 digits, which is what one order may name, thrice."""
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""Fits the lanes of a thousand plugins, each with its window in hand."""
HEAD_WAIT_S_MAX: Final = 30.0
"""How long the node holds a request back that waits for the head to move."""


class GetLanes(msgspec.Struct, frozen=True, tag=True):
    """What is there to see of all lanes?"""


class GetConfiguration(msgspec.Struct, frozen=True, tag=True):
    """Which file does the node read its list of plugins from?"""


class GetHead(msgspec.Struct, frozen=True, tag=True):
    """How far is the log durable? Answered once that is beyond a position, or after the wait.

    Attributes:
        beyond: the position; -1 is answered at once.
    """

    beyond: int = -1
    wait_s: float = 0.0


class GetNetwork(msgspec.Struct, frozen=True, tag=True):
    """How does the node stand among those that it votes with?"""


class Ordered(msgspec.Struct, frozen=True, tag=True):
    """An order to the lane of one plugin; the answer is the lane as it is then."""

    name: str
    order: Order


class Forget(msgspec.Struct, frozen=True, tag=True):
    """Delete all there is of a plugin that is not enabled."""

    name: str


class Reload(msgspec.Struct, frozen=True, tag=True):
    """Read the list of plugins again, and run these."""


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
        path: of the file; None: this node has none to read again.
        given_elsewhere: what gives the list of plugins instead of the file, in words; None: the file does.
    """

    path: str | None
    given_elsewhere: str | None


class Head(msgspec.Struct, frozen=True, tag=True):
    """Answers `GetHead`: the last durable position."""

    position: int


class Network(msgspec.Struct, frozen=True, tag=True):
    """Answers `GetNetwork`; None: the node is a network of its own."""

    figures: NetworkFigures | None


class Reloaded(msgspec.Struct, frozen=True, tag=True):
    """Answers `Reload`: the lanes, and by name what is wrong with plugins that could not be started."""

    lanes: list[LaneStatus]
    errors: dict[str, str]


class Done(msgspec.Struct, frozen=True, tag=True):
    """Answers `Forget`."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It was not done, and why."""

    error: str


Answer: TypeAlias = Lanes | Lane | Configuration | Head | Network | Reloaded | Done | Refused

_requests: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
_answers: Final[msgspec.json.Decoder[Answer]] = msgspec.json.Decoder(Answer)


def encode(message: Request | Answer) -> bytes:
    """Give the line to send."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Read a request.

    Raises:
        RequestFailed: it is none; the two programs may be of different versions.
    """
    try:
        return _requests.decode(line)
    except msgspec.MsgspecError as error:
        raise RequestFailed(f"the node does not know this request: {error}; is it of another version?") from error


def decode_answer(line: bytes) -> Answer:
    """Read an answer.

    Raises:
        RequestFailed: it is none.
    """
    try:
        return _answers.decode(line)
    except msgspec.MsgspecError as error:
        raise RequestFailed(f"the node's answer makes no sense: {error}; is it of another version?") from error
