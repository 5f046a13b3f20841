"""The log never makes the node wait. Source: docs/how-to/run-a-node.md, "Look after it"."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bigchaindb import line_queue, log, standard_error
from bigchaindb.config import Limits, Log, Settings
from bigchaindb.line_queue import LineQueue, put
from bigchaindb.log import dropped_count, set_up
from bigchaindb.standard_error import to_standard_error
from tests.support.waiting import until


class Reader:
    """Takes pieces as a pipe does: while `is_reading` is cleared whoever writes waits."""

    def __init__(self) -> None:
        self.taken = b""
        self.is_reading = threading.Event()

    def write(self, piece: bytes) -> None:
        self.is_reading.wait()
        self.taken += piece

    @property
    def lines(self) -> list[str]:
        return self.taken.decode().splitlines()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each end wait for its thread, which a busy machine may leave aside for longer than a second."""
    monkeypatch.setattr(line_queue, "CLOSE_S_MAX", 60.0)


@pytest.fixture
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.is_reading.set()


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("a", logging.INFO, "", 0, text, (), None)


def queue_to(write: Callable[[bytes], None], bytes_max: int = 1_000) -> LineQueue:
    queue = LineQueue(write, bytes_max)
    queue.setFormatter(logging.Formatter("%(message)s"))
    return queue


def test_lines_come_in_order_and_all_before_the_end(reader: Reader) -> None:
    reader.is_reading.set()
    queue = queue_to(reader.write, 100_000)
    for number in range(1_000):
        queue.emit(record(f"line {number}"))
    queue.close()
    assert reader.lines == [f"line {number}" for number in range(1_000)]
    assert queue.dropped_count == 0


def test_nobody_waits_for_a_reader_and_what_was_dropped_is_told(reader: Reader) -> None:
    """A loop that waits for a pipe which nobody reads would hang for ever."""
    queue = queue_to(reader.write)
    for number in range(1_000):
        queue.emit(record(f"line {number:03}"))
    dropped = queue.dropped_count
    kept_count_max = 1_000 // len("line 000\n") + 1  # one always may wait, also behind a piece that is being written
    assert 1_000 - dropped <= kept_count_max
    reader.is_reading.set()
    until(lambda: reader.lines[-1:] == ["log lines were dropped"], what="the notice")
    kept = [line for line in reader.lines if line.startswith("line ")]
    assert len(kept) == 1_000 - dropped
    assert kept == sorted(kept)
    queue.emit(record("after"))
    queue.close()
    assert reader.lines[-1] == "after"
    assert queue.dropped_count == dropped


def test_the_notice_stands_where_the_lines_are_missing() -> None:
    taken: list[bytes] = []
    places = threading.Semaphore(0)

    def write(piece: bytes) -> None:
        places.acquire()
        taken.append(piece)

    queue = queue_to(write, 40)
    queue.emit(record("first"))
    until(lambda: not queue._lines, what="the thread, which writes the first line")
    queue.emit(record("x" * 30))
    queue.emit(record("y" * 30))
    places.release()
    until(lambda: taken, what="the first line, written")
    queue.emit(record("z"))
    places.release(4)
    queue.close()
    said = b"".join(taken).decode().split()
    assert said == ["first", "x" * 30, *["log", "lines", "were", "dropped"], "z"]


def test_the_end_waits_a_moment_for_a_reader_and_no_longer(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_queue, "CLOSE_S_MAX", 0.05)
    closed: list[bool] = []
    queue = LineQueue(reader.write, 1_000, lambda: closed.append(True))
    queue.emit(record("nobody reads this"))
    for _ in range(2):
        queue.close()
    assert closed == [True]


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("a defect")])
def test_a_line_that_cannot_be_written_is_counted_and_the_next_is_tried(error: Exception) -> None:
    """Standard error whose reader is gone, a disk that is full for a while, or a defect: the log goes on."""
    taken: list[bytes] = []

    def write(piece: bytes) -> None:
        if piece.startswith(b"lost"):
            raise error
        taken.append(piece)

    queue = queue_to(write)
    queue.emit(record("lost"))
    until(lambda: queue.dropped_count == 1, what="the line that is lost")
    queue.emit(record("kept"))
    queue.close()
    assert taken == [b"kept\n"]


def test_a_line_that_cannot_be_made_says_so(reader: Reader) -> None:
    reader.is_reading.set()
    queue = queue_to(reader.write)
    queue.emit(logging.LogRecord("a.b", logging.INFO, "", 0, "%d", ("no number",), None))
    queue.close()
    assert reader.lines == ["a log line cannot be formatted: TypeError, logger a.b"]


def test_standard_error_may_be_one_that_does_not_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever shares a terminal can make it so; half a line would be the least of the losses."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    monkeypatch.setattr(standard_error, "STANDARD_ERROR", theirs)
    size = 1_000_000
    writer = threading.Thread(target=to_standard_error, args=(b"x" * size,))
    writer.start()
    received = 0
    while received < size:
        received += len(os.read(ours, 65_536))
    writer.join()
    os.close(ours)
    os.close(theirs)


@pytest.fixture
def _logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    monkeypatch.setattr("sys.excepthook", lambda *_: None)
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = before
    root.setLevel(level)


@pytest.mark.usefixtures("_logging_as_it_was")
def test_a_node_s_outputs_each_have_a_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that stands still must not keep lines from the file."""
    monkeypatch.setattr(line_queue, "CLOSE_S_MAX", 0.05)
    ours, theirs = os.pipe()
    monkeypatch.setattr(standard_error, "STANDARD_ERROR", theirs)
    file = tmp_path / "node.log"
    settings = Settings(log=Log(file=file), limits=Limits(log_bytes_max=1_000))
    set_up(settings, in_background=True)

    def is_written() -> bool:
        for _ in range(1_000):
            logging.getLogger("a").warning("100 %% of %s", "it")
        return file.read_text().count("100 % of it") > 100

    until(is_written, what="lines in the file")
    assert put("a text")
    assert dropped_count() > 0
    set_up(settings, in_background=True)  # a second call replaces the first
    assert dropped_count() == 0
    os.close(theirs)
    os.close(ours)


@pytest.mark.usefixtures("_logging_as_it_was")
def test_a_log_file_that_cannot_be_rotated_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is not the node's, as `/var/log` often is not, must not end the log file for ever."""
    monkeypatch.setattr(log, "FILE_BYTES_MAX", 1_000)
    file = tmp_path / "node.log"
    in_the_way = [tmp_path / "node.log.4", tmp_path / "node.log.5"]
    for path in in_the_way:
        path.mkdir()
    set_up(Settings(log=Log(file=file)), in_background=True)

    def drops() -> bool:
        logging.getLogger("a").warning(100 * "x")
        return dropped_count() > 1

    def is_written() -> bool:
        logging.getLogger("a").warning("again")
        with suppress(FileNotFoundError):  # within a rotation
            return "again" in file.read_text()
        return False

    until(drops, what="lines beyond the bound")
    for path in in_the_way:
        path.rmdir()
    until(is_written, what="lines in the file")


@pytest.mark.usefixtures("_logging_as_it_was")
def test_a_log_file_on_a_full_disk_keeps_no_node_from_its_start() -> None:
    """The outputs are set up twice: what the first could not write was written again at its end, which raised."""
    settings = Settings(log=Log(file=Path("/dev/full")))
    set_up(settings, in_background=True)
    logging.getLogger("a").warning("a line")
    until(lambda: dropped_count() == 1, what="the line to be dropped")
    set_up(settings, in_background=True)
