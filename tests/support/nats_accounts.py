"""Users of NATS without passwords: a key of one, and an operator that signs an account that signs a user."""

import base64
import hashlib
import json
import time
from binascii import crc_hqx
from dataclasses import dataclass
from typing import Any, Final

from nacl.signing import SigningKey

OPERATOR: Final = 14 << 3
ACCOUNT: Final = 0
USER: Final = 20 << 3
SEED: Final = 18 << 3
ANY: Final = ("subs", "data", "payload")
_LIMITS: Final = ("imports", "exports", "conn", "leaf", "mem_storage", "disk_storage", "streams", "consumer")


class Key:
    """A key of somebody, with its texts."""

    def __init__(self, kind: int) -> None:
        self._key = SigningKey.generate()
        self.public = _text(bytes([kind]) + bytes(self._key.verify_key))
        self.seed = _text(bytes([SEED | kind >> 5, (kind & 31) << 3]) + bytes(self._key))

    def token(self, subject: str, **claims: Any) -> str:
        """Return what this key signs about a subject."""
        head = _part({"typ": "JWT", "alg": "ed25519-nkey"})
        body: dict[str, Any] = {"iat": int(time.time()), "iss": self.public, "name": "test", "sub": subject}
        body["nats"] = {**claims, "version": 2}
        body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
        signed = f"{head}.{_part(body)}"
        return f"{signed}.{_url(self._key.sign(signed.encode()).signature)}"


@dataclass(frozen=True)
class Operator:
    """An operator with one account.

    Attributes:
        settings: of a server that trusts it.
        credentials: the text of the file of a user.
    """

    settings: str
    credentials: str


def new_operator() -> Operator:
    """Draw all its keys."""
    operator, system, account, user = Key(OPERATOR), Key(ACCOUNT), Key(ACCOUNT), Key(USER)
    limits: dict[str, Any] = dict.fromkeys((*ANY, *_LIMITS), -1)
    limits["wildcards"] = True
    system_limits = limits | dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), 0)
    settings = (
        f"operator: {operator.token(operator.public, type='operator')}\nsystem_account: {system.public}\n"
        f"resolver: MEMORY\nresolver_preload: {{\n"
        f"  {system.public}: {operator.token(system.public, type='account', limits=system_limits)}\n"
        f"  {account.public}: {operator.token(account.public, type='account', limits=limits)}\n}}\n"
    )
    token = account.token(user.public, type="user", pub={}, sub={}, **dict.fromkeys(ANY, -1))
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return Operator(settings, credentials)


def _text(raw: bytes) -> str:
    return base64.b32encode(raw + crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")


def _url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _part(value: object) -> str:
    return _url(json.dumps(value).encode())
