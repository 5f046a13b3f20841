"""backup: a copy of the node's data, of one moment, without stopping it."""

import sys
from pathlib import Path

import click

from bigchaindb.cli.session import Session, pass_session, put, put_json, say
from bigchaindb.cli.work import DAMAGED, Progress, ending_with_damage


@click.command(
    epilog="""\b
Examples:
  bigchaindb backup /backups/2018-02-14
  bigchaindb -c node.json backup --without-key --json backup

Exit code: 0 done, 1 not done and why is said, 3 the ledger is damaged. `bigchaindb restore` puts one back."""
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--without-key", is_flag=True, help="Leave the node's key pair out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@pass_session
def backup(session: Session, directory: Path, *, without_key: bool, as_json: bool) -> None:
    """Copy the node's data into DIR, which is made, with the folders above it.

    The node may run: it goes on meanwhile. The copy holds the ledger, its events, how far the plugins got, and the
    node's key pair where that is not in the configuration file. Of a node of a network it holds the genesis and the
    blocks, and never what its key has signed last. The configuration file is not part of it. The copy is checked.
    """
    from bigchaindb.backup import back_up
    from bigchaindb.store.directory import DataDirectory

    database = session.load().settings.database
    progress = Progress("ledger.db", "pages").tell
    with ending_with_damage():
        done = back_up(DataDirectory(database.path), directory, with_key=not without_key, progress=progress)
    if done.damages:
        for damage in done.damages:
            say(damage)
        say(f"The ledger in {database.path} is damaged, so there is no backup: restore an older one")
        sys.exit(DAMAGED)
    if as_json:
        about = {name: value for name, value in done._asdict().items() if name != "damages"}
        put_json({**about, "path": str(done.path.absolute())})
        return
    put(f"{done.path}: height {done.height}, position {done.position}, {done.size_bytes:,} bytes")
    put("It holds the node's private key." if done.has_key else "It does not hold the node's private key.")
