"""A node as a program, with one thing about it changed: it dies at a chosen moment, or computes something wrong.

Started as `python -P altered_node.py ALTERATION NUMBER …`, where `…` is the node's own command line. Its code has
no hook for it; what is changed here is changed from outside, in this process alone.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bigchaindb import cli
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft import accepted
from bigchaindb.engine.cometbft.files import Sizes
from bigchaindb.engine.cometbft.handlers import LedgerHandlers
from bigchaindb.ledger.network_ledger import NetworkLedger

DEATH: Final = 77
"""Exit code of a node that was made to die."""


def altered(alteration: str, number: int) -> tuple[str, ...]:
    """Return the command that starts such a node.

    Args:
        alteration: one of `ALTERATIONS`.
        number: which call it happens at, from 1, or how large something is.
    """
    assert alteration in ALTERATIONS
    return (sys.executable, "-P", str(Path(__file__).resolve()), alteration, str(number))


def _die_at(number: int, name: str, *, before: bool) -> None:
    """End the process in the n-th call of a method of the ledger, without any cleaning up."""
    original: Callable[..., Any] = getattr(NetworkLedger, name)
    count = 0

    def dying(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if before and count == number:
            os._exit(DEATH)
        result = original(*arguments, **named)
        if count == number:
            os._exit(DEATH)
        return result

    setattr(NetworkLedger, name, dying)


def _compute_wrongly(number: int) -> None:
    """Make the hash of the state wrong after the n-th block that has transactions."""
    original = NetworkLedger.finalize
    count = 0

    def wrong(*arguments: Any) -> Any:
        nonlocal count
        effects = original(*arguments)
        count += bool(effects.transactions)
        return replace(effects, tip=replace(effects.tip, app_hash=bytes(32))) if count == number else effects

    NetworkLedger.finalize = wrong  # type: ignore[method-assign,assignment]


def _shrink_mempool(number: int) -> None:
    """Make CometBFT's mempool so small that it is often full."""
    Sizes.mempool_count = property(lambda _: number)  # type: ignore[method-assign,assignment]


def _refuse_checks(number: int) -> None:
    """Refuse so many transactions of others, as a full mempool does, and take the next."""
    original = LedgerHandlers.check_tx
    count = 0

    async def refusing(handlers: LedgerHandlers, request: pb.RequestCheckTx) -> pb.ResponseCheckTx:
        nonlocal count
        count += 1
        return pb.ResponseCheckTx(code=1) if count <= number else await original(handlers, request)

    LedgerHandlers.check_tx = refusing  # type: ignore[method-assign,assignment]


def _give_up_soon(number: int) -> None:
    """Limit how often a transaction whose inputs do not exist is submitted."""
    accepted.OUTSIDE_ROUND_COUNT_MAX = number  # type: ignore[misc]


ALTERATIONS: Final[Mapping[str, Callable[[int], None]]] = {
    "die before finalize": lambda number: _die_at(number, "finalize", before=True),
    "die after finalize": lambda number: _die_at(number, "finalize", before=False),
    "die before commit": lambda number: _die_at(number, "commit", before=True),
    "die after commit": lambda number: _die_at(number, "commit", before=False),
    "compute wrongly": _compute_wrongly,
    "small mempool": _shrink_mempool,
    "refuse checks": _refuse_checks,
    "give up soon": _give_up_soon,
}

if __name__ == "__main__":
    _, name, figure, *line = sys.argv
    ALTERATIONS[name](int(figure))
    sys.argv = ["bigchaindb", *line]
    cli.main()
