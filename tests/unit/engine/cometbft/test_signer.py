"""A validator whose past is unknown does not start: it could sign twice."""

import json

import pytest

from bigchaindb.engine.cometbft.files import Layout, put_validator_state
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis
from bigchaindb.engine.cometbft.signer import complaint, put_signed, require_can_sign, require_plausible
from bigchaindb.errors import StartupError
from bigchaindb.ledger.effects import Tip
from bigchaindb.ledger.network import NetworkState, encode
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.keys import KeyPair, decode_key

KEY, OTHER = (KeyPair.from_seed(bytes([number]) * 32) for number in (1, 2))


def state_of(*keys: KeyPair) -> NetworkState:
    return NetworkState.begin(ValidatorSet.of((decode_key(key.public_key), 10) for key in keys), 1)


def test_a_validator_needs_to_know_what_it_has_signed(layout: Layout) -> None:
    state = encode(state_of(KEY, OTHER))
    assert "network signed HEIGHT" in (complaint(layout, KEY, state) or "")
    layout.validator_state.write_text("{}")
    assert complaint(layout, KEY, state) is None


def test_so_does_one_whose_turn_has_not_come(layout: Layout) -> None:
    """It is elected, and votes two heights later."""
    state = state_of(OTHER).elect({decode_key(KEY.public_key): 3}, 5)
    assert complaint(layout, KEY, encode(state)) is not None


@pytest.mark.parametrize("state", [None, encode(state_of(OTHER))], ids=["before the first block", "no validator"])
def test_others_begin_without(layout: Layout, state: bytes | None) -> None:
    assert complaint(layout, KEY, state) is None


def test_what_a_person_says_is_written_and_never_set_back(layout: Layout) -> None:
    put_signed(layout, 7)
    written = layout.validator_state.read_text()
    assert json.loads(written) == {"height": "7", "round": 2**31 - 1, "step": 3}
    for height in (6, 7):
        with pytest.raises(StartupError, match="has height 7, and it is never set back"):
            put_signed(layout, height)
    assert layout.validator_state.read_text() == written
    put_signed(layout, 8)


GENESIS = NetworkGenesis("chain", "2026-01-31T12:00:00Z", 5, bytes(32), (GenesisValidator(bytes([1]) * 32, 10),), 1)


@pytest.mark.parametrize(
    ("tip", "passed_s", "height"),
    [
        (Tip(), 0, 1_004),
        (Tip(), 10, 2_004),
        (Tip(height=50, timestamp=GENESIS.begin_s + 60), 60, 50),
        (Tip(height=50, timestamp=GENESIS.begin_s + 60), 60, 1_050),
        (Tip(height=50, timestamp=GENESIS.begin_s + 60), 70, 2_050),
        (Tip(height=50, timestamp=GENESIS.begin_s + 60), 0, 1_050),
    ],
)
def test_a_height_that_the_chain_can_have_is_taken_and_the_next_is_not(tip: Tip, passed_s: int, height: int) -> None:
    """One digit too many, and a validator signs nothing for years."""
    now_s = GENESIS.begin_s + passed_s
    require_plausible(height, tip, GENESIS, now_s)
    highest = height if height > tip.height else 1_050
    with pytest.raises(StartupError, match=f"the chain cannot have reached height {highest + 1}: "):
        require_plausible(highest + 1, tip, GENESIS, now_s)


def test_a_height_that_the_chain_has_left_behind_is_refused() -> None:
    with pytest.raises(StartupError, match="the ledger here has height 50 already, so 49 forbids nothing"):
        require_plausible(49, Tip(height=50), GENESIS, GENESIS.begin_s)


@pytest.mark.parametrize("text", ["", "{}", '{"height": "x"}', '{"height": null}', "\udcff"])
def test_a_file_that_makes_no_sense_is_left_alone(layout: Layout, text: str) -> None:
    layout.validator_state.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StartupError, match="cannot read"):
        put_signed(layout, 7)


def test_what_was_signed_of_another_chain_is_in_the_way(layout: Layout) -> None:
    """CometBFT would refuse to sign these heights of any chain, and say so in its log alone."""
    require_can_sign(layout, "old", "new")  # nothing was signed
    put_validator_state(layout, height=0, round_=0, step=0)
    require_can_sign(layout, "old", "new")  # the node was started, and has signed nothing
    put_signed(layout, 7)
    require_can_sign(layout, "old", "old")  # it comes back
    with pytest.raises(StartupError, match=r"signed chain old up to height 7, .* nothing of new"):
        require_can_sign(layout, "old", "new")
