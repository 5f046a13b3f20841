"""init, start, drop: make, serve and delete the node's data.

Source: docs/reference/contract/configuration-and-cli.md, section 4.
"""

import faulthandler
import logging
import os
import shlex
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from bigchaindb import __version__, log
from bigchaindb.access.exposure import open_door
from bigchaindb.belonging import has_remains, require
from bigchaindb.cli.lanes import mask_of
from bigchaindb.cli.output import ask, say
from bigchaindb.cli.session import Session, named, pass_session
from bigchaindb.config import KeyPairSettings, Settings
from bigchaindb.config.load import Loaded, exposed_key
from bigchaindb.config.old import old_backend
from bigchaindb.distribution import two_distributions
from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.files import Layout, is_network
from bigchaindb.errors import ConfigurationError, StartupError, StoreError
from bigchaindb.eventlog.orders import is_damage
from bigchaindb.files import remove, sync
from bigchaindb.identity import CHAIN_ID_FILE, KEYPAIR_FILE, find, find_or_make, make_chain_id, read_chain_id
from bigchaindb.key_files import new_keypair
from bigchaindb.log_lines import JSON, JsonFormatter
from bigchaindb.masking import secrets_in
from bigchaindb.owners import user
from bigchaindb.standard_error import STANDARD_ERROR, fill_standard_streams
from bigchaindb.stop_order import StopOrder
from bigchaindb.store.access import complaints
from bigchaindb.store.directory import DataDirectory, DirectoryLock, prepare
from bigchaindb.store.node_db import NodeDb
from bigchaindb.store.own import Outbox
from bigchaindb.store.store import Store

BANNER: Final = """
Initialization complete. BigchainDB is ready and waiting.
Streaming valid transactions on: {websocket}/api/v1/streams/valid_transactions
Listening to client connections on: {bind}
"""
NEXT_STEPS: Final = """In another terminal:
  {command} page
  bigchaindb keys new --output alice.json
  {command} transactions create --key-file alice.json --asset '{{"bicycle": 1}}'
Ctrl-C stops the node.
"""
UNDECIDED: Final = "undecided.jsonl"
"""File that `drop` leaves: accepted transactions that may be in no block, one a line."""

_log: Final = logging.getLogger(__name__)


@click.command(
    epilog="""\b
Examples:
  bigchaindb init
  bigchaindb -c node.json init"""
)
@pass_session
def init(session: Session) -> None:
    """Make an empty ledger.

    The command makes the data directory, the node's key pair unless the configuration has one, and the ledger's files.
    `start` does the same. An existing ledger is not changed.
    """
    settings = session.load().settings
    require(settings)
    if not _initialize(settings):
        say("The database already exists.")
        say("If you wish to re-initialize it, first drop it.")


@click.command(
    epilog="""\b
Examples:
  bigchaindb drop
  bigchaindb -y drop                            do not ask"""
)
@pass_session
def drop(session: Session) -> None:
    """Delete the ledger. This cannot be undone.

    Stop the node first. The events and the cursors of the plugins are deleted, too. The configuration and the node's
    key pair are kept. A node of a network stays part of it, and takes the blocks from the others again; transactions
    that it accepted and that are in no block are written to `undecided.jsonl` first.
    """
    database = session.load().settings.database
    directory = DataDirectory(database.path)
    is_lost = has_remains(directory)
    if not directory.ledger.exists() and not is_lost:
        say(f"Cannot drop '{database.name}'. The database does not exist.")
        return
    lock = DirectoryLock(directory)
    try:
        say(f"The ledger is in {database.path}.")
        if is_lost:
            say(f"Its {directory.ledger.name} is missing; the rest of it is deleted.")
        if _has_blocks(directory):
            say("CometBFT's blocks are deleted, too; the node takes all blocks from the other nodes again.")
        answer = "y" if session.assume_yes else ask(f"Do you want to drop `{database.name}` database? [y/n]: ")
        if answer is None:
            raise StartupError(
                "drop: standard input ended before an answer, so nothing was deleted; `bigchaindb -y drop` does not ask"
            )
        if answer == "y":
            _keep_undecided(directory)
            _delete(directory)
            say(f"Dropped '{database.name}'.")
    finally:
        lock.close()


