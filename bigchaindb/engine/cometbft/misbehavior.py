"""Misbehavior of validators that the chain proves, kept for the operator.

CometBFT puts the evidence into a block and names it to the application when the block is decided. The ledger does not
keep it, since it is no part of the network's state; a file beside CometBFT's does, so that a restart forgets nothing.
One entry for each validator and kind bounds it; it can be deleted, and a replay of the chain fills it again.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.files import Layout, put_misbehaviors
from bigchaindb.engine.engine import Misbehavior
from bigchaindb.errors import StartupError
from bigchaindb.ledger.validators import ValidatorSet, address_text
from bigchaindb.transaction.keys import key_text

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""An entry has about 250 bytes, and a chain has seen some thousands of validators at most."""

_KINDS: Final = {pb.DUPLICATE_VOTE: "double signing", pb.LIGHT_CLIENT_ATTACK: "light client attack"}

_log: Final = logging.getLogger(__name__)


class Misbehaviors:
    """All proven misbehavior. `take` belongs to one thread; any thread may read the tuple that it replaces."""

    def __init__(self, layout: Layout, own: bytes, validators_at: Callable[[int], ValidatorSet]) -> None:
        """Read the file; one that cannot be read is begun anew, with a line in the log.

        Args:
            layout: where it is.
            own: this node's address.
            validators_at: returns the validators of one of the last heights.
        """
        self._layout = layout
        self._own = own
        self._validators_at = validators_at
        self.all: tuple[Misbehavior, ...] = _read(layout)

    def take(self, proven: Sequence[pb.Misbehavior], height: int) -> None:
        """Take the misbehavior that the block of `height` proves; a block that comes again changes nothing."""
        kept = {(one.address, one.kind): one for one in self.all}
        if not proven or any(one.shown_height >= height for one in self.all):
            return
        for one in proven:
            kind = _KINDS.get(one.type, "misbehavior of an unknown kind")
            address = address_text(one.validator.address)
            before = kept.get((address, kind))
            key = self._validators_at(one.height).by_address.get(one.validator.address)
            known = None if before is None else before.public_key
            kept[address, kind] = Misbehavior(
                address=address,
                public_key=known if key is None else key_text(key),
                kind=kind,
                count=1 if before is None else before.count + 1,
                height=one.height,
                shown_height=height,
            )
        self.all = tuple(kept[name] for name in sorted(kept))
        for found in self.all:
            if found.shown_height == height:
                _log_found(found, is_own=found.address == address_text(self._own))
        try:
            put_misbehaviors(self._layout, msgspec.json.encode(self.all))
        except StartupError as error:  # the log has it; the chain goes on
            _log.error("what the chain proves of validators is not kept over a restart", extra={"error": str(error)})


def _log_found(found: Misbehavior, *, is_own: bool) -> None:
    advice = (
        "another node runs with this key: stop both, and exchange the key"
        if is_own
        else "ask its operator, and take it out by an election"
    )
    about = {**msgspec.structs.asdict(found), "what_to_do": advice}
    who = "this node's own key" if is_own else "a validator"
    _log.critical("the chain proves that %s misbehaved: %s", who, found.kind, extra=about)


def _read(layout: Layout) -> tuple[Misbehavior, ...]:
    path = layout.misbehaviors
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        return msgspec.json.decode(content, type=tuple[Misbehavior, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        _log.warning("what the chain proved of validators cannot be read", extra={"file": str(path), "why": str(error)})
        return ()
