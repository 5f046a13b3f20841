"""Elections of validators: their content, which votes count, and which elections a block concludes. Pure.

A validator proposes the power that a key is to have; its transaction hands each validator as many votes as it has
power. Who agrees passes its votes on to the election itself. Once two thirds of them are there, the proposal holds.

"The validators" of this module are those that all concluded elections have left, also where the consensus engine needs
two more blocks to follow. So nothing is decided by a set that was changed already.

Source: docs/reference/contract/transactions.md, section 7.
"""

from base64 import b16decode, b32decode, b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from bigchaindb.errors import (
    InvalidPowerChange,
    InvalidProposer,
    InvalidPublicKey,
    MultipleInputsError,
    UnequalValidatorSet,
)
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.conditions import key_condition
from bigchaindb.transaction.keys import KEY_BYTES, decode_key, election_key, key_text
from bigchaindb.transaction.model import Transaction
from bigchaindb.transaction.shape import POWER_MAX, ElectionAsset, ProposedKey

PROPOSER_OPEN_MAX: Final = 16
"""Elections of one proposer that are counted at a time: a further one takes the place of its oldest. With it memory is
bounded by the number of validators, and no validator can keep others from proposing."""
CONCLUDED_KEPT_MAX: Final = 1_000
"""Concluded elections that are remembered, the newest: about 100 bytes each."""

ElectionStatus = Literal["ongoing", "concluded", "inconclusive"]

_DECODERS: Final[Mapping[str, Callable[[str], bytes]]] = {
    "ed25519-base16": b16decode,
    "ed25519-base32": b32decode,
    "ed25519-base64": lambda text: b64decode(text, validate=True),
}


class Proposed(NamedTuple):
    """What an election is about.

    Attributes:
        public_key: of a validator, 32 bytes.
        power: that it is to have, 0 for none.
        node_id: names its node, for people.
    """

    public_key: bytes
    power: int
    node_id: str


class _Body(Struct):
    asset: ElectionAsset


_decode_body = Decoder(_Body).decode


def proposal_of(election: Transaction) -> Proposed:
    """Read what a VALIDATOR_ELECTION proposes.

    Raises:
        InvalidPublicKey: its key is none.
    """
    data = _decode_body(election.body).asset.data
    return Proposed(_key_of(data.public_key), data.power, data.node_id)


def _key_of(proposed: ProposedKey) -> bytes:
    try:
        key = _DECODERS[proposed.type](proposed.value)
    except ValueError:
        raise InvalidPublicKey("Invalid `type` specified for public key `value`") from None
    if len(key) != KEY_BYTES:
        raise InvalidPublicKey(f"Public key should be of size {KEY_BYTES} bytes")
    try:
        decode_key(key_text(key))
    except ValueError as error:
        # It could get no votes in later elections, so that nobody could make any.
        raise InvalidPublicKey(f"Public key begins with too many zeros: {error}") from None
    return key


def validate_election(election: Transaction, validators: ValidatorSet) -> None:
    """Require what makes a VALIDATOR_ELECTION more than a new asset. Its id and signature are checked as a CREATE's.

    Args:
        election: the transaction.
        validators: those that it would come after.

    Raises:
        MultipleInputsError: more or fewer than one key proposes it.
        InvalidProposer: its proposer is no validator.
        UnequalValidatorSet: its outputs are not one for each validator, with its power.
        InvalidPublicKey: the proposed key is none.
        InvalidPowerChange: it would change the power by a third of all, or to more than can be counted.
    """
    _validate_proposer(election, validators)
    votes = sorted((output.public_keys, output.owners, output.amount) for output in election.outputs)
    keys = ((key_text(key), power) for key, power in validators.powers.items())
    if votes != sorted(((key,), (key,), power) for key, power in keys):
        raise UnequalValidatorSet("Validator set much be exactly same to the outputs of election")
    proposed = proposal_of(election)
    change = proposed.power - validators.powers.get(proposed.public_key, 0)
    if abs(change) * 3 >= validators.total:
        raise InvalidPowerChange("`power` change must be less than 1/3 of total power")
    if validators.total + change > POWER_MAX:
        raise InvalidPowerChange(f"total power must be <= {POWER_MAX}")


def _validate_proposer(election: Transaction, validators: ValidatorSet) -> None:
    (input_,) = election.inputs  # T3
    if len(input_.owners_before) != 1:
        raise MultipleInputsError("`tx_signers` must be a list instance of length one")
    proposer = decode_key(input_.owners_before[0])
    # Whom `owners_before` names is a claim; whose condition is opened counts.
    if proposer not in validators.powers or input_.fulfillment.fingerprint != key_condition(proposer).fingerprint:
        raise InvalidProposer("Public key is not a part of the validator set")


