"""Who a request proves to be, and whether that one may: decided before its body is read. Belongs to the event loop.

Source: docs/reference/contract/http-api.md, section 1, "authentication".
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from bigchaindb.access.scopes import Scopes

ASKS_FOR_KEY: Final = b"WWW-Authenticate: Bearer\r\n"


class Visitor(NamedTuple):
    """What a request shows of who sent it.

    Attributes:
        key: the access key as it was shown; None: none was.
        address: that the connection counts for.
        is_clear: whether the connection is not encrypted.
        headers: without whatever proves a principal.
    """

    key: str | None
    address: str
    is_clear: bool
    headers: Mapping[str, str]


class Principal(NamedTuple):
    """What a request proves to be.

    Attributes:
        key_id: of its access key; empty for anonymous ones.
        name: of its access key.
        scopes: what it may do.
    """

    key_id: str
    name: str
    scopes: Scopes

    def __str__(self) -> str:
        """Return who it is, for texts."""
        return f"the key {self.key_id} ({self.name})" if self.key_id else "an anonymous request"


NOBODY: Final = Principal("", "", Scopes())


class Denial(NamedTuple):
    """The answer to a request that may not: a status, a text and further header lines."""

    status: int
    text: str
    headers: bytes = b""


class Gate:
    """Decides for each request of a node. Belongs to the event loop."""

    def __init__(self, anonymous: Scopes) -> None:
        """Admit anonymous requests with these scopes."""
        self._anonymous = Principal("", "", anonymous)

    def admit(self, visitor: Visitor, scope: str | None) -> Principal | Denial:
        """Return the principal of a request, or why it is refused.

        Args:
            visitor: what the request shows.
            scope: what it needs; None: nothing.
        """
        assert visitor is not None
        principal = self._anonymous
        if scope is None or principal.scopes.allows(scope):
            return principal
        return _lack(principal, scope)


def _lack(principal: Principal, scope: str) -> Denial:
    text = f"needs the scope {scope}; {principal} has {principal.scopes}"
    if principal.key_id:
        return Denial(HTTPStatus.FORBIDDEN, text)
    return Denial(HTTPStatus.UNAUTHORIZED, f"{text}: send an access key", ASKS_FOR_KEY)
