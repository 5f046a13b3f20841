"""The wake transaction: it makes CometBFT begin a block, and stands in none. Belongs to the event loop.

CometBFT begins no block while its mempool is empty. A rejection that the chain does not show yet is no transaction of
a client, and a sole validator need not send those to CometBFT, since nobody else proposes them.

Source: docs/explanation/network.md.
"""

import asyncio
import secrets
from collections.abc import Callable, Sized
from typing import Final

from bigchaindb.ledger.rejections import WAKE_MARK

NONCE_BYTES: Final = 8
"""Of a wake transaction: CometBFT takes the same bytes only once."""
LOST_S: Final = 1.0
"""Time after which a wake transaction that CometBFT has not asked about counts as lost, as in a crash of it."""


class Wake:
    """Knows whether the newest wake transaction is still needed."""

    def __init__(
        self,
        submit: Callable[[bytes], object],
        *,
        pool: Sized,
        has_fresh: Callable[[], bool],
        is_sole: Callable[[], bool],
    ) -> None:
        """Send nothing yet.

        Args:
            submit: hands a transaction of the network's own to CometBFT.
            pool: what this node proposes from.
            has_fresh: whether this node has a rejection that is worth a block.
            is_sole: whether this node is the only validator.
        """
        self._submit = submit
        self._pool = pool
        self._has_fresh = has_fresh
        self._is_sole = is_sole
        self._tx = b""
        self._seen_s = 0.0

    def for_rejections(self) -> None:
        """Make CometBFT begin a block if there is a fresh rejection."""
        if self._has_fresh():
            self._send()

    def for_pool(self) -> bool:
        """Make CometBFT begin blocks until the pool is empty; return False, and do nothing, if others propose too."""
        if not self._is_sole():
            return False
        if not self._tx or asyncio.get_running_loop().time() - self._seen_s > LOST_S:
            self._send()
        return True

    def holds(self, tx: bytes) -> bool:
        """Whether the mempool should hold a wake transaction: this node's newest, as long as it is needed."""
        if tx != self._tx:
            return False  # a faulty node would fill the mempool
        if not self._has_fresh() and not (self._pool and self._is_sole()):
            self._tx = b""
            return False
        self._seen_s = asyncio.get_running_loop().time()
        return True

    def _send(self) -> None:
        self._tx = WAKE_MARK + secrets.token_bytes(NONCE_BYTES)
        self._seen_s = asyncio.get_running_loop().time()
        self._submit(self._tx)
