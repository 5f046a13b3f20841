"""The client of the running node, over the control socket in its data directory."""

import json
import socket
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import msgspec

from bigchaindb.children import PlaceFigures
from bigchaindb.config import PluginSettings, Settings
from bigchaindb.config.limits import MIB
from bigchaindb.control import answers
from bigchaindb.engine.engine import NetworkFigures
from bigchaindb.errors import AccessRefused, RequestFailed
from bigchaindb.eventlog.orders import Order
from bigchaindb.owners import refusal
from bigchaindb.store.directory import DataDirectory
from bigchaindb.subscribers.lane_status import LaneStatus

ANSWER_S_MAX: Final = 60.0
"""Time for an answer: an order may wait until one process is killed and another one is ready."""
RELOAD_S_MAX: Final = 300.0
"""A file that was edited by hand may name several new plugins; each may take 30 s to be ready, or its `ready_s`."""
ANSWER_BYTES_MAX: Final = 16 * MIB
FIGURES_S_MAX: Final = 2.0
"""Time for the figures of a network: a person waits."""
HEALTH_S_MAX: Final = 8.0
"""Time for the health: what watches over a container waits 10 s for the whole command."""
_DATA: Final = b"data: "
STOPPED: Final = "the node has stopped, so no further event will come; start it and run the command again"
_CLOSED: Final = "the node closed the connection without an answer, as when it stops; try again"

T = TypeVar("T")


