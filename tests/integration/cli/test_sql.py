"""`bigchaindb sql` beside a running node: the answers of HTTP, three forms of rows, and what is told of mistakes."""

import csv
import io
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.cli.sql_questions import QUESTIONS
from tests.support import sql_answers
from tests.support.node import Node, running_node
from tests.support.packages import advertise
from tests.support.waiting import until

SECOND = "second_tables"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with the tales of `demo` in its ledger, all of which are in tables."""
    folder = tmp_path_factory.mktemp("sql")
    advertise(folder / "package", "second-tables", {SECOND: "bigchaindb.sinks.sqlite:plugin"})
    options = {"path": str(folder / "ledger.db"), "indexes": ["data.kind"]}
    settings = {"events_plugins": {"sqlite": {"start": "genesis", "options": options}}}
    with running_node(folder, settings=settings, environment={"PYTHONPATH": str(folder / "package")}) as found:
        assert found.run("demo").returncode == 0
        head = found.get("statistics").json()["position"]
        until(
            lambda: sql(found, "SELECT position FROM progress") == [{"position": head}], what="all events to be there"
        )
        yield found


def run(node: Node, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = node.run("sql", *arguments)
    assert done.returncode == code, done.stderr
    return done


def sql(node: Node, query: str, *arguments: str) -> list[dict[str, Any]]:
    done = node.run("sql", query, "--format", "json", *arguments)
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
    return found


def test_sql_answers_what_the_node_answers_over_http(node: Node) -> None:
    with closing(sqlite3.connect(node.folder / "ledger.db")) as rows:
        keys = [key for (key,) in rows.execute("SELECT DISTINCT public_key FROM output_owners").fetchall()]
        assets = [id_ for (id_,) in rows.execute("SELECT id FROM transactions WHERE operation = 'CREATE'").fetchall()]
        assert (len(assets), len(keys) > 10) == (5, True)
        for key in keys:
            assert sql_answers.owner(rows, key) == node.get(f"owners/{key}").json()
            listed = node.get(f"owners/{key}/outputs", limit=100).json()["outputs"]
            assert sql_answers.outputs_of_owner(rows, key)[:100] == [*map(sql_answers.of_output, listed)]
        for asset in assets:
            answer: Any = node.get(f"assets/{asset}").json()
            holders = {tuple(sorted(one["public_keys"])): one["amount"] for one in answer["holders"]}
            assert sql_answers.asset(rows, asset) == {**answer, "holders": holders}
            listed = node.get(f"assets/{asset}/outputs", limit=100).json()["outputs"]
            assert sql_answers.outputs_of_asset(rows, asset)[:100] == [*map(sql_answers.of_output, listed)]
        counts = node.get("statistics").json()
        found = sql_answers.rows(
            rows,
            "SELECT max(position) AS position, (SELECT count(*) FROM transactions) AS transactions, "
            "(SELECT count(*) FROM outputs) AS outputs, count(reason) AS invalid_blocks FROM blocks",
        )
        assert found == [{name: counts[name] for name in found[0]}]


def test_rows_come_as_a_table_as_json_and_as_csv(node: Node) -> None:
    query = "SELECT position, id, reason, 'a,\"b\"' AS text, x'00ff' AS bytes, 1.5 AS \"id\" FROM blocks LIMIT 2"
    table, lines = run(node, query), run(node, query, "--format", "csv")
    found = json.loads(run(node, query, "--format", "json").stdout)
    assert [*found[0]] == ["position", "id", "reason", "text", "bytes", "id:1"]
    assert [row["position"] for row in found] == [1, 2]
    assert found[0]["bytes"] == "00ff"
    heads, first, _ = csv.reader(io.StringIO(lines.stdout))
    assert heads == ["position", "id", "reason", "text", "bytes", "id"]
    assert first == ["1", found[0]["id"], "", 'a,"b"', "00ff", "1.5"]
    assert table.stdout.splitlines()[1].split() == ["1", found[0]["id"], 'a,"b"', "00ff", "1.5"]
    assert table.stderr.splitlines()[-1].startswith(f"{node.folder / 'ledger.db'}: up to position ")
    assert run(node, "SELECT 1 WHERE 0", "--format", "json").stdout == "[]\n"


def test_a_cell_of_a_table_is_bounded_and_controls_no_terminal(node: Node) -> None:
    found = run(node, "SELECT printf('%.500c', 'x') AS a, char(27) || '[2J' || char(10) AS b").stdout.splitlines()
    assert len(found) == 2
    assert found[1] == f"{'x' * 99}…  ?[2J?"


def test_no_form_controls_a_terminal(node: Node) -> None:
    """Whoever may send a transaction chooses what metadata and data hold."""
    query = "SELECT char(27) || char(155) || '2J' || char(10) || 'é' AS \"\x1ba\", 1.5 AS b"
    printed = run(node, query, "--format", "json").stdout
    assert json.loads(printed) == [{"\x1ba": "\x1b\x9b2J\né", "b": 1.5}]
    assert r"\u001b\u009b2J\né" in printed
    assert run(node, query, "--format", "csv").stdout == '\x1ba,b\n"\x1b\x9b2J\né",1.5\n'
    assert on_terminal(node, query, "--format", "csv") == "?a,b\r\n??2J?é,1.5\r\n"


def test_a_schema_controls_no_terminal(node: Node, tmp_path: Path) -> None:
    """Files come from elsewhere, too."""
    path = part_of(node, tmp_path, "position = position")
    with closing(sqlite3.connect(path)) as part:
        part.execute("CREATE VIEW mine AS SELECT '\x1b[2J'\n|| 'b'")
    assert "CREATE VIEW mine AS SELECT '?[2J'\n|| 'b';\n" in run(node, "--schema", "--file", str(path)).stdout


def on_terminal(node: Node, *arguments: str) -> str:
    """Return what `sql` prints on a terminal, but for standard error."""
    terminal, end = os.openpty()
    line = [*node.command, "-c", str(node.configuration), "sql", *arguments]
    with os.fdopen(terminal, "rb", 0) as screen:
        try:
            subprocess.run(line, env=os.environ, stdout=end, stderr=subprocess.DEVNULL, check=True)
        finally:
            os.close(end)
        shown = b""
        with suppress(OSError):  # the end of a terminal, which may hand over its text in several pieces
            while piece := screen.read(4_096):
                shown += piece
    return shown.decode()


def test_the_schema_has_ten_questions_that_can_be_asked(node: Node) -> None:
    found = json.loads(run(node, "--schema", "--format", "json").stdout)
    assert [one["sql"] for one in found["questions"]] == [*QUESTIONS.values()]
    assert any("option:data.kind" in statement for statement in found["statements"])
    printed = run(node, "--schema").stdout
    assert all(statement in printed for statement in (*found["statements"], *QUESTIONS.values()))
    for question in QUESTIONS.values():
        assert run(node, question).stdout


def test_how_far_the_file_is_stands_on_standard_error(node: Node, tmp_path: Path) -> None:
    """An answer is of the moment that it names, and of the events that are there."""
    path = part_of(node, tmp_path, "position = position - 3, block_count = block_count - 5")
    said = run(node, "--file", str(path), "SELECT 1").stderr.splitlines()[-1]
    assert said.endswith("; 2 earlier events are not in it; 3 events behind the ledger")
    path = part_of(node, tmp_path, "position = position + 4, block_count = block_count + 4")
    said = run(node, "--file", str(path), "SELECT 1").stderr.splitlines()[-1]
    assert said.endswith("; 4 events beyond the ledger, which was restored: make the file anew")
    path = part_of(node, tmp_path, "chain_id = char(27) || 'other'")
    said = run(node, "--file", str(path), "SELECT 1").stderr.splitlines()[-1]
    assert "; of the ledger ?other, and this node's is " in said
    path = part_of(node, tmp_path, "position = 'far'")
    said = run(node, "--file", str(path), "SELECT 1", code=1).stderr.splitlines()[-1]
    assert "part.db: is damaged (progress: Expected `int`, got `str` - at `$[0]`); move it away" in said


def test_a_ledger_that_cannot_be_read_is_not_compared(node: Node, tmp_path: Path) -> None:
    """Who may read the tables may read nothing else, perhaps."""
    path = tmp_path / "far.json"
    path.write_text(json.dumps({"database": {"path": f"/{'far' * 100}"}}))
    done = run(node, "-c", str(path), "--file", str(node.folder / "ledger.db"), "SELECT 1")
    assert "ledger.db: up to position " in done.stderr
    assert "behind" not in done.stderr


def part_of(node: Node, folder: Path, change: str) -> Path:
    """Return a copy of the tables whose progress is another one."""
    path = folder / "part.db"
    with closing(sqlite3.connect(node.folder / "ledger.db")) as whole, closing(sqlite3.connect(path)) as part:
        whole.backup(part)
        part.execute(f"UPDATE progress SET {change}")
        part.commit()
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ((), 2, "pass one query, or --schema alone"),
        (("SELECT 1", "--schema"), 2, "pass one query, or --schema alone"),
        (("--schema", "--format", "csv"), 2, "--schema has the formats table and json"),
        (("SELECT 1", "--file", "a", "--plugin", "b"), 2, "pass --file or --plugin"),
        (
            ("SELECT 1", "--timeout", "0"),
            2,
            "--timeout': must be a number above 0 and at most 86400 seconds, found '0'",
        ),
        (("SELECT 1", "--file", "/none.db"), 1, "bigchaindb: there is no file `/none.db`; pass --file, or see"),
        (("SELECT 1", "--file", "~nosuch/a.db"), 1, "/~nosuch/a.db`; pass --file, or see"),
        (("SELECT 1", "--plugin", "file"), 1, "--plugin: 'file' writes no tables by"),
        (("DROP TABLE blocks",), 1, "bigchaindb: only queries are run, and this statement is refused (DROP: not"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(node: Node, arguments: tuple[str, ...], code: int, why: str) -> None:
    assert why in run(node, *arguments, code=code).stderr.splitlines()[-1]


def test_the_plugin_is_found_by_the_configuration(node: Node, tmp_path: Path) -> None:
    """None, one that has written nothing yet, and two."""
    paths = {name: str(tmp_path / f"{name}.db") for name in ("sqlite", SECOND)}
    for names, arguments, why in (
        ((), ("SELECT 1",), "no plugin that writes tables is enabled by"),
        (("sqlite",), ("SELECT 1",), f"there is no file `{paths['sqlite']}`"),
        (("sqlite", SECOND), ("SELECT 1",), f"several plugins write tables: sqlite, {SECOND}; pass --plugin NAME"),
        (("sqlite", SECOND), ("SELECT 1", "--plugin", SECOND), f"there is no file `{paths[SECOND]}`"),
    ):
        plugins = {name: {"options": {"path": paths[name]}} for name in names}
        path = tmp_path / "other.json"
        path.write_text(json.dumps({"database": {"path": str(tmp_path / "data")}, "events_plugins": plugins}))
        done = run(node, "-c", str(path), *arguments, code=1)
        assert why in done.stderr.splitlines()[-1]
        assert "CREATE VIEW holders" in run(node, "-c", str(path), "--schema", *arguments[1:]).stdout
