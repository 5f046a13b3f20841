"""The rules of the tally over any powers, arrivals and choices."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import ImproperVoteError
from bigchaindb.ledger.network import NetworkState, OpenRejection, Support
from bigchaindb.ledger.rejections import (
    BODY_BYTES_MAX,
    Rejection,
    SignedExtension,
    decode_votes,
)
from bigchaindb.ledger.tally import Body, choose
from bigchaindb.transaction import KeyPair
from tests.support.networks import BODY, CHAIN, KEYS, address, said, signed, validators, votes
from tests.support.tallies import NOTHING_NEW, OTHER_BODY, counted


@given(powers=st.lists(st.integers(1, 2**50), min_size=1, max_size=7), data=st.data())
def test_more_than_one_third_counts_and_more_than_two_thirds_decide(powers: list[int], data: st.DataObject) -> None:
    state = NetworkState.begin(validators(*powers), 1)
    saying = data.draw(st.sets(st.integers(0, len(powers) - 1), min_size=1))
    share = Fraction(sum(powers[index] for index in saying), sum(powers))
    check_share(state, [KEYS[index] for index in saying], share)


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("thirds", [1, 2])
@given(third=st.integers(2, 2**50))
def test_exactly_one_or_two_thirds_are_not_enough(thirds: int, more: int, third: int) -> None:
    power = third * thirds + more
    state = NetworkState.begin(validators(power, third * 3 - power), 1)
    check_share(state, [KEYS[0]], Fraction(power, third * 3))


def check_share(state: NetworkState, keys: Iterable[KeyPair], share: Fraction) -> None:
    is_decided = share > Fraction(2, 3)
    one = votes(*(signed(key, said()) for key in keys), bodies=(BODY,) if is_decided else ())
    if share <= Fraction(1, 3):
        with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
            counted(one, state)
    else:
        outcome = counted(one, state)
        assert (len(outcome.decided), len(outcome.state.open)) == ((1, 0) if is_decided else (0, 1))


@given(
    powers=st.lists(st.integers(1, 9), min_size=4, max_size=7),
    arrivals=st.lists(st.none() | st.integers(5, 12), min_size=7, max_size=7),
)
def test_what_is_decided_does_not_depend_on_when_who_says_it(powers: list[int], arrivals: list[int | None]) -> None:
    """Each says it from its arrival on, in every vote, until the chain shows it: only the sum matters in the end."""
    state = NetworkState.begin(validators(*powers), 1)
    whole = NetworkState.begin(validators(*powers), 1)
    sayers = [index for index in range(len(powers)) if arrivals[index] is not None]
    decided: list[OpenRejection] = []
    for height in range(5, 13):
        saying = [signed(KEYS[index], said(), height=height) for index in sayers if (arrivals[index] or 0) <= height]
        state, more = step(state, saying, height)
        decided += more
    whole, at_once = step(whole, [signed(KEYS[index], said(), height=12) for index in sayers], 12)
    assert [one.rejection for one in decided] == [one.rejection for one in at_once]
    assert state.settled == whole.settled
    assert [(one.rejection, said_by(one.support)) for one in state.open] == [
        (one.rejection, said_by(one.support)) for one in whole.open
    ]


def said_by(support: Sequence[Support]) -> list[str]:
    return [one.validator for one in support]


def step(
    state: NetworkState, extensions: Iterable[SignedExtension], height: int
) -> tuple[NetworkState, Sequence[OpenRejection]]:
    """Make votes of the extensions at `height`, as an honest proposer would, and count them."""
    made = choose(extensions, lambda _: BODY, state, height=height + 1, chain_id=CHAIN, bytes_max=100_000)
    if made is None:
        return state, ()
    return counted(decode_votes(made), state)


@given(seed=st.integers(0, 2**32))
def test_what_a_proposer_chooses_is_what_every_node_counts(seed: int) -> None:
    """Otherwise an honest proposer's block would be refused, and itself be logged as invalid."""
    draw = Random(seed)
    powers = [draw.randint(1, 5) for _ in range(draw.randint(4, 7))]
    state = NetworkState.begin(validators(*powers), 1)
    bodies: dict[Rejection, Body] = {}
    for serial in range(draw.randint(1, 5)):
        body = draw.choice([BODY, OTHER_BODY, (draw.randbytes(draw.randint(0, 900)),)])
        size = BODY_BYTES_MAX + 1 if draw.random() < 0.1 else None
        proposer = draw.choice(KEYS)
        bodies[said(draw.randint(1, 6), name=f"{serial}", body=body, size=size, proposer=proposer)] = body
    for height in range(5, 8):
        says = [draw.sample(sorted(bodies), draw.randint(0, len(bodies))) for _ in powers]
        extensions = [signed(key, *one, height=height) for key, one in zip(KEYS, says, strict=False) if one]
        known = {one: body for one, body in bodies.items() if draw.random() < 0.8}
        bytes_max = draw.choice([100_000, draw.randint(0, 6_000)])
        made = choose(extensions, known.get, state, height=height + 1, chain_id=CHAIN, bytes_max=bytes_max)
        if made is not None:
            assert len(made) <= bytes_max
            after = counted(decode_votes(made), state).state
            assert after != state
            state = after
        elif bytes_max == 100_000:
            assert not newly_credible(says, state, known, powers, height)


def newly_credible(
    says: Sequence[Sequence[Rejection]],
    state: NetworkState,
    known: Mapping[Rejection, Body],
    powers: Sequence[int],
    height: int,
) -> list[Rejection]:
    """Return what a proposer had to carry, by a second, simpler computation."""
    found = []
    for one in {rejection for words in says for rejection in words}:
        before = {
            address(key)
            for key in KEYS
            if any(opened.rejection == one and address(key) in said_by(opened.support) for opened in state.open)
        }
        now = {address(KEYS[index]) for index, words in enumerate(says) if one in words}
        power = sum(power for key, power in zip(KEYS, powers, strict=False) if address(key) in before | now)
        is_possible = one.height <= height and one.proposer in map(address, KEYS[: len(powers)])
        is_carried = power * 3 <= sum(powers) * 2 or one.size > BODY_BYTES_MAX or one in known
        if is_possible and is_carried and now - before and one not in state.settled and power * 3 > sum(powers):
            found.append(one)
    return found
