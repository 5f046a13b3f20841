"""sql: asks the file that the plugin `sqlite` writes, and prints rows."""

import csv
import json
import math
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Final

import click

from bigchaindb.cli.output import printable, put, say
from bigchaindb.cli.session import Session, named, pass_session
from bigchaindb.cli.sql_query import Query, bounded_memory, opened
from bigchaindb.cli.sql_questions import QUESTIONS
from bigchaindb.config.load import Loaded
from bigchaindb.errors import BigchainDBError, ConfigurationError
from bigchaindb.sinks.sqlite_schema import TABLES, VIEWS
from bigchaindb.store.beside import known_chain, read_node
from bigchaindb.store.directory import DataDirectory
from bigchaindb.subscribers.plugins import GROUP

SINK: Final = "bigchaindb.sinks.sqlite:plugin"
TIMEOUT_S: Final = 30.0
TIMEOUT_S_MAX: Final = 86_400.0
CELL_CHARACTERS_MAX: Final = 100
"""Of a table: 64 of an id, and some of JSON; the other formats have all of it."""
_CONTROLS: Final = re.compile("[\x7f-\x9f]")
"""Those that JSON leaves as they are."""
ROWS_LOOKED_AT: Final = 1_000
"""Rows by which the columns of a table are aligned; those behind them are printed as they come."""


class Seconds(click.ParamType[float]):
    """A time for the query, above 0 and finite; click's own range lets `nan` through."""

    name = "seconds"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time."""
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if not 0 < found <= TIMEOUT_S_MAX:
            self.fail(f"must be a number above 0 and at most {TIMEOUT_S_MAX:g} seconds, found {value!r}", param, ctx)
        return found


@click.command(
    epilog="""\b
Examples:
  bigchaindb sql "SELECT asset_id, amount FROM balances WHERE public_key = '…'"
  bigchaindb sql 'SELECT * FROM blocks ORDER BY position DESC LIMIT 10' --format json
  bigchaindb sql --file ledger.db 'SELECT count(*) FROM transactions'
  bigchaindb sql --schema

\b
Enable the plugin first:
  bigchaindb plugins enable sqlite --start genesis --options '{"path": "/…/ledger.db"}'
