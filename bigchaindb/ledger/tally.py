"""The tally: which rejections a block's votes transaction brings, and which of them are decided by that.

A rejection counts once more than a third of the power of its height stands behind it: an honest validator is then among
those who say so. What fewer say is passed over, so that slander never reaches the chain, and costs nobody whose
extension holds it beside something true. Pure; every node computes the same.

Source: docs/explanation/network.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from bigchaindb.errors import ImproperVoteError
from bigchaindb.ledger.consensus import vote_extension_sign_bytes
from bigchaindb.ledger.network import NetworkState, OpenRejection, Support
from bigchaindb.ledger.rejections import (
    BODY_BYTES_MAX,
    CARRY_HEIGHTS,
    Rejection,
    SignedExtension,
    VotesTransaction,
    body_digest,
    decode_extension,
    encode_votes,
)
from bigchaindb.transaction.keys import verify_signature

Body = tuple[bytes, ...]


class Outcome(NamedTuple):
    """What a votes transaction changes.

    Attributes:
        state: the network's, after it.
        decided: rejections that more than two thirds stand behind from now on, ascending.
    """

    state: NetworkState
    decided: tuple[OpenRejection, ...]


def count(votes: VotesTransaction, state: NetworkState, *, height: int, chain_id: str) -> Outcome:
    """Count the votes transaction of the block of `height`.

    Raises:
        ImproperVoteError: a rule is broken; no honest proposer does that.
    """
    if votes.height != height - 1:
        raise ImproperVoteError(f"votes: height must be {height - 1}, found {votes.height}")
    for one in votes.extensions:
        _check_signature(one, votes.height, state, chain_id)
    weighed = _weigh(votes, state, height)
    supplied = {body_digest(body): body for body in votes.bodies}
    if [*supplied] != weighed.wanted_bodies(supplied) or len(supplied) != len(votes.bodies):
        raise ImproperVoteError("votes: bodies must be those of new rejections, in their order")
    if weighed.idle(supplied):
        raise ImproperVoteError("votes: each extension must say something new")
    return _counted(weighed.admitted(supplied), supplied, state)


def choose(
    extensions: Iterable[SignedExtension],
    body_of: Callable[[Rejection], Body | None],
    state: NetworkState,
    *,
    height: int,
    bytes_max: int,
) -> bytes | None:
    """Make the votes transaction of the block of `height`, None if there is nothing new to say.

    Args:
        extensions: of the votes on the block before, their signatures checked by the engine.
        body_of: gives the transactions of a rejected proposal, if this node has them.
        state: the network's.
        height: of the block that is being made.
        bytes_max: of the transaction; what does not fit is left to the next proposer.
    """
    ascending = tuple(sorted((one for one in extensions if _is_proper(one)), key=lambda one: one.validator))
    votes = VotesTransaction(height=height - 1, extensions=ascending, bodies=())
    weighed = _weigh(votes, state, height)
    bodies = {one.body: body for one in weighed.credible if (body := body_of(one)) is not None}
    while True:
        idle = weighed.idle(bodies)
        kept = tuple(one for one in ascending if one.validator not in idle)
        if not kept:
            return None
        carried = tuple(bodies[digest] for digest in weighed.wanted_bodies(bodies))
        made = encode_votes(VotesTransaction(height=height - 1, extensions=kept, bodies=carried))
        if len(made) <= bytes_max:
            return made
        if not carried:
            return None
        del bodies[weighed.wanted_bodies(bodies)[-1]]


@dataclass(frozen=True)
class _Weighed:
    """New words for rejections, and what stands behind each with them.

    Attributes:
        fresh: who says what nobody counted before, by rejection, ascending.
        credible: rejections of `fresh` with more than a third behind them, ascending.
        known: rejections whose bodies the chain has.
        validators: all whose extensions were weighed.
    """

    fresh: Mapping[Rejection, Sequence[Support]]
    credible: Sequence[Rejection]
    known: frozenset[Rejection]
    validators: Sequence[str]

    def admitted(self, bodies: Mapping[str, Body]) -> dict[Rejection, Sequence[Support]]:
        """Give those that count, if the chain gets these bodies."""
        return {
            one: self.fresh[one]
            for one in self.credible
            if one in self.known or one.size > BODY_BYTES_MAX or _has_body(one, bodies)
        }

    def wanted_bodies(self, bodies: Mapping[str, Body]) -> list[str]:
        """Give the digests of the bodies that the chain needs, of those there are, in the order of the rejections."""
        wanted = (one for one in self.credible if one not in self.known and one.size <= BODY_BYTES_MAX)
        return list(dict.fromkeys(one.body for one in wanted if _has_body(one, bodies)))

    def idle(self, bodies: Mapping[str, Body]) -> set[str]:
        """Give the validators whose extension adds nothing that counts."""
        useful = {support.validator for found in self.admitted(bodies).values() for support in found}
        return set(self.validators) - useful


def _weigh(votes: VotesTransaction, state: NetworkState, height: int) -> _Weighed:
    behind = {one.rejection: {support.validator for support in one.support} for one in state.open}
    settled = frozenset(state.settled)
    fresh: dict[Rejection, list[Support]] = {}
    for one in votes.extensions:
        for rejection in decode_extension(one.extension):
            is_counted = rejection in settled or one.validator in behind.get(rejection, ())
            if not is_counted and _may_say(one.validator, rejection, state, height):
                support = Support(one.validator, votes.height, one.round, one.extension, one.signature)
                fresh.setdefault(rejection, []).append(support)
    credible = []
    for rejection in sorted(fresh):
        names = behind.get(rejection, set()) | {support.validator for support in fresh[rejection]}
        validators = state.validators_at(rejection.height)
        if validators.is_credible(sum(validators.power_of(bytes.fromhex(name)) for name in names)):
            credible.append(rejection)
    return _Weighed(fresh, credible, frozenset(behind), [one.validator for one in votes.extensions])


def _may_say(validator: str, rejection: Rejection, state: NetworkState, height: int) -> bool:
    """Say whether a validator had a vote on that proposal, and it could have been made."""
    validators = state.validators_at(rejection.height)
    return (
        height - CARRY_HEIGHTS < rejection.height < height
        and validators.power_of(bytes.fromhex(validator)) > 0
        and validators.power_of(bytes.fromhex(rejection.proposer)) > 0
    )


def _counted(
    admitted: Mapping[Rejection, Sequence[Support]], bodies: Mapping[str, Body], state: NetworkState
) -> Outcome:
    counted = {one.rejection: one for one in state.open}
    for rejection, supports in admitted.items():
        body = None if rejection.size > BODY_BYTES_MAX else bodies.get(rejection.body)
        one = counted.get(rejection) or OpenRejection(rejection, body, ())
        counted[rejection] = replace(one, support=tuple(sorted((*one.support, *supports))))
    decided = tuple(counted.pop(one) for one in sorted(counted) if _is_decided(counted[one], state))
    state = replace(
        state,
        open=tuple(counted[one] for one in sorted(counted)),
        settled=tuple(sorted((*state.settled, *(one.rejection for one in decided)))),
    )
    return Outcome(state, decided)


def _is_decided(one: OpenRejection, state: NetworkState) -> bool:
    validators = state.validators_at(one.rejection.height)
    return validators.is_decisive(sum(validators.power_of(bytes.fromhex(support.validator)) for support in one.support))


def _check_signature(one: SignedExtension, height: int, state: NetworkState, chain_id: str) -> None:
    key = state.validators_at(height).by_address.get(bytes.fromhex(one.validator))
    if key is None:
        raise ImproperVoteError(f"votes: {one.validator} has no vote at height {height}")
    signed = vote_extension_sign_bytes(chain_id, height, one.round, one.extension)
    if not verify_signature(key, signed, one.signature):
        raise ImproperVoteError(f"votes: {one.validator} did not sign its extension")


def _is_proper(one: SignedExtension) -> bool:
    try:
        return bool(decode_extension(one.extension))
    except ImproperVoteError:
        return False


def _has_body(rejection: Rejection, bodies: Mapping[str, Body]) -> bool:
    body = bodies.get(rejection.body)
    return body is not None and sum(map(len, body)) == rejection.size
