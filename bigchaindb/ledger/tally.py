"""The tally: which rejections a block's votes transaction brings, and which of them are decided by that.

A rejection counts once more than a third of the power of its height stands behind it: an honest validator is then among
those who report it. A report of fewer is passed over, so that slander never reaches the chain, and costs nobody whose
extension holds it beside something true. Passed over likewise is what would be decided while its transactions are not
there, or what would be one undecided rejection too many. Pure; every node computes the same.

Source: docs/explanation/network.md; docs/decisions/0031-what-a-tally-passes-over.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from bigchaindb.errors import ImproperVoteError
from bigchaindb.ledger.consensus import vote_extension_sign_bytes
from bigchaindb.ledger.network import OPEN_COUNT_MAX, NetworkState, OpenRejection, Support
from bigchaindb.ledger.rejections import (
    BODY_BYTES_MAX,
    CARRY_HEIGHTS,
    Rejection,
    SignedExtension,
    VotesTransaction,
    body_digest,
    body_size,
    decode_extension,
    encode_votes,
)
from bigchaindb.transaction.keys import verify_signature

Body = tuple[bytes, ...]


class Outcome(NamedTuple):
    """What a votes transaction changes.

    Attributes:
        state: the network's, after it.
        decided: rejections that more than two thirds stand behind from now on, ascending, with their transactions.
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
    weighed = _weigh(votes.extensions, state, height)
    # Before anything is hashed: a million empty transactions take a second.
    if len(votes.bodies) > len(weighed.decisive) or any(body_size(body) > BODY_BYTES_MAX for body in votes.bodies):
        raise ImproperVoteError("votes: bodies must be those of decided rejections")
    bodies = {body_digest(body): body for body in votes.bodies}
    if [*bodies] != weighed.wanted_bodies(bodies) or len(bodies) != len(votes.bodies):
        raise ImproperVoteError("votes: bodies must be those of decided rejections, in their order")
    if weighed.idle(bodies):
        raise ImproperVoteError("votes: each extension must say something new")
    return _counted(weighed.admitted(bodies), bodies, state)


def choose(
    extensions: Iterable[SignedExtension],
    body_of: Callable[[Rejection], Body | None],
    state: NetworkState,
    *,
    height: int,
    chain_id: str,
    bytes_max: int,
) -> bytes | None:
    """Make the votes transaction of the block of `height`: one that `count` takes.

    Args:
        extensions: of the votes on the block before. Some are unverified: the engine asks the application about none
            that comes late.
        body_of: returns the transactions of a rejected proposal, if this node has them.
        state: the network's.
        height: of the block that is being made.
        chain_id: the network's.
        bytes_max: of the transaction; what does not fit is left to the next proposer.

    Returns:
        The transaction; None if there is nothing new to report.
    """
    proper = {one.validator: one for one in extensions if _is_proper(one, height - 1, state, chain_id)}
    kept = tuple(proper[validator] for validator in sorted(proper))
    bodies = {one.body: body for one in _weigh(kept, state, height).decisive if (body := body_of(one)) is not None}
    while kept:
        weighed = _weigh(kept, state, height)
        # Each that leaves changes what the others add up to, so all is weighed again: `count` sees those kept alone.
        if idle := weighed.idle(bodies):
            kept = tuple(one for one in kept if one.validator not in idle)
            continue
        wanted = weighed.wanted_bodies(bodies)
        carried = tuple(bodies[digest] for digest in wanted)
        made = encode_votes(VotesTransaction(height=height - 1, extensions=kept, bodies=carried))
        if len(made) <= bytes_max:
            return made
        if wanted:
            del bodies[wanted[-1]]
        else:  # the longest first: an honest one is short, since it repeats nothing that the chain shows
            longest = max(kept, key=lambda one: len(one.extension))
            kept = tuple(one for one in kept if one is not longest)
    return None


