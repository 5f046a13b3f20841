"""The reader process: `python -m bigchaindb.reader.process FD NODE START`.

It reads a question, reads the ledger, writes the answer, and begins again. It blocks, has one thread and no key, opens
the ledger by itself, read-only, and steps back for all other processes. Nothing of one question is kept for another.
"""

import os
import resource
import socket
import sqlite3
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import json

from bigchaindb.children import bound_resources, end_with_node
from bigchaindb.errors import EventError, SearchTooWide, StoreError
from bigchaindb.eventlog import selection
from bigchaindb.reader import frames
from bigchaindb.reader.newest import read_newest
from bigchaindb.serving.memory import give_back_large_blocks
from bigchaindb.store import holdings
from bigchaindb.store.database import translated
from bigchaindb.store.finding import Words, find_words
from bigchaindb.store.lists import step
from bigchaindb.store.log import Log
from bigchaindb.store.migrations import open_ledger
from bigchaindb.streams.cloud_events import Choice, read_page

NICENESS: Final = 10
ADDRESS_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Address space: a search of 100,000 matches takes some 40 MiB of it, a piece of a list a few."""
DESCRIPTOR_COUNT_MAX: Final = 64
STEPS: Final = 1_000
"""Steps of SQLite between two looks at the clock: a few hundredths of a millisecond."""
READY: Final = b"r"
"""Is sent once the ledger is open."""


def main() -> None:
    """Serve one node until it ends or closes the socket."""
    fd, parent, start = sys.argv[1:]
    if not end_with_node(int(parent)):
        return
    os.nice(NICENESS)
    bound_resources(
        {
            resource.RLIMIT_AS: ADDRESS_BYTES_MAX,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: DESCRIPTOR_COUNT_MAX,
        }
    )
    give_back_large_blocks()
    decoded = json.decode(start, type=frames.Start)
    with socket.socket(fileno=int(fd)) as stream, suppress(ConnectionError):  # the node may let go of it at any time
        questions = Questions(decoded)
        stream.sendall(READY)
        serve(stream, questions)


def serve(stream: socket.socket, questions: "Questions") -> None:
    """Answer question after question until the node closes the socket."""
    with stream.makefile("rb") as reader:
        while head := reader.read(frames.HEAD.size):
            [size] = frames.HEAD.unpack(head)
            stream.sendall(frames.frame(questions.answer(reader.read(size))))


class Questions:
    """Answers from the ledger, each within its time."""

    def __init__(self, start: frames.Start) -> None:
        """Open the ledger.

        Raises:
            StoreError: it cannot be read.
        """
        self._start = start
        self._end_s = 0.0
        self._log = Log(Path(start.ledger))
        self._connection = open_ledger(Path(start.ledger))
        for connection in (self._connection, self._log.connection):
            connection.set_progress_handler(self._is_late, STEPS)

    def answer(self, payload: bytes) -> frames.Answer | frames.Failed:
        """Return the answer to a question, or the error that it met."""
        self._end_s = time.monotonic() + self._start.time_s_max
        try:
            return self._answer(frames.question_of(payload))
        except (StoreError, EventError) as error:
            if isinstance(error.__cause__, sqlite3.OperationalError) and self._is_late():
                return frames.failed(self._too_long())
            return frames.failed(error)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  a defect of one question must not end those that follow
            return frames.failed(StoreError(f"the reader process met a defect: {traceback.format_exc()[-3_000:]}"))

    def _answer(self, question: frames.Question) -> frames.Answer:
        if isinstance(question, frames.EventPage):
            return self._page(question)
        with translated("ledger.db"):
            if isinstance(question, Words):
                return frames.Page(find_words(self._connection, question, self._start.bounds))
            if isinstance(question, holdings.Outputs):
                return holdings.page(self._connection, question)
            if isinstance(question, holdings.Sums):
                return frames.Page(holdings.document(self._connection, question, self._is_half_over))
            return step(self._connection, question, self._start.bounds)

    def _page(self, asked: frames.EventPage) -> frames.Page:
        selected = selection.from_query(asked.members)
        choice = Choice(selected, asked.types, asked.each_transaction, asked.is_summary)
        if asked.before is not None:
            scan_end_s = time.monotonic() + self._start.scan_s_max
            return read_newest(self._log, self._start.chain_id, choice, asked, lambda: time.monotonic() >= scan_end_s)
        bounds = {"beginning": 0, "count_max": asked.count_max, "bytes_max": asked.bytes_max}
        piece = read_page(self._log, self._start.chain_id, choice, asked.after, asked.head, **bounds)
        return frames.page_of(piece, asked.head)

    def _is_late(self) -> bool:
        return time.monotonic() >= self._end_s

    def _is_half_over(self) -> bool:
        """Whether sums have to end, so that what they found can be shown in time."""
        return time.monotonic() >= self._end_s - self._start.time_s_max / 2

    def _too_long(self) -> SearchTooWide:
        return SearchTooWide(
            f"the query took more than {self._start.time_s_max:g} s (limits.search_s_max); ask for less, such as "
            "fewer and rarer words, or try again when the node has less to do"
        )


if __name__ == "__main__":
    main()
