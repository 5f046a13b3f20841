"""owners show, assets show: prints what a key holds, and who holds an asset."""

import json
from collections.abc import Mapping
from typing import Any

import click

from bigchaindb.cli.asking import node_at, node_option
from bigchaindb.cli.output import put, put_json
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.client import calls

_line_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on one line.")


@click.group()
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
@_line_option
@pass_session
def show_owner(session: Session, public_key: str, node: str | None, *, as_json: bool) -> None:
    """Print what a key holds of each asset."""
    _put(node_at(session, node).ask(calls.owner(public_key)), as_json=as_json)


@click.group()
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
@_line_option
@pass_session
def show_asset(session: Session, asset_id: str, node: str | None, *, as_json: bool) -> None:
    """Print an asset and who holds it."""
    _put(node_at(session, node).ask(calls.asset(asset_id)), as_json=as_json)


def _put(answer: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        put(json.dumps(answer, separators=(",", ":"), sort_keys=True, ensure_ascii=False))
    else:
        put_json(answer)
