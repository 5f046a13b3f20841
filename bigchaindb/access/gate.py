"""Who a request proves to be, and whether that one may: decided before its body is read. Belongs to the event loop.

Source: docs/reference/contract/http-api.md, section 1, "authentication".
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final, NamedTuple

from bigchaindb.access.audit import Audit
from bigchaindb.access.book import KeyBook
from bigchaindb.access.keys import DAY_S, PREFIX, judge
from bigchaindb.access.origins import ALL, Origins
from bigchaindb.access.rates import Excess, Rates
from bigchaindb.access.scopes import Scopes
from bigchaindb.config.access import READ, WRITE, Access

ASKS_FOR_KEY: Final = b"WWW-Authenticate: Bearer\r\n"
IN_CLEAR: Final = "revoke it, and use https; behind a proxy that ends TLS, tls.ended_by_proxy must be true"
IN_TARGET: Final = (
    "an access key stands in the address of a request, where it proves nothing and others may log it: send it in the "
    "header Authorization, and revoke that one; this is logged once"
)
ID_PLACE: Final = slice(4, 16)
"""Of the id in the text of a key."""
POLICY_VIOLATION: Final = 1008
EXPIRED: Final = 4401
REASON_BYTES_MAX: Final = 123
"""Of a close frame. Source: RFC 6455, sections 5.5 and 5.5.1."""
WRONG_COUNT_MAX: Final = 10_000
"""Addresses whose wrong keys are counted where no limit is given."""
RECHECK_S: Final = 60.0
"""Time after which an expiry that is further away is compared with the clock again."""

_log: Final = logging.getLogger(__name__)


class Visitor(NamedTuple):
    """What a request shows of who sent it.

    Attributes:
        key: the access key as it was shown; None: none was.
        address: that the connection counts for.
        target: of the request, path and query.
        is_exposed: whether what it shows came in clear from another machine.
        headers: without whatever proves a principal.
        method: of the request.
    """

    key: str | None
    address: str
    target: str
    is_exposed: bool
    headers: Mapping[str, str]
    method: str = ""


class Principal(NamedTuple):
    """What a request proves to be.

    Attributes:
        key_id: of its access key; empty for anonymous ones.
        name: of its access key; of anonymous ones, what kind they are.
        scopes: what it may do.
    """

    key_id: str
    name: str
    scopes: Scopes

    def __str__(self) -> str:
        """Return who it is, for texts."""
        return f"the access key {self.key_id} ({self.name})" if self.key_id else f"an anonymous request{self.name}"

    @property
    def who(self) -> str:
        """Who it is, for the audit log."""
        return f"key:{self.key_id}" if self.key_id else "anonymous"


class Denial(NamedTuple):
    """The answer to a request that may not: a status, a text and further header lines."""

    status: int
    text: str
    headers: bytes = b""


class Gate:
    """Decides for each request of a node, and ends streams whose principal may no longer read.

    Attributes:
        rates: of all requests.
        refused: answers by status, since the start.
    """

    def __init__(
        self,
        anonymous: Scopes,
        book: KeyBook | None = None,
        *,
        ended_by_proxy: bool = False,
        origins: Origins = ALL,
        rates: Rates | None = None,
    ) -> None:
        """Admit anonymous requests with these scopes.

        Args:
            anonymous: what they may do.
            book: the access keys; None: there are none.
            ended_by_proxy: whether keys may come in clear from other machines, as a proxy ends TLS.
            origins: tell foreign pages, from which anonymous requests may at most read and write.
            rates: of all requests; None: wrong keys alone have one.
        """
        self._set_anonymous(anonymous)
        self._origins = origins
        self.rates = Rates(Access(), WRONG_COUNT_MAX) if rates is None else rates
        self._audit = Audit()
        self._book = book
        self._ended_by_proxy = ended_by_proxy
        self._streams: dict[str, dict[End, str]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._has_warned = False
        self.refused: Counter[int] = Counter()

    @property
    def anonymous(self) -> Scopes:
        """What anonymous requests may do."""
        return self._anonymous.scopes

    def admit(self, visitor: Visitor, *scopes: str) -> Principal | Denial:
        """Return the principal of a request, or why it is refused.

        Args:
            visitor: what the request shows.
            scopes: of which it needs one; without any: nothing.
        """
        if PREFIX in visitor.target and not self._has_warned:
            self._has_warned = True
            _log.warning(IN_TARGET)
        if visitor.key is not None:
            principal = self._known(visitor, visitor.key)
        elif self._foreign is not self._anonymous and self._origins.are_foreign(visitor.headers):
            principal = self._foreign
        else:
            principal = self._anonymous
        if isinstance(principal, Denial):
            return self.refuse(principal, self._claimed(visitor.key), visitor, *scopes)
        excess = self.rates.take(principal.key_id, visitor.address, scopes[0] if scopes else None, time.monotonic())
        if excess is not None:
            return self.refuse(_too_many(excess), principal.who, visitor, *scopes)
        if not scopes or any(map(principal.scopes.allows, scopes)):
            return principal
        return self.refuse(_lack(principal, *scopes), principal.who, visitor, *scopes)

    def failed(self, visitor: Visitor, why: str) -> Denial:
        """Count a wrong credential; return the answer."""
        excess = self.rates.fail(visitor.address, time.monotonic())
        return Denial(HTTPStatus.UNAUTHORIZED, why, ASKS_FOR_KEY) if excess is None else _too_many(excess)

    def is_foreign(self, visitor: Visitor) -> bool:
        """Whether a request comes from a page of another origin, or was sent to a name that is not this node's."""
        return self._origins.are_foreign(visitor.headers)

    def is_exposed(self, visitor: Visitor) -> bool:
        """Whether what a request shows came in clear from another machine, and no proxy ends TLS."""
        return visitor.is_exposed and not self._ended_by_proxy

    def expiry(self, key_id: str) -> int | None:
        """Return when an access key expires; None: never, or there is none."""
        key = None if self._book is None else self._book.keys.get(key_id)
        return None if key is None else key.expires

    def watch(self, principal: Principal, end: "End", scope: str = READ) -> Callable[[], None]:
        """Call `end` once a principal lacks `scope`, at once perhaps; return what ends the watch."""
        streams = self._streams.setdefault(principal.key_id, {})
        streams[end] = scope
        self._check(principal.key_id)
        return partial(self._forget, principal.key_id, end)

    def change(self, anonymous: Scopes | None = None) -> None:
        """End the streams of principals that may no longer read: keys, or what anonymous requests may do, changed."""
        if anonymous is not None:
            self._set_anonymous(anonymous)
        for key_id in list(self._streams):
            self._check(key_id)

    def refuse(self, denial: Denial, who: str, visitor: Visitor, *scopes: str) -> Denial:
        """Count a refusal and write its audit line; return it.

        Args:
            denial: the answer.
            who: as `Principal.who`.
            visitor: what the request showed.
            scopes: of which it needs one.
        """
        self.refused[denial.status] += 1
        self._audit.refuse(
            denial.status,
            who,
            " or ".join(scopes) or None,
            method=visitor.method,
            target=visitor.target,
            address=visitor.address,
        )
        return denial

    def _set_anonymous(self, scopes: Scopes) -> None:
        self._anonymous = Principal("", "", scopes)
        narrow = tuple(text for text in scopes.texts if text in {READ, WRITE})
        is_narrow = len(narrow) == len(scopes.texts)
        self._foreign = self._anonymous if is_narrow else Principal("", " of a foreign page", Scopes(narrow))

    def _claimed(self, shown: str | None) -> str:
        """Return who a refused key claims to be; the text of an unknown one may hold a secret."""
        key_id = "" if shown is None else shown[ID_PLACE]
        return f"key:{key_id}" if self._book is not None and key_id in self._book.keys else "unknown"

    def _known(self, visitor: Visitor, shown: str) -> Principal | Denial:
        now_s = time.time()
        found = judge(shown, {} if self._book is None else self._book.keys, now_s)
        if isinstance(found, str):
            return self.failed(visitor, found)
        assert self._book is not None
        is_exposed = self.is_exposed(visitor)
        if is_exposed or found.used_day != int(now_s) // DAY_S:
            self._book.note_use(found, now_s, is_exposed=is_exposed)
        if is_exposed:
            return Denial(HTTPStatus.FORBIDDEN, f"{found} came in clear from another machine: {IN_CLEAR}")
        return Principal(found.id, found.name, found.scopes)

    def _forget(self, key_id: str, end: "End") -> None:
        streams = self._streams.get(key_id, {})
        streams.pop(end, None)
        if not streams:
            self._streams.pop(key_id, None)
            if (timer := self._timers.pop(key_id, None)) is not None:
                timer.cancel()

    def _check(self, key_id: str) -> None:
        """End the streams of a principal that it may no longer have; else check again when its key expires."""
        if (timer := self._timers.pop(key_id, None)) is not None:
            timer.cancel()
        now_s = time.time()
        for end, (code, reason) in self._endings(key_id, now_s).items():
            self._streams[key_id].pop(end, None)
            end(code, reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore"))
        if not self._streams.get(key_id):
            self._streams.pop(key_id, None)
            return
        key = self._book.keys.get(key_id) if self._book is not None else None
        if key is not None and key.expires is not None:
            wait_s = min(max(key.expires - now_s, 0.0), RECHECK_S)  # The clock of the machine may be set meanwhile.
            self._timers[key_id] = asyncio.get_running_loop().call_later(wait_s, self._check, key_id)

    def _endings(self, key_id: str, now_s: float) -> dict["End", tuple[int, str]]:
        """Return the streams of a principal that end, each with a code and a reason."""
        streams = self._streams.get(key_id, {})
        if not key_id:
            lost = {end: scope for end, scope in streams.items() if not self.anonymous.allows(scope)}
            return {end: (POLICY_VIOLATION, _lack(self._anonymous, scope).text) for end, scope in lost.items()}
        key = None if self._book is None else self._book.keys.get(key_id)
        if key is None:
            return dict.fromkeys(streams, (POLICY_VIOLATION, f"this node no longer knows the access key {key_id}"))
        if (flaw := key.flaw(now_s)) is None:
            return {}
        code = EXPIRED if key.revoked is None and not key.held else POLICY_VIOLATION
        return dict.fromkeys(streams, (code, flaw))


End = Callable[[int, str], None]
"""Ends a stream. Arguments: a code of WebSockets, and the reason."""


def _too_many(excess: Excess) -> Denial:
    return Denial(HTTPStatus.TOO_MANY_REQUESTS, excess.text, b"Retry-After: %d\r\n" % excess.wait_s)


def _lack(principal: Principal, *scopes: str) -> Denial:
    text = f"needs the scope {' or '.join(scopes)}; {principal} has {principal.scopes}"
    if principal.key_id:
        return Denial(HTTPStatus.FORBIDDEN, text)
    return Denial(HTTPStatus.UNAUTHORIZED, f"{text}: send an access key", ASKS_FOR_KEY)
