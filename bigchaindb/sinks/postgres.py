"""The plugin `postgres`: events as rows of a table in PostgreSQL, each of them exactly once.

The primary key is the message's id, which is the same for every delivery and on every node: a row that is there already
is left alone. Several nodes may fill one table. In the same transaction the plugin notes how far it is, so that
readers of the table know up to where it is complete.
"""

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, Self

from bigchaindb.delivery import Format, Message, ShapedOptions, batches, messages_of, read_options, scheme_found
from bigchaindb.distribution import needs_extra
from bigchaindb.events import Event, EventQueue, EventTypes, Unavailable

try:
    import psycopg
    from psycopg import sql
    from psycopg.conninfo import conninfo_to_dict
except ImportError as error:
    raise ImportError(needs_extra("postgres", "postgres")) from error

CONNECT_S_MAX: Final = 10
STATEMENT_S_MAX: Final = 30
"""Time for one statement, by the server's own clock."""
TRANSACTION_S_MAX: Final = 60.0
"""Time for one transaction by ours: a server that hangs takes bytes, answers nothing and has no clock. What was not
committed comes again."""
_UNREADABLE: Final = "url: is no address; write % / ? # @ of a password as %25 %2F %3F %23 %40"
_ROWS_FAULT: Final = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.RaiseException,  # by a trigger
    psycopg.errors.ProgramLimitExceeded,
)
"""What is wrong with a row, and not with the server."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS {events} (
    id text PRIMARY KEY,
    type text NOT NULL,
    position bigint NOT NULL,
    index integer,
    time timestamptz NOT NULL,
    subject text NOT NULL,
    operation text,
    asset_id text,
    data json NOT NULL
);
CREATE INDEX IF NOT EXISTS {by_position} ON {events} (position, index);
CREATE INDEX IF NOT EXISTS {by_asset} ON {events} (asset_id) WHERE asset_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS {progress} (
    chain_id text NOT NULL,
    writer text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (chain_id, writer)
);
"""
_INSERT: Final = """
INSERT INTO {events} (id, type, position, index, time, subject, operation, asset_id, data)
SELECT id, type, position, index, to_timestamp(time), subject, nullif(operation, ''), nullif(asset_id, ''), data::json
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::integer[], %s::bigint[], %s::text[], %s::text[], %s::text[],
            %s::text[]) AS message (id, type, position, index, time, subject, operation, asset_id, data)
ON CONFLICT (id) DO NOTHING
"""
_NOTE: Final = """
INSERT INTO {progress} AS progress (chain_id, writer, position) VALUES (%s, %s, %s)
ON CONFLICT (chain_id, writer) DO UPDATE SET position = greatest(progress.position, EXCLUDED.position)
"""


_TRIED: Final = Message(
    id="check", type="check", chain_id="check", position=0, subject="check", routing_key="check", time=0, data=b"{}"
)
"""What `check` writes and undoes."""