@dataclass(frozen=True)
class _Weighed:
    """New words for rejections, and what stands behind each with them.

    Attributes:
        validators: all whose extensions were weighed.
        fresh: reports that were not counted before, by rejection.
        credible: rejections of `fresh` with more than a third behind them, ascending.
        decisive: those of `credible` with more than two thirds behind them, ascending.
        known: undecided rejections that the chain shows.
    """

    validators: Sequence[str]
    fresh: Mapping[Rejection, Sequence[Support]]
    credible: Sequence[Rejection]
    decisive: Sequence[Rejection]
    known: frozenset[Rejection]

    def admitted(self, bodies: Mapping[str, Body]) -> dict[Rejection, Sequence[Support]]:
        """Return the rejections that count, if the chain gets these bodies; ascending."""
        admitted = {}
        room = OPEN_COUNT_MAX - len(self.known)
        for one in self.credible:
            if one in self.decisive:
                counts = one.size > BODY_BYTES_MAX or _has_body(one, bodies)
            else:
                counts = one in self.known or room > 0
                room -= one not in self.known
            if counts:
                admitted[one] = self.fresh[one]
        return admitted

    def wanted_bodies(self, bodies: Mapping[str, Body]) -> list[str]:
        """Return the digests of the available bodies that the chain needs, in the order of the rejections."""
        wanted = (one for one in self.decisive if one.size <= BODY_BYTES_MAX and _has_body(one, bodies))
        return list(dict.fromkeys(one.body for one in wanted))

    def idle(self, bodies: Mapping[str, Body]) -> set[str]:
        """Return the validators whose extension adds nothing that counts."""
        useful = {support.validator for found in self.admitted(bodies).values() for support in found}
        return set(self.validators) - useful


def _weigh(extensions: Sequence[SignedExtension], state: NetworkState, height: int) -> _Weighed:
    behind = {one.rejection: {support.validator for support in one.support} for one in state.open}
    settled = frozenset(state.settled)
    fresh: dict[Rejection, list[Support]] = {}
    for one in extensions:
        for rejection in decode_extension(one.extension):
            is_counted = rejection in settled or one.validator in behind.get(rejection, ())
            if not is_counted and _may_say(one.validator, rejection, state, height):
                support = Support(one.validator, height - 1, one.round, one.extension, one.signature)
                fresh.setdefault(rejection, []).append(support)
    credible, decisive = [], []
    for rejection in sorted(fresh):
        names = behind.get(rejection, set()) | {support.validator for support in fresh[rejection]}
        validators = state.validators_at(rejection.height)
        power = sum(validators.power_of(bytes.fromhex(name)) for name in names)
        if validators.is_credible(power):
            credible.append(rejection)
        if validators.is_decisive(power):
            decisive.append(rejection)
    return _Weighed([one.validator for one in extensions], fresh, credible, decisive, frozenset(behind))


def _may_say(validator: str, rejection: Rejection, state: NetworkState, height: int) -> bool:
    """Whether a validator had a vote on that proposal, and the proposal could have been made."""
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
        one = counted.get(rejection) or OpenRejection(rejection, None, ())
        counted[rejection] = replace(one, support=tuple(sorted((*one.support, *supports))))
    ascending = [counted[one] for one in sorted(counted)]
    decided = tuple(replace(one, body=_body_of(one, bodies)) for one in ascending if _is_decided(one, state))
    settled = {one.rejection for one in decided}
    state = replace(
        state,
        open=tuple(one for one in ascending if one.rejection not in settled),
        settled=tuple(sorted((*state.settled, *settled))),
    )
    return Outcome(state, decided)


def _body_of(one: OpenRejection, bodies: Mapping[str, Body]) -> Body | None:
    return None if one.rejection.size > BODY_BYTES_MAX else bodies[one.rejection.body]


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


def _is_proper(one: SignedExtension, height: int, state: NetworkState, chain_id: str) -> bool:
    """Whether an extension holds rejections in the right form, under the signature of its validator."""
    try:
        if not decode_extension(one.extension):
            return False
        _check_signature(one, height, state, chain_id)
    except ImproperVoteError:
        return False
    return True


def _has_body(rejection: Rejection, bodies: Mapping[str, Body]) -> bool:
    body = bodies.get(rejection.body)
    return body is not None and body_size(body) == rejection.size
