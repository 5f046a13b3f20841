"""Sends requests to the running node. Blocking, and quick to import: the command line uses it."""

import socket
from pathlib import Path
from typing import Final, TypeVar

from bigchaindb.control import messages
from bigchaindb.errors import RequestFailed
from bigchaindb.owners import refusal

ANSWER_S_MAX: Final = 60.0
"""Time for an answer: an order may wait until one process is killed and another one is ready."""

AnswerT = TypeVar("AnswerT", bound=messages.Answer)


def ask(path: Path, request: messages.Request, kind: type[AnswerT], *, wait_s: float = ANSWER_S_MAX) -> AnswerT | None:
    """Send a request to the node and return its answer.

    Args:
        path: of its control socket.
        request: to send.
        kind: of the answer.
        wait_s: time for the answer.

    Returns:
        None where no node listens.

    Raises:
        RequestFailed: the node refused, or did not answer.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(wait_s)
            connection.connect(str(path))
            connection.sendall(messages.encode(request))
            line = _line(connection)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except TimeoutError as error:
        raise RequestFailed(
            f"the node did not answer within {wait_s:g} s over `{path}`; its log may name the cause"
        ) from error
    except OSError as error:
        why = refusal(path.parent) if isinstance(error, PermissionError) else None
        raise RequestFailed(f"cannot ask the node over `{path}`: {why or error.strerror or error}") from error
    answer = messages.decode_answer(line)
    if isinstance(answer, kind):
        return answer
    if isinstance(answer, messages.Refused):
        raise RequestFailed(answer.error)
    raise RequestFailed(f"the node answered {type(answer).__name__}, which is no answer to {type(request).__name__}")


def _line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            raise RequestFailed("the node closed the connection without an answer, as when it stops; try again")
        received += part
        if len(received) > messages.ANSWER_BYTES_MAX:
            raise RequestFailed(f"the node's answer has more than {messages.ANSWER_BYTES_MAX} bytes")
    return bytes(received)
