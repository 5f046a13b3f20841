"""Whether the parts of a data directory belong together: ledger, chain id, key pair, and CometBFT's blocks.

A node that started with some of them would begin another history under ids that consumers have seen, or sign as
somebody else. Nothing here changes a file; `start` refuses by it and `doctor` prints it.

Source: docs/decisions/0042.
"""

from bigchaindb.config import Settings
from bigchaindb.engine.cometbft.files import Layout, is_network, read_genesis
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.errors import StartupError, StoreError
from bigchaindb.identity import CHAIN_ID_FILE, KEYPAIR_FILE, find, read_chain_id
from bigchaindb.store.beside import is_blank, known_chain
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.reserve import is_full
from bigchaindb.store.store import other_chain


def require(settings: Settings) -> None:
    """Require that a node may start with the data of this directory.

    Raises:
        StartupError: see `complaint`.
        StoreError: the ledger cannot be read.
    """
    if (text := complaint(settings)) is not None:
        raise StartupError(text)


def complaint(settings: Settings) -> str | None:
    """Return why a node must not start with these data, and what to do; None: it may.

    Raises:
        StartupError: a file cannot be read, or holds something else.
        StoreError: the ledger cannot be read.
    """
    directory = DataDirectory(settings.database.path)
    return lost_ledger(directory) or foreign_ledger(directory) or _lost_key(settings, directory)


def has_remains(directory: DataDirectory) -> bool:
    """Whether a ledger is missing that was there."""
    return _proof(directory) is not None


def lost_ledger(directory: DataDirectory) -> str | None:
    """Return the sentence about a ledger that is missing although there was one. A key or a chain id proves none."""
    if (proof := _proof(directory)) is None:
        return None
    ways = ["`bigchaindb restore DIR` puts a backup back"]
    if has_all_blocks(directory):
        ways.append(
            "`bigchaindb start --replay` makes it again from CometBFT's blocks, the same events at the same positions"
        )
    dropped = "what is left"
    if is_network(directory.path):
        dropped = "what is left, CometBFT's blocks too, and the node takes all blocks from the others again"
    ways.append(f"`bigchaindb drop` deletes {dropped}")
    return (
        f"`{directory.ledger}` is missing, and {proof} shows that there was a ledger; a start would begin an empty "
        f"history whose events have ids that consumers have seen. {'; '.join(ways)}; or set database.path to another "
        "folder"
    )


def foreign_ledger(directory: DataDirectory) -> str | None:
    """Return the sentence about a ledger that is blank, or whose chain id is missing or another one.

    Raises:
        StartupError, StoreError: as `complaint`.
    """
    try:
        if (made := directory.made_later()) and is_blank(directory):
            return (
                f"`{directory.ledger}` holds no ledger, and `{made[0].relative_to(directory.path)}` shows that there "
                "was one; a start would begin an empty history whose events have ids that consumers have seen. "
                "`bigchaindb restore DIR` puts a backup back; `bigchaindb drop` deletes what is left; or set "
                "database.path to another folder"
            )
        known = known_chain(directory)
    except StoreError:
        if not is_full(directory):  # a full disk keeps SQLite from reading; the store checks again once it is open
            raise
        return None
    if known is None:
        return None
    path = directory.path / CHAIN_ID_FILE
    if not path.exists():
        return (
            f"`{path}` is missing, which begins the id of every event, and `{directory.ledger.name}` is of chain "
            f"{known}: write {known} into that file, or restore a whole backup: `bigchaindb restore DIR`"
        )
    chain_id = read_chain_id(directory.path)
    return None if chain_id == known else other_chain(directory, known, chain_id)


def has_all_blocks(directory: DataDirectory) -> bool:
    """Whether CometBFT has every block of the ledger: none is ever pruned, but a network may go on with a ledger."""
    layout = Layout(directory.path)
    if not is_network(directory.path) or not (layout.blocks / "blockstore.db").exists():
        return False
    try:
        return read_genesis(layout, rules_version=RULES_VERSION).initial_height == 1
    except StartupError:
        return False


def _proof(directory: DataDirectory) -> str | None:
    """Return which file proves that there was a ledger, where there is none."""
    if directory.has_ledger:
        return None
    blocks = Layout(directory.path).blocks / "blockstore.db"
    found = [*directory.remains(), *([blocks] if blocks.exists() else [])]
    return f"`{found[0].relative_to(directory.path)}`" if found else None


def _lost_key(settings: Settings, directory: DataDirectory) -> str | None:
    if find(settings) is not None or not directory.has_ledger:
        return None
    path = directory.path / KEYPAIR_FILE
    return (
        f"`{path}` is missing, and the configuration has no keypair, but there is a ledger that this node's key has "
        "signed: with another key it would be another node. Name the configuration that holds the key with -c, "
        f"or put the key pair back, from a backup or into keypair.private; where it is lost, "
        f"`bigchaindb keys new --output {path}` makes another, and the ledger goes on under that one"
    )