class ControlClient:
    """The node of a data directory. What is asked is None where none listens.

    Attributes:
        answer_s_max: time for an answer to an order.
    """

    def __init__(self, path: Path, answer_s_max: float = ANSWER_S_MAX, *, longer_s: float = 0.0) -> None:
        """Connect to nothing yet.

        Args:
            path: of the socket.
            answer_s_max: time for an answer.
            longer_s: by how much a plugin may be ready later than by default.
        """
        self._path = path
        self.answer_s_max = answer_s_max + longer_s
        self._reload_s_max = RELOAD_S_MAX + longer_s

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the client of the node with these settings."""
        longer_s = max((one.ready_s - PluginSettings.ready_s for one in settings.events_plugins.values()), default=0.0)
        return cls(DataDirectory(settings.database.path).control, longer_s=max(0.0, longer_s))

    def lanes(self) -> list[LaneStatus] | None:
        """Return the status of all lanes."""
        return self._ask(answers.PLUGINS, list[LaneStatus])

    def order(self, name: str, order: Order) -> LaneStatus | None:
        """Have an order to the lane of a plugin carried out; return the changed lane."""
        return self._ask(_plugin(name), LaneStatus, msgspec.json.encode(order))

    def forget(self, name: str) -> bool:
        """Have the lane of a plugin that is not enabled deleted; return whether a node did."""
        return self._ask(_plugin(name), dict[str, str], msgspec.json.encode(answers.Forget())) is not None

    def put_subscription(self, name: str, definition: dict[str, Any], *, is_change: bool) -> bool | None:
        """Have a subscription created, or changed; return whether it is new."""
        body = msgspec.json.encode(answers.PutSubscription(definition, is_change))
        found = self._ask(_plugin(name), dict[str, bool], body)
        return None if found is None else found["is_new"]

    def delete_subscription(self, name: str) -> bool:
        """Have a subscription deleted; return whether a node did."""
        body = msgspec.json.encode(answers.DeleteSubscription())
        return self._ask(_plugin(name), dict[str, str], body) is not None

    def configuration(self) -> answers.Configuration | None:
        """Return the file with the node's list of plugins."""
        return self._ask(answers.CONFIGURATION, answers.Configuration)

    def reload(self) -> answers.Reloaded | None:
        """Have the list of plugins read again, and those run."""
        return self._ask(answers.CONFIGURATION, answers.Reloaded, b"", wait_s=self._reload_s_max)

    def head(self) -> int | None:
        """Return the last durable position of the log."""
        found = self._ask(answers.HEAD, dict[str, int])
        return None if found is None else found["position"]

    def head_beyond(self, position: int) -> int | None:
        """Return the last durable position once it is beyond another one.

        Raises:
            RequestFailed: the node has stopped meanwhile, or as ever.
        """

        def first(answer: HTTPResponse) -> int:
            for line in answer:  # the others are heartbeats
                if line.startswith(_DATA):
                    return int(line.removeprefix(_DATA))
            raise RequestFailed(STOPPED)

        target = f"{answers.HEAD}?beyond={position}"
        return self._request(target, first, accept="text/event-stream", closed=STOPPED)

    def access(self) -> answers.AccessState | None:
        """Return who may do what."""
        return self._ask(answers.ACCESS, answers.AccessState)

    def change_access(self, order: answers.AccessOrder, kind: type[T]) -> T | None:
        """Have an order about access carried out; return its answer."""
        try:
            body = msgspec.json.encode(order)
        except UnicodeEncodeError:  # its text has what was given, which may be a key
            raise AccessRefused(
                "an access key and its id are ASCII letters and digits; found bytes of no text"
            ) from None
        return self._ask(answers.ACCESS, kind, body)

    def network(self) -> NetworkFigures | None:
        """Return the node's figures of its network."""
        return self._ask(answers.NETWORK, NetworkFigures, wait_s=FIGURES_S_MAX)

    def health(self) -> dict[str, Any] | None:
        """Return the node's health."""
        return self._ask(answers.HEALTH, dict[str, Any], wait_s=HEALTH_S_MAX)

    def processes(self) -> dict[str, PlaceFigures] | None:
        """Return the figures of the node's children, by place."""
        return self._ask(answers.PROCESSES, dict[str, PlaceFigures], wait_s=FIGURES_S_MAX)

    def _ask(self, target: str, kind: type[T], body: bytes | None = None, wait_s: float | None = None) -> T | None:
        return self._request(target, lambda answer: msgspec.json.decode(_whole(answer), type=kind), body, wait_s=wait_s)

    def _request(
        self,
        target: str,
        read: Callable[[HTTPResponse], T],
        body: bytes | None = None,
        *,
        accept: str = "application/json",
        wait_s: float | None = None,
        closed: str = _CLOSED,
    ) -> T | None:
        """Return what `read` finds in the answer; None where no node listens.

        Raises:
            RequestFailed: the node refused, or did not answer.
        """
        wait_s = wait_s or self.answer_s_max
        try:
            with closing(_Connection(self._path, wait_s)) as connection:
                answer = _ask(connection, target, body, Accept=accept)
                if answer.status != 200:  # noqa: PLR2004 - HTTP's own figure
                    raise RequestFailed(str(_message_in(json.loads(_whole(answer)))))
                return read(answer)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except TimeoutError as error:
            text = f"the node did not answer within {wait_s:g} s over `{self._path}`; its log may name the cause"
            raise RequestFailed(text) from error
        except (ConnectionError, IncompleteRead) as error:
            raise RequestFailed(closed) from error
        except OSError as error:
            why = refusal(self._path.parent) if isinstance(error, PermissionError) else None
            raise RequestFailed(f"cannot ask the node over `{self._path}`: {why or error.strerror or error}") from error
        except (HTTPException, ValueError, msgspec.MsgspecError) as error:
            text = f"the node's answer is malformed: {str(error).strip()}; does it have another version?"
            raise RequestFailed(text) from error


class _Connection(HTTPConnection):
    """A connection to a socket of the file system."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _plugin(name: str) -> str:
    return f"{answers.PLUGINS}?name={quote(name, safe='')}"


def _ask(connection: HTTPConnection, target: str, body: bytes | None = None, **headers: str) -> HTTPResponse:
    """Send a request, GET or POST with a body, and return the beginning of its answer. Redirects are not followed."""
    headers = {"Accept": "*/*", **headers}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection.request("GET" if body is None else "POST", target, body, headers)
    return connection.getresponse()


def _whole(answer: HTTPResponse) -> bytes:
    """Return the body of an answer.

    Raises:
        RequestFailed: it is larger than any answer of a node.
        IncompleteRead: the connection ended before it did.
    """
    if len(body := answer.read(ANSWER_BYTES_MAX + 1)) > ANSWER_BYTES_MAX:
        raise RequestFailed(f"the node's answer has more than {ANSWER_BYTES_MAX} bytes")
    if answer.length:
        raise IncompleteRead(body, answer.length)
    return body


def _message_in(answer: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the text of an error's body."""
    return answer.get("message", answer) if isinstance(answer, dict) else answer
