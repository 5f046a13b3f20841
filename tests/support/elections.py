"""Elections for tests: validators by name, and the transactions that they make."""

from collections.abc import Mapping, Sequence
from typing import Final

from bigchaindb.ledger.elections import Elections
from bigchaindb.ledger.network import NetworkState, decode, encode
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction import KeyPair, Transaction, build, parse
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import decode_key
from bigchaindb.transaction.model import OutputRef
from tests.support.chains import ALICE, BOB, CAROL, NODE

NEWCOMER: Final = KeyPair.from_seed(b"w" * 32)
POWERS: Final[Mapping[KeyPair, int]] = {NODE: 10, ALICE: 10, BOB: 10, CAROL: 10}


def key_of(pair: KeyPair) -> bytes:
    """Return the 32 bytes of the public key."""
    return decode_key(pair.public_key)


def validators_of(powers: Mapping[KeyPair, int] = POWERS) -> ValidatorSet:
    """Return the set of these."""
    return ValidatorSet.of((key_of(pair), power) for pair, power in powers.items())


def payments_to(powers: Mapping[KeyPair, int]) -> list[build.Payment]:
    """Return payments of each one's power in votes."""
    return [build.Payment(details_of([pair.public_key]), power) for pair, power in powers.items()]


def election(
    seed: int = 0,
    *,
    proposer: KeyPair = NODE,
    powers: Mapping[KeyPair, int] = POWERS,
    of: KeyPair = NEWCOMER,
    power: int = 5,
) -> Transaction:
    """Propose that `of` has `power`."""
    signed = build.election(
        proposer, payments_to(powers), public_key=key_of(of), power=power, node_id="n1", seed=str(seed)
    )
    return parse(signed.body, elections=True)


def vote(for_: Transaction, voter: KeyPair) -> Transaction:
    """Pass all votes that `voter` was given on to the election."""
    (index,) = (i for i, output in enumerate(for_.outputs) if output.owners == (voter.public_key,))
    spend = build.Spend(OutputRef(for_.id, index), details_of([voter.public_key]), (voter,))
    return parse(build.vote(for_.id, [spend], for_.outputs[index].amount).body, elections=True)


def votes(for_: Transaction, voters: Sequence[KeyPair]) -> list[Transaction]:
    """Return a vote of each of `voters`."""
    return [vote(for_, voter) for voter in voters]


def state_of(elections: Elections) -> bytes:
    """Return the state of a network without validators as it is stored."""
    return encode(NetworkState(validators=(), elections=elections))


def stored(elections: Elections) -> Elections:
    """Return elections after they were stored."""
    return decode(state_of(elections)).elections
