"""backup: a copy of the node's data, of one moment, without stopping it."""

import time
from pathlib import Path
from typing import Final

import click

from bigchaindb.cli.session import Session, pass_session, put, put_json, say

SAY_EVERY_S: Final = 2.0
"""Time between two lines about a copy that takes long."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb backup /backups/2018-02-14
  bigchaindb -c node.json backup --without-key --json backup

To restore one, copy it to where database.path was: docs/how-to/back-up.md."""
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--without-key", is_flag=True, help="Leave the node's key pair out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@pass_session
def backup(session: Session, directory: Path, *, without_key: bool, as_json: bool) -> None:
    """Copy the node's data into DIR, which is made, with the folders above it.

    The node may run: it goes on meanwhile. The copy holds the ledger, its events, how far the plugins got, and the
    node's key pair where that is not in the configuration file. Of a node of a network it holds the genesis and the
    blocks, and never what its key has signed last. The configuration file is not part of it.
    """
    from bigchaindb.backup import back_up
    from bigchaindb.store.directory import DataDirectory

    database = session.load().settings.database
    done = back_up(DataDirectory(database.path), directory, with_key=not without_key, progress=_Progress().tell)
    if as_json:
        put_json({**done._asdict(), "path": str(done.path.absolute())})
        return
    put(f"{done.path}: height {done.height}, position {done.position}, {done.size_bytes:,} bytes")
    put("It holds the node's private key." if done.has_key else "It does not hold the node's private key.")


class _Progress:
    def __init__(self) -> None:
        self._said_s = time.monotonic()

    def tell(self, copied: int, total: int) -> None:
        if (now_s := time.monotonic()) - self._said_s >= SAY_EVERY_S:
            self._said_s = now_s
            say(f"ledger.db: {copied:,} of {total:,} pages")
