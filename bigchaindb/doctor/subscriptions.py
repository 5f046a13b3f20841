"""Examines the subscriptions that node.db holds: damaged ones, those that wait for a person, names that occur twice."""

from collections.abc import Iterator
from contextlib import closing

from bigchaindb.config import Settings
from bigchaindb.doctor.finding import Finding
from bigchaindb.errors import BigchainDBError
from bigchaindb.eventlog.lane import WAITING
from bigchaindb.eventlog.orders import way_on
from bigchaindb.store import NodeDb
from bigchaindb.store.directory import DataDirectory
from bigchaindb.subscribers.lane_status import SUBSCRIPTION, LaneStatus
from bigchaindb.subscribers.offline import kept_lanes
from bigchaindb.subscribers.subscriptions import definition_of, two_of


def examine_subscriptions(settings: Settings, directory: DataDirectory) -> Iterator[Finding]:
    """Return what is found about subscriptions; nothing where there is none."""
    if not directory.node.exists():
        return
    try:
        with closing(NodeDb(directory.node, read_only=True)) as node:
            rows, damages = node.subscriptions(), node.damaged_subscriptions()
        lanes = [lane for lane in kept_lanes(directory, settings.events_plugins) if lane.kind == SUBSCRIPTION]
    except BigchainDBError as error:
        yield Finding("subscriptions", "fix", str(error), "restore a backup")
        return
    for damage in damages:
        yield Finding("subscriptions", "fix", str(damage.error), "or delete the subscription, and create it anew")
    for row in rows:
        if row.name in settings.events_plugins:
            yield Finding(f"subscription {row.name}", "fix", str(two_of(row.name)), "the node does not start before")
        try:
            definition_of(row)
        except BigchainDBError as error:
            advice = f"install that version, or `bigchaindb subscriptions delete {row.name}`"
            yield Finding(f"subscription {row.name}", "fix", f"of a later version: {error}", advice)
    if rows:
        parked_count = sum(lane.parked_count for lane in lanes)
        yield Finding("subscriptions", "ok", f"{len(rows)}, with {parked_count} parked events")
    yield from (_waiting(lane) for lane in lanes if lane.state in WAITING)


def _waiting(lane: LaneStatus) -> Finding:
    text = f"{lane.state} {lane.error}".strip()
    return Finding(f"subscription {lane.name}", "note", text, way_on(lane.name, lane.state, lane.error))
