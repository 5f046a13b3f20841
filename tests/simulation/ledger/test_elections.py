"""Elections over any validators and votes."""

from collections.abc import Mapping
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import errors
from bigchaindb.ledger.elections import (
    Elections,
    proposal_of,
    validate_election,
)
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction import KeyPair, Transaction
from tests.support.elections import (
    election,
    state_of,
    stored,
    validators_of,
    vote,
    votes,
)

PAIRS: Final = [KeyPair.from_seed(bytes([number]) * 32) for number in range(1, 8)]


SETS: Final = st.lists(st.integers(1, 50), min_size=1, max_size=5).map(
    lambda powers: dict(zip(PAIRS, powers, strict=False))
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[KeyPair, int], list[list[Transaction]]]:
    """Draw validators and blocks of right elections among them, each voter voting at most once on each."""
    powers = draw(SETS)
    proposed = [
        election(
            number,
            proposer=draw(st.sampled_from(list(powers))),
            powers=powers,
            of=draw(st.sampled_from(PAIRS)),
            power=draw(st.integers(0, 60)),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    cast = draw(st.permutations([(one, voter) for one in proposed for voter in powers]))
    every = [*proposed, *(vote(one, voter) for one, voter in cast[: draw(st.integers(0, len(cast)))])]
    blocks: list[list[Transaction]] = [[]]
    for transaction in every:
        if draw(st.booleans()):
            blocks.append([])
        blocks[-1].append(transaction)
    return powers, blocks


def run(validators: ValidatorSet, blocks: list[list[Transaction]]) -> list[tuple[Elections, Mapping[bytes, int]]]:
    """Count block by block, the validators as each left them."""
    elections, steps = Elections(), []
    for height, block in enumerate(blocks, 1):
        elections, updates = elections.after(block, validators, height)
        validators = validators.changed(updates)
        steps.append((elections, updates))
    return steps


@given(histories())
def test_the_first_election_with_two_thirds_is_the_one_that_counts(
    history: tuple[dict[KeyPair, int], list[list[Transaction]]],
) -> None:
    """By another count, done on the whole history at once."""
    powers, blocks = history
    validators = validators_of(powers)
    steps = run(validators, blocks)
    counted: dict[str, int] = {}
    concluded: list[str] = []
    expected: Mapping[bytes, int] = {}
    by_id = {one.id: one for block in blocks for one in block if one.operation == "VALIDATOR_ELECTION"}
    for transaction in (one for block in blocks for one in block if one.operation == "VOTE"):
        id_ = transaction.asset_id
        if expected or id_ in concluded:
            continue
        counted[id_] = counted.get(id_, 0) + transaction.outputs[0].amount
        if counted[id_] >= sum(powers.values()) * 2 / 3:
            concluded.append(id_)
            proposed = proposal_of(by_id[id_])
            if validators.powers.get(proposed.public_key, 0) != proposed.power:
                expected = {proposed.public_key: proposed.power}
    assert [one.id for one in steps[-1][0].concluded] == concluded
    assert [dict(updates) for _, updates in steps if updates] == ([expected] if expected else [])


@given(histories())
def test_l3_equal_blocks_leave_equal_elections(
    history: tuple[dict[KeyPair, int], list[list[Transaction]]],
) -> None:
    """Also where each state was stored and read in between, and whatever order the validators come in."""
    powers, blocks = history
    shuffled = ValidatorSet(dict(sorted(validators_of(powers).powers.items(), reverse=True)))
    steps = run(validators_of(powers), blocks)
    elections = Elections()
    for height, (block, (expected, changed)) in enumerate(zip(blocks, steps, strict=True), 1):
        elections, updates = stored(elections).after(block, shuffled, height)
        assert (elections, updates) == (expected, changed)
        assert state_of(elections) == state_of(expected)
        shuffled = shuffled.changed(updates)


@given(powers=SETS, of=st.sampled_from(PAIRS), power=st.integers(0, 60))
def test_what_is_allowed_leaves_validators_that_an_engine_takes(
    powers: dict[KeyPair, int], of: KeyPair, power: int
) -> None:
    """CometBFT stops at an update that removes a stranger or the last validator."""
    validators = validators_of(powers)
    proposed = election(proposer=PAIRS[0], powers=powers, of=of, power=power)
    try:
        validate_election(proposed, validators)
    except errors.InvalidPowerChange:
        return
    _, updates = Elections().after([proposed, *votes(proposed, list(powers))], validators, 1)
    assert len(updates) <= 1
    assert all(power or key in validators.powers for key, power in updates.items())
    after = validators.changed(updates)
    assert after.powers
    assert abs(after.total - validators.total) * 3 < validators.total
