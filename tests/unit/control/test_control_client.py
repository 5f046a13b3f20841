"""The command line never hangs on a node and never takes silence for an answer."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from bigchaindb.control import client, messages
from bigchaindb.control.client import ask
from bigchaindb.errors import RequestFailed


@contextmanager
def answering(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Be a node that takes one request."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                answer(connection)

        thread = Thread(target=serve)
        thread.start()
        yield
        thread.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def test_where_no_node_listens_there_is_no_answer(path: Path) -> None:
    assert ask(path, messages.GetLanes(), messages.Lanes) is None
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))  # of a node that was killed
    assert ask(path, messages.GetLanes(), messages.Lanes) is None


def test_an_answer_may_come_in_pieces(path: Path) -> None:
    def slowly(connection: socket.socket) -> None:
        for byte in messages.encode(messages.Head(7)):
            connection.sendall(bytes([byte]))

    with answering(path, slowly):
        assert ask(path, messages.GetHead(), messages.Head) == messages.Head(7)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (messages.encode(messages.Refused("sales is no lane")), "^sales is no lane$"),
        (messages.encode(messages.Done()), "the node answered Done, which is no answer to GetHead"),
        (b"nonsense\n", "the node's answer is malformed"),
        (b'{"type":', "closed the connection without an answer"),
        (b"x" * 100, "has more than 99 bytes"),
    ],
)
def test_whatever_else_it_says_is_an_error(
    path: Path, said: bytes, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "ANSWER_BYTES_MAX", 99)
    with answering(path, lambda connection: connection.sendall(said)), pytest.raises(RequestFailed, match=error):
        ask(path, messages.GetHead(), messages.Head)


def test_a_node_that_is_stopped_by_a_debugger_is_not_waited_for_for_ever(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(RequestFailed, match=r"the node did not answer within 0\.01 s"):
            ask(path, messages.GetHead(), messages.Head, wait_s=0.01)


def test_a_path_that_no_socket_has_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestFailed, match="cannot ask the node over"):
        ask(tmp_path / ("x" * 200), messages.GetHead(), messages.Head)


def test_an_order_may_take_as_long_as_a_plugin_takes_to_start() -> None:
    """30 s to be ready, after up to 11 for the process before it to be gone."""
    assert client.ANSWER_S_MAX > 30 + 11
    assert client.ANSWER_S_MAX > messages.HEAD_WAIT_S_MAX
