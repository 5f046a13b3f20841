"""The operator's page: codes that are good once, and the access keys that they are exchanged for.

A code comes over the control socket, whose file mode is the credential, and reaches the page in the fragment of an
address, which no server sees. Command lines can be read by others: so a code is good once and for a minute.
Belongs to the event loop, but for `Exchange.new_key`.
"""

import secrets
import time
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from bigchaindb.access.book import PAGE, KeyBook
from bigchaindb.access.gate import Denial, Gate, Visitor
from bigchaindb.access.keys import AccessKey
from bigchaindb.access.scopes import Scopes

CODE_S: Final = 60.0
CODE_BYTES: Final = 16
CODE_COUNT_MAX: Final = 16
"""Codes that wait at once; a further one takes the place of the oldest."""
KEY_S: Final = 12 * 3_600
SCOPES: Final = Scopes(("read", "operate", "subscribe:*"))
WRONG: Final = (
    f"this code is not good, or not any more: each is good once and for {CODE_S:g} s; run `bigchaindb page` again"
)
FOREIGN: Final = "a code is exchanged by the node's own page alone; open the address that `bigchaindb page` prints"
IN_CLEAR: Final = (
    "a code came in clear from another machine and is not good any more: open the page on the node's machine, through "
    "a tunnel to it, or over https"
)


class Exchange:
    """The codes of a node."""

    def __init__(self, book: KeyBook, gate: Gate) -> None:
        """Begin without a code.

        Args:
            book: keeps the keys.
            gate: counts wrong codes as it does wrong keys.
        """
        self._book = book
        self._gate = gate
        self._ends: dict[bytes, float] = {}

    def new_code(self) -> str:
        """Return a code that is good once."""
        code = secrets.token_urlsafe(CODE_BYTES)
        if len(self._ends) >= CODE_COUNT_MAX:
            del self._ends[next(iter(self._ends))]
        self._ends[_digest(code)] = time.monotonic() + CODE_S
        return code

    def refusal(self, code: str, visitor: Visitor) -> Denial | None:
        """Spend a code; return why it gets no key, if it gets none."""
        end_s = self._ends.pop(_digest(code), 0.0)
        if self._gate.is_foreign(visitor):
            return Denial(HTTPStatus.FORBIDDEN, FOREIGN)
        if self._gate.is_exposed(visitor):
            return Denial(HTTPStatus.FORBIDDEN, IN_CLEAR)
        if end_s <= time.monotonic():
            return self._gate.refuse(self._gate.failed(visitor, WRONG), "code", visitor)
        return None

    def new_key(self) -> tuple[AccessKey, str]:
        """Make a key for the page; any thread may call it.

        Raises:
            AccessRefused: there is no room.
            StoreError: it could not be written.
        """
        now_s = time.time()
        return self._book.new_of_page(SCOPES, int(now_s) + KEY_S, now_s)

    def lock(self, key_id: str) -> bool:
        """Revoke a key of the page; return whether it is one. Any thread may call it."""
        key = self._book.keys.get(key_id)
        if key is None or key.name != PAGE:
            return False
        self._book.revoke(key_id, time.time())
        return True

    def changed(self) -> None:
        """End the streams of keys that are revoked."""
        self._gate.change()


def _digest(code: str) -> bytes:
    """Return what is kept of a code: a look-up by it takes as long for every wrong one."""
    return sha256(code.encode("utf-8", "surrogateescape")).digest()
