"""Who proposes a validator, whose votes count, and what a block concludes. Source: transactions.md, section 7."""

import json
from base64 import b16encode, b32encode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import pytest
from msgspec.structs import replace

from bigchaindb import errors
from bigchaindb.ledger.elections import (
    CONCLUDED_KEPT_MAX,
    PROPOSER_OPEN_MAX,
    ConcludedElection,
    Elections,
    Proposed,
    proposal_of,
    validate_election,
    votes_in,
)
from bigchaindb.transaction import KeyPair, Transaction
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.keys import election_key
from bigchaindb.transaction.shape import POWER_MAX
from tests.support.chains import ALICE, BOB, CAROL, NODE, Coin, transfer
from tests.support.elections import (
    NEWCOMER,
    POWERS,
    election,
    key_of,
    stored,
    validators_of,
    vote,
    votes,
)

VALIDATORS: Final = validators_of()
ALL: Final = (NODE, ALICE, BOB, CAROL)


def with_data(transaction: Transaction, **data: Any) -> Transaction:
    """Change what an election proposes, as no signature would allow."""
    document = json.loads(transaction.body)
    document["asset"]["data"] |= data
    return replace(transaction, body=canonical(document, "2.0"))


def with_key(kind: str, value: str) -> Transaction:
    return with_data(election(), public_key={"type": f"ed25519-{kind}", "value": value})


# What an election must say.


def test_an_election_of_a_validator_by_all_validators_is_right() -> None:
    validate_election(election(), VALIDATORS)


def test_the_order_of_its_outputs_is_free() -> None:
    validate_election(election(powers={pair: POWERS[pair] for pair in reversed(ALL)}), VALIDATORS)


@pytest.mark.parametrize("owners", [(), (NODE.public_key, ALICE.public_key)])
def test_one_key_proposes_it(owners: tuple[str, ...]) -> None:
    good = election()
    several = replace(good, inputs=(replace(good.inputs[0], owners_before=owners),))
    with pytest.raises(errors.MultipleInputsError, match=r"^`tx_signers` must be a list instance of length one$"):
        validate_election(several, VALIDATORS)


def test_a_stranger_cannot_propose() -> None:
    with pytest.raises(errors.InvalidProposer, match=r"^Public key is not a part of the validator set$"):
        validate_election(election(proposer=NEWCOMER), VALIDATORS)


def test_a_stranger_cannot_propose_in_a_validators_name() -> None:
    """`owners_before` is a claim; a signature of one's own would otherwise do to propose as anybody."""
    good, own = election(), election(proposer=NEWCOMER)
    forged = replace(own, inputs=(replace(own.inputs[0], owners_before=good.inputs[0].owners_before),))
    with pytest.raises(errors.InvalidProposer):
        validate_election(forged, VALIDATORS)


@pytest.mark.parametrize(
    "powers",
    [
        {},
        {NODE: 10, ALICE: 10, BOB: 10},
        {**POWERS, NEWCOMER: 10},
        {**POWERS, BOB: 11},
        {NODE: 10, ALICE: 10, BOB: 10, NEWCOMER: 10},
    ],
    ids=["nobody", "one too few", "one too many", "another power", "another voter"],
)
def test_it_gives_each_validator_its_power_in_votes(powers: Mapping[KeyPair, int]) -> None:
    message = r"^Validator set much be exactly same to the outputs of election$"
    with pytest.raises(errors.UnequalValidatorSet, match=message):
        validate_election(election(powers=powers), VALIDATORS)


def test_it_gives_them_in_one_output_each() -> None:
    good = election()
    half = replace(good.outputs[0], amount=5)
    with pytest.raises(errors.UnequalValidatorSet):
        validate_election(replace(good, outputs=(half, half, *good.outputs[1:])), VALIDATORS)


@pytest.mark.parametrize("names", [(), (ALICE.public_key, BOB.public_key)])
def test_an_output_names_the_validator_that_can_spend_it(names: tuple[str, ...]) -> None:
    good = election()
    output = replace(good.outputs[1], public_keys=names, owners=names[:1])
    with pytest.raises(errors.UnequalValidatorSet):
        validate_election(replace(good, outputs=(good.outputs[0], output, *good.outputs[2:])), VALIDATORS)


