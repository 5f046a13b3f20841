"""Votes on rejections counted by four validators of equal power, for tests."""

from typing import Final

from bigchaindb.ledger.network import NetworkState
from bigchaindb.ledger.rejections import VotesTransaction
from bigchaindb.ledger.tally import Outcome, count
from tests.support.networks import CHAIN, validators

FOUR: Final = NetworkState.begin(validators(1, 1, 1, 1), 1)
NOTHING_NEW: Final = "votes: each extension must say something new"
OTHER_BODY: Final = (b"1", b"2")


def counted(one: VotesTransaction, state: NetworkState = FOUR) -> Outcome:
    """Count votes at the height after theirs."""
    return count(one, state, height=one.height + 1, chain_id=CHAIN)
