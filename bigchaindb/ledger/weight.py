"""Which documents are heavy: an estimate from its bytes alone of what checking and writing one costs. Pure.

No rule of the network: it decides in which order a node does its work, never what is valid.
"""

from typing import Final

LIGHT_BYTES_MAX: Final = 4 * 1024
"""Largest light document, five times the usual one. With a bound of 16 KiB documents just below it made others wait for
39 ms at the median, with this one for 3 ms (measured)."""
LIGHT_VALUE_COUNT_MAX: Final = 512
"""Most values of a light document, counted as `reading.bound_values` does but in strings as well. A usual one has 30,
and 512 take 1 ms."""


def is_heavy(body: bytes) -> bool:
    """Whether a document may cost more than a few usual ones."""
    if len(body) > LIGHT_BYTES_MAX:
        return True
    return body.count(b",") + body.count(b"[") + body.count(b"{") > LIGHT_VALUE_COUNT_MAX
