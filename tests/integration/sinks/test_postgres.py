"""The PostgreSQL sink against a real server."""

import asyncio
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from bigchaindb.delivery import Format, Per, read_options
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.eventlog.lane import State
from bigchaindb.events import Unavailable
from bigchaindb.sinks.postgres import PostgresOptions, Table
from bigchaindb.testing import MakeEvents
from bigchaindb.testing.sinks import RECIPE, Held, ServiceSuite, ShapedSuite, check, done, expected, passing, until
from tests.integration.sinks.conftest import Tls
from tests.support import scale
from tests.support.mistakes import Mistake, Newcomer, require_three_parts
from tests.support.node import Node
from tests.support.postgresql import GUEST, NOBODY, PostgreSQL

_numbers: Final = itertools.count(1)


class Rows:
    """A table of a test's own."""

    def __init__(self, server: PostgreSQL) -> None:
        self.server = server
        self.table = f"events_{next(_numbers)}"

    def options(self, **more: Any) -> dict[str, Any]:
        return {"url": self.server.url, "table": self.table, **more}

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

    def start(self) -> None:
        self.server.start()

    def kill(self) -> None:
        self.server.kill()

    def freeze(self) -> None:
        self.server.freeze()

    def thaw(self) -> None:
        self.server.thaw()


@pytest.fixture
def target(postgresql: PostgreSQL) -> Iterator[Rows]:
    yield Rows(postgresql)
    if postgresql.process is None or postgresql.process.poll() is not None:
        postgresql.start()


class TestPostgres(ShapedSuite, ServiceSuite):
    """Rows of one table have one order: that of the log."""

    sink = "postgres"
    exactly_once = True
    kill_count = scale.SINK_KILLS
    formats = (Format.CLOUDEVENTS, Format.PLAIN, Format.DEBEZIUM)

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

    async def test_a_password_that_is_wrong_is_said_and_not_shown(self, target: Rows, tmp_path: Path) -> None:
        options = target.options(url=target.server.guest_url("wrong-one"))
        async with passing(tmp_path, "postgres", options) as run:
            run.grow(1)
            await until(lambda: run.status().state is State.BACKOFF, "it to be refused", run)
            assert f'password authentication failed for user "{GUEST}"' in run.errors[0]
            assert "wrong-one" not in run.errors[0]
        assert "wrong-one" not in try_plugin("postgres", options, with_check=True).error

    async def test_a_table_that_is_missing_is_waited_for(self, target: Rows, tmp_path: Path) -> None:
        async with passing(tmp_path, "postgres", target.options(create=False)) as run:
            run.grow(1)
            await until(lambda: run.status().state is State.BACKOFF, "it to be refused", run)
            assert f'relation "{target.table}" does not exist' in run.errors[0]
            async with passing(tmp_path / "maker", "postgres", target.options()) as maker:
                maker.grow(1)
                await until(lambda: maker.status().position == 1, "the tables", maker)
            await done(run)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True)

    async def test_a_row_that_cannot_be_written_is_set_aside_alone(self, target: Rows, tmp_path: Path) -> None:
        """A rule that somebody put on the table: the others go on, and the row comes when a person has mended it."""
        policy = {"attempts": 2, "duration_s": 0, "delay_s_max": 0.1}
        async with passing(tmp_path, "postgres", target.options(), retry=policy) as run:
            run.grow(3)
            await until(lambda: run.status().position == 3, "the first", run)
            await asyncio.to_thread(target.do, f"ALTER TABLE {target.table} ADD CHECK (position <> 5)")
            await done(run)
            ((position, error),) = run.parked("postgres")
            assert (position, "violates check constraint" in error) == (5, True)
        others = [one for one in expected(RECIPE, Per.BLOCK) if one.position != 5]
        check(await asyncio.to_thread(target.held), others, exactly_once=True)

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

    async def test_tls(self, target: Rows, tls: Tls, tmp_path: Path) -> None:
        """With the authority that signed the server's certificate, and not with another."""
        secure = f"{target.server.url}?sslmode=verify-full&sslrootcert="
        async with passing(tmp_path, "postgres", target.options(url=f"{secure}{tls.ca}")) as run:
            await done(run)
        error = try_plugin("postgres", target.options(url=f"{secure}{tls.other_ca}"), with_check=True).error
        assert "certificate verify failed" in error

    def test_a_schema_may_be_named(self, target: Rows) -> None:
        target.do("CREATE SCHEMA IF NOT EXISTS ledger")
        found = try_plugin("postgres", target.options(table=f"ledger.{target.table}"), with_check=True)
        assert f"table ledger.{target.table}" in found.checked
        assert "table: must be a name" in try_plugin("postgres", target.options(table="a.b.c")).error
