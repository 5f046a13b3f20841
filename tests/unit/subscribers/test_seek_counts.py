"""The number of seeks that each process of a plugin gets. Source: promise P8; decision 0151."""

import itertools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.eventlog.lane import Lane, Progress, State
from bigchaindb.store import Store
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_page import Word, page_path

NAME = "sales"


class Processes:
    """A lane whose plugin has one process after the other, while the node runs."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.files = LaneFiles(store, "solo-test")
        self.epoch = 0

    def begin(self, *, is_sought: bool = False, state: State = State.LIVE) -> int:
        """Begin the next one; return the number that it gets."""
        self.epoch += 1
        lane = Lane(state, self.epoch, Progress(0, 0))
        more = {"since": 1.0, "head": 0, "slot_count": 8}
        with closing(self.files.begin_epoch(NAME, lane, **more, is_sought=is_sought)) as page:  # type: ignore[arg-type]
            return page.words[Word.SEEK_COUNT]

    def damage(self) -> None:
        """Turn the row into one that nobody wrote, as a flipped bit does."""
        with closing(sqlite3.connect(self.store.directory.path / "node.db")) as connection:
            connection.execute("UPDATE seeks SET count = count + 4")
            connection.commit()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with closing(Store(tmp_path / "data")) as store:
        found = Processes(store)
        yield found
        found.files.close()


def test_every_process_gets_the_same_until_the_next_seek(processes: Processes) -> None:
    assert [processes.begin(is_sought=number in {1, 3}) for number in range(5)] == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("is_older", [False, True])
def test_p6_a_lane_of_an_older_copy_of_node_db_waits_for_a_word(processes: Processes, *, is_older: bool) -> None:
    """Everything since the copy comes again, as if it had never come. Without a page a row is all that is known."""
    processes.begin()
    node, copy = processes.store.node, sqlite3.connect(":memory:")
    with closing(copy), closing(sqlite3.connect(processes.store.directory.node)) as connection:
        connection.backup(copy)
        processes.begin()
        if is_older:
            copy.backup(connection)
    page = page_path(processes.store.directory.lanes, NAME, processes.epoch)
    if not is_older:
        page.unlink()
    assert node.lane(NAME) is not None
    lane = processes.files.recover(NAME, "genesis")
    assert lane.state is (State.GAPPED if is_older else State.STOPPED)
    assert (f"node.db is older than {page}" in lane.error) == is_older


def test_a_row_that_is_damaged_while_the_node_runs_changes_no_number(processes: Processes) -> None:
    """Else each process got the second in which it began, and took what comes again after a crash for wanted."""
    assert processes.begin(is_sought=True) == 1
    processes.damage()
    assert [processes.begin(), processes.begin()] == [1, 1]
    assert processes.begin(is_sought=True) == 2
    assert processes.store.node.seek_count(NAME) == 2, "the seek has written the row anew"


def test_a_row_that_is_damaged_before_it_is_read_numbers_all_processes_alike(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert processes.begin(is_sought=True) == 1
    processes.damage()
    processes.files.close()
    processes.files = LaneFiles(processes.store, "solo-test")  # of a node that has read no row yet
    times = itertools.count(1_800_000_000)
    monkeypatch.setattr(time, "time", lambda: next(times))
    first = processes.begin()
    assert first >= 1_800_000_000, "one that none had"
    assert [processes.begin(), processes.begin()] == [first, first]
    assert processes.begin(is_sought=True) == first + 1


def test_out_of_a_gap_the_number_is_one_that_none_had(processes: Processes) -> None:
    before = int(time.time())
    assert processes.begin(state=State.GAPPED) == 0
    first = processes.begin(is_sought=True)
    assert before <= first <= time.time()
    assert processes.begin(is_sought=True) == first + 1


def test_who_forgets_a_lane_begins_to_count_anew(processes: Processes) -> None:
    assert processes.begin(is_sought=True) == 1
    processes.files.forget(NAME)
    assert processes.begin() == 0
