"""Keys of NATS users: how one logs in with a file of credentials or of a seed, without sending a secret.

The client library needs one more package for it, which is published as source alone. Pure.

Source: NATS' public-key signatures ("nkeys") and its files of decentralized credentials.
"""

import base64
import re
from binascii import crc_hqx
from typing import Final

from nacl.signing import SigningKey

USER: Final = 20 << 3
"""The first byte of a user's public key."""
SEED: Final = 18 << 3
"""Bits of the first byte of a seed; the others, and three of the second, are those of its kind."""

_SEED_TEXT: Final = re.compile(r"\bSU[A-Z2-7]{56}\b")
_TOKEN: Final = re.compile(r"-BEGIN NATS USER JWT-+\s+([\w.=-]+)\s")


class UserKey:
    """The key of a user, from a text that has its seed in it.

    Attributes:
        public: as the server's configuration names it.
        token: what an account signed for this user, of a file of credentials; None if the text is a seed alone.
    """

    def __init__(self, text: str) -> None:
        """Read the text.

        Raises:
            ValueError: it has no seed of a user; does not quote the text.
        """
        found = _SEED_TEXT.search(text)
        if found is None:
            raise ValueError("has no seed of a user, which begins with SU and has 58 characters")
        raw = base64.b32decode(found[0] + "======")
        seed, check = raw[:-2], raw[-2:]
        if crc_hqx(seed, 0).to_bytes(2, "little") != check:
            raise ValueError("has a seed with a wrong letter: its check does not fit")
        self._key = SigningKey(seed[2:])
        public = bytes([USER]) + bytes(self._key.verify_key)
        self.public = base64.b32encode(public + crc_hqx(public, 0).to_bytes(2, "little")).decode().rstrip("=")
        token = _TOKEN.search(text)
        self.token = None if token is None else token[1]

    def sign(self, nonce: str) -> bytes:
        """Return the signature of what the server drew, in base64."""
        return base64.b64encode(self._key.sign(nonce.encode()).signature)
