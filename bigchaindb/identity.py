"""Who this node is: its key pair and the id of its chain, each made once.

The pair is `keypair` of the configuration, else `keypair.json` in the data directory.

Source: docs/reference/contract/configuration-and-cli.md, sections 2 and 4.
"""

import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bigchaindb import files
from bigchaindb.config import Settings
from bigchaindb.config.load import exposed_mode
from bigchaindb.errors import StartupError
from bigchaindb.owners import refusal
from bigchaindb.transaction.keys import KEY_BYTES, KeyPair

KEYPAIR_FILE: Final = "keypair.json"
CHAIN_ID_FILE: Final = "chain_id"

_KEY_CHARACTERS_MIN: Final = 43
_CHAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")
_KEY_FILE: Final = '{"private": "…", "public": "…"}, both base58 of 32 bytes'


def new_keypair() -> KeyPair:
    """Make a pair from the operating system's randomness."""
    while True:
        pair = KeyPair.from_seed(os.urandom(KEY_BYTES))
        # One key in 20,000 starts with zeros and is too short as text for the rule of transactions.md, section 1.
        if len(pair.public_key) >= _KEY_CHARACTERS_MIN:
            return pair


def find(settings: Settings) -> KeyPair | None:
    """Return the node's key pair; None if there is none yet.

    Raises:
        StartupError: `keypair.json` cannot be read or holds no pair, or others than its owner may read it.
    """
    if settings.keypair.private is not None:
        return KeyPair.from_private_key(settings.keypair.private)
    path = settings.database.path / KEYPAIR_FILE
    if not path.exists():
        return None
    if (exposed := exposed_mode(path)) is not None:
        raise StartupError(
            f"`{path}` has mode {exposed} and holds this node's private key, with which others could sign as this "
            f"node; run: chmod 600 {shlex.quote(str(path))}"
        )
    return read_keypair(path)


def find_or_make(settings: Settings) -> KeyPair:
    """Return the node's key pair; make `keypair.json` if there is none. The data directory must exist.

    Raises:
        StartupError: `keypair.json` cannot be read or written.
    """
    if (pair := find(settings)) is not None:
        return pair
    pair = new_keypair()
    write_keypair(settings.database.path / KEYPAIR_FILE, pair)
    return pair


def read_keypair(path: Path) -> KeyPair:
    """Read a key file: a JSON object with `private`, and perhaps `public`, which must then belong to it.

    Raises:
        StartupError: there is no such file, or it is no key file; the message names the file and holds no key.
    """
    try:
        document = json.loads(path.read_bytes())
        pair = KeyPair.from_private_key(document["private"])
    except OSError as error:
        what = f"cannot read the key file `{path}`: {error.strerror}"
        why = refusal(path) if isinstance(error, PermissionError) else None
        raise StartupError(what if why is None else f"{what}: {why}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        # `from None`: a parser's message may quote the file.
        raise StartupError(f"`{path}` is no key file: expected {_KEY_FILE}") from None
    if document.get("public", pair.public_key) != pair.public_key:
        raise StartupError(f"`{path}`: public does not belong to private, whose public key is {pair.public_key}")
    return pair


def write_keypair(path: Path, pair: KeyPair) -> None:
    """Write a new key file, mode 0600, durable when this returns; never over an existing one.

    Raises:
        StartupError: it exists, or cannot be written.
    """
    _write_new(path, json.dumps(keypair_document(pair), indent=4) + "\n")


def keypair_document(pair: KeyPair) -> Mapping[str, Any]:
    """Return the content of a key file."""
    return {"private": pair.private_key, "public": pair.public_key}


def make_chain_id(directory: Path) -> None:
    """Make the id of a new chain, unless the directory has one: `solo-` and 32 random hex digits.

    It has at most 50 characters and no dot, so that it can become a network's.

    Raises:
        StartupError: it cannot be written.
    """
    path = directory / CHAIN_ID_FILE
    if not path.exists():
        _write_new(path, f"{new_chain_id('solo')}\n")


def new_chain_id(kind: str) -> str:
    """Return an id that no other chain has; it begins with `kind`, of at most 17 letters."""
    return f"{kind}-{os.urandom(16).hex()}"


def put_chain_id(directory: Path, chain_id: str) -> None:
    """Make `chain_id` that of a directory without a ledger; of one that has a ledger it must be the id already.

    Raises:
        StartupError: it cannot be written.
    """
    path = directory / CHAIN_ID_FILE
    if path.exists():
        if read_chain_id(directory) == chain_id:
            return
        path.unlink()  # no event of it was ever written
    _write_new(path, f"{chain_id}\n")


def read_chain_id(directory: Path) -> str:
    """Return the id of the chain whose data lies in `directory`; it begins every event's id, so it is never remade.

    Raises:
        StartupError: the file that holds it is missing, cannot be read or holds something else.
    """
    path = directory / CHAIN_ID_FILE
    try:
        chain_id = path.read_text(encoding="ascii", errors="replace").removesuffix("\n")
    except OSError as error:
        raise StartupError(f"cannot read `{path}`: {error.strerror}; restore it from a backup") from error
    if _CHAIN_ID.fullmatch(chain_id) is None:
        raise StartupError(f"`{path}` holds no chain id: {chain_id[:60]!r}; restore it from a backup")
    return chain_id


def _write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet: whole, or after a crash not at all."""
    try:
        files.write(path, text.encode(), is_new=True)
    except FileExistsError as error:
        raise StartupError(
            f"cannot write `{path}`: {error.strerror}, and a key that is written over is lost; name another file, or "
            "move that one away"
        ) from error
    except OSError as error:
        raise StartupError(f"cannot write `{path}`: {error.strerror}") from error
