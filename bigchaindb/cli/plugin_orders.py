"""plugins pause, resume, restart, seek, retry, discard, forget: orders to one plugin's lane."""

from collections.abc import Callable, Sequence

import click

from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.lanes import (
    as_document,
    carry_out,
    desk,
    mask_of,
    never_ran,
    numbering_of,
    numbers_of,
    put_state,
    read_lanes,
)
from bigchaindb.cli.on_plugin import completed_places, on_plugin
from bigchaindb.cli.output import put, put_json
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.errors import UnknownPlace
from bigchaindb.eventlog import place
from bigchaindb.eventlog.orders import Discard, Order, Pause, Restart, Resume, Retry, Seek


@on_plugin("""\b
Example:
  bigchaindb plugins pause sales               before maintenance of its database

The plugin stays paused over restarts of the node, until `bigchaindb plugins resume`.""")
def pause(session: Session, name: str, *, as_json: bool) -> None:
    """Stop delivering events to the plugin NAME. Its cursor is kept."""
    _order(session, name, Pause(), as_json=as_json)


@on_plugin("""\b
Example:
  bigchaindb plugins resume sales              after a pause; or its next attempt at once""")
def resume(session: Session, name: str, *, as_json: bool) -> None:
    """Continue the plugin NAME at its cursor: after a pause, or instead of waiting for its next attempt."""
    _order(session, name, Resume(), as_json=as_json)


@on_plugin("""\b
Example:
  bigchaindb plugins install --upgrade ./sales && bigchaindb plugins restart sales

Events in hand are delivered again to the new process, as after a crash. All others are not.""")
def restart(session: Session, name: str, *, as_json: bool) -> None:
    """Restart the plugin NAME with the package that is installed now."""
    _order(session, name, Restart(), as_json=as_json)


@on_plugin("""\b
Examples:
  bigchaindb plugins seek sales genesis        every event again
  bigchaindb plugins seek sales now            only new events
  bigchaindb plugins seek sales position:4711  event 4711 next
  bigchaindb plugins seek sales height:1000
  bigchaindb plugins seek sales time:2026-03-01T00:00:00+00:00

WHERE may also be a token from `events tail` or the HTTP API: the event behind it is next.""")
@click.argument("where", shell_complete=completed_places)
def seek(session: Session, name: str, where: str, *, as_json: bool) -> None:
    """Move the cursor of the plugin NAME to WHERE.

    Events in hand are forgotten. Events that are parked beyond WHERE are no longer parked, and are delivered in order.
    """
    try:
        place.parse(where)
    except UnknownPlace as error:
        raise click.UsageError(f"WHERE: {error}") from error
    _order(session, name, Seek(where), as_json=as_json)


@on_plugin("""\b
Examples:
  bigchaindb plugins retry sales 4711 4720     these two events
  bigchaindb plugins retry sales --all         the first 1,000; or the event that blocks the plugin

Each event gets as many attempts as a new one. `bigchaindb plugins parked NAME` lists parked events.""")
@click.argument("positions", metavar="[POSITION]...", nargs=-1)
@click.option(
    "--all", "all_of_them", is_flag=True, help="The first 1,000 parked events, or the event that blocks the plugin."
)
def retry(session: Session, name: str, positions: tuple[str, ...], *, all_of_them: bool, as_json: bool) -> None:
    """Deliver parked events to the plugin NAME again, before any other."""
    if bool(positions) is all_of_them:
        raise click.UsageError("name positions, or pass --all")
    _order(session, name, lambda numbers: Retry(numbers or None), positions, as_json=as_json)


@on_plugin("""\b
Example:
  bigchaindb plugins discard sales 4711

The event stays in the log: `bigchaindb events show 4711` prints it, and a `seek` before it delivers it again.""")
@click.argument("positions", metavar="POSITION...", nargs=-1, required=True)
def discard(session: Session, name: str, positions: tuple[str, ...], *, as_json: bool) -> None:
    """Never deliver these events to the plugin NAME: parked ones, or the one that blocks it."""
    _order(session, name, Discard, positions, as_json=as_json)


@click.command(
    epilog="""\b
Example:
  bigchaindb plugins disable sales && bigchaindb plugins forget sales

If the plugin is enabled again, it begins at its `start`, as a new one."""
)
@click.argument("name")
@pass_session
def forget(session: Session, name: str) -> None:
    """Delete the cursor and the parked events of the plugin NAME. It must be disabled."""
    loaded = session.load()
    settings = loaded.settings
    if all(
        lane.name != name for lane in read_lanes(settings)[1]
    ):  # otherwise a misspelt name would be reported as forgotten
        raise never_ran(name, settings)
    if not ControlClient.of(settings).forget(name):
        with desk(loaded) as opened:
            opened.forget(name)
    put(f"{name} is forgotten")


def _order(
    session: Session,
    name: str,
    order: Order | Callable[[tuple[int, ...]], Order],
    positions: Sequence[str] = (),
    *,
    as_json: bool,
) -> None:
    loaded = session.load()
    if callable(order):
        order = order(numbers_of(numbering_of(loaded.settings, name), positions) if positions else ())
    lane = carry_out(loaded, name, order)
    if as_json:
        put_json(as_document(lane, mask_of(loaded)))
    else:
        put_state(lane, mask_of(loaded))
