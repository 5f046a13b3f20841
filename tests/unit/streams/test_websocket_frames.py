"""Frames that any WebSocket client reads. Source: RFC 6455, section 5.2; websocket-api.md, section 3."""

import json
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from bigchaindb.ledger.ports import Announcement
from bigchaindb.streams.websocket_frames import frames, text_frame

ids = st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)
announcements = st.builds(Announcement, ids, ids, st.integers(1, 2**63 - 1), ids)


def parsed(data: bytes) -> list[Frame]:
    """Read all frames as another implementation does."""
    reader = StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while reader.buffer:
        found.append(finished(Frame.parse(reader.read_exact, mask=False)))
    return found


def finished(parsing: Generator[None, None, Frame]) -> Frame:
    try:
        next(parsing)
    except StopIteration as stop:
        frame = stop.value
        assert isinstance(frame, Frame)
        return frame
    raise AssertionError("the frame is not complete")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_every_size_is_one_final_text_frame(size: int) -> None:
    assert parsed(text_frame(size * b"x")) == [Frame(Opcode.TEXT, size * b"x")]


@pytest.mark.parametrize(("size", "head_bytes"), [(125, 2), (126, 4), (65_535, 4), (65_536, 10)])
def test_a_length_takes_the_fewest_bytes(size: int, head_bytes: int) -> None:
    """The standard requires it, and a client may refuse any other form."""
    assert len(text_frame(size * b"x")) == head_bytes + size


@given(st.lists(announcements, max_size=5))
def test_each_transaction_is_one_message_in_order(given_ones: list[Announcement]) -> None:
    messages = [json.loads(bytes(frame.data)) for frame in parsed(frames(given_ones))]
    assert [Announcement(**message) for message in messages] == given_ones
    assert all(set(message) == {"transaction_id", "asset_id", "height", "block_id"} for message in messages)
