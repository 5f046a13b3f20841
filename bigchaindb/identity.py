"""Who this node is: its key pair and the id of its chain, made once at `init`.

The pair is `keypair` of the configuration, else `keypair.json` in the data directory.

Source: docs/reference/contract/configuration-and-cli.md, sections 2 and 4.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bigchaindb.config import KeyPairSettings, Settings
from bigchaindb.errors import ConfigurationError, StartupError

KEYPAIR_FILE: Final = "keypair.json"
KEY_BYTES: Final = 32
CHAIN_ID_PREFIX: Final = "solo-"


@dataclass(frozen=True)
class KeyPair:
    """An ed25519 pair as base58 text; `private` is the 32-byte seed."""

    public: str
    private: str = field(repr=False)

    @property
    def seed(self) -> bytes:
        """The 32 bytes that signatures are made from."""
        return decoded_key(self.private, "private")


def new_keypair() -> KeyPair:
    """Make a pair from the operating system's randomness."""
    return keypair_of(os.urandom(KEY_BYTES))


def keypair_of(seed: bytes) -> KeyPair:
    """Give the pair that 32 bytes of seed determine."""
    from base58 import b58encode
    from nacl.bindings import crypto_sign_seed_keypair

    public, _ = crypto_sign_seed_keypair(seed)
    return KeyPair(b58encode(public).decode(), b58encode(seed).decode())


def keypair_from_private(private: str, name: str = "private key") -> KeyPair:
    """Give the pair of a private key in base58.

    Raises:
        ConfigurationError: it is no base58 of 32 bytes; says `name`, never the key.
    """
    return keypair_of(decoded_key(private, name))


def decoded_key(text: str, name: str) -> bytes:
    """Give the 32 bytes of a key.

    Raises:
        ConfigurationError: it is no base58 of 32 bytes; says `name`, never the key.
    """
    from base58 import b58decode

    try:
        key = b58decode(text.encode("ascii"))
    except ValueError as error:
        raise ConfigurationError(f"{name}: must be base58 of {KEY_BYTES} bytes, found other characters") from error
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{name}: must be base58 of {KEY_BYTES} bytes, found {len(key)} bytes")
    return key


def check_keypair(pair: KeyPairSettings) -> None:
    """Require that both halves are keys and belong together. A pair without halves is right as well.

    Raises:
        ConfigurationError: they don't; no message holds the private key.
    """
    if pair.public is None or pair.private is None:
        return
    decoded_key(pair.public, "keypair.public")
    derived = keypair_from_private(pair.private, "keypair.private").public
    if derived != pair.public:
        raise ConfigurationError(
            f"keypair.public: {pair.public} does not belong to keypair.private, whose public key is {derived}"
        )


def find(settings: Settings) -> KeyPair | None:
    """Give the node's key pair, None if there is none yet.

    Raises:
        StartupError: `keypair.json` cannot be read or holds no pair.
    """
    if settings.keypair.public is not None and settings.keypair.private is not None:
        return KeyPair(settings.keypair.public, settings.keypair.private)
    path = settings.database.path / KEYPAIR_FILE
    return read_keypair(path) if path.exists() else None


def find_or_make(settings: Settings) -> KeyPair:
    """Give the node's key pair; make `keypair.json` if there is none. The data directory must exist.

    Raises:
        StartupError: `keypair.json` cannot be read or written.
    """
    if (pair := find(settings)) is not None:
        return pair
    pair = new_keypair()
    write_keypair(settings.database.path / KEYPAIR_FILE, pair)
    return pair


def read_keypair(path: Path) -> KeyPair:
    """Read a key file: a JSON object with `private`, and `public`, which must then belong to it.

    Raises:
        StartupError: there is no such file, or it is no key file; the message names the file and holds no key.
    """
    try:
        document = json.loads(path.read_bytes())
        pair = keypair_from_private(document["private"])
    except OSError as error:
        raise StartupError(f"cannot read the key file `{path}`: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, ConfigurationError) as error:
        # `from None`: a parser's message may quote the file.
        raise StartupError(f"`{path}` is no key file: expected {_EXAMPLE} ({type(error).__name__})") from None
    if document.get("public", pair.public) != pair.public:
        raise StartupError(f"`{path}`: public does not belong to private, whose public key is {pair.public}")
    return pair


def write_keypair(path: Path, pair: KeyPair) -> None:
    """Write a new key file, mode 0600, durable when this returns; never over one that is there.

    Raises:
        StartupError: it exists, or cannot be written.
    """
    text = json.dumps({"private": pair.private, "public": pair.public}, indent=4) + "\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StartupError(f"cannot write the key file `{path}`: {error.strerror}") from error


def new_chain_id() -> str:
    """Make the id of a new chain: `solo-` and 32 random hex digits, at most 50 characters and no dot."""
    return CHAIN_ID_PREFIX + os.urandom(16).hex()


_EXAMPLE: Final = '{"private": "…", "public": "…"}, both base58 of 32 bytes'
