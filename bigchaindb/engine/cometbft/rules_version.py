"""The number of the rules that all nodes of a network judge by, and what is said where two numbers meet."""

from collections.abc import Mapping
from typing import Final

RULES_VERSION: Final = 3
"""Of what nodes agree on. It stands in the genesis and in every header; whatever changes a verdict, an encoding or a
hash raises it by one."""
CHANGES: Final[Mapping[int, str]] = {
    2: "a document has at most 16384 values",
    3: "of a rejected proposal of more than 1001 transactions none are carried",
}
"""What came with each number, for people."""


def other_rules(found: int, own: int) -> str:
    """Return what follows "has": both numbers, what lies between them, and what to do.

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
