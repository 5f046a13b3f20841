"""The PostgreSQL sink against a real server."""

import asyncio
import itertools
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from bigchaindb.delivery import Format, Message, Per, read_options
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.events import Unavailable
from bigchaindb.sinks.postgres import PostgresOptions, Table
from bigchaindb.testing import MakeEvents
from bigchaindb.testing.sinks import (
    RECIPE,
    Held,
    ServiceSuite,
    ShapedSuite,
    Trouble,
    check,
    done,
    expected,
    passing,
    until,
)
from tests.support import scale
from tests.support.mistakes import Mistake, Newcomer, require_three_parts
from tests.support.node import Node
from tests.support.postgresql import GUEST, NOBODY, PASSWORD, PostgreSQL
from tests.support.targets import KILL_RUN, AtServer
from tests.support.tls import Tls

_numbers: Final = itertools.count(1)


class Rows(AtServer[PostgreSQL]):
    """A table of a test's own."""

    secret = PASSWORD

    def __init__(self, server: PostgreSQL, tls: Tls) -> None:
        self.server = server
        self.tls = tls
        self.table = f"events_{next(_numbers)}"
        self.url = server.url.replace("@", f":{PASSWORD}@")
        """Nobody asks this user for a password; it must not be shown for that."""

    def options(self, **more: Any) -> dict[str, Any]:
        return {"url": self.url, "table": self.table, **more}

    def held(self) -> Sequence[Held]:
        if not self.ask(f"SELECT to_regclass('{self.table}')")[0][0]:
            return []
        rows = self.ask(f"SELECT id, data::text FROM {self.table} ORDER BY position, index")
        return [Held(id_, "", data.encode()) for id_, data in rows]

    def bodies(self) -> Sequence[bytes]:
        return [one.data for one in self.held()]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.server.url) as connection:
            return connection.execute(query).fetchall()

    def do(self, statement: str) -> None:
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute(statement)

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        return self.options(url=self.server.guest_url(secret))

    def secured(self) -> tuple["Rows", dict[str, Any]]:
        beside, plain = Rows(self.server, self.tls), f"{self.url}?sslmode=verify-full&sslrootcert="
        beside.url = f"{plain}{self.tls.ca}"
        return beside, beside.options(url=f"{plain}{self.tls.other_ca}")

    def missing(self) -> Trouble:
        return Trouble(self.options(create=False), self.make, f'relation "{self.table}" does not exist')

    def full(self) -> Trouble:
        """The server's own error, though of a disk that has room."""
        self.make()
        self.do(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'no room' USING ERRCODE = 'disk_full'; END $$"
        )
        self.do(f"CREATE TRIGGER room BEFORE INSERT ON {self.table} EXECUTE FUNCTION refuse()")
        return Trouble(self.options(), lambda: self.do(f"DROP TRIGGER room ON {self.table}"), "no room")

    def refusing(self, message: Message) -> Trouble:
        self.make()
        self.do(f"ALTER TABLE {self.table} ADD CONSTRAINT strict CHECK (id <> '{message.id}')")
        mend = f"ALTER TABLE {self.table} DROP CONSTRAINT strict"
        return Trouble(self.options(), lambda: self.do(mend), "violates check constraint")

    def limited(self) -> "Rows":
        self.make()
        self.do(f"ALTER TABLE {self.table} ADD CHECK (octet_length(data::text) < 60000)")
        return self

    def places(self) -> Collection[str]:
        return {str(name) for (name,) in self.ask("SELECT relname FROM pg_class")}

    def make(self) -> None:
        """Make the tables as the sink does."""
        with Table(read_options(self.options(), PostgresOptions)) as table:
            table.begin()


@pytest.fixture
def target(postgresql: PostgreSQL, tls: Tls) -> Iterator[Rows]:
    yield Rows(postgresql, tls)
    if postgresql.process is None or postgresql.process.poll() is not None:
        postgresql.start()