@click.command(
    epilog="""\b
Examples:
  bigchaindb start
  bigchaindb -c node.json start
  bigchaindb -l debug start
  BIGCHAINDB_SERVER_BIND=0.0.0.0:9984 bigchaindb start

Ctrl-C or SIGTERM stops the node. Accepted transactions are committed first. Exit code: 0 it was stopped, 1 it could
not start or had to end: the message names the reason."""
)
@click.option("--no-init", is_flag=True, help="Fail if there is no ledger, instead of making one.")
@click.option("--strict", is_flag=True, help="Refuse what start otherwise only warns of.")
@click.option("--replay", is_flag=True, help="Rebuild a lost ledger from CometBFT's blocks, on a network.")
@click.option("--dev-allow-temp-keypair", is_flag=True, help="Use a random key pair for this run if there is none.")
@click.option("--dev-start-rethinkdb", is_flag=True, hidden=True)
@click.option("--experimental-parallel-validation", is_flag=True, hidden=True)
@pass_session
def start(
    session: Session,
    *,
    no_init: bool,
    strict: bool,
    replay: bool,
    dev_allow_temp_keypair: bool,
    dev_start_rethinkdb: bool,
    experimental_parallel_validation: bool,
) -> None:
    """Run the node until it is stopped."""
    fill_standard_streams()
    faulthandler.enable(STANDARD_ERROR)  # a crash of native code prints the stack of each thread
    stop = StopOrder()
    if dev_start_rethinkdb:
        raise ConfigurationError(old_backend("--dev-start-rethinkdb asks for a RethinkDB server"))
    _say_what_starts(session.load_silently())
    loaded = session.load(log_files=True, names_file=True)
    settings = loaded.settings
    _warn_of_exposed_key(loaded, strict=strict)
    _warn_of_two_distributions(strict=strict)
    _warn_of_open_door(settings)
    if experimental_parallel_validation:
        say("--experimental-parallel-validation: ignored, as signatures are always checked in processes of their own")
    if dev_allow_temp_keypair:
        settings = _with_temporary_keypair(settings)
    _refuse_alone(settings)
    _refuse_files_of_others(settings)
    # The node's modules take so long that an order to stop may come meanwhile: `stop` is there before them.
    from bigchaindb import node, replaying

    if replay:
        replaying.begin(settings)
    require(settings)
    if not no_init:
        _initialize(settings)
    elif not DataDirectory(settings.database.path).has_ledger:
        raise StartupError(
            f"there is no ledger in `{settings.database.path}`: run `bigchaindb init`, or start without --no-init"
        )
    _keep_secret(loaded)

    def ready(left_out: Mapping[str, str]) -> None:
        say(_banner(settings))
        if os.isatty(STANDARD_ERROR):
            say(_next_steps(session.config))
        if left_out:
            say(_without(loaded, left_out), logging.WARNING)

    node.run(settings, stop, ready=ready, reload=session.load_silently, strict=strict)


def _say_what_starts(loaded: Loaded) -> None:
    """Name the configuration and the ledger before any line of the log: a wrong one is the commonest mistake."""
    ledger = loaded.settings.database.path
    text = f"BigchainDB {__version__} starts: configuration {named(loaded).rstrip(',')}; ledger in `{ledger}`"
    is_json = loaded.settings.log.format == JSON
    say(JsonFormatter().said(text, logging.INFO) if is_json else text)


def _without(loaded: Loaded, left_out: Mapping[str, str]) -> str:
    """Return the line that names the plugins that do not run; their errors may hold secrets."""
    mask = mask_of(loaded)
    mend = " and ".join(f"`bigchaindb plugins restart {name}`" for name, why in left_out.items() if not is_damage(why))
    ending = f" Mend that, then run {mend}." if mend else ""
    return f"Without plugins that ran before: {'; '.join(map(mask, left_out.values()))}.{ending}"


def _warn_of_exposed_key(loaded: Loaded, *, strict: bool) -> None:
    """Warn of a file that others may read; old releases wrote such files, and their nodes must start.

    Raises:
        StartupError: `strict` refuses it.
    """
    if (exposed := exposed_key(loaded)) is None:
        return
    if strict:
        raise StartupError(f"{exposed} (start --strict)")
    _log.warning("%s", exposed)


def _warn_of_two_distributions(*, strict: bool) -> None:
    """Warn of files of other software among the node's own; a node that an installer broke so far still starts.

    Raises:
        StartupError: `strict` refuses it.
    """
    if (found := two_distributions()) is None:
        return
    if strict:
        raise StartupError(f"{found} (start --strict)")
    _log.warning("%s", found)


def _warn_of_open_door(settings: Settings) -> None:
    """Warn where other machines may write and nobody decided that they may; the node starts in every case."""
    if settings.access.anonymous is None and (sentence := open_door(settings)) is not None:
        _log.warning("%s", sentence)