@pytest.mark.parametrize(
    ("of", "power", "is_right"),
    [
        (NEWCOMER, 13, True),
        (NEWCOMER, 14, False),
        (BOB, 0, True),
        (BOB, 23, True),
        (BOB, 24, False),
        (BOB, 10, True),
        (NEWCOMER, 0, True),
    ],
)
def test_power_changes_by_less_than_a_third_of_all(of: KeyPair, power: int, *, is_right: bool) -> None:
    """More would let two elections in a row hand the network over."""
    proposed = election(of=of, power=power)
    if is_right:
        validate_election(proposed, VALIDATORS)
        return
    with pytest.raises(errors.InvalidPowerChange, match=r"^`power` change must be less than 1/3 of total power$"):
        validate_election(proposed, VALIDATORS)


def test_a_third_exactly_is_too_much() -> None:
    powers = {NODE: 10, ALICE: 10, BOB: 10}
    with pytest.raises(errors.InvalidPowerChange):
        validate_election(election(powers=powers, of=BOB, power=0), validators_of(powers))


def test_all_power_together_stays_countable() -> None:
    """A larger sum stops CometBFT."""
    powers = {NODE: POWER_MAX - 10}
    validate_election(election(powers=powers, power=10), validators_of(powers))
    with pytest.raises(errors.InvalidPowerChange, match="total power must be <="):
        validate_election(election(powers=powers, power=11), validators_of(powers))


@pytest.mark.parametrize(("kind", "encode"), [("base16", b16encode), ("base32", b32encode), ("base64", b64encode)])
def test_a_key_may_have_three_encodings(kind: str, encode: Any) -> None:
    proposed = with_key(kind, encode(key_of(NEWCOMER)).decode())
    validate_election(proposed, VALIDATORS)
    assert proposal_of(proposed) == Proposed(key_of(NEWCOMER), 5, "n1")


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("base16", b64encode(bytes(range(32))).decode(), "Invalid `type` specified for public key `value`"),
        ("base64", "é", "Invalid `type` specified for public key `value`"),
        ("base64", b64encode(b"k" * 31).decode(), "Public key should be of size 32 bytes"),
        ("base32", b32encode(b"k" * 33).decode(), "Public key should be of size 32 bytes"),
        ("base16", b16encode(bytes(32)).decode(), "Public key begins with too many zeros"),
    ],
)
def test_what_is_no_key_cannot_be_a_validator(kind: str, value: str, message: str) -> None:
    with pytest.raises(errors.InvalidPublicKey) as caught:
        validate_election(with_key(kind, value), VALIDATORS)
    assert str(caught.value).startswith(message)


# Which votes count.


def shared(for_: Transaction, voter: KeyPair, *amounts: tuple[str, int]) -> Transaction:
    """Pass one's votes on to several keys."""
    cast = vote(for_, voter)
    outputs = (replace(cast.outputs[0], amount=amount, public_keys=(key,), owners=(key,)) for key, amount in amounts)
    return replace(cast, outputs=tuple(outputs))


def test_votes_are_what_is_paid_to_the_election() -> None:
    proposed = election()
    assert votes_in(vote(proposed, ALICE)) == 10
    own = election_key(proposed.id)
    assert votes_in(shared(proposed, ALICE, (own, 3), (BOB.public_key, 5), (own, 2))) == 5


def test_votes_that_a_voter_could_spend_again_do_not_count() -> None:
    """An output may name the election and be locked by the voter's own key."""
    proposed = election()
    cast = vote(proposed, ALICE)
    assert votes_in(replace(cast, outputs=(replace(cast.outputs[0], owners=()),))) == 0
    names = (*cast.outputs[0].public_keys, ALICE.public_key)
    assert votes_in(replace(cast, outputs=(replace(cast.outputs[0], public_keys=names),))) == 0


def test_votes_for_another_election_do_not_count() -> None:
    first, second = election(1), election(2)
    elections, _ = Elections().after([first, second], VALIDATORS, 1)
    misled = [shared(first, voter, (election_key(second.id), 10)) for voter in ALL]
    after, updates = elections.after(misled, VALIDATORS, 2)
    assert (after, updates) == (elections, {})


def test_a_transfer_is_no_vote() -> None:
    proposed = election()
    elections, _ = Elections().after([proposed], VALIDATORS, 1)
    passed = [transfer(Coin(proposed, index, voter), to=NEWCOMER) for index, voter in enumerate(ALL)]
    assert elections.after(passed, VALIDATORS, 2) == (elections, {})


# What a block concludes.


