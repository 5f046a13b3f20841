"""plugins list, status, parked: the commands that only read."""

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, Final

import click
from msgspec import to_builtins

from bigchaindb.cli.lanes import ago, as_document, mask_of, never_ran, numbering_of, numbers_of, read_lanes, written
from bigchaindb.cli.on_plugin import on_plugin
from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import printable, put, put_json, put_table, say
from bigchaindb.cli.session import Session, named, pass_session
from bigchaindb.config.load import Loaded
from bigchaindb.doctor.installed import plugins as installed
from bigchaindb.errors import OrderRefused
from bigchaindb.eventlog.orders import is_damage, way_on
from bigchaindb.store import NodeDb
from bigchaindb.store.directory import DataDirectory
from bigchaindb.subscribers.lane_status import PLUGIN, SUBSCRIPTION, ConsumerStatus, LaneStatus

NEVER_RAN: Final = dict.fromkeys(
    ("state", "position", "lag", "attempts", "parked", "last_error", "last_error_at", "warning")
)
SHOWN_MAX: Final = 80
"""Characters of an error in a table; `plugins status` prints it whole."""


@click.command(
    "list",
    epilog="""\b
Examples:
  bigchaindb plugins list
  bigchaindb plugins list --json | jq '.[] | select(.lag > 1000)'

The states are explained in docs/reference/lane-states.md.""",
)
@json_option
@pass_session
def list_plugins(session: Session, *, as_json: bool) -> None:
    """List the plugins that are installed, are enabled or have run, and the subscriptions."""
    loaded = session.load()
    is_running, lanes = read_lanes(loaded.settings)
    rows = _rows(loaded, lanes)
    if not is_running:
        _say_where(loaded)
    if as_json:
        put_json(rows)
    elif rows:
        put_table("NAME  PACKAGE  ENABLED  STATE  POSITION  LAG  ATTEMPTS  PARKED  LAST ERROR", map(_cells, rows))
    else:
        put("no plugin is installed or enabled")
    _say_missing(rows)


@on_plugin("""\b
Examples:
  bigchaindb plugins status sales
  bigchaindb plugins status sales --json | jq .lag""")
def status(session: Session, name: str, *, as_json: bool) -> None:
    """Print the lane of the plugin NAME: its state, its cursor and its events in hand."""
    loaded = session.load()
    lane = next((lane for lane in read_lanes(loaded.settings)[1] if lane.name == name), None)
    if lane is None:
        raise never_ran(name, loaded.settings)
    document = as_document(lane, mask_of(loaded))
    if lane.kind == PLUGIN:
        document["enabled"] = name in loaded.settings.events_plugins
    if as_json:
        put_json(document)
        return
    readable = {
        **_readable(lane, document),
        "ledger": loaded.settings.database.path,
        "configuration": named(loaded),
    }
    for key, value in readable.items():
        if value not in (None, ""):
            put(f"{key:14} {value}")
    if lane.parked_count:
        say(f"parked events: bigchaindb plugins parked {name}")
    if advice := way_on(name, lane.state, document["error"]):
        say(f"{name} waits for you: {advice}")


@on_plugin("""\b
Examples:
  bigchaindb plugins parked sales
  bigchaindb plugins parked sales --after 4711 --count 10
  bigchaindb plugins parked sales --json | jq '.[].position'

Then: `bigchaindb events show POSITION`, `plugins retry NAME POSITION`, `plugins discard NAME POSITION`.""")
@click.option("--after", default="0", metavar="POSITION", help="Only events beyond this position.")
@click.option(
    "-n", "--count", type=click.IntRange(1, 1000), default=1000, show_default=True, help="Number of events at most."
)
def parked(session: Session, name: str, *, after: str, count: int, as_json: bool) -> None:
    """List the parked events of the plugin NAME: those that it failed on and that were set aside."""
    loaded = session.load()
    mask, path = mask_of(loaded), DataDirectory(loaded.settings.database.path).node
    if not path.exists():
        raise OrderRefused(
            f"no plugin has run over this ledger: there is no `{path}`; -c names another node's configuration"
        )
    with closing(NodeDb(path, read_only=True)) as node:
        if node.lane(name) is None:
            raise never_ran(name, loaded.settings)
        numbering = numbering_of(loaded.settings, name)
        behind = 0 if after == "0" else numbers_of(numbering, [after])[0]
        rows = [to_builtins(row) for row in node.parked(name, after=behind, count_max=count)]
    for row in rows:
        row |= {"position": written(numbering, row["position"]), "error": mask(row["error"])}
    if as_json:
        put_json(rows)
    elif rows:
        cells = (
            (
                row["position"],
                row["attempts"],
                _moment(row["parked_at"] or 0.0),
                _yes(row["returns_in"] is not None),
                row["error"],
            )
            for row in rows
        )
        put_table("POSITION  ATTEMPTS  PARKED AT  COMES AGAIN  ERROR", cells)
    else:
        put(f"{name} has no parked event")


