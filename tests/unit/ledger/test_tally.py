"""The rules by which a network counts who rejected what."""

from collections.abc import Callable, Sequence
from typing import Final

import pytest
from msgspec.structs import replace

from bigchaindb.errors import ImproperVoteError
from bigchaindb.ledger import tally
from bigchaindb.ledger.network import OPEN_COUNT_MAX, NetworkState
from bigchaindb.ledger.rejections import (
    BODY_BYTES_MAX,
    BODY_OVERHEAD_BYTES,
    CARRY_HEIGHTS,
    Rejection,
    SignedExtension,
    VotesTransaction,
    decode_votes,
    encode_votes,
)
from bigchaindb.ledger.tally import Body, Outcome, choose, count
from tests.support.networks import BODY, CHAIN, KEYS, address, raw, said, signed, signed_bytes, validators, votes
from tests.support.tallies import FOUR, NOTHING_NEW, OTHER_BODY, counted

A, B, C, D, STRANGER = KEYS[:5]
BODIES: Final = "votes: bodies must be those of decided rejections"


def supporters(outcome: Outcome) -> list[list[str]]:
    return [[support.validator for support in one.support] for one in outcome.state.open]


# What counts


def test_three_of_four_decide_and_the_transactions_come_along() -> None:
    outcome = counted(votes(*(signed(key, said()) for key in (A, B, C))))
    [decided] = outcome.decided
    assert decided.rejection == said()
    assert decided.body == BODY
    assert [support.validator for support in decided.support] == sorted(map(address, (A, B, C)))
    assert outcome.state == replace(FOUR, settled=(said(),))


def test_two_of_four_are_remembered_without_the_transactions() -> None:
    outcome = counted(votes(signed(A, said()), signed(B, said()), bodies=()))
    assert outcome.decided == ()
    assert supporters(outcome) == [sorted(map(address, (A, B)))]
    assert outcome.state.open[0].body is None


def test_a_third_joins_later_and_proves_it_with_those_before() -> None:
    """Each signature stands with the height and round that it was made for."""
    state = counted(votes(signed(A, said(), round_=2), signed(B, said()), bodies=())).state
    outcome = counted(votes(signed(C, said(), height=9, round_=1), height=9), state)
    [decided] = outcome.decided
    assert {(one.validator, one.height, one.round) for one in decided.support} == {
        (address(A), 5, 2),
        (address(B), 5, 0),
        (address(C), 9, 1),
    }
    assert outcome.state.open == ()


def test_what_one_of_four_says_is_slander_and_refused() -> None:
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(votes(signed(A, said()), bodies=()))


def test_slander_beside_something_true_is_passed_over() -> None:
    """An honest validator may have seen a proposal that nobody else saw: its whole extension must not be lost."""
    slander = said(name="slander", proposer=B)
    outcome = counted(votes(signed(A, said(), slander), signed(B, said()), signed(C, said())))
    assert [one.rejection for one in outcome.decided] == [said()]
    assert outcome.state.open == ()


def test_an_extension_that_only_slanders_spoils_the_votes() -> None:
    slander = said(name="slander")
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(votes(*(signed(key, said()) for key in (A, B, C)), signed(D, slander)))


# What counts once


def test_a_word_counts_once() -> None:
    state = counted(votes(signed(A, said()), signed(B, said()), bodies=())).state
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(votes(signed(A, said(), height=6), bodies=(), height=6), state)
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):  # not even beside one that is new
        counted(votes(signed(A, said(), height=6), signed(C, said(), height=6), height=6), state)


def test_what_is_settled_is_not_said_again() -> None:
    """It would be logged twice."""
    state = counted(votes(*(signed(key, said()) for key in (A, B, C)))).state
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(votes(*(signed(key, said(), height=6) for key in (A, B, C)), bodies=(), height=6), state)
    other = said(name="other")
    again = votes(*(signed(key, said(), other, height=6) for key in (A, B, C)), height=6)
    assert [one.rejection for one in counted(again, state).decided] == [other]


