"""How the commands about events reach the log: read-only beside a running node, else as the owner of the directory.

Beside a running node nothing is shown beyond the durable head that it reports. Without one the start barrier comes
first (P4).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from bigchaindb.cli.control import STOPPED, ControlClient
from bigchaindb.cli.session import no_ledger
from bigchaindb.config.load import Loaded
from bigchaindb.errors import MalformedSelection, RequestFailed, UnknownPlace
from bigchaindb.eventlog import place
from bigchaindb.eventlog.members import DATA, METADATA
from bigchaindb.eventlog.place import Place
from bigchaindb.eventlog.selection import Selection, from_query
from bigchaindb.identity import read_chain_id
from bigchaindb.ledger.ports import LogReader, Record
from bigchaindb.store import Log, Store
from bigchaindb.store.directory import DataDirectory

PIECE_COUNT: Final = 256
"""Events that are read at once."""
PIECE_BYTES: Final = 8 * 1024 * 1024
"""Their bytes; a single larger event is read all the same."""
LOOK_BACK_MAX: Final = 10_000
"""Positions that one step backwards reads."""
TYPES: Final = {"valid": 1, "invalid": 2}


@dataclass(frozen=True)
class OpenLog:
    """The log up to a head.

    Attributes:
        ledger: the file.
        head: the last durable position.
        wait_beyond: waits until the head is beyond a position, and returns it; None where no node runs.
    """

    log: LogReader
    ledger: Path
    chain_id: str
    head: int
    wait_beyond: Callable[[int], int] | None


@dataclass(frozen=True)
class EventFilter:
    """Which events are wanted."""

    selection: Selection | None
    types: int


@contextmanager
def open_log(loaded: Loaded) -> Iterator[OpenLog]:
    """Open the log of the node that a configuration names.

    Raises:
        StartupError: there is no ledger, or a node that is starting or stopping has it.
        StoreError: it cannot be read.
    """
    settings = loaded.settings
    directory = DataDirectory(settings.database.path)
    if not directory.ledger.exists():
        raise no_ledger(loaded)
    chain_id = read_chain_id(directory.path)
    control = ControlClient(directory.control)
    head = control.head()
    with ExitStack() as opened:
        if head is not None:
            log = opened.enter_context(closing(Log(directory.ledger)))
            yield OpenLog(log, directory.ledger, chain_id, head, partial(_wait_beyond, control))
        else:
            store = opened.enter_context(closing(Store(directory.path)))
            log = opened.enter_context(closing(store.log_reader()))
            yield OpenLog(log, directory.ledger, chain_id, store.writer.tip().position, None)


def pieces(log: LogReader, after: int, through: int, which: EventFilter) -> Iterator[tuple[Sequence[Record], int]]:
    """Yield the wanted events of positions `after` < p ≤ `through` in pieces, each with the last position read."""
    while after < through:
        records, looked = log.selected(
            after, through, which.selection, types=which.types, count_max=PIECE_COUNT, bytes_max=PIECE_BYTES
        )
        if looked == after:
            return
        yield records, (after := looked)


def last_positions(log: LogReader, head: int, count: int, which: EventFilter) -> list[int]:
    """Return the positions of the last `count` wanted events, ascending; read backwards in growing steps."""
    found: list[int] = []
    before, step = head + 1, max(1, count)
    while before > 1 and len(found) < count:
        after = max(0, before - 1 - step)
        here = [record.position for records, _ in pieces(log, after, before - 1, which) for record in records]
        found = [*here, *found][-count:]
        before, step = after + 1, min(2 * step, LOOK_BACK_MAX)
    return found


def resolved(text: str, option: str) -> Place:
    """Read a place.

    Raises:
        UsageError: it is none.
    """
    try:
        return place.parse(text)
    except UnknownPlace as error:
        raise click.UsageError(f"{option}: {error}") from error


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `filter_of` reads to a command."""
    for option in (
        click.option(
            "--type", "type_", type=click.Choice(list(TYPES)), help="Only events of valid or of invalid blocks."
        ),
        click.option(
            "--data", metavar="PATH=VALUE", multiple=True, help="The same of the data of an asset, in its CREATE."
        ),
        click.option(
            "--metadata",
            metavar="PATH=VALUE",
            multiple=True,
            help="A member of the metadata and its value: a.b=5. With a comparison behind the path: 'a.b[gte]=5'.",
        ),
        click.option("--owner", metavar="PUBLIC_KEY", help="Public key that holds or spends an output."),
        click.option("--asset", metavar="ID", help="Asset that a transaction is about."),
        click.option("--operation", metavar="KIND", help="CREATE or TRANSFER."),
    ):
        command = option(command)
    return command


def filter_of(options: Mapping[str, Any]) -> EventFilter:
    """Read the options of `filter_options`: an event passes whole if one of its transactions matches all of them.

    Raises:
        UsageError: one is wrong.
    """
    arguments = {name: options[name] for name in ("operation", "asset", "owner") if options[name] is not None}
    for beginning in (METADATA, DATA):
        option = beginning.removesuffix(".")
        for text in options[option]:
            path, equals, value = text.partition("=")
            if not (path and equals):
                raise click.UsageError(f"--{option}: expected PATH=VALUE, found {text!r}")
            if beginning + path in arguments:
                raise click.UsageError(f"--{option}: {path!r} is given twice; name each path once")
            arguments[beginning + path] = value
    try:
        selection = from_query(arguments)
    except MalformedSelection as error:
        raise click.UsageError(f"--{error}") from error
    return EventFilter(selection, TYPES.get(options["type_"], -1))


def _wait_beyond(control: ControlClient, position: int) -> int:
    if (head := control.head_beyond(position)) is None:
        raise RequestFailed(STOPPED)
    return head
