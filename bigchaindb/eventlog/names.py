"""Names of lanes: plugins and subscriptions share their rule and their namespace. Pure."""

from typing import Final

CHARACTER_COUNT_MAX: Final = 100
"""Characters of a name: with the parts around it, it is the name of a file."""

RULE: Final = f"1 to {CHARACTER_COUNT_MAX} printable characters, without a slash or a leading dot"


def is_name(text: str) -> bool:
    """Whether a lane may be called so."""
    return 1 <= len(text) <= CHARACTER_COUNT_MAX and text.isprintable() and "/" not in text and text[0] != "."
