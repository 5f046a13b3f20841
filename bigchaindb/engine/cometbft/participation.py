"""Which validators take part: who is connected, and whose signatures the chain shows. Belongs to the event loop.

CometBFT connects to a validator that never signs as to any other, so a connection proves nothing. The commits of the
last blocks prove it and, while a height is not decided, the votes on it.
"""

import logging
import re
from collections.abc import Callable, Sequence
from typing import Final

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.commits import Commits
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rpc_answers import ConsensusState, NetInfo
from bigchaindb.engine.engine import ValidatorFigures
from bigchaindb.errors import CometBftUnavailable
from bigchaindb.ledger.proofs.signed_header import FOR_BLOCK
from bigchaindb.ledger.validators import ValidatorSet, address_text
from bigchaindb.transaction.keys import key_text

VOTE_S_MAX: Final = 10.0
"""Time after the first vote on a height by which a validator that signs has voted. A round takes one to two seconds."""
ROUND_COUNT: Final = 2
"""Rounds whose votes count: the last one may have just begun."""

_VOTER: Final = re.compile(r"Vote\{\d+:([0-9A-F]{12}) ")
"""The beginning of a vote in CometBFT's text, with the first six bytes of the validator's address."""

_log: Final = logging.getLogger(__name__)


class Participation:
    """The observations of each validator."""

    def __init__(
        self,
        validators: Callable[[], ValidatorSet],
        validators_at: Callable[[int], ValidatorSet],
        *,
        own: bytes,
        peers: Sequence[str],
    ) -> None:
        """Begin without observations.

        Args:
            validators: returns the validators of the next block.
            validators_at: returns the validators of one of the last heights.
            own: this node's address.
            peers: those that this node is to be connected to, as `ID@HOST:PORT`.
        """
        self._validators = validators
        self._validators_at = validators_at
        self._own = own
        self._wanted = frozenset(peer.partition("@")[0] for peer in peers)
        self._commits = Commits()
        self._connected: dict[bytes, int] = {}  # and the height at which it was first seen so
        self._met: set[bytes] = set()
        self._indirect: frozenset[bytes] = frozenset()
        self._voting: tuple[int, float] | None = None  # a height, and when it was first seen to have votes
        self._voteless: frozenset[bytes] = frozenset()
        self._silent: set[bytes] = set()
        self._is_recalled = False

    def decided(self, request: pb.RequestFinalizeBlock) -> None:
        """Take the commit of the block before a decided one."""
        votes = request.decided_last_commit.votes
        if votes:
            signed = {one.validator.address for one in votes if one.block_id_flag == pb.BLOCK_ID_FLAG_COMMIT}
            self._commits.take(request.height - 1, signed, {one.validator.address for one in votes} - signed)

    async def recall(self, rpc: CometBftRpc, head: int) -> None:
        """Fetch the last commits that this process has not seen, once."""
        if self._is_recalled or not head:
            return
        for height in list(self._commits.missing(head)):
            try:
                commit = (await rpc.commit(height)).signed_header.commit
            except CometBftUnavailable:  # the chain begins above, or CometBFT went away: the next blocks show the rest
                break
            signed = {
                bytes.fromhex(one.validator_address) for one in commit.signatures if one.block_id_flag == FOR_BLOCK
            }
            self._commits.take(height, signed, self._validators_at(height).by_address.keys() - signed)
        self._is_recalled = True

    def observe(
        self, consensus: ConsensusState, net: NetInfo, *, height: int, is_following: bool, now_s: float
    ) -> None:
        """Take CometBFT's view of its peers and of the height that is being decided; log changes.

        Args:
            consensus: where it is, with the votes that it has.
            net: its peers, who name themselves by their keys.
            height: of the last block.
            is_following: whether it has caught up; before that, blocks are from the past.
            now_s: of a clock that never goes back.
        """
        validators = self._validators()
        names = {peer.node.moniker for peer in net.peers}
        direct = {address for address, key in validators.by_address.items() if key_text(key) in names}
        if self._own in validators.by_address:
            direct.add(self._own)
        before = self._connected if is_following else {}
        self._connected = {address: before.get(address, height) for address in direct}
        self._met = (self._met & validators.by_address.keys()) | direct
        self._note_indirect(validators, {peer.node.id for peer in net.peers})
        self._note_votes(validators, consensus, now_s)
        for address in validators.by_address if is_following else ():
            self._alarm(address, validators.power_of(address))
        self._silent &= validators.by_address.keys()

    def figures(self) -> tuple[ValidatorFigures, ...]:
        """Return the figures of each validator, ascending by key."""
        return tuple(self._figures_of(key, address) for address, key in self._validators().by_address.items())

    def _figures_of(self, key: bytes, address: bytes) -> ValidatorFigures:
        signed = self._commits.of(address)
        return ValidatorFigures(
            public_key=key_text(key),
            address=address_text(address),
            power=self._validators().powers[key],
            connected=address in self._connected or address in self._indirect,
            signing=self._is_signing(address),
            signed=signed.signed_count,
            blocks=signed.block_count,
            signed_height=signed.height,
            indirect=address in self._indirect,
        )

    def _is_signing(self, address: bytes) -> bool:
        """Whether nothing shows that it does not sign: one that came back is judged by the blocks since then alone."""
        since = self._connected.get(address, 0)
        return address not in self._voteless and not self._commits.is_silent(address, above=since)

    def _note_indirect(self, validators: ValidatorSet, ids: set[str]) -> None:
        """Count validators as connected that this node reaches through others, as a node with a single peer does.

        One that was a peer before, or may be among the peers that are missing, is away until it is seen.
        """
        others = validators.by_address.keys() - self._met if ids and self._wanted <= ids else set()
        self._indirect = frozenset(
            one for one in others if self._commits.of(one).signed_count and not self._commits.is_silent(one)
        )

    def _note_votes(self, validators: ValidatorSet, consensus: ConsensusState, now_s: float) -> None:
        """Find validators without a vote on a height that should be decided by now."""
        state = consensus.round_state
        last = [text for one in (state.votes or ())[-ROUND_COUNT:] for text in (*one.prevotes, *one.precommits)]
        voters = {found[1] for text in last if (found := _VOTER.match(text)) is not None}
        if not voters:
            self._voting = None
        elif self._voting is None or self._voting[0] != state.height:
            self._voting = (state.height, now_s)
        is_late = self._voting is not None and now_s - self._voting[1] >= VOTE_S_MAX
        self._voteless = frozenset(
            address for address in validators.by_address if is_late and address_text(address)[:12] not in voters
        )

    def _alarm(self, address: bytes, power: int) -> None:
        """Log once that a validator does not sign, and once that it signs again."""
        is_silent = address in self._voteless or self._commits.is_silent(address)
        if is_silent == (address in self._silent):
            return
        about = {
            "validator": key_text(self._validators().by_address[address]),
            "address": address_text(address),
            "power": power,
            "connected": address in self._connected,
            "signed_height": self._commits.of(address).height,
        }
        who = "this node's own key" if address == self._own else "a validator"
        if is_silent:
            self._silent.add(address)
            level = logging.ERROR if address == self._own else logging.WARNING
            _log.log(level, "%s does not sign: its signature is in none of the last blocks", who, extra=about)
        elif self._commits.signs_again(address):
            self._silent.discard(address)
            _log.info("%s signs again", who, extra=about)
