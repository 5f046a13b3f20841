"""Who votes when, what is forgotten when, and how the state of a network is kept."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bigchaindb.ledger.network import NetworkState, OpenRejection, Support, decode, encode, encode_proof
from bigchaindb.ledger.rejections import CARRY_HEIGHTS
from bigchaindb.ledger.validators import ValidatorSet
from tests.support.networks import KEYS, address, kept_proof, raw, said, signed, validators

STATE = NetworkState.begin(validators(1, 1, 1, 1), 1)
SUPPORT = Support(address(KEYS[1]), 6, 2, b"extension", b"s" * 64)


def test_the_first_validators_vote_from_the_first_height_on() -> None:
    state = NetworkState.begin(validators(3, 1), 40)
    assert state.validators_at(40) == state.validators_at(41) == validators(3, 1)
    assert state.validators_at(39) == ValidatorSet.of(())


def test_a_change_is_in_force_two_heights_later() -> None:
    """The engine counts so: counting otherwise would weigh votes by the wrong powers."""
    changed = STATE.elect({raw(KEYS[0]): 0, raw(KEYS[1]): 7, raw(KEYS[4]): 2}, 10)
    assert changed.validators_at(11) == validators(1, 1, 1, 1)
    assert changed.validators_at(12) == validators(0, 7, 1, 1, 2)


def test_changes_of_following_blocks_add_up() -> None:
    changed = STATE.elect({raw(KEYS[1]): 7}, 10).elect({raw(KEYS[2]): 8}, 11)
    assert [changed.validators_at(height) for height in (11, 12, 13)] == [
        validators(1, 1, 1, 1),
        validators(1, 7, 1, 1),
        validators(1, 7, 8, 1),
    ]


def test_two_changes_of_one_block_are_one() -> None:
    changed = STATE.elect({raw(KEYS[1]): 7}, 10).elect({raw(KEYS[2]): 8}, 10)
    assert changed == STATE.elect({raw(KEYS[1]): 7, raw(KEYS[2]): 8}, 10)


def test_no_change_is_no_change() -> None:
    assert STATE.elect({}, 10) is STATE


@given(
    changes=st.dictionaries(st.integers(1, 150), st.integers(1, 50), max_size=8),
    now=st.integers(1, 260),
)
def test_nothing_is_forgotten_that_a_later_block_can_ask_for(changes: dict[int, int], now: int) -> None:
    whole = STATE
    for height in sorted(changes):
        if height <= now:
            whole = whole.elect({raw(KEYS[1]): changes[height]}, height)
    kept = whole.forget(now)
    for height in range(max(1, now + 1 - CARRY_HEIGHTS), now + 4):
        assert kept.validators_at(height) == whole.validators_at(height)
    assert kept.forget(now) is kept


def test_validators_of_long_ago_are_forgotten() -> None:
    """A network that changes its validators often must not grow a state that is written with every block."""
    state = STATE
    for height in range(1, 400):
        state = state.elect({raw(KEYS[1]): height}, height).forget(height)
    assert len(state.validators) <= CARRY_HEIGHTS + 3


def test_rejections_are_forgotten_when_nobody_may_say_them_any_more() -> None:
    one = said(5)
    state = replace(STATE, open=(OpenRejection(one, None, (SUPPORT,)),), settled=(one,))
    assert state.forget(CARRY_HEIGHTS + 4) is state
    assert state.forget(CARRY_HEIGHTS + 5) == STATE


def test_what_is_kept_is_what_is_read() -> None:
    state = replace(
        STATE.elect({raw(KEYS[1]): 5}, 3),
        open=(OpenRejection(said(5), None, (SUPPORT,)),),
        settled=(said(4), said(6)),
    )
    assert decode(encode(state)) == state
    assert encode(decode(encode(state))) == encode(state)


def test_a_proof_says_who_signed_what() -> None:
    one = signed(KEYS[1], said(), height=6)
    support = Support(one.validator, 6, one.round, one.extension, one.signature)
    kept = kept_proof(encode_proof(OpenRejection(said(), (b"body",), (support,))))
    assert (kept.rejection, kept.support) == (said(), (support,))
