"""The file sink: JSON Lines, each message once, whatever breaks off."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import pytest

from bigchaindb.delivery import Format, Per, Shape
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.events import Unavailable
from bigchaindb.sinks.file import _BEGINNING as BEGINNING
from bigchaindb.sinks.file import Journal
from bigchaindb.testing.sinks import RECIPE, Held, ShapedSuite, SinkSuite, Trouble, done, expected, passing
from tests.support import scale, services
from tests.support.targets import KILL_RUN, InFile


class Lines(InFile):
    """A file of lines."""

    def held(self) -> Sequence[Held]:
        text = self.path.read_bytes() if self.path.exists() else b""
        assert text == b"" or text.endswith(b"\n")
        return [Held(json.loads(line)["id"], "", line.partition(b',"data":')[2][:-1]) for line in text.splitlines()]

    def bodies(self) -> Sequence[bytes]:
        return self.path.read_bytes().splitlines()

    def full(self) -> Trouble:
        return self.on_full_disk(4, "No space left on device")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Lines]:
    with ExitStack() as disks:
        yield Lines(tmp_path / "events.jsonl", disks)


class TestFile(ShapedSuite, SinkSuite):
    """One file is one key: all of it is in order."""

    sink = "file"
    exactly_once = True
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    formats = (Format.CLOUDEVENTS, Format.DEBEZIUM)
    cannot: ClassVar = {"refusing": "a file takes any line", "limited": "a file takes a line of any length"}

    @pytest.mark.parametrize("torn", [b"{", BEGINNING[:-9], BEGINNING, BEGINNING + b"y" * 3_000_000], ids=len)
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

    @pytest.mark.parametrize("zeros", [bytes(1), bytes(9_000), BEGINNING[:-9] + bytes(9_000)], ids=len)
    def test_zeros_that_a_power_cut_leaves_behind_lines_are_cut_off(self, target: Lines, zeros: bytes) -> None:
        """Some disks give a file its new length before its data. A file of nothing else is not known to be ours."""
        with Journal(target.path) as journal:
            journal.append(expected(RECIPE, Per.BLOCK)[:3])
        whole = target.path.read_bytes()
        target.path.write_bytes(whole + zeros)
        with Journal(target.path) as journal:
            journal.append(expected(RECIPE, Per.BLOCK)[:4])
        assert [one.id for one in target.held()] == [one.id for one in expected(RECIPE, Per.BLOCK)[:4]]
        target.path.write_bytes(bytes(9_000))
        with pytest.raises(Unavailable, match="no line of this plugin"):
            Journal(target.path)
        assert target.path.read_bytes() == bytes(9_000)

    def test_what_is_there_is_not_written_again_after_a_seek(self, target: Lines) -> None:
        """Begun at the tenth event and then led back to the first: all are there, and none twice."""
        messages = expected(RECIPE, Per.TRANSACTION)
        with Journal(target.path) as journal:
            journal.append(messages[40:60])
        with Journal(target.path) as journal:
            journal.append(messages[:50])
            journal.append(messages[50:])
        assert sorted(one.id for one in target.held()) == sorted(one.id for one in messages)

    def test_change_events_that_are_there_are_not_written_again(self, target: Lines) -> None:
        shape, messages = Shape(Format.DEBEZIUM, {"id": "$.id"}), expected(RECIPE, Per.TRANSACTION)
        for part in (messages[5:20], messages[:30]):
            with Journal(target.path, shape) as journal:
                journal.append(part)
        assert sorted(target.bodies()) == sorted(map(shape.body, messages[:30]))
        with pytest.raises(Unavailable, match="no line of this plugin"):
            Journal(target.path)
        target.path.write_bytes(target.path.read_bytes() + b'{"before":null,"af')
        with Journal(target.path, shape) as journal:
            assert journal.highest == messages[29].sequence
        assert len(target.bodies()) == 30, "a torn line is cut off"

    def test_change_events_of_another_connector_are_left_alone(self, target: Lines) -> None:
        line = b'{"before":null,"after":{},"source":{"connector":"postgresql","name":"a","sequence":"[]"},"op":"c"}\n'
        target.path.write_bytes(line)
        with pytest.raises(Unavailable, match="no line of this plugin"):
            Journal(target.path, Shape(Format.DEBEZIUM))
        assert target.path.read_bytes() == line

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

    @pytest.mark.parametrize("text", ["dear diary\n", "dear diary\nprecious", "precious"])
    def test_a_file_of_something_else_is_left_alone(self, target: Lines, text: str) -> None:
        target.path.write_text(text)
        assert "which is no line of this plugin" in try_plugin("file", target.options(), with_check=True).error
        with pytest.raises(Unavailable, match="which is no line of this plugin"):
            Journal(target.path)
        assert target.path.read_text() == text

    def test_a_check_makes_and_changes_nothing(self, target: Lines) -> None:
        assert "will be made" in try_plugin("file", target.options(), with_check=True).checked
        assert not target.path.exists()
        target.path.write_bytes(BEGINNING)
        assert "is empty" in try_plugin("file", target.options(), with_check=True).checked
        assert target.path.read_bytes() == BEGINNING

    def test_a_file_that_is_deleted_takes_nothing_more(self, target: Lines) -> None:
        """Into a file without a name one could write for ever."""
        messages = expected(RECIPE, Per.BLOCK)
        with Journal(target.path) as journal:
            journal.append(messages[:1])
            target.path.unlink()
            with pytest.raises(Unavailable, match="was deleted"):
                journal.append(messages[1:2])

    def test_what_is_there_at_the_start_is_synced_before_it_counts(self, target: Lines) -> None:
        """A process that was killed between write and sync leaves lines that a power cut would take."""
        with Journal(target.path) as journal:
            journal.append(expected(RECIPE, Per.BLOCK)[:1])
        source = (
            f"from pathlib import Path\nfrom bigchaindb.sinks.file import Journal\nJournal(Path({str(target.path)!r}))"
        )
        services.require("strace")
        line = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync", sys.executable, "-c", source]
        calls = subprocess.run(line, check=True, capture_output=True, text=True).stderr
        assert f"<{target.path}>" in calls

    def test_a_relative_path_is_refused(self) -> None:
        assert "path: must be absolute" in try_plugin("file", {"path": "events.jsonl"}).error
