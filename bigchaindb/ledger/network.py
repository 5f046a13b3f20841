"""What a network knows besides the ledger: who votes at which height, and which rejections are being counted.

It is part of the consensus: equal on every node after every block, changed by finalized blocks alone, bounded.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from bigchaindb.ledger.elections import Elections
from bigchaindb.ledger.proposal import can_be_carried
from bigchaindb.ledger.rejections import CARRY_HEIGHTS, Rejection
from bigchaindb.ledger.validators import ValidatorSet

OPEN_COUNT_MAX: Final = 32
"""Rejections that the chain keeps undecided. Faulty proposers could make them without end: another proposal to each
validator is one each, with a third behind it. Beyond this, only what is decided at once counts."""
CHANGE_HEIGHTS: Final = 2
"""A change of validators that block h brings is in force from h + 2 on. Source: the consensus engine."""


class Validators(msgspec.Struct, frozen=True):
    """The validators from a height on.

    Attributes:
        height: the first that they vote at.
        powers: public key, 32 bytes, and voting power; ascending.
    """

    height: int
    powers: tuple[tuple[bytes, int], ...]


class Support(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """One validator's signed word for a rejection.

    Attributes:
        validator: address, hex.
        height: of the vote whose extension holds it.
        round: of that vote.
        extension: the whole of it.
        signature: over the extension, 64 bytes.
    """

    validator: str
    height: int
    round: int
    extension: bytes
    signature: bytes


class Unseen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transaction that was decided upon, and that the event about its block cannot show.

    Attributes:
        index: among all transactions, from 0.
        bytes: of it, base64 in JSON.
    """

    index: int
    bytes: bytes


class OpenRejection(msgspec.Struct, frozen=True):
    """A rejection that the chain shows, with an honest validator behind it at least.

    Attributes:
        rejection: what is said.
        body: the proposal's transactions, which come with the votes that decide: None before that, so that the state
            stays small, and if they are too large to be carried.
        support: who reports it, ascending.
    """

    rejection: Rejection
    body: tuple[bytes, ...] | None
    support: tuple[Support, ...]


class NetworkState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole.

    Attributes:
        validators: ascending by height; the last may begin in the future.
        open: rejections that are not logged yet, ascending, at most `OPEN_COUNT_MAX`.
        settled: rejections that were logged, kept while a validator may report them again, ascending.
        elections: of validators.
    """

    validators: tuple[Validators, ...]
    open: tuple[OpenRejection, ...] = ()
    settled: tuple[Rejection, ...] = ()
    elections: Elections = Elections()

    @classmethod
    def begin(cls, validators: ValidatorSet, height: int) -> "NetworkState":
        """Return the state before the first block, which has `height`."""
        return cls(validators=(_from(height, validators),))

    def validators_at(self, height: int) -> ValidatorSet:
        """Return the validators of a height; nobody at heights that are no longer kept."""
        found = [one for one in self.validators if one.height <= height]
        return _set_of(found[-1].powers if found else ())

    @property
    def elected(self) -> ValidatorSet:
        """The validators once all that was decided is in force; elections are held among them."""
        return ValidatorSet.of(self.validators[-1].powers)

    def unshown(self, own: Sequence[Rejection], validator: str) -> list[Rejection]:
        """Return those of a validator's own rejections that the chain does not show yet; `validator` is its address."""
        stands_behind = {one.rejection for one in self.open if any(by.validator == validator for by in one.support)}
        shown = stands_behind.union(self.settled)
        return [one for one in own if one not in shown]

    def elect(self, powers: Mapping[bytes, int], height: int) -> "NetworkState":
        """Return the state after the block of `height` changed validators: new power by public key, 0 removes one."""
        if not powers:
            return self
        following = self.elected.changed(powers)
        begin = height + CHANGE_HEIGHTS
        kept = tuple(one for one in self.validators if one.height < begin)
        return replace(self, validators=(*kept, _from(begin, following)))

    def forget(self, height: int) -> "NetworkState":
        """Drop what no block after `height` can refer to."""
        least = height - CARRY_HEIGHTS
        past = [one for one in self.validators if one.height <= least]
        kept = replace(
            self,
            validators=self.validators[max(0, len(past) - 1) :],
            open=tuple(one for one in self.open if one.rejection.height > least),
            settled=tuple(one for one in self.settled if one.height > least),
        )
        return self if kept == self else kept


def encode(state: NetworkState) -> bytes:
    """Return the state as canonical bytes, for the store and the hash of the state."""
    return msgspec.json.encode(state)


def decode(text: bytes) -> NetworkState:
    """Read the bytes that `encode` made."""
    return _state.decode(text)


def encode_proof(proven: OpenRejection) -> bytes:
    """Return the proof of an invalid block: the rejection and the signed extensions of more than two thirds.

    A JSON object: `rejection`, `support`, a list, and `unseen`, the transactions that the event leaves out, without
    which nobody could compute the digest that was signed; bytes are base64.
    """
    unseen = [Unseen(index, one) for index, one in enumerate(proven.body or ()) if not can_be_carried(one)]
    return msgspec.json.encode({"rejection": proven.rejection, "support": proven.support, "unseen": unseen})


@lru_cache(maxsize=128)  # a tally asks once for each rejection of each extension, and a set hashes each of its keys
def _set_of(powers: tuple[tuple[bytes, int], ...]) -> ValidatorSet:
    return ValidatorSet.of(powers)


def _from(height: int, validators: ValidatorSet) -> Validators:
    return Validators(height, tuple(sorted(validators.powers.items())))


_state: Final = msgspec.json.Decoder(NetworkState)
