"""subscriptions new, list, delete. Orders to a subscription are those of `plugins`, by its name."""

import json
from contextlib import closing
from typing import Any, Final

import click

from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.lanes import as_document, desk, mask_of, read_lanes
from bigchaindb.cli.lazy import Group
from bigchaindb.cli.on_plugin import on_plugin
from bigchaindb.cli.options import json_option, read_object
from bigchaindb.cli.output import put, put_json, put_table
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.eventlog.subscription import BLOCK, EVENTS, REJECTED, TRANSACTION, Subscription
from bigchaindb.store import NodeDb
from bigchaindb.store.directory import DataDirectory
from bigchaindb.subscribers.lane_status import SUBSCRIPTION

_DELIVERS: Final = {
    (EVENTS, BLOCK): "blocks",
    (EVENTS, TRANSACTION): "transactions",
    (REJECTED, TRANSACTION): "rejected transactions",
}


@click.group(cls=Group)
def subscriptions() -> None:
    """Create, list and delete subscriptions, by which applications follow the ledger over the network.

    A subscription is a lane: `bigchaindb plugins status`, `parked`, `pause`, `resume`, `restart`, `seek`, `retry` and
    `discard` take its name. All commands work whether the node runs or not.
    """


@on_plugin("""\b
Examples:
  bigchaindb subscriptions new billing --granularity transaction
  bigchaindb subscriptions new billing --start genesis --select '{"operation": "TRANSFER"}'
  bigchaindb subscriptions new billing --definition @billing.json --change

The members of a definition are explained in docs/reference/subscriptions.md. An application may do the same:
PUT /api/v1/subscriptions/NAME.""")
@click.option("--definition", metavar="JSON", help="The whole definition; @FILE reads a file.")
@click.option("--granularity", metavar="WHAT", help="What an event is: block (the default) or transaction.")
@click.option("--select", metavar="JSON", help='Which events, such as \'{"operation": "TRANSFER"}\'; all by default.')
@click.option(
    "--start", metavar="WHERE", help="Where it begins: now (the default), genesis, height:N, time:T or a token."
)
@click.option(
    "--change", "is_change", is_flag=True, help="Replace the definition of one that exists; it goes on where it is."
)
def new(
    session: Session,
    name: str,
    *,
    definition: str | None,
    select: str | None,
    is_change: bool,
    as_json: bool,
    **members: str | None,
) -> None:
    """Create the subscription NAME. If it exists with the same definition, nothing changes."""
    loaded = session.load()
    given = read_object(definition, "--definition") or {}
    given |= {member: value for member, value in members.items() if value is not None}
    if (selected := read_object(select, "--select")) is not None:
        given["select"] = selected
    limits = loaded.settings.limits
    wanted = Subscription.read(name, given, limits.subscription_window_count_max)
    is_new = ControlClient.of(loaded.settings).put_subscription(name, given, is_change=is_change)
    if is_new is None:
        with desk(loaded) as opened:
            is_new = opened.create(wanted, is_change=is_change)
    if as_json:
        put_json({"name": name, "is_new": is_new})
    else:
        there = "has this definition now" if is_change else "is there already, with this definition"
        put(f"{name} is created" if is_new else f"{name} {there}")


@subscriptions.command(
    "list",
    epilog="""\b
Examples:
  bigchaindb subscriptions list
  bigchaindb subscriptions list --json | jq '.[].definition'""",
)
@json_option
@pass_session
def list_subscriptions(session: Session, *, as_json: bool) -> None:
    """List the subscriptions: what they deliver, and how far they are."""
    loaded = session.load()
    mask = mask_of(loaded)
    lanes = [lane for lane in read_lanes(loaded.settings)[1] if lane.kind == SUBSCRIPTION]
    definitions = _definitions(DataDirectory(loaded.settings.database.path))
    rows = [as_document(lane, mask) | {"definition": definitions.get(lane.name)} for lane in lanes]
    if as_json:
        put_json(rows)
    elif rows:
        put_table("NAME  DELIVERS  STATE  LAG  CONSUMERS  IN HAND  PARKED  ERROR", map(_cells, rows))
    else:
        put("there is no subscription; `bigchaindb subscriptions new NAME` creates one")


@on_plugin("""\b
Example:
  bigchaindb subscriptions delete billing

Its place and its parked events are gone with it; the events stay in the log.""")
def delete(session: Session, name: str, *, as_json: bool) -> None:
    """Delete the subscription NAME; its consumers are sent away. If there is none, nothing changes."""
    loaded = session.load()
    is_known = name in _definitions(DataDirectory(loaded.settings.database.path))
    if not ControlClient.of(loaded.settings).delete_subscription(name):
        with desk(loaded) as opened:
            opened.delete(name)
    if as_json:
        put_json({"deleted": name})
    elif is_known:
        put(f"{name} is deleted")
    else:
        put(f"there is no subscription {name!r}; `bigchaindb subscriptions list` lists those that exist")


subscriptions.add_command(new)
subscriptions.add_command(delete)


def _definitions(directory: DataDirectory) -> dict[str, Any]:
    if not directory.node.exists():
        return {}
    with closing(NodeDb(directory.node, read_only=True)) as node:
        return {row.name: json.loads(row.definition) for row in node.subscriptions()}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    definition = row["definition"] or {}
    delivers = _DELIVERS.get((definition.get("log", ""), definition.get("granularity", "")), "-")
    figures = (row["lag"], len(row["consumers"]), len(row["in_hand"]), row["parked_count"])
    return (row["name"], delivers, row["state"], *map(str, figures), row["error"])
