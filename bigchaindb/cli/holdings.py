"""owners show, assets show: prints what a key holds, and who holds an asset."""

import click

from bigchaindb.cli.asking import node_at, node_option
from bigchaindb.cli.lazy import Group
from bigchaindb.cli.options import line_option
from bigchaindb.cli.output import put_answer
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.client import calls


@click.group(cls=Group)
def owners() -> None:
    """Show what public keys hold."""


@owners.command(
    name="show",
    epilog="""\b
Examples:
  bigchaindb owners show PUBLIC_KEY
  bigchaindb owners show "$(bigchaindb keys show alice.json)" --json | jq .balances""",
)
@click.argument("public_key", metavar="PUBLIC_KEY")
@node_option
@line_option
@pass_session
def show_owner(session: Session, public_key: str, node: str | None, *, as_json: bool) -> None:
    """Print what a key holds of each asset."""
    put_answer(node_at(session, node).ask(calls.owner(public_key)), on_one_line=as_json)


@click.group(cls=Group)
def assets() -> None:
    """Show assets and who holds them."""


@assets.command(
    name="show",
    epilog="""\b
Examples:
  bigchaindb assets show ID
  bigchaindb assets show ID --json | jq .holders""",
)
@click.argument("asset_id", metavar="ID")
@node_option
@line_option
@pass_session
def show_asset(session: Session, asset_id: str, node: str | None, *, as_json: bool) -> None:
    """Print an asset and who holds it."""
    put_answer(node_at(session, node).ask(calls.asset(asset_id)), on_one_line=as_json)