# Whose word it is


def test_votes_are_those_on_the_block_before() -> None:
    one = votes(*(signed(key, said()) for key in (A, B, C)))
    for height in (5, 7):
        with pytest.raises(ImproperVoteError, match=f"^votes: height must be {height - 1}, found 5$"):
            count(one, FOUR, height=height, chain_id=CHAIN)


def test_a_stranger_has_no_vote() -> None:
    with pytest.raises(ImproperVoteError, match="has no vote at height 5"):
        counted(votes(*(signed(key, said()) for key in (A, B, C, STRANGER))))


@pytest.mark.parametrize(
    "forged",
    [
        signed(C, said(), height=6),
        signed(C, said(), chain_id="another-chain"),
        replace(signed(C, said(), round_=1), round=0),
        replace(signed(B, said()), validator=address(C)),
        replace(signed(C, said()), extension=signed(C, said(name="other")).extension),
        replace(signed(C, said()), signature=bytes(64)),
    ],
    ids=["height", "chain", "round", "validator", "extension", "signature"],
)
def test_a_signature_is_for_one_height_round_chain_and_extension(forged: SignedExtension) -> None:
    with pytest.raises(ImproperVoteError, match="did not sign its extension"):
        counted(votes(signed(A, said()), signed(B, said()), forged))


def test_what_is_no_extension_is_refused_though_it_is_signed() -> None:
    with pytest.raises(ImproperVoteError, match="canonical"):
        counted(votes(signed(A, said()), signed_bytes(B, signed(B, said()).extension + b" "), bodies=()))


@pytest.mark.parametrize(
    "one",
    [
        said(6, size=BODY_BYTES_MAX + 1),
        said(7, size=BODY_BYTES_MAX + 1),
        said(proposer=STRANGER, size=BODY_BYTES_MAX + 1),
    ],
    ids=["a height to come", "a later one", "a proposer without a vote"],
)
def test_what_cannot_have_been_proposed_does_not_count(one: Rejection) -> None:
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(votes(*(signed(key, one) for key in (A, B, C)), bodies=()))


@pytest.mark.parametrize(("age", "counts"), [(CARRY_HEIGHTS - 1, True), (CARRY_HEIGHTS, False)])
def test_what_is_too_old_does_not_count(age: int, *, counts: bool) -> None:
    """Before that it must: whoever restarts says what it had to say."""
    height = 5 + age
    one = votes(*(signed(key, said(), height=height - 1) for key in (A, B, C)), height=height - 1)
    if counts:
        assert counted(one, FOUR.forget(height - 1)).decided
    else:
        with pytest.raises(ImproperVoteError):
            counted(one, FOUR.forget(height - 1))


def test_a_word_has_the_power_of_the_height_that_it_is_about() -> None:
    """D came later and cannot have seen the proposal; A is strong now and was not then."""
    state = NetworkState.begin(validators(1, 1, 1), 1).elect({raw(D): 1, raw(A): 50}, 5)
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(votes(signed(A, said(), height=8), bodies=(), height=8), state)
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(votes(*(signed(key, said(), height=8) for key in (A, B, C, D)), height=8), state)
    assert counted(votes(*(signed(key, said(), height=8) for key in (A, B, C)), height=8), state).decided


def test_who_has_left_cannot_say_anything_more() -> None:
    state = FOUR.elect({raw(C): 0}, 5)
    last = votes(*(signed(key, said(), height=6) for key in (A, B, C)), height=6)
    assert counted(last, state).decided
    with pytest.raises(ImproperVoteError, match="has no vote at height 7"):
        counted(votes(*(signed(key, said(), height=7) for key in (A, B, C)), height=7), state)


# Transactions of rejected proposals

OTHER: Final = said(name="other", body=OTHER_BODY)
BOTH: Final = [signed(key, said(), OTHER) for key in (A, B, C)]


