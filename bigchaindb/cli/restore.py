"""restore: replaces the node's data by a backup, and keeps the old data."""

import sys
from pathlib import Path

import click

from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import put, put_json, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.cli.work import DAMAGED, Progress
from bigchaindb.restore import restore as put_back


@click.command(
    epilog="""\b
Examples:
  bigchaindb restore /backups/2018-02-14
  bigchaindb -c node.json restore --json backup

Exit code: 0 restored, 1 failed, 3 the backup is damaged.

\b
What to do afterwards: docs/how-to/back-up.md"""
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@json_option
@pass_session
def restore(session: Session, directory: Path, *, as_json: bool) -> None:
    """Replace the node's data by a backup that `bigchaindb backup` made.

    Stop the node first. The backup is copied and checked before anything changes. The old data are kept under a name
    that is printed. Afterwards the plugins wait for an order.
    """
    done = put_back(directory, session.load().settings, Progress("checked", "events").tell)
    for damage in done.damages:
        say(damage)
    if as_json:
        texts = {"path": str(done.path), "kept": None if done.kept is None else str(done.kept)}
        put_json({**done._asdict(), **texts, "notes": list(done.notes), "damages": list(done.damages)})
    elif not done.damages:
        put(f"{done.path}: chain {done.chain}, height {done.height}, position {done.position}")
        if done.kept is not None:
            put(f"The old data are kept as {done.kept}")
        for note in done.notes:
            put(note)
    if done.damages:
        say(f"{str(directory)!r} is damaged, so nothing was changed: restore an older backup")
        sys.exit(DAMAGED)
