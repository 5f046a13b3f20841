"""The number of the rules that all nodes of a network judge by, and the message where two numbers differ."""

from collections.abc import Mapping
from typing import Final

RULES_VERSION: Final = 4
"""Number of the rules that nodes agree on. It is in the genesis and in every header; a change of a verdict, an encoding
or a hash raises it by one."""
CHANGES: Final[Mapping[int, str]] = {
    2: "a document has at most 16384 values",
    3: "of a rejected proposal of more than 1001 transactions none are carried",
    4: "several transactions travel and are proposed as one bundle",
}
"""The change that came with each number, for people."""


def other_rules(found: int, own: int) -> str:
    """Return the end of a message after "has": both numbers, the changes between them, and what to do.

    Args:
        found: number of the network's rules, or of another node's.
        own: of this program, another one.
    """
    low, high = sorted((found, own))
    known = [f"{number}: {CHANGES[number]}" for number in range(low + 1, high + 1) if number in CHANGES]
    between = "; ".join(known) or "what changed is in the CHANGELOG of the newer release"
    return (
        f"rules {found}, and this program has rules {own} ({between}). All nodes of a network have the same rules: run "
        f"the release that has rules {found}, or begin a network anew with this one"
    )
