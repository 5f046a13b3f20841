"""Which documents are heavy, and how heavy: estimates of what checking and writing one costs. Pure.

No rule of the network: it decides in which order a node does its work, never what is valid.
"""

import string
from typing import Final

from bigchaindb.transaction.model import Transaction

LIGHT_BYTES_MAX: Final = 4 * 1024
"""Largest light document, five times the usual one. With a bound of 16 KiB documents just below it made others wait for
39 ms at the median, with this one for 3 ms (measured)."""
LIGHT_VALUE_COUNT_MAX: Final = 512
"""Most values of a light document, counted as `reading.bound_values` does but in strings as well. A usual one has 30,
and 512 take 1 ms."""

BYTE_MS: Final = 1e-5
"""Time of the writer's thread for each byte, which is hashed three times and written: 8 ms for 0.8 MB (measured)."""
WORD_MS: Final = 6e-4
"""Time for each new word, which search's index sorts and writes: 40 ms for 60,000 (measured). Numbers take less."""
OUTPUT_MS: Final = 4e-3
"""Time for each output with its rows: 8 ms for 1,800 (measured)."""
OUTPUT_SEPARATORS: Final = 37
"""Signs between words in an output that one key owns."""
_IN_WORDS: Final = (string.ascii_letters + string.digits + '"').encode() + bytes(range(0x80, 0x100))


def is_heavy(body: bytes) -> bool:
    """Whether a document may cost more than a few usual ones."""
    if len(body) > LIGHT_BYTES_MAX:
        return True
    return body.count(b",") + body.count(b"[") + body.count(b"{") > LIGHT_VALUE_COUNT_MAX


def weight_ms(transaction: Transaction) -> float:
    """Estimate how long the writer needs for a heavy transaction: about right for words, rather too much for numbers.

    Words are counted by what stands between them, 0.3 ms for 0.8 MB; quotation marks within a text have a sign more.
    """
    body, output_count = transaction.body, len(transaction.outputs)
    separators = len(body.translate(None, _IN_WORDS))
    word_count = max(0, separators - OUTPUT_SEPARATORS * output_count)
    return len(body) * BYTE_MS + word_count * WORD_MS + output_count * OUTPUT_MS