class TestPostgres(ShapedSuite, ServiceSuite):
    """Rows of one table have one order: that of the log."""

    sink = "postgres"
    exactly_once = True
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    formats = (Format.CLOUDEVENTS, Format.PLAIN, Format.DEBEZIUM)
    said_of_secret = f'password authentication failed for user "{GUEST}"'

    async def test_columns_are_what_people_ask_for(self, target: Rows, tmp_path: Path) -> None:
        async with passing(tmp_path, "postgres", target.options(per="transaction")) as run:
            await done(run)
        messages = expected(RECIPE, Per.TRANSACTION)
        columns = "id, type, position, index, extract(epoch from time)::bigint, subject, operation, asset_id"
        rows = await asyncio.to_thread(target.ask, f"SELECT {columns} FROM {target.table} ORDER BY position, index")
        assert rows == [
            (m.id, m.type, m.position, m.index, m.time, m.subject, m.operation or None, m.asset_id or None)
            for m in messages
        ]
        noted = await asyncio.to_thread(target.ask, f"SELECT * FROM {target.table}_progress")
        assert noted == [(RECIPE.chain_id, "node", RECIPE.blocks)]

    async def test_several_nodes_fill_one_table(self, target: Rows, tmp_path: Path) -> None:
        """Wherever each is: events have the same ids on all, and who comes second leaves them alone."""
        async with (
            passing(tmp_path / "one", "postgres", target.options(writer="one")) as one,
            passing(tmp_path / "two", "postgres", target.options(writer="two")) as two,
        ):
            one.grow(30)
            await until(lambda: one.status().position == 30, "the first node", one)
            await done(two)
            await done(one)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True)
        noted = await asyncio.to_thread(target.ask, f"SELECT writer, position FROM {target.table}_progress ORDER BY 1")
        assert noted == [("one", RECIPE.blocks), ("two", RECIPE.blocks)]

    async def test_a_server_that_hangs_is_given_up(
        self, target: Rows, make_events: MakeEvents, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It takes what we send, and neither its clock nor TCP's finds anything wrong."""
        monkeypatch.setattr("bigchaindb.sinks.postgres.TRANSACTION_S_MAX", 0.5)
        with Table(read_options(target.options(), PostgresOptions)) as table:
            table.begin()
            target.freeze()
            try:
                with pytest.raises(Unavailable):
                    await asyncio.to_thread(table.write, make_events(1))
            finally:
                target.thaw()
        assert await asyncio.to_thread(target.held) == []

    async def test_what_counts_as_done_is_on_the_disk(self, target: Rows) -> None:
        """Whatever the database is told by others."""
        target.do("ALTER DATABASE postgres SET synchronous_commit = off")
        try:
            with Table(read_options(target.options(), PostgresOptions)) as table:
                assert table._connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        finally:
            target.do("ALTER DATABASE postgres RESET synchronous_commit")

    @pytest.mark.parametrize("password", ["100%sure", "pa@ss@", "pa/ss", "pa?ss"])
    def test_a_password_that_cannot_be_read_is_not_quoted(self, target: Rows, password: str) -> None:
        options = target.options(url=target.server.guest_url(password))
        error = try_plugin("postgres", options, with_check=True).error
        assert error
        assert not [part for part in ("sure", "ss@", "/ss", "?ss") if part in error]

    @pytest.mark.parametrize(
        ("user", "database", "why", "cure"),
        [
            (NOBODY, "postgres", f'role "{NOBODY}" does not exist', "make the role, or correct the user in the option"),
            ("postgres", "none", 'database "none" does not exist', "make the database, or correct its name in the"),
            (
                "somebody",
                "postgres",
                "no pg_hba.conf entry",
                "admit this user from this address in the server's pg_hba.conf",
            ),
        ],
    )
    def test_who_is_not_let_in_is_told_what_to_do(
        self, target: Rows, tmp_path: Path, node: Node, user: str, database: str, why: str, cure: str
    ) -> None:
        def make(newcomer: Newcomer) -> str:
            url = f"postgresql://{user}@127.0.0.1:{target.server.port}/{database}"
            return newcomer.run("plugins", "check", "postgres", "--options", json.dumps({"url": url}))

        what = "its target is not usable"
        require_three_parts(Mistake("named what does not exist", make, what, why, cure), Newcomer(tmp_path, node))

    def test_a_schema_may_be_named(self, target: Rows) -> None:
        target.do("CREATE SCHEMA IF NOT EXISTS ledger")
        found = try_plugin("postgres", target.options(table=f"ledger.{target.table}"), with_check=True)
        assert f"table ledger.{target.table}" in found.checked
        assert "table: must be a name" in try_plugin("postgres", target.options(table="a.b.c")).error
