"""How the commands about plugins reach the lanes: through the running node, or in the files where none runs."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import click
from msgspec import to_builtins

from bigchaindb.belonging import lost_ledger
from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.output import put
from bigchaindb.cli.session import no_ledger
from bigchaindb.config import Settings
from bigchaindb.config.load import Loaded
from bigchaindb.errors import OrderRefused, StartupError, UnknownPlace
from bigchaindb.eventlog.lane import RUNNING
from bigchaindb.eventlog.numbering import ROWS, Numbering
from bigchaindb.eventlog.orders import Order
from bigchaindb.identity import read_chain_id
from bigchaindb.masking import longest_first, secrets_in, without_secrets
from bigchaindb.serving.processes import lock_owner
from bigchaindb.store import Store
from bigchaindb.store.directory import DataDirectory
from bigchaindb.subscribers.lane_status import PLUGIN, LaneStatus
from bigchaindb.subscribers.offline import OfflineDesk, kept_lanes

Mask = Callable[[str], str]
"""Masks the secrets of the configuration in a text."""


def mask_of(loaded: Loaded, *more: Any) -> Mask:  # noqa: ANN401 - any JSON
    """Return a function that masks the secrets of a configuration, and of `more`, in texts of foreign code."""
    secrets = longest_first({*secrets_in(loaded.document), *secrets_in(more)})
    return lambda text: without_secrets(text, secrets)


def read_lanes(settings: Settings) -> tuple[bool, list[LaneStatus]]:
    """Return whether a node runs, and every lane; where none runs, as the next start will find it."""
    directory = DataDirectory(settings.database.path)
    running = ControlClient(directory.control).lanes()
    if running is None and (lost := lost_ledger(directory)) is not None:
        raise StartupError(lost)
    is_compared = running is None and lock_owner(directory.lock) is None  # else one starts or stops
    enabled = settings.events_plugins
    kept = kept_lanes(directory, enabled, is_compared=is_compared) if directory.node.exists() else []
    names = {lane.name for lane in running or ()}
    return running is not None, [*(running or ()), *(lane for lane in kept if lane.name not in names)]


def never_ran(name: str, settings: Settings) -> OrderRefused:
    """Return the error of a plugin without a lane: its name or the ledger may be the wrong one."""
    return OrderRefused(
        f"no plugin {name!r} has run over the ledger in `{settings.database.path}`; `bigchaindb plugins list` lists "
        "those that have, and -c names another node's configuration"
    )


def numbering_of(settings: Settings, name: str) -> Numbering:
    """Return how the events of a lane are numbered; of one that is not there, as a plugin's are."""
    return next((lane.numbering for lane in read_lanes(settings)[1] if lane.name == name), ROWS)


def numbers_of(numbering: Numbering, positions: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of events that were named on the command line."""
    try:
        return tuple(map(numbering.read, positions))
    except UnknownPlace as error:
        raise click.UsageError(f"POSITION: {error}") from error


def written(numbering: Numbering, number: int) -> int | str:
    """Return a number as machines read it: a position, or `41:3` for a transaction."""
    return numbering.text(number) if numbering.index_bits else number


def carry_out(loaded: Loaded, name: str, order: Order) -> LaneStatus:
    """Send an order to the running node, or carry it out here where none runs.

    Args:
        loaded: the node's configuration.
        name: of the plugin.
        order: to its lane.

    Raises:
        RequestFailed: the node refused.
        OrderRefused: the lane's state does not allow it.
    """
    if (lane := ControlClient.of(loaded.settings).order(name, order)) is not None:
        return lane
    with desk(loaded) as opened:
        opened.order(name, order)
        return opened.status(name)


@contextmanager
def desk(loaded: Loaded) -> Iterator[OfflineDesk]:
    """Own the data directory, for orders while no node runs.

    Raises:
        StartupError: there is no ledger, or a node that is starting or stopping has it.
    """
    settings = loaded.settings
    path = settings.database.path
    if not DataDirectory(path).ledger.exists():
        raise no_ledger(loaded)
    with ExitStack() as opened:
        store = opened.enter_context(closing(Store(path)))
        yield opened.enter_context(closing(OfflineDesk(store, read_chain_id(path), settings)))


def settle_the_past(loaded: Loaded) -> None:
    """Where no node has run over restored data yet, mark the lanes of the plugins that are enabled so far.

    They may have run after the backup. A plugin that is enabled from now on is new, and begins at its `start`.

    Raises:
        StartupError: a node that is starting or stopping has the directory.
    """
    path = loaded.settings.database.path
    if not DataDirectory(path).ledger.exists():
        return
    with closing(Store(path)) as store:
        knows_node = store.knows_node
    if not knows_node:
        with desk(loaded):
            pass


def as_document(lane: LaneStatus, mask: Mask) -> dict[str, Any]:
    """Return a lane as JSON values, its texts masked; numbers within blocks as people write them."""
    document: dict[str, Any] = to_builtins(lane)
    del document["numbering"], document["number"]
    if lane.kind == PLUGIN:
        del document["consumers"], document["waits_for"]
    document["in_hand"] = [written(lane.numbering, number) for number in lane.in_hand]
    return document | {"error": mask(lane.error), "warning": mask(lane.warning)}


def put_state(lane: LaneStatus, mask: Mask) -> None:
    """Print the state of a lane in a line or two."""
    put(f"{lane.name} is {lane.state} at position {lane.position}, {lane.lag} behind the head")
    error = "" if lane.is_error_past else lane.error
    if error and lane.state in RUNNING:  # the error is of an attempt that is over
        error = f"before that{'' if lane.error_at is None else f', {ago(lane.error_at)}'}: {error}"
    for text in filter(None, (error, lane.warning)):
        put(f"  {mask(text)}")


def ago(seconds: float) -> str:
    """Return how long ago a moment was, such as `3 min ago`."""
    age = max(0.0, time.time() - seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if age >= length:
            return f"{age / length:.0f} {unit} ago"
    return f"{age:.0f} s ago"