def votes_in(vote: Transaction) -> int:
    """Return how many votes a VOTE passes to its election; shares passed to other voters do not count."""
    keys = (election_key(vote.asset_id),)
    # By T3 an output of a VOTE is locked by one key, which `owners` holds if it is named.
    return sum(output.amount for output in vote.outputs if output.public_keys == output.owners == keys)


class OpenElection(Struct, frozen=True, forbid_unknown_fields=True):
    """An election that votes are counted for.

    Attributes:
        id: of its transaction, 64 hex digits.
        public_key: that it proposes, 64 hex digits.
        power: that the key is to have, 0 for none.
        node_id: names the key's node, for people.
        proposer: base58.
        votes: counted so far.
    """

    id: str
    public_key: str
    power: int
    node_id: str
    proposer: str
    votes: int = 0


class ConcludedElection(Struct, frozen=True, forbid_unknown_fields=True):
    """An election that is in force: its id and the height of the block that concluded it."""

    id: str
    height: int


class Elections(Struct, frozen=True, forbid_unknown_fields=True):
    """All elections that can still be concluded, and the newest that were. A value; equal blocks leave equal ones.

    Attributes:
        validators: hex key and power of those that the open elections were made under; empty if none is open.
        open: in the order in which they were made.
        concluded: in the order in which they were, `CONCLUDED_KEPT_MAX` at most.
    """

    validators: tuple[tuple[str, int], ...] = ()
    open: tuple[OpenElection, ...] = ()
    concluded: tuple[ConcludedElection, ...] = ()

    def status(self, election_id: str) -> ElectionStatus:
        """Return the state of an election.

        Inconclusive is one that lost its validators to another that concluded first, one that its proposer's newer ones
        replaced, and every id that is none of an election.
        """
        if any(election.id == election_id for election in self.open):
            return "ongoing"
        is_concluded = any(election.id == election_id for election in self.concluded)
        return "concluded" if is_concluded else "inconclusive"

    def after(
        self, transactions: Sequence[Transaction], validators: ValidatorSet, height: int
    ) -> "tuple[Elections, Mapping[bytes, int]]":
        """Count the votes of a decided block.

        At most one election of a block changes anything, the first that has its votes: with it the set is another, and
        all others that are open are inconclusive.

        Args:
            transactions: of the block, valid, in order.
            validators: those before it.
            height: of the block.

        Returns:
            What is known afterwards; and the power that a key has from now on, 0 for none, or nothing.
        """
        powers = tuple(sorted((key.hex(), power) for key, power in validators.powers.items()))
        count = _Count(self.open if self.validators == powers else ())
        updates = count.add(transactions, validators)
        concluded = (*self.concluded, *(ConcludedElection(id_, height) for id_ in count.concluded))
        still_open = () if updates else tuple(count.open.values())
        after = Elections(powers if still_open else (), still_open, concluded[-CONCLUDED_KEPT_MAX:])
        return after, updates


class _Count:
    """The count of one block, while it lasts."""

    def __init__(self, elections: Sequence[OpenElection]) -> None:
        self.open = {election.id: election for election in elections}
        self.concluded: list[str] = []

    def add(self, transactions: Sequence[Transaction], validators: ValidatorSet) -> Mapping[bytes, int]:
        """Count until the validators change; return the change."""
        for transaction in transactions:
            if transaction.operation == "VALIDATOR_ELECTION":
                self._begin(transaction)
            elif transaction.operation == "VOTE" and (election := self.open.get(transaction.asset_id)) is not None:
                votes = election.votes + votes_in(transaction)
                if votes * 3 < validators.total * 2:
                    self.open[election.id] = replace(election, votes=votes)
                    continue
                del self.open[election.id]
                self.concluded.append(election.id)
                key = bytes.fromhex(election.public_key)
                if validators.powers.get(key, 0) != election.power:
                    return {key: election.power}
        return {}

    def _begin(self, transaction: Transaction) -> None:
        proposed = proposal_of(transaction)
        (proposer,) = transaction.inputs[0].owners_before
        own = [election.id for election in self.open.values() if election.proposer == proposer]
        if len(own) == PROPOSER_OPEN_MAX:
            del self.open[own[0]]
        self.open[transaction.id] = OpenElection(
            transaction.id, proposed.public_key.hex(), proposed.power, proposed.node_id, proposer
        )
