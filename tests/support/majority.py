"""The election of 1.x, which adds votes up; the node decides by its engine and only represents the outcome.

It recounts published elections with the node's own ideas of a signed and of a well-formed vote. A majority decides,
which is not Byzantine fault tolerant.

Source: docs/reference/contract/blocks-and-votes.md, section 3.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bigchaindb.errors import CriticalDuplicateVote, ImproperVoteError
from bigchaindb.ledger.voting import check_vote, is_signed

Status = Literal["valid", "invalid", "undecided"]


@dataclass(frozen=True, slots=True)
class Tally:
    """The sum of the votes on a block.

    Attributes:
        ineligible: votes of nodes that may not vote, or that are not signed by the node they name.
        malformed: signed votes that break the schema; they count as invalid.
        previous_block: what the counted valid votes agree on, None without any.
        other_previous_block: what the outvoted ones name, and how many do.
    """

    status: Status
    block_id: str
    n_valid: int
    n_invalid: int
    ineligible: tuple[Any, ...] = field(default=(), repr=False)
    malformed: tuple[Any, ...] = field(default=(), repr=False)
    previous_block: str | None = None
    other_previous_block: Mapping[str, int] = field(default_factory=dict)


def tally(block_id: str, voters: Iterable[str], federation: Collection[str], votes: Sequence[Any]) -> Tally:
    """Add up the votes on a block. Source: blocks-and-votes.md, section 3.

    Args:
        block_id: v1 id of the block; the rules of 1.x do not compare it with the votes.
        voters: base58, as the block names them.
        federation: base58, the nodes that this one knows, itself included.
        votes: documents, in the order of their arrival.

    Raises:
        CriticalDuplicateVote: a voter voted twice.
    """
    eligible = frozenset(voters) & frozenset(federation)
    counted, ineligible = _partition(votes, lambda vote: is_signed(vote) and vote["node_pubkey"] in eligible)
    _check_one_vote_each(counted)
    well_formed, malformed = _partition(counted, _is_well_formed)
    # The largest group wins; among equal ones the first to arrive, as in 1.x: the status is the same with any of them.
    valid = (vote["vote"]["previous_block"] for vote in well_formed if vote["vote"]["is_block_valid"])
    groups = Counter(valid).most_common()
    previous_block, n_valid = groups[0] if groups else (None, 0)
    n_invalid = len(counted) - n_valid
    return Tally(
        status=decide(len(eligible), n_valid, n_invalid),
        block_id=block_id,
        n_valid=n_valid,
        n_invalid=n_invalid,
        ineligible=ineligible,
        malformed=malformed,
        previous_block=previous_block,
        other_previous_block=dict(groups[1:]),
    )


def decide(n_voters: int, n_valid: int, n_invalid: int) -> Status:
    """Decide an election: half of the votes make a block invalid, more than half make it valid.

    Source: blocks-and-votes.md, section 3, rule 6.
    """
    if n_invalid * 2 >= n_voters:
        return "invalid"
    return "valid" if n_valid * 2 > n_voters else "undecided"


def _partition(votes: Iterable[Any], holds: Callable[[Any], bool]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    kept: list[Any] = []
    others: list[Any] = []
    for vote in votes:
        (kept if holds(vote) else others).append(vote)
    return tuple(kept), tuple(others)


def _is_well_formed(vote: Any) -> bool:
    try:
        check_vote(vote)
    except ImproperVoteError:
        return False
    return True


def _check_one_vote_each(votes: Iterable[Any]) -> None:
    seen: set[str] = set()
    for vote in votes:
        voter = vote["node_pubkey"]
        if voter in seen:
            raise CriticalDuplicateVote(f"{voter} voted twice on one block")
        seen.add(voter)