def in_order(*pairs: tuple[Rejection, Sequence[bytes]]) -> list[Sequence[bytes]]:
    return [body for _, body in sorted(pairs)]


def test_bodies_stand_in_the_order_of_their_rejections() -> None:
    bodies = in_order((said(), BODY), (OTHER, OTHER_BODY))
    decided = counted(votes(*BOTH, bodies=bodies)).decided
    assert {one.rejection: one.body for one in decided} == {said(): BODY, OTHER: OTHER_BODY}
    assert [one.rejection for one in decided] == sorted((said(), OTHER))
    with pytest.raises(ImproperVoteError, match=BODIES):
        counted(votes(*BOTH, bodies=bodies[::-1]))


@pytest.mark.parametrize(
    "bodies",
    [
        [BODY, BODY],
        [BODY, (b"nobody spoke of this",)],
        [OTHER_BODY],
        [(*BODY, b"")],
        [()],
        [(b"x" * (BODY_BYTES_MAX - BODY_OVERHEAD_BYTES + 1),)],
    ],
    ids=["twice", "superfluous", "another", "longer", "empty", "too large"],
)
def test_bodies_that_are_not_those_of_decided_rejections_are_refused(bodies: list[Sequence[bytes]]) -> None:
    with pytest.raises(ImproperVoteError, match=BODIES):
        counted(votes(*(signed(key, said()) for key in (A, B, C)), bodies=bodies))


def test_a_body_without_a_decision_is_refused() -> None:
    """It would be carried a second time with the votes that decide."""
    with pytest.raises(ImproperVoteError, match=BODIES):
        counted(votes(signed(A, said()), signed(B, said())))


def test_a_decision_waits_for_its_body() -> None:
    """An event without its transactions, though they are small, would differ from what every other node can prove."""
    decided = votes(*(signed(key, said()) for key in (A, B, C)), bodies=())
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(decided)
    beside = counted(votes(*BOTH, bodies=[OTHER_BODY]))
    assert [one.rejection for one in beside.decided] == [OTHER]
    assert beside.state.open == ()
    again = votes(*(signed(key, said(), height=6) for key in (A, B, C)), height=6)
    assert [one.rejection for one in counted(again, beside.state).decided] == [said()]


def test_a_size_that_is_not_the_bodys_is_never_decided() -> None:
    lie = said(size=3)
    with pytest.raises(ImproperVoteError, match=BODIES):
        counted(votes(*(signed(key, lie) for key in (A, B, C))))


def test_too_large_a_body_is_left_out() -> None:
    large = said(size=BODY_BYTES_MAX + 1)
    [decided] = counted(votes(*(signed(key, large) for key in (A, B, C)), bodies=())).decided
    assert decided.body is None


def test_the_same_transactions_proposed_twice_are_carried_once() -> None:
    twin = said(name="twin")
    extensions = [signed(key, said(), twin) for key in (A, B, C)]
    assert [one.body for one in counted(votes(*extensions)).decided] == [BODY, BODY]
    with pytest.raises(ImproperVoteError, match=BODIES):
        counted(votes(*extensions, bodies=(BODY, BODY)))


