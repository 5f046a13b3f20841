"""What a plugin's process and its supervisor say to each other, as the process does it. Source: decision 0025."""

import os
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from bigchaindb.errors import ConfigurationError
from bigchaindb.eventlog.facts import Again, Settle
from bigchaindb.subscribers.control import Control
from bigchaindb.subscribers.host_protocol import (
    LAUNCH_BYTES_MAX,
    NUDGE,
    Launch,
    Report,
    Warned,
    decode_report,
    encode_answer,
    encode_launch,
    receive_launch,
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Control]]:
    node, plugin = socket.socketpair()
    with node, plugin:
        control = Control(plugin)
        yield node, control
        os.close(control._bell)


def reports(node: socket.socket) -> list[Report]:
    return [decode_report(line) for line in node.recv(4096).splitlines()]


def test_nudges_and_answers_are_lines_whole_or_cut(ends: tuple[socket.socket, Control]) -> None:
    """A stream has no messages: an answer that arrives in two pieces is still one."""
    node, control = ends
    line = encode_answer(Again(3, 2, 0.5))
    node.sendall(NUDGE + line[:5])
    assert control.wait(1) == []
    node.sendall(line[5:] + encode_answer(Settle(4)) + NUDGE + NUDGE)
    assert control.wait(1) == [Again(3, 2, 0.5), Settle(4)]


def test_nothing_to_hear_is_no_answer(ends: tuple[socket.socket, Control]) -> None:
    assert ends[1].wait(0) == []


def test_reports_go_out_in_order_while_the_thread_waits(ends: tuple[socket.socket, Control]) -> None:
    node, control = ends
    waiting = threading.Thread(target=control.wait, args=(10,))
    waiting.start()
    control.report(Warned("one"))
    waiting.join(60)
    control.report(Warned("two"))
    control.report(Warned("three"))
    control.flush()
    heard: list[Report] = []
    while len(heard) < 3:
        heard += reports(node)
    assert heard == [Warned("one"), Warned("two"), Warned("three")]


def test_a_thread_of_the_plugin_never_waits_for_the_node(ends: tuple[socket.socket, Control]) -> None:
    """The node is busy, and the socket's buffer is full: the plugin goes on."""
    node, control = ends
    for _ in range(2_000):
        control.report(Warned("x" * 500))
    writer = threading.Thread(target=control.flush)
    writer.start()
    control.report(Warned("last"))
    heard, rest = 0, b""
    while heard < 2_001:
        *lines, rest = (rest + node.recv(65536)).split(b"\n")
        heard += len(lines)
    writer.join(60)
    assert heard == 2_001


def test_the_end_of_the_node_is_an_end_of_file(ends: tuple[socket.socket, Control]) -> None:
    node, control = ends
    node.close()
    with pytest.raises(EOFError):
        control.wait(1)


def test_options_are_bounded_and_what_comes_again_is_not() -> None:
    """Thousands of parked events that are retried, or a large window, must not keep the plugin from starting."""
    launch = Launch(
        name="sales",
        ledger="/l",
        page="/p",
        chain_id="c",
        options={"text": "x" * 1_000},
        queue="log",
        window_count=256,
        window_bytes_max=1,
        sys_path=[],
        attempts={1_000_000 + number: 5 for number in range(10_000)},
        one_at_a_time=False,
    )
    theirs, ours = socket.socketpair()
    with theirs, ours:
        sending = threading.Thread(target=ours.sendall, args=(encode_launch(launch),))
        sending.start()
        assert receive_launch(theirs) == launch
        sending.join()
    with pytest.raises(ConfigurationError, match=r"events_plugins\.sales\.options: .* bytes"):
        encode_launch(msgspec.structs.replace(launch, attempts={}, options={"text": "x" * LAUNCH_BYTES_MAX}))
    with pytest.raises(ConfigurationError, match=r"events plugin 'sales': .* surrogates not allowed"):
        encode_launch(msgspec.structs.replace(launch, options={"text": "\ud800"}))
