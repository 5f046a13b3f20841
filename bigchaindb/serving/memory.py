"""How the system's allocator keeps large blocks, of which strangers choose how many there are."""

import ctypes
from typing import Final

LARGE_BYTES: Final = 256 * 1024
"""Blocks from this size on are given back to the system as soon as they are freed."""
_M_MMAP_THRESHOLD: Final = -3
"""Number of the parameter in glibc's malloc.h."""


def give_back_large_blocks() -> bool:
    """Keep glibc from holding on to freed bodies and texts of documents; whether the C library is one that can.

    By itself it raises the bound to the largest block that was freed, up to 32 MiB, and keeps smaller ones in a pool of
    each thread: under an attack with documents of 0.8 MB a node grew by 150 MiB of which it used 40, with this by 100.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES) == 1
