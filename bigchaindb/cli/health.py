"""health: prints whether a node is healthy, for people and for what watches over nodes."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from bigchaindb.cli.asking import node_at, node_option
from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.output import printable, put, put_json
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.client import Client, calls
from bigchaindb.errors import RequestFailed
from bigchaindb.serving.processes import lock_owner
from bigchaindb.store.directory import DataDirectory, require_folder

UNHEALTHY: Final = 3
BEHIND: Final = 4
CHAIN_CHARACTERS_MAX: Final = 50


@click.command(
    epilog="""\b
Examples:
  bigchaindb health
  bigchaindb health --node https://ledger.example.com
  bigchaindb health --json | jq .reason

Exit code: 0 the node is healthy; 1 it does not answer, or another one does; 3 its disk, its data or its network keep it
from deciding; 4 it is behind its network."""
)
@node_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
@click.pass_context
def health(context: click.Context, session: Session, /, *, node: str | None, as_json: bool) -> None:
    """Print whether a node is healthy, and why not.

    Plugins and subscriptions that need a person are listed; the node itself is as healthy as before. Without --node
    the node's own user needs no access key, and another node at the same address is no answer.
    """
    found = None if node else _over_the_socket(session)
    found = _over_http(session, node) if found is None else found
    context.exit(put_health(found, as_json=as_json))


def put_health(found: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what a node answered about its health; return the exit code."""
    kind, reason, notes = found.get("kind"), found.get("reason"), found.get("notes", [])
    if as_json:
        put_json(found)
    else:
        put("healthy" if kind is None else printable(f"unhealthy ({kind}): {reason}"))
        for note in notes:
            put(printable(f"note: {note}"))
    return 0 if kind is None else BEHIND if kind == "behind" else UNHEALTHY


def _over_the_socket(session: Session) -> dict[str, Any] | None:
    """Return what the running node of the configuration answers its own user; None: nobody may ask, or none runs."""
    settings = session.load_silently().settings
    require_folder(settings.database.path)
    try:
        return ControlClient.of(settings).health()
    except RequestFailed as error:
        if isinstance(error.__cause__, PermissionError):
            return None
        raise


def _over_http(session: Session, node: str | None) -> dict[str, Any]:
    asked = node_at(session, node)
    try:
        found = asked.ask(calls.health())
    except RequestFailed as error:
        if not node and error.status is not None:  # somebody answered
            _require_own(session, asked)
        raise
    if not node:
        _require_own(session, asked)
    return found


def _require_own(session: Session, asked: Client) -> None:
    """Require that the node which answered at the configuration's address may be the configuration's own.

    Where the configuration has no ledger, or one that this user may not read, the node may run elsewhere.

    Raises:
        RequestFailed: the ledger is here, and no node has it open.
    """
    path = session.load_silently().settings.database.path
    if not _has_ledger(path) or lock_owner(DataDirectory(path).lock) is not None:
        return
    chain = ""
    with suppress(RequestFailed):  # it may want an access key
        chain = f", of the chain {printable(str(asked.ask(calls.network()).get('chain_id'))[:CHAIN_CHARACTERS_MAX])},"
    raise RequestFailed(
        f"the node of `{path}` does not run; another node{chain} answers at {asked.url}, which is this node's "
        "address (server.bind): set another server.bind and start this node, or pass --node for the health of that one"
    )


def _has_ledger(path: Path) -> bool:
    try:
        return DataDirectory(path).has_ledger
    except OSError:
        return False