def test_two_thirds_conclude_an_election() -> None:
    proposed = election()
    elections, updates = Elections().after([proposed], VALIDATORS, 1)
    assert (elections.status(proposed.id), updates) == ("ongoing", {})
    elections, updates = elections.after(votes(proposed, ALL[:2]), VALIDATORS, 2)
    assert (elections.status(proposed.id), updates) == ("ongoing", {})
    assert elections.open[0].votes == 20
    elections, updates = elections.after([vote(proposed, BOB)], VALIDATORS, 3)
    assert (elections.status(proposed.id), updates) == ("concluded", {key_of(NEWCOMER): 5})
    assert elections == Elections(concluded=(ConcludedElection(proposed.id, 3),))


def test_two_thirds_exactly_are_enough() -> None:
    powers = {NODE: 1, ALICE: 1, BOB: 1}
    validators = validators_of(powers)
    proposed = election(powers=powers, power=0, of=NEWCOMER)
    elections, _ = Elections().after([proposed, vote(proposed, NODE)], validators, 1)
    assert elections.status(proposed.id) == "ongoing"
    assert elections.after([vote(proposed, BOB)], validators, 2)[0].status(proposed.id) == "concluded"


def test_an_election_and_its_votes_may_be_one_block() -> None:
    proposed = election(of=CAROL, power=0)
    elections, updates = Elections().after([proposed, *votes(proposed, ALL)], VALIDATORS, 7)
    assert updates == {key_of(CAROL): 0}
    assert elections.concluded == (ConcludedElection(proposed.id, 7),)


def test_one_conclusion_makes_all_other_elections_inconclusive() -> None:
    """Their votes were handed out to validators that are others now."""
    first, second, late = election(1), election(2, of=BOB, power=0), election(3)
    elections, _ = Elections().after([first, second], VALIDATORS, 1)
    block = [*votes(second, ALL[:3]), *votes(first, ALL), late, *votes(late, ALL)]
    elections, updates = elections.after(block, VALIDATORS, 2)
    assert updates == {key_of(BOB): 0}
    assert [elections.status(one.id) for one in (first, second, late)] == ["inconclusive", "concluded", "inconclusive"]
    changed = VALIDATORS.changed(updates)
    assert elections.after(votes(first, ALL), changed, 3) == (elections, {})


def test_validators_that_changed_otherwise_end_elections_too() -> None:
    proposed = election()
    elections, _ = Elections().after([proposed], VALIDATORS, 1)
    changed = VALIDATORS.changed({key_of(NEWCOMER): 1})
    assert elections.after(votes(proposed, ALL), changed, 2) == (Elections(), {})


@pytest.mark.parametrize(("of", "power"), [(BOB, 10), (NEWCOMER, 0)])
def test_an_election_that_changes_nothing_concludes_without_an_update(of: KeyPair, power: int) -> None:
    """CometBFT stops at an order to remove whom it does not know."""
    proposed, other = election(1, of=of, power=power), election(2)
    elections, updates = Elections().after([proposed, other, *votes(proposed, ALL)], VALIDATORS, 1)
    assert updates == {}
    assert [elections.status(one.id) for one in (proposed, other)] == ["concluded", "ongoing"]


def test_what_is_no_election_has_not_concluded() -> None:
    assert Elections().status("a" * 64) == "inconclusive"


def test_of_one_proposer_the_newest_are_counted() -> None:
    """Nobody can fill the node's memory, or keep others from proposing."""
    mine = [election(number) for number in range(PROPOSER_OPEN_MAX + 2)]
    other = election(proposer=ALICE)
    elections, _ = Elections().after([other, *mine], VALIDATORS, 1)
    assert [one.id for one in elections.open] == [other.id, *(one.id for one in mine[2:])]
    assert elections.after(votes(mine[0], ALL), VALIDATORS, 2) == (elections, {})


def test_of_concluded_elections_the_newest_are_remembered() -> None:
    old = tuple(ConcludedElection(f"{number:064x}", number) for number in range(CONCLUDED_KEPT_MAX))
    proposed = election()
    after, _ = Elections(concluded=old).after([proposed, *votes(proposed, ALL)], VALIDATORS, 5_000)
    assert after.concluded == (*old[1:], ConcludedElection(proposed.id, 5_000))


def test_it_is_stored_as_json() -> None:
    concluded = election(0, of=BOB, power=10)
    block = [concluded, *votes(concluded, ALL), election(1)]
    elections, _ = Elections().after(block, VALIDATORS, 1)
    assert elections.open
    assert elections.concluded
    assert stored(elections) == elections
