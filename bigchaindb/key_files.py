"""Key pairs of users and nodes: made, and kept in files that only their owner may read.

Source: docs/reference/contract/configuration-and-cli.md, section 4.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bigchaindb import files
from bigchaindb.errors import StartupError
from bigchaindb.owners import refusal
from bigchaindb.transaction.keys import KEY_BYTES, KeyPair

_KEY_CHARACTERS_MIN: Final = 43
_KEY_FILE: Final = '{"private": "…", "public": "…"}, both base58 of 32 bytes'


def new_keypair() -> KeyPair:
    """Make a pair from the operating system's randomness."""
    while True:
        pair = KeyPair.from_seed(os.urandom(KEY_BYTES))
        # One key in 20,000 starts with zeros and is too short as text for the rule of transactions.md, section 1.
        if len(pair.public_key) >= _KEY_CHARACTERS_MIN:
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
    write_new(path, json.dumps(keypair_document(pair), indent=4) + "\n")


def keypair_document(pair: KeyPair) -> Mapping[str, Any]:
    """Return the content of a key file."""
    return {"private": pair.private_key, "public": pair.public_key}


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet: whole, or after a crash not at all."""
    try:
        files.write(path, text.encode(), is_new=True)
    except FileExistsError as error:
        raise StartupError(
            f"cannot write `{path}`: {error.strerror}, and a key that is written over is lost; name another file, or "
            "move that one away"
        ) from error
    except OSError as error:
        cure = "; name a file in a folder that this user may write" if isinstance(error, PermissionError) else ""
        raise StartupError(f"cannot write `{path}`: {error.strerror}{cure}") from error
