"""The system allocator's treatment of large blocks, whose number strangers choose."""

import ctypes
from typing import Final

LARGE_BYTES: Final = 256 * 1024
"""Blocks of at least this size return to the system as soon as they are freed."""
_M_MMAP_THRESHOLD: Final = -3
"""Number of the parameter in glibc's malloc.h."""


def give_back_large_blocks() -> bool:
    """Make glibc return freed bodies and texts of documents to the system; False if the C library has no such setting.

    By itself glibc raises the bound to the largest freed block, up to 32 MiB, and keeps smaller ones in a pool of each
    thread: under an attack with documents of 0.8 MB a node grew by 150 MiB of which it used 40, with this by 100.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES) == 1