class PostgresOptions(ShapedOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        url: `postgresql://user:password@host:port/database`; its parameters are libpq's, `sslmode` and `sslrootcert`
            among them.
        table: of the rows, made if it is missing; `schema.table` for another schema than the user's own.
        create: whether tables are made where they are missing; else they have to be there.
        writer: names this node in the table of progress, if several write into one.
    """

    url: str
    table: str = "bigchaindb_events"
    create: bool = True
    writer: str = "node"

    default_format: ClassVar[Format] = Format.PLAIN
    refused_formats: ClassVar[Mapping[Format, str]] = {
        Format.BINARY: "what describes a row stands in its columns already; leave format out for the data alone"
    }

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        super().__post_init__()
        if not self.url.startswith(("postgresql://", "postgres://")):
            raise ValueError(
                f"url: {scheme_found(self.url)}, which is no address of PostgreSQL; "
                "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            )
        parts = self._parts
        ports = str(parts.get("port", 0)).split(",")
        if any("@" in str(parts.get(name, "")) for name in ("host", "dbname")) or not all(map(str.isdigit, ports)):
            raise ValueError(_UNREADABLE)  # it was taken apart within the password
        if not all(self.table.split(".")) or self.table.count(".") > 1:
            raise ValueError(f"table: must be a name, or schema.name, found {self.table!r}")

    @property
    def place(self) -> str:
        """The database without its password, for people."""
        parts = self._parts
        return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    @property
    def _parts(self) -> Mapping[str, Any]:
        try:
            return conninfo_to_dict(self.url)
        except psycopg.Error:
            raise ValueError(_UNREADABLE) from None  # its own text quotes the password


class PostgresSink:
    """What the entry point names."""

    acknowledge = "next_get"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, PostgresOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select

    def check(self) -> str:
        """Connect, and try the tables in a transaction that is undone."""
        with Table(self._options) as table:
            return table.check()

    def run(self, queue: EventQueue) -> None:
        """Write events until the queue has ended."""
        with Table(self._options) as table:
            table.begin()
            for events in batches(queue):
                table.write(events)


class Table:
    """The tables of one sink, and a connection."""

    def __init__(self, options: PostgresOptions) -> None:
        """Connect.

        Raises:
            Unavailable: the server does not answer, or refuses the login.
        """
        self._options = options
        self._shape = options.shape
        *schema, name = options.table.split(".")
        self._names = {
            "events": sql.Identifier(*schema, name),
            "progress": sql.Identifier(*schema, f"{name}_progress"),
            "by_position": sql.Identifier(f"{name}_by_position"),
            "by_asset": sql.Identifier(f"{name}_by_asset"),
        }
        try:
            self._connection = psycopg.connect(
                options.url,
                autocommit=True,
                connect_timeout=CONNECT_S_MAX,
                application_name="bigchaindb",
                # A server that hangs must not hold us for the two hours that TCP allows.
                tcp_user_timeout=STATEMENT_S_MAX * 1_000,
                keepalives_idle=CONNECT_S_MAX,
                keepalives_interval=CONNECT_S_MAX,
                keepalives_count=2,
            )
            self._connection.execute(f"SET statement_timeout = '{STATEMENT_S_MAX}s'")
            # Whatever is usual there: what counts as done has to be on the disk.
            self._connection.execute(
                "SELECT set_config(name, 'on', false) FROM pg_settings "
                "WHERE (name, setting) = ('synchronous_commit', 'off')"
            )
        except psycopg.Error as error:
            raise self._unavailable(error) from error

    def begin(self) -> None:
        """Find or make the tables.

        Raises:
            Unavailable: they are not there, or cannot be made.
        """
        try:
            if self._options.create:
                with self._connection.transaction():
                    self._connection.execute(self._statement(_TABLES))
            self._connection.execute(self._statement("SELECT FROM {events}, {progress} LIMIT 0"))
        except psycopg.Error as error:
            raise self._unavailable(error) from error

    def check(self) -> str:
        """Try the tables in a transaction that is undone; return the server's version and the table.

        Raises:
            Unavailable: the tables could not be used.
        """
        version = self._connection.info.server_version
        try:
            with self._connection.transaction(force_rollback=True):
                self.begin()
                self._connection.execute(self._statement(_NOTE), ["check", self._options.writer, 0])
                self._connection.execute(self._statement(_INSERT), self._columns([_TRIED]))
        except psycopg.Error as error:
            raise self._unavailable(error) from error
        return f"PostgreSQL {version // 10000}.{version % 10000} at {self._options.place}, table {self._options.table}"

    def write(self, events: Sequence[Event]) -> None:
        """Write events and how far we are, in one transaction.

        Raises:
            Unavailable: the server is gone, or has no room; none of the events is written.
        """
        messages = [message for event in events for message in messages_of(event, self._options.per)]
        try:
            with self._in_time(), self._connection.transaction():
                if messages:
                    self._connection.execute(self._statement(_INSERT), self._columns(messages))
                chain_id = events[-1].id.rpartition(":")[0]
                self._connection.execute(self._statement(_NOTE), [chain_id, self._options.writer, events[-1].position])
        except _ROWS_FAULT:
            raise
        except psycopg.Error as error:
            raise self._unavailable(error) from error

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Cut the connection when the time for a transaction is over: that ends the wait for a server that hangs."""
        with socket.socket(fileno=os.dup(self._connection.fileno())) as same:
            timer = threading.Timer(TRANSACTION_S_MAX, same.shutdown, [socket.SHUT_RDWR])
            timer.daemon = True
            timer.start()
            try:
                yield
            finally:
                timer.cancel()
                timer.join()

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _columns(self, messages: Sequence[Message]) -> list[list[Any]]:
        return [
            [one.id for one in messages],
            [one.type for one in messages],
            [one.position for one in messages],
            [one.index for one in messages],
            [one.time for one in messages],
            [one.subject for one in messages],
            [one.operation for one in messages],
            [one.asset_id for one in messages],
            [self._shape.body(one).decode() for one in messages],
        ]

    def _statement(self, text: str) -> sql.Composed:
        return sql.SQL(text).format(**self._names)

    def _unavailable(self, error: psycopg.Error) -> Unavailable:
        """Return an error with the server's own text, which quotes names and no passwords."""
        text = str(error).strip().replace("\n", " ")
        return Unavailable(f"{self._options.place}: {text}; {_cure(text, error.sqlstate)}")


def _cure(text: str, state: str | None) -> str:
    """Return what helps; before somebody is let in, the server's words are all that the library passes on."""
    cures = (
        (state == "42P01", "make the tables, or set the option create to true"),
        (state == "42501", "grant the user what is missing, or name another in the option url"),
        ("pg_hba.conf" in text, "admit this user from this address in the server's pg_hba.conf"),
        ("role" in text and "does not exist" in text, "make the role, or correct the user in the option url"),
        ("database" in text and "does not exist" in text, "make the database, or correct its name in the option url"),
        ("password" in text, "correct the user or the password in the option url"),
        (state is None, "start the server, or correct the option url"),
        (True, "see the server's log"),
    )
    return next(cure for is_it, cure in cures if is_it)


plugin = PostgresSink()
"""Reads its options in `configure`."""
