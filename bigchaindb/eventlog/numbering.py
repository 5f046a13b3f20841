"""Numbers of what a lane delivers: of blocks their positions, of transactions position and index in one. Pure.

A transaction's number is `position << 20 | index`. `position << 20 | 0xFFFFF` stands behind all of the block, so a
cursor is the lowest number in hand less one within a block, too. Lane pages and notes hold numbers; nothing else does.
"""

import re
from dataclasses import dataclass
from typing import Final

from bigchaindb.errors import UnknownPlace
from bigchaindb.eventlog import token
from bigchaindb.eventlog.bounds import INDEX_BITS
from bigchaindb.eventlog.place import POSITION_MAX

_TEXT: Final = re.compile("([0-9]{1,18})(?::([0-9]{1,7}))?")
_SHOWN_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Numbering:
    """How the events of one log and granularity are numbered.

    Attributes:
        index_bits: low bits of a number that hold a transaction's index; 0 where whole rows are delivered.
    """

    index_bits: int

    def number(self, position: int, index: int = 0) -> int:
        """Return the number of a row, or of a transaction in it."""
        return position << self.index_bits | index

    def behind(self, position: int) -> int:
        """Return the number behind which the row after this one begins; of 0 that of the log's beginning."""
        return position << self.index_bits | self._end

    def position(self, number: int) -> int:
        """Return the position of the row that a number belongs to."""
        return number >> self.index_bits

    def seen(self, number: int) -> int:
        """Return the last position of which everything is up to this number."""
        return self.position(number + 1) - 1

    def token_place(self, number: int) -> tuple[int, int]:
        """Return position and index of the token behind a number."""
        position, index = number >> self.index_bits, number & self._end
        return position, token.WHOLE if index == self._end or position == 0 else index

    def of_token(self, place: token.Token) -> int:
        """Return the number that a token is behind; a row that is delivered whole and was seen in part comes again."""
        position, seen_count = place.place
        if seen_count and self.index_bits:
            return self.number(position + 1, min(seen_count - 1, self._end))
        return self.behind(position)

    def text(self, number: int) -> str:
        """Return a number as people read it: `41`, or `41:3` for transaction 3 of position 41."""
        position, index = number >> self.index_bits, number & self._end
        return f"{position}:{index}" if self.index_bits else str(position)

    def read(self, text: str) -> int:
        """Return the number that a person wrote.

        Raises:
            UnknownPlace: it is none; the message has the form.
        """
        found = _TEXT.fullmatch(text)
        if found is not None and (found[2] is not None) == bool(self.index_bits):
            position, index = int(found[1]), int(found[2] or 0)
            if position and (index < self._end or not self.index_bits) and self.number(position, index) <= POSITION_MAX:
                return self.number(position, index)
        form = "position:index, such as 41:3" if self.index_bits else "a position, such as 41"
        raise UnknownPlace(f"expected {form}; found {text[:_SHOWN_MAX]!r}")

    @property
    def _end(self) -> int:
        return (1 << self.index_bits) - 1


ROWS: Final = Numbering(0)
"""Of rows that are delivered whole: blocks and rejected transactions."""

TRANSACTIONS: Final = Numbering(INDEX_BITS)
"""Of the transactions of blocks."""
