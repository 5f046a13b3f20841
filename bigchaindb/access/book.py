"""The access keys of a node: in memory for each request, and in node.db for the next start.

Every change replaces the keys in memory whole, once it is durable. Any thread may call it.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Final

from bigchaindb.access import keys
from bigchaindb.access.keys import DAY_S, AccessKey
from bigchaindb.access.scopes import Scopes
from bigchaindb.errors import AccessRefused, StoreError
from bigchaindb.store import node_rows
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.node_rows import ACCESS_KEYS

NAME_CHARACTERS_MAX: Final = 100
PAGE: Final = "page"
"""The name of keys that the operator's page gets, and nobody else's; those that are over make room for the next."""
_log: Final = logging.getLogger(__name__)


class KeyBook:
    """All keys.

    Attributes:
        keys: by id; a mapping that no change touches.
    """

    def __init__(self, db: NodeDb, count_max: int) -> None:
        """Read the keys; damaged ones are unknown, and noted.

        Args:
            db: with their table.
            count_max: how many may be kept.
        """
        self._db = db
        self._count_max = count_max
        self._lock = Lock()
        self._unwritten: dict[str, tuple[int, int | None]] = {}
        self.keys: Mapping[str, AccessKey] = {row[0]: _key(row) for row in db.compared(ACCESS_KEYS).whole}

    def good_count(self, now_s: float) -> int:
        """Count the keys that are not over."""
        return sum(not key.is_over(now_s) for key in self.keys.values())

    def new(self, name: str, scopes: Scopes, expires: int | None, now_s: float) -> tuple[AccessKey, str]:
        """Make a key; return it and its text, which is kept nowhere.

        Raises:
            AccessRefused: its name or its expiry is refused, or there is no room.
            StoreError: it could not be written.
        """
        check_name(name)
        made, text = _made(name, scopes, expires, now_s)
        with self._lock:
            self._write(made, gone=self._oldest_over(now_s))
        return made, text

    def new_of_page(self, scopes: Scopes, expires: int, now_s: float) -> tuple[AccessKey, str]:
        """Make a key for the page; one of its keys that is over makes room. See `new`."""
        made, text = _made(PAGE, scopes, expires, now_s)
        with self._lock:
            self._write(made, gone=self._oldest_over(now_s) or self._page_over(now_s))
        return made, text

    def revoke(self, id_: str, now_s: float) -> AccessKey:
        """Revoke a key; one that is revoked stays so.

        Raises:
            AccessRefused: there is no such key.
        """
        with self._lock:
            key = self._known(id_)
            if key.revoked is None:
                self._write(key := key._replace(revoked=int(now_s)))
        return key

    def rotate(self, id_: str, overlap_s: float, now_s: float) -> tuple[AccessKey, str]:
        """Make a key of the same name, scopes and lifetime; the former ends after an overlap.

        Raises:
            AccessRefused: there is no such key, or it is over.
        """
        with self._lock:
            former = self._known(id_)
            if former.is_over(now_s):
                raise AccessRefused(f"{former.flaw(now_s)}: make another with `bigchaindb access key new`")
            lifetime = None if former.expires is None else former.expires - former.made
            made, text = _made(former.name, former.scopes, None if lifetime is None else int(now_s) + lifetime, now_s)
            end = int(now_s + overlap_s)
            ended = former._replace(expires=end if former.expires is None else min(end, former.expires))
            self._write(made, ended, gone=self._oldest_over(now_s))
        return made, text

    def confirm(self) -> int:
        """Take the keys again that are held since a restore; return how many."""
        with self._lock:
            held = [key._replace(held=False) for key in self.keys.values() if key.held]
            if held:
                self._write(*held)
        return len(held)

    def note_use(self, key: AccessKey, now_s: float, *, is_exposed: bool) -> None:
        """Remember that a key was used today; it is written later."""
        known = self._unwritten.get(key.id, (0, None))
        self._unwritten[key.id] = (int(now_s) // DAY_S, int(now_s) if is_exposed else known[1])

    def write_uses(self) -> None:
        """Write the last days of use."""
        with self._lock:
            noted, self._unwritten = self._unwritten, {}
            used = [
                key._replace(used_day=day, exposed=key.exposed if exposed is None else exposed)
                for id_, (day, exposed) in noted.items()
                if (key := self.keys.get(id_)) is not None
            ]
            if not used:
                return
            try:
                self._write(*used)
            except StoreError as error:
                self._unwritten = noted | self._unwritten
                _log.warning("the last days of use of access keys could not be written", extra={"why": str(error)})

    def _known(self, id_: str) -> AccessKey:
        if (key := self.keys.get(id_.removeprefix(keys.PREFIX))) is None:
            raise AccessRefused(f"there is no access key {id_[:40]!r}; `bigchaindb access key list` lists them")
        return key

    def _oldest_over(self, now_s: float) -> AccessKey | None:
        """Return the key that makes room for another where there is none."""
        if len(self.keys) < self._count_max:
            return None
        over = [key for key in self.keys.values() if key.is_over(now_s)]
        if not over:
            raise AccessRefused(
                f"there are {len(self.keys)} access keys (limits.access_key_count_max), and none of them is over: "
                "revoke one first"
            )
        return min(over, key=lambda key: key.made)

    def _page_over(self, now_s: float) -> AccessKey | None:
        """Return a key of the page that is over; it has one a working day, and lists stay short."""
        return next((key for key in self.keys.values() if key.name == PAGE and key.is_over(now_s)), None)

    def _write(self, *changed: AccessKey, gone: AccessKey | None = None) -> None:
        with self._db.batch() as connection:
            if gone is not None:
                connection.execute("DELETE FROM access_keys WHERE id = ?", (gone.id,))
            node_rows.put(connection, ACCESS_KEYS, [_row(key) for key in changed])
        kept = {id_: key for id_, key in self.keys.items() if gone is None or id_ != gone.id}
        self.keys = kept | {key.id: key for key in changed}


def _made(name: str, scopes: Scopes, expires: int | None, now_s: float) -> tuple[AccessKey, str]:
    if expires is not None and expires <= now_s:
        raise AccessRefused(f"expires: must be later than now, found {keys.day(expires)}")
    id_, text = keys.make(secrets.token_bytes(keys.RANDOM_BYTES))
    return AccessKey(id_, keys.digest_of(text), name, scopes, int(now_s), expires), text


def check_name(name: str) -> None:
    """Require the name of a key that a person makes. Raises AccessRefused."""
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
        raise AccessRefused(
            f"name: must be 1 to {NAME_CHARACTERS_MAX} printable characters, found {name[:NAME_CHARACTERS_MAX]!r}"
        )
    if name == PAGE:
        raise AccessRefused(f"name: {PAGE!r} is kept for keys of the node's page; choose another")


def _row(key: AccessKey) -> tuple[object, ...]:
    return (*key[:3], str(key.scopes), *key[4:-1], int(key.held))


def _key(row: Sequence[Any]) -> AccessKey:
    return AccessKey._make((*row[:3], Scopes.parse(row[3], "scopes"), *row[4:-1], bool(row[-1])))
