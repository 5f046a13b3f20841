"""Who this node is: its key pair and the id of its chain, each made once.

The pair is `keypair` of the configuration, else `keypair.json` in the data directory.

Source: docs/reference/contract/configuration-and-cli.md, sections 2 and 4.
"""

import os
import re
import shlex
from pathlib import Path
from typing import Final

from bigchaindb.config import Settings
from bigchaindb.config.load import exposed_mode
from bigchaindb.errors import StartupError
from bigchaindb.key_files import new_keypair, read_keypair, write_keypair, write_new
from bigchaindb.transaction.keys import KeyPair

KEYPAIR_FILE: Final = "keypair.json"
CHAIN_ID_FILE: Final = "chain_id"

_CHAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,50}")


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


def make_chain_id(directory: Path) -> None:
    """Make the id of a new chain, unless the directory has one: `solo-` and 32 random hex digits.

    It has at most 50 characters and no dot, so that it can become a network's.

    Raises:
        StartupError: it cannot be written.
    """
    path = directory / CHAIN_ID_FILE
    if not path.exists():
        write_new(path, f"{new_chain_id('solo')}\n")


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
    write_new(path, f"{chain_id}\n")


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
