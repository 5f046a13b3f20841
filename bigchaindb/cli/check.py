"""check: compares everything that is stored with its checksums."""

import os
from pathlib import Path
from typing import Final

import click

from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import put, put_json
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.cli.work import DAMAGED, Progress
from bigchaindb.errors import StoreError
from bigchaindb.store.checking import check_directory
from bigchaindb.store.checking_file import check_header, check_log
from bigchaindb.store.directory import DataDirectory

NICENESS: Final = 10
"""Added to the niceness of this process, so that a running node comes first."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb check
  bigchaindb check /backups/2018-02-14
  bigchaindb -c node.json check --json

Exit code: 0 the ledger is whole, 1 it cannot be read, 3 it is damaged: up to 1,000 damaged rows are listed."""
)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@json_option
@pass_session
@click.pass_context
def check(context: click.Context, session: Session, directory: Path | None, *, as_json: bool) -> None:
    """Read the whole ledger and compare it with its checksums.

    Each transaction must hash to its id, and each block and event must continue the one before it. Columns, indexes
    and search rows are compared with the bodies. The node may run meanwhile. With DIR, a backup is checked instead.
    """
    os.nice(NICENESS)
    checked_path = directory or session.load().settings.database.path
    found = DataDirectory(checked_path)
    if not found.ledger.exists():
        raise StoreError(
            f"there is no ledger in {str(checked_path)!r}: name a backup, or a node's configuration with -c"
        )
    headers = []
    if directory is None:  # of a copy it is part of the check
        paths = [path for path in (found.ledger, found.node) if path.exists()]
        headers = [one for path in paths for look in (check_header, check_log) for one in look(path)]
    done = check_directory(found, Progress("ledger.db", "events").tell, is_copy=directory is not None)
    done = done._replace(damages=(*headers, *done.damages))
    if as_json:
        put_json({**done._asdict(), "damages": [one._asdict() for one in done.damages], "path": str(checked_path)})
    else:
        for damage in done.damages:
            put(str(damage))
        if done.is_cut:
            put("There may be more damaged rows: the list ends here.")
        if done.unchecked_count:
            put(f"{done.unchecked_count:,} events have no checksum yet; the running node adds them.")
        verdict = f"DAMAGED: {len(done.damages):,} rows; restore a backup" if done.damages else "whole"
        put(f"{checked_path}: height {done.height}, position {done.position}: {verdict}")
    context.exit(DAMAGED if done.damages else 0)
