"""Access keys: their form, and whether one that is shown is good. Pure.

A key is `bdb_`, 12 characters of id, `_`, 43 of secret and 6 of checksum, so that scanners of repositories find it and
a typing error is told apart from a revoked key. The secret has 256 random bits, so a single SHA-256 of it is kept.
"""

import re
from base64 import b64decode, urlsafe_b64decode
from binascii import crc32
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Final, NamedTuple

from bigchaindb.access.scopes import Scopes

PREFIX: Final = "bdb_"
CHARACTER_COUNT: Final = 66
RANDOM_BYTES: Final = 41
"""Of a new key: 9 for the id, 32 for the secret."""
DAY_S: Final = 86_400
BEARER_PROTOCOL: Final = "bigchaindb.bearer."
"""Begins the WebSocket subprotocol that carries a key."""
_ID_END: Final = 16
_SECRET: Final = slice(17, None)
"""With its checksum."""
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM: Final = re.compile(r"bdb_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")
_SPLIT: Final = 9


class AccessKey(NamedTuple):
    """What is kept of a key; times are Unix seconds.

    Attributes:
        id: without `bdb_`.
        digest: SHA-256 of the secret and its checksum.
        name: for people.
        scopes: what it may do.
        made: when.
        expires: when it ends; None: never.
        revoked: since when; None: it is not.
        used_day: the last day of use, in days since 1970; None: never.
        exposed: when it last came in clear from another machine; None: never.
        held: whether it waits, since a restore, for a person who confirms it.
    """

    id: str
    digest: bytes
    name: str
    scopes: Scopes
    made: int
    expires: int | None = None
    revoked: int | None = None
    used_day: int | None = None
    exposed: int | None = None
    held: bool = False

    def is_over(self, now_s: float) -> bool:
        """Whether it is revoked, or has expired."""
        return self.revoked is not None or (self.expires is not None and now_s >= self.expires)

    def flaw(self, now_s: float) -> str | None:
        """Return why it is refused although its secret is right; None: it is good."""
        if self.revoked is not None:
            return f"{self} was revoked on {day(self.revoked)}"
        if self.expires is not None and now_s >= self.expires:
            return f"{self} expired on {day(self.expires)}"
        if self.held:
            return (
                f"{self} is held since this node's data were restored: its operator frees it with `bigchaindb access "
                "key list --confirm`"
            )
        return None

    def __str__(self) -> str:
        """Return which one it is, for texts."""
        return f"the access key {self.id} ({self.name})"


def day(time_s: float) -> str:
    """Return the day of a time, in UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d")


def make(random: bytes) -> tuple[str, str]:
    """Return the id of a new key, and its text.

    Args:
        random: `RANDOM_BYTES` of them.
    """
    assert len(random) == RANDOM_BYTES, len(random)
    id_, secret = _digits(random[:_SPLIT], 12), _digits(random[_SPLIT:], 43)
    begin = f"{PREFIX}{id_}_{secret}"
    return id_, begin + _checksum(begin)


def digest_of(text: str) -> bytes:
    """Return what is kept of the secret of a key's text."""
    return sha256(text[_SECRET].encode("utf-8", "surrogateescape")).digest()  # a stranger's text may be no text


def judge(text: str, keys: Mapping[str, AccessKey], now_s: float) -> AccessKey | str:
    """Return the key that a text proves, or why it proves none.

    Args:
        text: as it was shown, of any form and length.
        keys: those that the node knows, by id.
        now_s: Unix seconds.
    """
    key = keys.get(text[len(PREFIX) : _ID_END])
    # A text of another form has another digest, but for the characters before its secret.
    if key is not None and compare_digest(digest_of(text), key.digest) and text[_ID_END] == "_":
        return key.flaw(now_s) or key
    if not _FORM.fullmatch(text) or text[-6:] != _checksum(text[:-6]):
        why = f"it has {len(text)} characters, and one of a node has {CHARACTER_COUNT}"
        if len(text) == CHARACTER_COUNT:
            why = "its checksum is not that of its other characters"
        return f"the access key is cut or has a typing error: {why}"
    return f"this node does not know the access key {text[len(PREFIX) : _ID_END]}: each node has keys of its own"


def shown_in(authorization: str, protocols: str) -> str | None:
    """Return the key that a request shows; None: it shows none.

    Args:
        authorization: the header of that name; empty without one.
        protocols: the header `Sec-WebSocket-Protocol`; empty without one.
    """
    scheme, _, value = authorization.strip().partition(" ")
    shown = None
    match scheme.lower():
        case "bearer":
            shown = value.strip()
        case "basic":
            shown = _decoded(value.strip(), is_url_safe=False).partition(":")[2]
    if shown is not None and shown.startswith(PREFIX):
        return shown
    for protocol in map(str.strip, protocols.split(",")):
        if protocol.startswith(BEARER_PROTOCOL):
            return _decoded(protocol.removeprefix(BEARER_PROTOCOL), is_url_safe=True)
    return None


def without_key(protocols: str) -> str:
    """Return a header `Sec-WebSocket-Protocol` without the key that it carries."""
    kept = (protocol.strip() for protocol in protocols.split(","))
    return ", ".join(protocol for protocol in kept if not protocol.startswith(BEARER_PROTOCOL))


def _decoded(text: str, *, is_url_safe: bool) -> str:
    """Return what stands in base64; empty for anything else, which is no key then."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return (urlsafe_b64decode(padded) if is_url_safe else b64decode(padded, validate=True)).decode()
    except ValueError:
        return ""


def _checksum(begin: str) -> str:
    return _digits(crc32(begin.encode()).to_bytes(4, "big"), 6)


def _digits(value: bytes, count: int) -> str:
    """Return a number in so many digits of base 62; what is beyond them is cut."""
    number, digits = int.from_bytes(value, "big"), []
    for _ in range(count):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
