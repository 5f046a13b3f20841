"""The file sink: JSON Lines, each message once, whatever breaks off."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.delivery import Per
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.eventlog.lane import State
from bigchaindb.events import Unavailable
from bigchaindb.sinks.file import Journal
from tests.integration.sinks.suite import RECIPE, Held, SinkSuite, check, done, expected, passing, until


class Lines:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def options(self, **more: Any) -> dict[str, Any]:
        return {"path": str(self.path), **more}

    def held(self) -> Sequence[Held]:
        text = self.path.read_bytes() if self.path.exists() else b""
        assert text == b"" or text.endswith(b"\n")
        return [Held(json.loads(line)["id"], "", line.partition(b',"data":')[2][:-1]) for line in text.splitlines()]


@pytest.fixture
def target(tmp_path: Path) -> Lines:
    return Lines(tmp_path / "events.jsonl")


class TestFile(SinkSuite):
    """One file is one key: all of it is in order."""

    sink = "file"
    exactly_once = True

    async def test_a_folder_that_is_missing_is_waited_for(self, tmp_path: Path) -> None:
        lines = Lines(tmp_path / "later/events.jsonl")
        async with passing(tmp_path, "file", lines.options()) as run:
            run.grow(3)
            await until(lambda: run.status().state is State.BACKOFF, "it to be unavailable", run)
            assert run.status().error == f"Unavailable: {lines.path}: No such file or directory"
            lines.path.parent.mkdir()
            await done(run)
        check(lines.held(), expected(RECIPE, Per.BLOCK), exactly_once=True)

    @pytest.mark.parametrize("torn", [b"x", b'{"specversion":"1.0","id', b"y" * 3_000_000])
    async def test_a_torn_line_is_cut_off(self, target: Lines, tmp_path: Path, torn: bytes) -> None:
        async with passing(tmp_path, "file", target.options()) as run:
            await done(run)
        whole = target.path.read_bytes()
        target.path.write_bytes(whole + torn)
        Journal(target.path).close()
        assert target.path.read_bytes() == whole
        target.path.write_bytes(torn)
        Journal(target.path).close()
        assert target.path.read_bytes() == b""

    def test_what_is_there_is_not_written_again_after_a_seek(self, target: Lines) -> None:
        """Begun at the tenth event and then led back to the first: all are there, and none twice."""
        messages = expected(RECIPE, Per.TRANSACTION)
        with Journal(target.path) as journal:
            journal.append(messages[40:60])
        with Journal(target.path) as journal:
            journal.append(messages[:50])
            journal.append(messages[50:])
        assert sorted(one.id for one in target.held()) == sorted(one.id for one in messages)

    def test_two_processes_do_not_write_one_file(self, target: Lines) -> None:
        with Journal(target.path):
            with pytest.raises(Unavailable, match="another process writes this file"):
                Journal(target.path)
            assert "is being written" in try_plugin("file", target.options(), with_check=True).checked

    def test_another_ledgers_file_is_refused(self, target: Lines) -> None:
        """Positions of two ledgers are alike: what one wrote would be taken for the other's."""
        other = expected(type(RECIPE)(blocks=2, seed=8), Per.BLOCK)
        with Journal(target.path) as journal:
            journal.append(other)
        with (
            Journal(target.path) as journal,
            pytest.raises(Unavailable, match="holds events of urn:bigchaindb:simulated-8"),
        ):
            journal.append(expected(RECIPE, Per.BLOCK))
        assert len(target.held()) == 2

    def test_a_file_of_something_else_is_left_alone(self, target: Lines) -> None:
        target.path.write_text("dear diary\n")
        assert "'dear diary', which is no line" in try_plugin("file", target.options(), with_check=True).error
        assert target.path.read_text() == "dear diary\n"

    def test_a_relative_path_is_refused(self) -> None:
        assert "path: must be absolute" in try_plugin("file", {"path": "events.jsonl"}).error
