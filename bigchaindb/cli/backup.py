"""backup: copies the data of one moment while the node runs."""

import sys
from pathlib import Path

import click

from bigchaindb.backup import back_up
from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import put, put_json, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.cli.work import DAMAGED, Progress, ending_with_damage
from bigchaindb.store.directory import DataDirectory


@click.command(
    epilog="""\b
Examples:
  bigchaindb backup /backups/2018-02-14
  bigchaindb -c node.json backup --without-key --json backup

Exit code: 0 done, 1 failed, 3 the ledger is damaged. `bigchaindb restore` puts a backup back."""
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--without-key", is_flag=True, help="Leave out the node's key pair.")
@json_option
@pass_session
def backup(session: Session, directory: Path, *, without_key: bool, as_json: bool) -> None:
    """Copy the node's data into DIR.

    DIR and its parent folders are created. The node may run meanwhile. The backup holds the ledger, its events, the
    cursors of the plugins, and the node's key pair unless that is in the configuration file. The backup of a node of a
    network also holds the genesis and the blocks; it never holds the record of what the node's key has signed. It does
    not hold the configuration file. The backup is checked before the command ends.
    """
    database = session.load().settings.database
    progress = Progress("ledger.db", "pages").tell
    with ending_with_damage():
        done = back_up(DataDirectory(database.path), directory, with_key=not without_key, progress=progress)
    if done.damages:
        for damage in done.damages:
            say(damage)
        say(f"No backup was made: the ledger in {database.path} is damaged. Restore an older backup")
        sys.exit(DAMAGED)
    if as_json:
        about = {name: value for name, value in done._asdict().items() if name != "damages"}
        put_json({**about, "path": str(done.path.absolute())})
        return
    put(f"{done.path}: height {done.height}, position {done.position}, {done.size_bytes:,} bytes")
    put(
        "The backup holds the node's private key."
        if done.has_key
        else "The backup does not hold the node's private key."
    )
