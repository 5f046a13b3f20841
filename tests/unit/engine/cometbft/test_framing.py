"""Whatever pieces the stream comes in, and whoever sends it: frames come out whole, or an error names the rule."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.engine.cometbft.framing import FrameDecoder
from bigchaindb.errors import AbciProtocolError
from bigchaindb.ledger.protobuf import delimited, uvarint

MESSAGES = [b"", b"one", b"x" * 127, b"y" * 128, b"z" * 300, b""]


def taken(decoder: FrameDecoder) -> list[bytes]:
    return list(iter(decoder.next_frame, None))


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (16_384, "808001"), (2**32, "8080808010")],
)
def test_a_varint_has_seven_bits_a_byte_lowest_first(number: int, encoded: str) -> None:
    assert uvarint(number).hex() == encoded


def test_a_stream_that_is_cut_anywhere_gives_the_same_frames() -> None:
    stream = b"".join(map(delimited, MESSAGES))
    for cut in range(len(stream) + 1):
        decoder = FrameDecoder(300)
        decoder.feed(stream[:cut])
        before = taken(decoder)
        decoder.feed(stream[cut:])
        assert before + taken(decoder) == MESSAGES, cut


def test_a_stream_that_comes_byte_by_byte_gives_the_same_frames() -> None:
    decoder = FrameDecoder(300)
    found = []
    for byte in b"".join(map(delimited, MESSAGES)):
        decoder.feed(bytes([byte]))
        found += taken(decoder)
    assert found == MESSAGES


@given(st.lists(st.binary(max_size=400), max_size=8), st.lists(st.integers(1, 200)))
def test_any_messages_in_any_pieces(messages: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(map(delimited, messages))
    decoder = FrameDecoder(400)
    found = []
    for size in [*sizes, len(stream)]:
        decoder.feed(stream[:size])
        stream = stream[size:]
        found += taken(decoder)
    assert found == messages


def test_frames_that_are_not_taken_yet_stay() -> None:
    decoder = FrameDecoder(10)
    decoder.feed(delimited(b"one") + delimited(b"two")[:2])
    assert decoder.next_frame() == b"one"
    decoder.feed(delimited(b"two")[2:] + delimited(b"three"))
    assert taken(decoder) == [b"two", b"three"]


@pytest.mark.parametrize("bound", [0, 5, 127, 128, 1_000_000])
def test_a_frame_of_the_bound_is_taken_and_a_longer_one_refused_before_it_comes(bound: int) -> None:
    """Nobody fills the node's memory with one message: its length alone is enough to refuse it."""
    decoder = FrameDecoder(bound)
    decoder.feed(delimited(bytes(bound)))
    assert taken(decoder) == [bytes(bound)]
    decoder.feed(uvarint(bound + 1))
    with pytest.raises(AbciProtocolError, match=rf"^frame: .* at most {bound}( bytes needs)?$"):
        decoder.next_frame()


def test_what_is_no_varint_is_refused_after_few_bytes() -> None:
    decoder = FrameDecoder(1_000_000)
    decoder.feed(b"\xff\xff")
    assert decoder.next_frame() is None
    decoder.feed(b"\xff")
    with pytest.raises(
        AbciProtocolError,
        match=r"^frame: the length has more than 3 bytes, which no message of at most 1000000 bytes needs$",
    ):
        decoder.next_frame()


@given(st.binary(max_size=64), st.integers(0, 1000))
def test_garbage_gives_frames_within_the_bound_or_the_error(garbage: bytes, bound: int) -> None:
    decoder = FrameDecoder(bound)
    decoder.feed(garbage)
    with suppress(AbciProtocolError):
        assert all(len(frame) <= bound for frame in taken(decoder))