def _readable(lane: LaneStatus, document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as texts for a person: moments as dates, and an error with its time."""
    shown = {key: value for key, value in document.items() if not key.startswith(("error", "is_error", "next_"))}
    shown["since"] = _moment(lane.since)
    shown["in_hand"] = ", ".join(map(str, document["in_hand"])) or "nothing"
    if lane.kind == SUBSCRIPTION:
        shown["consumers"] = ", ".join(map(_consumer, lane.consumers)) or "none"
    shown["oldest_s"] = f"{lane.oldest_s:.1f}"
    if lane.next_attempt_at is not None:
        wait_s = max(0.0, lane.next_attempt_at - time.time())
        shown["next attempt"] = f"in {wait_s:.0f} s; at once: bigchaindb plugins resume {lane.name}"
    if lane.error:
        told = "" if lane.error_at is None else f"{_moment(lane.error_at)}, {ago(lane.error_at)}: "
        shown["last error" if lane.is_error_past else "error"] = told + document["error"]
    return shown


def _consumer(one: ConsumerStatus) -> str:
    return f"{one.consumer}{f' ({printable(one.label)})' if one.label else ''} has {one.in_hand_count}"


def _say_where(loaded: Loaded) -> None:
    """Name the folder that was read: a node with another configuration has another list."""
    hint = "" if loaded.path.exists() else "; name a node's configuration with -c or BIGCHAINDB_CONFIG_PATH"
    say(f"no node runs over `{loaded.settings.database.path}`{hint}")


def _say_missing(rows: Sequence[Mapping[str, Any]]) -> None:
    """Name the environment where an enabled plugin is not: most often its package is in another one."""
    names = [row["name"] for row in rows if row["kind"] == PLUGIN and row["enabled"] and row["package"] is None]
    if names:
        say(
            f"not installed in `{sys.prefix}`: {', '.join(names)}; `bigchaindb plugins install PACKAGE` installs into "
            "this environment"
        )


def _rows(loaded: Loaded, kept: list[LaneStatus]) -> list[dict[str, Any]]:
    mask, enabled = mask_of(loaded), loaded.settings.events_plugins
    lanes = {lane.name: lane for lane in kept}
    subscribed = [name for name, lane in sorted(lanes.items()) if lane.kind == SUBSCRIPTION]
    packages: dict[str, str | None] = {one.name: one.package for one in installed() if one.name not in subscribed}
    packages |= dict.fromkeys({*enabled, *lanes} - {*packages, *subscribed})
    rows = []
    for name in [*sorted(packages), *subscribed]:
        kind = SUBSCRIPTION if name in subscribed else PLUGIN
        is_enabled = kind == SUBSCRIPTION or name in enabled
        row = {"name": name, "kind": kind, "package": packages.get(name), "enabled": is_enabled, **NEVER_RAN}
        if not is_enabled:
            row["state"] = "DISABLED"
        if (lane := lanes.get(name)) is not None:
            row |= {
                "state": lane.state.value,
                "position": lane.position,
                "lag": lane.lag,
                "attempts": lane.attempts,
                "parked": lane.parked_count,
            }
            if lane.error and not lane.is_error_past:
                row |= {"last_error": mask(lane.error), "last_error_at": lane.error_at}
            row["warning"] = mask(lane.warning) or None
        rows.append(row)
    return rows


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    package = "(a subscription)" if row["kind"] == SUBSCRIPTION else row["package"] or "(not installed)"
    keys = ("state", "position", "lag", "attempts", "parked")
    figures = ("-" if row[key] is None else str(row[key]) for key in keys)
    error = row["last_error"] or ""
    if error and row["last_error_at"] is not None:
        error = f"{ago(row['last_error_at'])}: {error}"
    error = error or row["warning"] or ""
    # The error of a GAPPED lane, and of damage, ends with what to do.
    is_whole = row["state"] == "GAPPED" or is_damage(error) or len(error) <= SHOWN_MAX
    shown = error if is_whole else f"{error[:SHOWN_MAX]}…"
    return (row["name"], package, _yes(row["enabled"]), *figures, shown)


def _yes(truth: bool) -> str:  # noqa: FBT001 - a value, no option
    return "yes" if truth else "no"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
