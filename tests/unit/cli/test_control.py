"""The command line never hangs on a node and never takes silence for an answer."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from bigchaindb.cli import control
from bigchaindb.cli.control import ANSWER_S_MAX, ControlClient
from bigchaindb.config import Database, PluginSettings, Settings
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


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_where_no_node_listens_there_is_no_answer(path: Path) -> None:
    control = ControlClient(path)
    assert control.lanes() is None
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))  # of a node that was killed
    assert (control.head(), control.head_beyond(3), control.forget("sales")) == (None, None, False)


def test_an_answer_may_come_in_pieces(path: Path) -> None:
    def slowly(connection: socket.socket) -> None:
        for byte in http(b'{"position":7}'):
            connection.sendall(bytes([byte]))

    with answering(path, slowly):
        assert ControlClient(path).head() == 7


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (http(b'{"message":"sales is no lane"}', "400 BAD REQUEST"), "^sales is no lane$"),
        (http(b"[]"), "the node's answer is malformed: .*; does it have another version"),
        (http(b"nonsense"), "the node's answer is malformed"),
        (http(b"<html>", "502 BAD GATEWAY"), "the node's answer is malformed"),
        (b'{"type":"Refused","error":"..."}\n', "the node's answer is malformed: .*; does it have another version"),
        (http(b"{")[:-1], "closed the connection without an answer"),
        (b"", "closed the connection without an answer"),
        (http(b"x" * 100), "has more than 99 bytes"),
    ],
)
def test_whatever_else_it_says_is_an_error(
    path: Path, said: bytes, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node of before an upgrade may still run, and answer in its own way."""
    monkeypatch.setattr(control, "ANSWER_BYTES_MAX", 99)
    with answering(path, lambda connection: connection.sendall(said)), pytest.raises(RequestFailed, match=error):
        ControlClient(path).head()


HEARTBEAT = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n"


def test_heartbeats_are_no_head(path: Path) -> None:
    messages = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in (b":\n\n", b"data: 12\n\n"))
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + messages
    with answering(path, lambda connection: connection.sendall(said)):
        assert ControlClient(path).head_beyond(3) == 12


@pytest.mark.parametrize("said", [b"", HEARTBEAT[:-4], HEARTBEAT, HEARTBEAT + b"0\r\n\r\n"])
def test_a_node_that_stops_ends_the_wait_for_the_head(path: Path, said: bytes) -> None:
    """Whoever follows the events learns what to do, however the node ended."""
    stopped = pytest.raises(RequestFailed, match=r"the node has stopped, .* start it and run the command again")
    with answering(path, lambda connection: connection.sendall(said)), stopped:
        ControlClient(path).head_beyond(3)


def test_a_node_that_is_stopped_by_a_debugger_is_not_waited_for_for_ever(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(RequestFailed, match=r"the node did not answer within 0\.01 s"):
            ControlClient(path, answer_s_max=0.01).head()


def test_a_path_that_no_socket_has_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestFailed, match="cannot ask the node over"):
        ControlClient(tmp_path / ("x" * 200)).head()


def test_an_order_may_take_as_long_as_a_plugin_takes_to_start() -> None:
    """30 s to be ready, after up to 11 for the process before it to be gone."""
    assert ANSWER_S_MAX > 30 + 11


@pytest.mark.parametrize(("ready_s", "longer_s"), [((90.0, 1.0), 60.0), ((1.0,), 0.0), ((), 0.0)])
def test_a_plugin_that_may_be_ready_later_is_waited_for_longer(
    ready_s: Sequence[float], longer_s: float, tmp_path: Path
) -> None:
    """Its command would fail although the node goes on and starts it."""
    plugins = {f"plugin{number}": PluginSettings(ready_s=one) for number, one in enumerate(ready_s)}
    node = ControlClient.of(Settings(database=Database(path=tmp_path), events_plugins=plugins))
    assert node.answer_s_max == ANSWER_S_MAX + longer_s