"""
)
@click.argument("query", required=False)
@click.option(
    "--file", type=click.Path(readable=False, path_type=Path), metavar="PATH", help="The file, instead of a plugin's."
)
@click.option("--plugin", metavar="NAME", help="Whose file, if several plugins write one.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="Form of the rows.",
)
@click.option(
    "--timeout",
    type=Seconds(),
    default=TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="Time for the query, a day at most.",
)
@click.option("--schema", is_flag=True, help="Print the tables and ten questions with their SQL.")
@pass_session
def sql(
    session: Session,
    /,
    *,
    query: str | None,
    file: Path | None,
    plugin: str | None,
    format_: str,
    timeout: float,
    schema: bool,
) -> None:
    """Ask the tables that the plugin sqlite writes, by one query, and print its rows."""
    if schema is (query is not None):
        raise click.UsageError("pass one query, or --schema alone")
    if file is not None and plugin is not None:
        raise click.UsageError("pass --file or --plugin")
    if schema and format_ == "csv":
        raise click.UsageError("--schema has the formats table and json")
    loaded = session.load(uses_data=False)  # the tables are a file of their own
    if schema:
        _put_schema(_schema(loaded, file, plugin, timeout), format_)
        return
    assert query is not None
    path = _path_of(loaded, plugin) if file is None else _absolute(file)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # at once, also within SQLite: nothing is written
    with bounded_memory(), opened(path, timeout) as asked:
        _say_how_far(loaded, path, asked)
        columns, rows = asked.run(query)
        {"table": _put_table, "json": _put_json, "csv": _put_csv}[format_](columns, rows)


def _path_of(loaded: Loaded, plugin: str | None) -> Path:
    """Return the file of the plugin that is meant.

    Raises:
        ConfigurationError: there is none, or there are several.
    """
    ours = {point.name for point in entry_points(group=GROUP) if point.value == SINK}
    enabled = {name: one for name, one in loaded.settings.events_plugins.items() if name in ours}
    names = ", ".join(enabled) or "none"
    if not enabled or (plugin is not None and plugin not in enabled):
        place = named(loaded).rstrip(",")
        what = f"no plugin that writes tables is enabled by {place}"
        if plugin is not None:
            what = f"--plugin: {plugin[:80]!r} writes no tables by {place}; these do: {names}"
        raise ConfigurationError(
            f'{what}; run `bigchaindb plugins enable sqlite --start genesis --options \'{{"path": "/…"}}\'`, '
            "name another configuration with -c, or pass --file"
        )
    if plugin is None and len(enabled) > 1:
        raise ConfigurationError(f"several plugins write tables: {names}; pass --plugin NAME")
    path = enabled[plugin or next(iter(enabled))].options.get("path")
    if not isinstance(path, str):
        raise ConfigurationError(f"events_plugins.{plugin or names}.options.path: must be a text, found {path!r}")
    return _absolute(Path(path))


def _absolute(path: Path) -> Path:
    with suppress(RuntimeError):  # there is no such user: a name may begin with ~
        path = path.expanduser()
    return path.absolute()


def _schema(loaded: Loaded, file: Path | None, plugin: str | None, timeout: float) -> list[str]:
    """Return the statements that made a file; of one that is yet to be made, those that will."""
    try:
        path = _path_of(loaded, plugin) if file is None else _absolute(file)
    except ConfigurationError:
        if plugin is not None:
            raise
        path = None
    if path is None or (file is None and not path.exists()):
        return [statement for statement in f"{TABLES}{VIEWS}".split(";\n") if statement]
    with opened(path, timeout) as asked:
        return asked.schema()


def _put_schema(statements: Sequence[str], format_: str) -> None:
    if format_ != "table":
        questions = [{"question": question, "sql": text} for question, text in QUESTIONS.items()]
        put(json.dumps({"statements": statements, "questions": questions}, indent=4, ensure_ascii=False))
        return
    for statement in statements:
        put("\n".join(map(printable, f"{statement};\n".split("\n"))))
    for question, text in QUESTIONS.items():
        put(f"-- {question}\n{text};\n")


def _say_how_far(loaded: Loaded, path: Path, asked: Query) -> None:
    """Print up to where the answer is, on standard error."""
    if (noted := asked.progress) is None:
        say(f"{path}: no event yet")
        return
    parts = [f"{path}: up to position {noted.position}, height {noted.height}"]
    if missing := noted.position - noted.block_count:
        parts.append(f"{missing} earlier events are not in it")
    directory = DataDirectory(loaded.settings.database.path)
    try:
        chain_id, node = known_chain(directory), read_node(directory)
    except (BigchainDBError, OSError):  # somebody else's, or damaged: the file has the answer all the same
        chain_id = node = None
    if chain_id not in (None, noted.chain_id):
        parts.append(f"of the ledger {printable(noted.chain_id)}, and this node's is {chain_id}")
    elif node is not None and (behind := node.tip.position - noted.position):
        parts.append(
            f"{behind} events behind the ledger"
            if behind > 0
            else f"{-behind} events beyond the ledger, which was restored: make the file anew"
        )
    say("; ".join(parts))


def _put_table(columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    first = [[*map(_cell, row)] for row in islice(rows, ROWS_LOOKED_AT)]
    heads = [*map(_cell, columns)]
    widths = [max(map(len, column)) for column in zip(heads, *first, strict=True)]
    for line in chain([heads], first, ([*map(_cell, row)] for row in rows)):
        put("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    whole = "" if value is None else str(_plain(value))
    text = printable(whole[:CELL_CHARACTERS_MAX])
    return text if len(whole) <= CELL_CHARACTERS_MAX else f"{text[:-1]}…"


def _put_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print an array with an object on each line, as rows come."""
    names: list[str] = []
    for column in columns:
        others = (f"{column}:{number}" for number in count(1))
        names.append(next(name for name in chain([column], others) if name not in names))
    before = "["
    for row in rows:
        values = dict(zip(names, map(_plain, row), strict=True))
        line = _CONTROLS.sub(_escaped, json.dumps(values, ensure_ascii=False, allow_nan=False))
        click.echo(f"{before}\n{line}", nl=False)
        before = ","
    put("[]" if before == "[" else "\n]")


def _put_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    shown = printable if sys.stdout.isatty() else str  # a file or a program gets texts as they are
    writer.writerow(map(shown, columns))
    for row in rows:
        writer.writerow(["" if value is None else shown(str(_plain(value))) for value in row])


def _escaped(control: re.Match[str]) -> str:
    return f"\\u{ord(control[0]):04x}"


def _plain(value: object) -> object:
    """Return what JSON can hold: of bytes their hexadecimal digits, of infinity its name."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value
