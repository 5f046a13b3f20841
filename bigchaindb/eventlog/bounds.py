"""What settings and the event log agree on. Pure; imports nothing, since every command reads the settings."""

from typing import Final

INDEX_BITS: Final = 20
"""Bits of a number that hold a transaction's index in its block; see `numbering`."""
INDEX_END: Final = (1 << INDEX_BITS) - 1
"""Behind every transaction of a block: a block has fewer (`limits.block_count_max`)."""

NAME_CHARACTER_COUNT_MAX: Final = 100
"""Characters of a lane's name: with the parts around it, it is the name of a file."""
NAME_RULE: Final = f"1 to {NAME_CHARACTER_COUNT_MAX} printable characters, without a slash or a leading dot"


def is_name(text: str) -> bool:
    """Whether a lane, of a plugin or a subscription, may be called so."""
    return 1 <= len(text) <= NAME_CHARACTER_COUNT_MAX and text.isprintable() and "/" not in text and text[0] != "."
