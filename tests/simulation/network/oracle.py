"""What a history must hold, computed from what happened and not by the code that is tested.

Of a proposal B of height h, with the powers of h:

- *Only if.* BLOCK_INVALID about B is logged only if B was proposed, the named validators hold more than two thirds,
  their signatures verify, and each honest one of them did reject B. Hence B was not decided, and those who rejected it
  hold more than two thirds together with the faulty ones.
- *If, at once.* If validators that hold more than two thirds say it in votes that reach an honest proposer which has
  rejected B itself, and the block that this one makes of them is decided, then B is logged with this block.
- *If, in the end.* If honest validators that hold more than two thirds rejected B and still vote, it is logged once
  everything that is said arrives.
- By all nodes at the same position, with the same bytes; once at most; never for what one honest validator accepts.
"""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bigchaindb.events import EventTypes
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.consensus import vote_extension_sign_bytes
from bigchaindb.ledger.effects import Effects, Logged, LoggedEvent
from bigchaindb.ledger.network import OPEN_COUNT_MAX, NetworkState
from bigchaindb.ledger.rejections import BODY_BYTES_MAX, Rejection, SignedExtension
from bigchaindb.transaction.keys import verify_signature
from tests.support.networks import CHAIN, KEYS, address, raw

KEY_OF: Final = {address(key): raw(key) for key in KEYS}

Powers = Mapping[str, int]
Entry = tuple[LoggedEvent, bytes, bytes]


@dataclass
class Oracle:
    """Takes note of everything, and judges.

    Attributes:
        faulty: addresses of the faulty validators.
        powers: of all validators, by height and address.
        rejected: who said so of whom is honest, by what is said.
        accepted: hashes of proposals that an honest node accepted.
        logs: what each node has logged: the row, the body of the event and its proof.
        log: the longest of them; the others must be its beginnings.
        logged: hashes of the proposals that were logged as invalid.
        app_hashes: by height.
    """

    faulty: frozenset[str]
    powers: dict[int, Powers] = field(default_factory=dict)
    rejected: dict[Rejection, set[str]] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    logs: dict[str, list[Entry]] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    logged: set[str] = field(default_factory=set)
    app_hashes: dict[int, bytes] = field(default_factory=dict)

    def note_accepted(self, hash_: bytes) -> None:
        self.accepted.add(hash_.hex())
        assert self.accepted.isdisjoint(one.block for one in self.rejected)

    def note_rejected(self, name: str, one: Rejection) -> None:
        self.rejected.setdefault(one, set()).add(name)
        assert one.block not in self.accepted
        assert len({other for other in self.rejected if other.block == one.block}) == 1, "two reasons for one proposal"

    def note_effects(self, name: str, effects: Effects) -> None:
        """Compare what one node makes of a decision with what the first one made."""
        log = self.logs.setdefault(name, [])
        for one in effects.logged:
            body = event_body(one.block, one.event.reason, body_omitted=one.body_omitted)
            log.append((one.event, body, one.proof))
            assert one.event.position == len(log)
            if one.event.type == EventTypes.BLOCK_INVALID:
                self._check_proof(one)
        if len(log) > len(self.log):
            self.log = list(log)
        assert log == self.log[: len(log)]
        assert self.app_hashes.setdefault(effects.tip.height, effects.tip.app_hash) == effects.tip.app_hash

    def check_once(self) -> None:
        """No proposal is logged as invalid twice."""
        counts = Counter(json.loads(proof)["rejection"]["block"] for _, _, proof in self.log if proof)
        assert set(counts.values()) <= {1}
        assert set(counts) == self.logged

    def _check_proof(self, one: Logged) -> None:
        """The half "only if"."""
        proof = json.loads(one.proof)
        said, block = proof["rejection"], proof["rejection"]["block"]
        self.logged.add(block)
        assert one.event.reason == said["reason"]
        assert one.event.height == said["height"]
        assert block not in self.accepted
        rejecters = next(names for other, names in self.rejected.items() if other.block == block)
        names = [support["validator"] for support in proof["support"]]
        assert len(set(names)) == len(names)
        assert set(names) - self.faulty <= rejecters
        assert self._is_decisive(names, said["height"])
        assert self._is_decisive(rejecters | self.faulty, said["height"])
        for support in proof["support"]:
            extension = b64decode(support["extension"])
            message = vote_extension_sign_bytes(CHAIN, support["height"], support["round"], extension)
            assert verify_signature(KEY_OF[support["validator"]], message, b64decode(support["signature"]))
            assert said in json.loads(extension)
            assert self.powers[support["height"]].get(support["validator"])

    def check_state(self, state: NetworkState) -> None:
        """Slander is never kept: an honest validator stands behind all that is counted. And not too much is."""
        assert len(state.open) <= OPEN_COUNT_MAX
        for one in state.open:
            assert one.rejection in self.rejected
            assert {support.validator for support in one.support} - self.faulty <= self.rejected[one.rejection]
            assert {support.validator for support in one.support} & self.rejected[one.rejection]
        assert all(one in self.rejected for one in state.settled)

    def check_at_once(self, proposer: str, evidence: Iterable[SignedExtension]) -> int:
        """The half "if", of a decided block that an honest `proposer` made of `evidence`; give how many it was."""
        sayers: dict[str, set[str]] = {}
        for one in evidence:
            for said in parsed(one):
                sayers.setdefault(json.dumps(said), set()).add(one.validator)
        owed = [
            said
            for said, names in sayers.items()
            if self._is_decisive(names, json.loads(said)["height"])
            and any(one.block == json.loads(said)["block"] and proposer in by for one, by in self.rejected.items())
        ]
        sizes = [json.loads(said)["size"] for said in owed]
        if sum(size for size in sizes if size <= BODY_BYTES_MAX) > BODY_BYTES_MAX:
            return 0  # they need not fit into one block
        assert {json.loads(said)["block"] for said in owed} <= self.logged
        return len(owed)

    def check_the_end(self, height: int) -> int:
        """The half "if", at the end; give how many proposals were owed an event."""
        owed = [
            one
            for one, names in self.rejected.items()
            if self._is_decisive([name for name in names if self.powers[height].get(name)], one.height)
        ]
        missing = [one for one in owed if one.block not in self.logged]
        assert not missing, missing
        assert all(log == self.log for log in self.logs.values())
        return len(owed)

    def _is_decisive(self, names: Iterable[str], height: int) -> bool:
        powers = self.powers[height]
        return sum(powers.get(name, 0) for name in set(names)) * 3 > sum(powers.values()) * 2


def parsed(one: SignedExtension) -> Sequence[Mapping[str, Any]]:
    """Read what an extension says; nothing if it is none, or not in canonical form."""
    try:
        found = json.loads(one.extension)
    except ValueError:
        return []
    is_proper = json.dumps(found, separators=(",", ":")).encode() == one.extension and isinstance(found, list)
    return found if is_proper else []
