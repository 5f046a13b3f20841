"""Access keys: what the command line may do with them, over the control socket or beside a node that does not run."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from bigchaindb.access import audit
from bigchaindb.access.book import KeyBook
from bigchaindb.access.exchange import Exchange
from bigchaindb.access.exposure import anonymous
from bigchaindb.access.gate import Gate
from bigchaindb.access.keys import DAY_S, AccessKey, judge
from bigchaindb.access.scopes import Scopes
from bigchaindb.api.call import Call
from bigchaindb.config import Settings
from bigchaindb.config.edit import elsewhere
from bigchaindb.config.load import Loaded
from bigchaindb.control import answers
from bigchaindb.errors import OrderRefused

ANONYMOUS: Final = "access.anonymous"
SHOWN: Final = {"id": "id", "name": "named", "scopes": "scopes"}
"""Members of orders that the audit log shows, and as what; the key in a check is none of them."""
SHOWN_MAX: Final = 100
"""Characters of each."""
_order: Final[msgspec.json.Decoder[answers.AccessOrder]] = msgspec.json.Decoder(answers.AccessOrder)

Reloader = Callable[[], Loaded]
"""Loads the node's configuration again. Raises ConfigurationError and OSError."""
Renewal = Callable[[Settings], Awaitable[Sequence[str]]]
"""Takes settings of access that were read again; returns a line for each thing that changed or could not be taken."""


def carry_out(book: KeyBook, order: answers.KeyOrder) -> object:
    """Carry out an order; durable when this returns.

    Raises:
        AccessRefused, ConfigurationError: it is refused.
        StoreError: it could not be written.
    """
    now_s = time.time()
    match order:
        case answers.NewKey(name, scopes, expires_s):
            expires = None if expires_s is None else int(now_s + expires_s)
            return _made(*book.new(name, Scopes.parse(scopes, "scopes"), expires, now_s), now_s)
        case answers.RevokeKey(id_):
            return status(book.revoke(id_, now_s), now_s)
        case answers.RotateKey(id_, overlap_s):
            return _made(*book.rotate(id_, overlap_s, now_s), now_s)
        case answers.ConfirmKeys():
            return {"count": book.confirm()}
        case answers.CheckKey(text):
            found = judge(text, book.keys, now_s)
            return answers.Checked(None, found) if isinstance(found, str) else answers.Checked(status(found, now_s))


def listed(book: KeyBook) -> list[answers.KeyStatus]:
    """Return all keys, the oldest first."""
    now_s = time.time()
    return [status(key, now_s) for key in sorted(book.keys.values(), key=lambda key: (key.made, key.id))]


def status(key: AccessKey, now_s: float) -> answers.KeyStatus:
    """Return what may be shown of a key."""
    state = "held" if key.held else "good"
    if key.is_over(now_s):
        state = "expired" if key.revoked is None else "revoked"
    used = None if key.used_day is None else key.used_day * DAY_S
    return answers.KeyStatus(
        key.id, key.name, str(key.scopes), state, key.made, key.expires, key.revoked, used, key.exposed
    )


class AccessDesk:
    """Carries out orders about access in a running node. Belongs to the event loop."""

    def __init__(
        self,
        book: KeyBook,
        gate: Gate,
        settings: Settings,
        reload: Reloader | None,
        renewals: Sequence[Renewal] = (),
        exchange: Exchange | None = None,
        port: Callable[[], int] = lambda: 0,
    ) -> None:
        """Take what the orders change.

        Args:
            book: the keys.
            gate: is told of each change.
            settings: with which the node runs.
            reload: None if this node has no configuration to read again.
            renewals: further parts of the node with settings of access.
            exchange: has the codes for the page; None: there is no page.
            port: returns where the page is served.
        """
        self._book = book
        self._gate = gate
        self._settings = settings
        self._reload = reload
        self._renewals = renewals
        self._exchange = exchange
        self._port = port

    async def get(self, _: Call) -> object:
        """Return the state of access, to the last use of each key."""
        await asyncio.to_thread(self._book.write_uses)
        keys, scopes = listed(self._book), str(self._gate.anonymous)
        if self._reload is None:
            return answers.AccessState(keys, scopes, None, "the program that runs the node")
        loaded = await asyncio.to_thread(self._reload)
        return answers.AccessState(keys, scopes, str(loaded.path.absolute()), elsewhere(loaded, ANONYMOUS))

    async def post(self, call: Call) -> object:
        """Carry out an order.

        Raises:
            OrderRefused: the node does not know it, or has no configuration to read again.
        """
        try:
            order = _order.decode(await call.body())
        except msgspec.MsgspecError as error:
            raise OrderRefused(f"the node does not know this order: {error}; does it have another version?") from error
        about = {shown: getattr(order, part)[:SHOWN_MAX] for part, shown in SHOWN.items() if hasattr(order, part)}
        audit.ordered("control", type(order).__name__.lower(), **about)
        if isinstance(order, answers.ReloadAccess):
            return await self.read_again()
        if isinstance(order, answers.NewCode):
            if self._exchange is None:
                raise OrderRefused("this node has no page: page.enabled is false")
            return answers.PageCode(self._exchange.new_code(), self._port())
        done = await asyncio.to_thread(carry_out, self._book, order)
        if isinstance(done, answers.MadeKey):
            audit.ordered("control", "made", id=done.key.id, named=done.key.name)
        self._gate.change()
        return done

    async def read_again(self) -> answers.AccessReloaded:
        """Read the configuration and the files that it names again; return what is in force then.

        Raises:
            OrderRefused: this node has no configuration to read again.
            ConfigurationError: it cannot be used; what was read before it counts.
            OSError: it cannot be read.
        """
        if self._reload is None:
            raise OrderRefused("this node was started without a configuration to read again; restart it")
        settings = (await asyncio.to_thread(self._reload)).settings
        self._gate.change(anonymous(replace(self._settings, access=settings.access)))
        lines = [line for renew in self._renewals for line in await renew(settings)]
        return answers.AccessReloaded(str(self._gate.anonymous), lines)


def _made(key: AccessKey, text: str, now_s: float) -> answers.MadeKey:
    return answers.MadeKey(status(key, now_s), text)