def _refuse_alone(settings: Settings) -> None:
    """Refuse to run a node alone that is meant for a network: no other node would have its decisions."""
    if settings.network.peers and not files.is_network(settings.database.path):
        raise StartupError(
            f"network.peers names other nodes, but the node of `{settings.database.path}` is part of no network: "
            "`bigchaindb network init` or `join` makes it part of one; for a ledger of its own remove network.peers"
        )


def _refuse_files_of_others(settings: Settings) -> None:
    """Refuse a data directory with files that this process may not use."""
    path = settings.database.path
    if (found := next(complaints(DataDirectory(path)), None)) is not None:
        raise StartupError(f"database.path: the node cannot use all of `{path}`: {found}")
    if path.exists() and (owner := path.stat().st_uid) != (me := os.geteuid()):
        _log.warning(
            "`%s` belongs to %s, and files that this process makes in it will belong to %s, so the node cannot start "
            "as the former again; run it as that user",
            path,
            user(owner),
            user(me),
        )


def _keep_secret(loaded: Loaded) -> None:
    """Mask the private key that `init` made in the log as well."""
    if (pair := find(loaded.settings)) is not None:
        log.set_up(loaded.settings, secrets=[*secrets_in(loaded.document), pair.private_key], in_background=True)


def _initialize(settings: Settings) -> bool:
    """Make the data directory, the identity and the ledger where missing; return whether the ledger was.

    Raises:
        StartupError: it cannot be made, or another process owns the directory.
    """
    if DataDirectory(settings.database.path).has_ledger:
        return False
    directory = prepare(settings.database.path)
    # The ledger comes last: a directory that has one has the rest as well.
    find_or_make(settings)
    make_chain_id(directory.path)
    with closing(Store(directory.path)) as store:
        store.adopt_chain(read_chain_id(directory.path))
    return True


def _with_temporary_keypair(settings: Settings) -> Settings:
    if find(settings) is not None:
        say("--dev-allow-temp-keypair: ignored, as this node has a key pair")
        return settings
    pair = new_keypair()
    say(f"this run signs with a temporary key pair, {pair.public_key}, which is stored nowhere")
    return replace(settings, keypair=KeyPairSettings(public=pair.public_key, private=pair.private_key))


def _has_blocks(directory: DataDirectory) -> bool:
    return is_network(directory.path) and (Layout(directory.path).blocks / "blockstore.db").exists()


def _keep_undecided(directory: DataDirectory) -> None:
    """Write accepted transactions that no block shows to a file: no other copy may exist.

    The next start does not read it: by then the node may be part of another network.
    """
    if not directory.node.exists():
        return
    try:
        with closing(NodeDb(directory.node)) as node:
            bodies = [body for _, body in Outbox(node).all()]
    except StoreError as error:
        say(f"Accepted transactions that are undecided cannot be read: {error}")
        return
    if bodies:
        path = directory.path / UNDECIDED
        with path.open("ab") as file:
            file.writelines(body + b"\n" for body in bodies)
        sync(path)  # before anything is deleted
        sync(directory.path)
        say(f"Accepted transactions that may be in no block were written to {path}: {len(bodies)}.")
        say("Post each line again once the node follows its network; it refuses those that it has.")


def _delete(directory: DataDirectory) -> None:
    """Delete the data; lock, key pair and the file of `_keep_undecided` stay.

    The ledger's file is the last: after a crash the rest can be dropped again, and no write-ahead log is left behind.
    """
    kept = {directory.lock.name, KEYPAIR_FILE, UNDECIDED}
    if files.is_network(directory.path):
        kept |= {CHAIN_ID_FILE, files.FOLDER}
        files.delete_blocks(files.Layout(directory.path))
    for entry in sorted(directory.path.iterdir(), key=lambda entry: entry == directory.ledger):
        if entry.name not in kept:
            remove(entry)


def _next_steps(configuration: str | None) -> str:
    """Return what a person at a terminal does next: the page, a first transaction, the stop."""
    named_by = "" if configuration is None else f" -c {shlex.quote(str(Path(configuration).absolute()))}"
    return NEXT_STEPS.format(command=f"bigchaindb{named_by}")


def _banner(settings: Settings) -> str:
    websocket = settings.wsserver
    host = f"[{websocket.host}]" if ":" in websocket.host else websocket.host
    scheme = websocket.scheme if settings.tls.files is None else "wss"
    return BANNER.format(websocket=f"{scheme}://{host}:{websocket.port}", bind=settings.server.bind)
