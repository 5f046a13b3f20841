"""health: prints whether a node is healthy, for people and for what watches over nodes."""

from typing import Any, Final

import click

from bigchaindb.cli.asking import node_at, node_option
from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.output import printable, put, put_json
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.client import calls
from bigchaindb.errors import RequestFailed

UNHEALTHY: Final = 3
BEHIND: Final = 4


@click.command(
    epilog="""\b
Examples:
  bigchaindb health
  bigchaindb health --node https://ledger.example.com
  bigchaindb health --json | jq .reason

Exit code: 0 the node is healthy; 1 it does not answer; 3 its disk, its data or its network keep it from deciding;
4 it is behind its network."""
)
@node_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
@click.pass_context
def health(context: click.Context, session: Session, /, *, node: str | None, as_json: bool) -> None:
    """Print whether a node is healthy, and why not.

    Plugins and subscriptions that need a person are listed; the node itself is as healthy as before. Without --node
    the node's own user needs no access key.
    """
    found = None if node else _over_the_socket(session)
    found = node_at(session, node).ask(calls.health()) if found is None else found
    kind, reason, notes = found.get("kind"), found.get("reason"), found.get("notes", [])
    if as_json:
        put_json(found)
    else:
        put("healthy" if kind is None else printable(f"unhealthy ({kind}): {reason}"))
        for note in notes:
            put(printable(f"note: {note}"))
    context.exit(0 if kind is None else BEHIND if kind == "behind" else UNHEALTHY)


def _over_the_socket(session: Session) -> dict[str, Any] | None:
    """Return what the running node of the configuration answers its own user; None: nobody may ask, or none runs."""
    try:
        return ControlClient.of(session.load_silently().settings).health()
    except RequestFailed as error:
        if isinstance(error.__cause__, PermissionError):
            return None
        raise
