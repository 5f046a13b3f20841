"""Cuts a stream into frames: a length, as an unsigned varint, and so many bytes.

`bigchaindb.ledger.protobuf.delimited` makes a frame.

Pure: the reader of the socket feeds pieces of any size, and takes the frames that are complete.
Source: CometBFT v0.38, its specification of ABCI 2.0, "Socket protocol"; varints as in Protocol Buffers' encoding.
"""

from typing import Final

from bigchaindb.errors import AbciProtocolError
from bigchaindb.ledger.protobuf import uvarint

_MORE: Final = 0x80
_GROUP: Final = 0x7F
_GROUP_BITS: Final = 7


class FrameDecoder:
    """Decodes the frames of a stream, in order. Holds what it was fed and nobody has taken."""

    def __init__(self, frame_bytes_max: int) -> None:
        """Begin at the start of a stream.

        Args:
            frame_bytes_max: the longest message, without its length.
        """
        self._frame_bytes_max = frame_bytes_max
        self._length_bytes_max = len(uvarint(frame_bytes_max))
        self._received = bytearray()
        self._position = 0

    @property
    def waiting_bytes(self) -> int:
        """What was fed and is not taken, complete or not."""
        return len(self._received) - self._position

    def feed(self, received: bytes) -> None:
        """Append a piece of the stream."""
        if self._position:  # once a read, not once a frame: each time the rest is moved
            del self._received[: self._position]
            self._position = 0
        self._received += received

    def next_frame(self) -> bytes | None:
        """Take the next message; None while it is not complete.

        Raises:
            AbciProtocolError: its length is above the bound, or no varint; the stream cannot be used any more.
        """
        length_and_start = self._length()
        if length_and_start is None:
            return None
        length, start = length_and_start
        end = start + length
        if end > len(self._received):
            return None
        self._position = end
        return bytes(memoryview(self._received)[start:end])

    def _length(self) -> tuple[int, int] | None:
        length = 0
        for index in range(self._length_bytes_max):
            at = self._position + index
            if at >= len(self._received):
                return None
            byte = self._received[at]
            length |= (byte & _GROUP) << (index * _GROUP_BITS)
            if byte < _MORE:
                break
        else:  # the varint goes on: the length is above the bound, or the peer speaks another protocol
            raise AbciProtocolError(
                f"frame: the length has more than {self._length_bytes_max} bytes, which no message of at most "
                f"{self._frame_bytes_max} bytes needs"
            )
        if length > self._frame_bytes_max:
            raise AbciProtocolError(f"frame: {length} bytes, and a message has at most {self._frame_bytes_max}")
        return length, at + 1
