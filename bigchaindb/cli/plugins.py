"""plugins list: what is installed, what is enabled, and how far each got."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from bigchaindb.cli.new_plugin import new
from bigchaindb.cli.session import Session, pass_session, put, put_json, put_table

if TYPE_CHECKING:
    from bigchaindb.config import Settings
    from bigchaindb.store.directory import DataDirectory
    from bigchaindb.store.node_db import LaneRow, NodeDb

LASTING_STATES: Final = frozenset({"PAUSED", "BLOCKED", "GAPPED", "FAILED"})
"""States that a node which stops leaves as they are: somebody has to do something."""
NEVER_RAN: Final = dict.fromkeys(("state", "lag", "attempts", "parked", "last_error"))


@click.group()
def plugins() -> None:
    """Look at event plugins."""


plugins.add_command(new)


@plugins.command(
    "list",
    epilog="""\b
Examples:
  bigchaindb plugins list
  bigchaindb plugins list --json | jq '.[] | select(.lag > 1000)'

A plugin is enabled by its name in `events_plugins` of the configuration; the node reads that list at its start.""",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@pass_session
def list_plugins(session: Session, *, as_json: bool) -> None:
    """List installed and enabled plugins with state, lag, attempts and parked events."""
    settings = session.load().settings
    rows = _rows(settings)
    if as_json:
        put_json(rows)
    elif rows:
        put_table(
            ("NAME", "PACKAGE", "ENABLED", "STATE", "LAG", "ATTEMPTS", "PARKED", "LAST ERROR"),
            [_cells(row) for row in rows],
        )
    else:
        put("no plugin is installed, and none is enabled")


def _rows(settings: "Settings") -> list[dict[str, Any]]:
    from bigchaindb.doctor.installed import plugins as installed

    found = installed()
    names = {plugin.name for plugin in found}
    packages: list[tuple[str, str | None]] = [(plugin.name, plugin.package) for plugin in found]
    packages += [(name, None) for name in settings.events_plugins if name not in names]
    lanes = _lanes(settings)
    rows = []
    for name, package in sorted(packages, key=lambda pair: pair[0]):
        is_enabled = name in settings.events_plugins
        row = {"name": name, "package": package, "enabled": is_enabled, **lanes.get(name, NEVER_RAN)}
        rows.append(row if is_enabled else row | {"state": "DISABLED"})
    return rows


def _lanes(settings: "Settings") -> Mapping[str, dict[str, Any]]:
    """Give what node.db and the lane pages know, without touching either."""
    from bigchaindb.doctor.processes import lock_owner
    from bigchaindb.store.directory import DataDirectory
    from bigchaindb.store.node_db import NodeDb

    directory = DataDirectory(settings.database.path)
    if not directory.node.exists():
        return {}
    is_running = lock_owner(directory.lock) is not None
    node = NodeDb(directory.node, read_only=True)
    try:
        return {row.name: _lane(row, node, directory, is_running=is_running) for row in node.lanes()}
    finally:
        node.close()


def _lane(row: "LaneRow", node: "NodeDb", directory: "DataDirectory", *, is_running: bool) -> dict[str, Any]:
    from bigchaindb.masking import masked_text

    return {
        "state": row.state if is_running or row.state in LASTING_STATES else "STOPPED",
        "lag": _lag(row, directory),
        "attempts": row.attempts,
        "parked": len(node.parked(row.name)),
        "last_error": None if row.last_error is None else masked_text(row.last_error),
    }


def _lag(row: "LaneRow", directory: "DataDirectory") -> int | None:
    """Give how many events are not settled, None where the page is gone."""
    from bigchaindb.subscribers.lane_page import LanePage, Word, page_path

    try:
        page = LanePage(page_path(directory.lanes, row.name, row.epoch))
    except OSError:
        return None
    try:
        return max(0, page.words[Word.HEAD] - page.progress().acked)
    finally:
        page.close()


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    package = row["package"] or "(not installed)"
    figures = ("-" if row[key] is None else str(row[key]) for key in ("state", "lag", "attempts", "parked"))
    return (row["name"], package, "yes" if row["enabled"] else "no", *figures, row["last_error"] or "")