@pytest.mark.parametrize("bodies", [((b"",) * (BODY_BYTES_MAX // BODY_OVERHEAD_BYTES + 1),), (BODY, OTHER_BODY)])
def test_what_cannot_be_wanted_is_not_hashed(bodies: Sequence[Body], monkeypatch: pytest.MonkeyPatch) -> None:
    """A block has room for a million empty transactions, whose digest takes each validator a second."""
    monkeypatch.delattr(tally, "body_digest")
    with pytest.raises(ImproperVoteError, match=BODIES):
        counted(votes(*(signed(key, said()) for key in (A, B, C)), bodies=bodies))


# What the state may grow to


def test_undecided_rejections_are_bounded() -> None:
    """A faulty proposer can make as many as there are validators in each of its turns."""
    state = FOUR
    for height in range(1, OPEN_COUNT_MAX + 1):
        state = counted(
            votes(*(signed(key, said(height), height=height) for key in (A, B)), bodies=(), height=height), state
        ).state
    height = OPEN_COUNT_MAX + 1
    one_more = votes(*(signed(key, said(height), height=height) for key in (A, B)), bodies=(), height=height)
    with pytest.raises(ImproperVoteError, match=NOTHING_NEW):
        counted(one_more, state)
    at_once = votes(*(signed(key, said(height), height=height) for key in (A, B, C)), height=height)
    assert counted(at_once, state).decided
    supported = votes(*(signed(key, said(1), height=height) for key in (C, D)), height=height)
    outcome = counted(supported, state)
    assert [one.rejection for one in outcome.decided] == [said(1)]
    assert len(outcome.state.open) == OPEN_COUNT_MAX - 1


# What a proposer chooses


def chosen(
    *extensions: SignedExtension,
    state: NetworkState = FOUR,
    body_of: Callable[[Rejection], Body | None] = lambda _: BODY,
    bytes_max: int = 100_000,
) -> VotesTransaction | None:
    made = choose(extensions, body_of, state, height=6, chain_id=CHAIN, bytes_max=bytes_max)
    return None if made is None else decode_votes(made)


def test_a_proposer_says_nothing_if_there_is_nothing_new() -> None:
    state = counted(votes(signed(A, said()), signed(B, said()), bodies=())).state
    state = replace(state, settled=(OTHER,))
    assert chosen() is None
    assert chosen(signed(A), signed(B)) is None
    assert chosen(signed(A, said(name="slander"))) is None
    assert chosen(signed(A, said(), OTHER), signed(B, OTHER), state=state) is None


def test_a_proposer_leaves_out_who_says_nothing_new() -> None:
    slander = signed(D, said(name="slander"))
    found = chosen(*(signed(key, said()) for key in (C, A, B)), slander)
    assert found == votes(*(signed(key, said()) for key in (A, B, C)))


def test_a_proposer_leaves_out_what_others_would_refuse() -> None:
    """The engine does not let the application verify votes that come late; a block of votes must not fail by one."""
    found = chosen(
        signed(A, said()),
        signed(B, said()),
        signed_bytes(C, b"no extension"),
        signed(D, said(), height=4),
        signed(STRANGER, said()),
        signed(B, said()),
    )
    assert found == votes(signed(A, said()), signed(B, said()), bodies=())


def test_a_proposer_without_the_body_leaves_the_rejection_to_the_next() -> None:
    assert chosen(*BOTH, body_of={OTHER: OTHER_BODY}.get) == votes(*BOTH, bodies=[OTHER_BODY])
    assert chosen(*(signed(key, said()) for key in (A, B, C)), body_of=lambda _: None) is None


def test_bodies_that_do_not_fit_wait() -> None:
    bodies = {said(): BODY, OTHER: OTHER_BODY}
    whole = chosen(*BOTH, body_of=bodies.get)
    assert whole is not None
    size = len(encode_votes(whole))
    assert chosen(*BOTH, body_of=bodies.get, bytes_max=size) == whole
    first = min(bodies)
    assert chosen(*BOTH, body_of=bodies.get, bytes_max=size - 1) == votes(*BOTH, bodies=[bodies[first]])


def test_the_longest_extensions_wait_if_not_all_fit() -> None:
    """A validator that fills its extension with slander must not keep the others' words from the chain."""
    fat = signed(D, said(), *(said(name=f"slander {n}") for n in range(15)))
    slim = [signed(key, said()) for key in (A, B, C)]
    found = chosen(*slim, fat, state=NetworkState.begin(validators(*[1] * 7), 1), bytes_max=3_500)
    assert found == votes(*slim, bodies=())


def test_nothing_is_said_where_nothing_fits() -> None:
    assert chosen(*BOTH, bytes_max=100) is None
