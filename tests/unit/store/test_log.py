"""The log in SQLite: what follows it, what filters it, what finds a place in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from bigchaindb.errors import HistoryLost, StoreDamaged, StoreError
from bigchaindb.eventlog.members import Member
from bigchaindb.eventlog.selection import ALL, Selection
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.ports import Record
from bigchaindb.store import Log, Store
from tests.support import scale
from tests.support.decisions import Chain, made
from tests.support.event_logs import passes

NOTES: Final = ("n0", "n1", "n2")
OWNERS: Final = ("alice", "bob")
ASSETS: Final = ("a" * 64, "b" * 64)
VARIED_COUNT: Final = 40


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"ledger\.db: unable to open"):
        Log(tmp_path / "ledger.db")


def test_a_log_follows_what_is_committed_after_it_was_opened(store: Store) -> None:
    with closing(store.log_reader()) as log:
        chain = Chain()
        for position in (1, 2, 3):
            store.writer.commit(chain.valid(made(position)))
            assert log.head() == position
            records = log.records(position - 1, position, count_max=1, bytes_max=1)
            assert [record.position for record in records] == [position]


def test_a_position_before_the_first_is_the_beginning(store: Store) -> None:
    store.writer.commit(Chain().valid(made(1)))
    with closing(store.log_reader()) as log:
        assert len(log.records(0, 10, count_max=0, bytes_max=0)) == 1
        assert log.entry(0) is None
        assert log.announcements(0) == []


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """Return a log of blocks decided valid or invalid, of transactions that selections tell apart."""
    seed, serials, chain = Random(1), count(), Chain()
    with closing(Store(tmp_path_factory.mktemp("varied") / "data")) as store:
        store.writer.commit(chain.valid(made(next(serials), owners=[["alice"]])))
        for _ in range(VARIED_COUNT):
            transactions = [
                made(
                    next(serials),
                    asset_id=seed.choice([None, *ASSETS]),
                    owners=[[seed.choice(OWNERS)]],
                    metadata=seed.choice([None, *({"note": note} for note in NOTES)]),
                )
                for _ in range(seed.randint(1, 4))
            ]
            store.writer.commit(seed.choice([chain.valid, chain.valid, chain.invalid])(*transactions))
        with closing(store.log_reader()) as log:
            yield log


selections = st.builds(
    Selection,
    operation=st.none() | st.sampled_from(["CREATE", "TRANSFER"]),
    asset=st.none() | st.sampled_from([*ASSETS, made(0, owners=[["alice"]]).id]),
    owner=st.none() | st.sampled_from(OWNERS),
    members=st.just(()) | st.sampled_from(NOTES).map(lambda note: (Member(("note",), (note, 5)),)),
)


@settings(max_examples=scale.FILTER_EXAMPLES)
@given(selection=st.none() | selections, types=st.sampled_from([-1, 1, 2, 3]), data=st.data())
def test_the_events_of_a_filter_are_the_same_whatever_the_bounds(
    varied: Log, selection: Selection | None, types: int, data: st.DataObject
) -> None:
    """P15: an application that comes late, or reads in small steps, must not see another set than one that follows."""
    head = varied.head()
    after = data.draw(st.integers(0, head))
    naive = [
        record
        for record in varied.records(after, head, count_max=head, bytes_max=1 << 30)
        if record.type & types and passes(record, selection)
    ]
    found: list[Record] = []
    while after < head:
        count_max = data.draw(st.sampled_from([1, 2, 100]))
        bytes_max = data.draw(st.integers(1, 4_000) | st.just(1 << 30))
        through = after + data.draw(st.integers(1, 2 * head))
        records, reached = varied.selected(
            after, through, selection, types=types, count_max=count_max, bytes_max=bytes_max
        )
        assert after < reached <= min(head, through), "a call that finds nothing has to get on as well"
        assert all(after < record.position <= reached for record in records)
        assert len(records) <= count_max
        assert len(records) <= 1 or sum(len(record.body) for record in records) <= bytes_max
        found += records
        after = reached
    assert found == naive


def test_one_call_looks_at_a_bounded_piece_of_the_log(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of a million events in one go would hold the log's space and the follower for seconds."""
    chain = Chain()
    for serial in range(10):
        store.writer.commit(chain.valid(made(serial)))
    nobody = Selection(owner="nobody")
    with closing(store.log_reader()) as log:
        sizes = [len(record.body) for record in log.records(0, 10, count_max=10, bytes_max=1 << 30)]

        def reached(after: int, selection: Selection | None, types: int = -1) -> int:
            found, last = log.selected(after, 10, selection, types=types, count_max=1, bytes_max=1 << 30)
            assert not found
            return last

        assert reached(0, nobody) == 10
        monkeypatch.setattr("bigchaindb.store.log.SCAN_BYTES_MAX", sum(sizes[2:5]))
        assert [reached(after, nobody) for after in (2, 9)] == [5, 10]
        monkeypatch.setattr("bigchaindb.store.log.SCAN_BYTES_MAX", 1)
        assert reached(3, nobody) == 4
        monkeypatch.undo()
        monkeypatch.setattr("bigchaindb.store.log.SCAN_COUNT_MAX", 4)
        assert [reached(3, nobody), reached(3, None, types=2)] == [7, 7]


def test_a_read_does_not_go_beyond_the_head(store: Store) -> None:
    """A cursor that is ahead of the log would pass over what comes next."""
    store.writer.commit(Chain().valid(made(1)))
    with closing(store.log_reader()) as log:
        for selection in (None, ALL, Selection(owner="nobody")):
            assert log.selected(0, 1 << 40, selection, count_max=5, bytes_max=1 << 30)[1] == 1
            assert log.selected(1, 1 << 40, selection, count_max=5, bytes_max=1 << 30) == ([], 1)


def test_a_match_is_found_in_any_transaction_of_a_large_block(store: Store) -> None:
    """Bodies are searched in pieces that do not end where blocks do."""
    chain = Chain()
    for block in range(3):
        effects = chain.valid(*(made(400 * block + index, owners=[[f"owner-{block}-{index}"]]) for index in range(400)))
        store.writer.commit(effects)
    with closing(store.log_reader()) as log:
        for index in (0, 31, 32, 33, 95, 96, 255, 256, 399):
            for block in range(3):
                selection = Selection(owner=f"owner-{block}-{index}")
                records, reached = log.selected(0, 3, selection, count_max=9, bytes_max=1 << 30)
                assert ([record.position for record in records], reached) == ([block + 1], 3)


def test_an_accident_in_the_bytes_is_no_match(store: Store) -> None:
    """What is searched for also occurs in other places of a document."""
    chain = Chain()
    store.writer.commit(chain.valid(made(1, metadata={"note": 'bob","x":"bob"', "deep": {"size": 5}, "long": 57})))
    with closing(store.log_reader()) as log:
        for selection in (
            Selection(owner="bob"),
            Selection(members=(Member(("size",), (5,)),)),
            Selection(members=(Member(("long",), (5,)),)),
        ):
            assert log.selected(0, 1, selection, count_max=9, bytes_max=1 << 30) == ([], 1)
        deep = Selection(members=(Member(("deep", "size"), (5,)),))
        assert len(log.selected(0, 1, deep, count_max=9, bytes_max=1 << 30)[0]) == 1


def test_a_damaged_document_is_said_and_not_passed_over(store: Store, data: Path) -> None:
    store.writer.commit(Chain().valid(made(1)))
    with closing(sqlite3.connect(data / "ledger.db")) as vandal:
        vandal.execute("UPDATE transactions SET body = CAST('{' || body AS BLOB)")
        vandal.commit()
    with closing(store.log_reader()) as log, pytest.raises(StoreDamaged, match="events 1 is not what"):
        log.selected(0, 1, Selection(operation="CREATE"), count_max=1, bytes_max=1)


@pytest.mark.parametrize("damaged", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("log_bytes", [10**12, -(10**12), "'text'"])
def test_a_damaged_count_of_bytes_hides_no_event(store: Store, data: Path, damaged: int, log_bytes: int | str) -> None:
    """It bounds what one call reads, and no checksum of a record covers it."""
    chain = Chain()
    for serial in range(5):
        store.writer.commit(chain.valid(made(serial)))
    with closing(sqlite3.connect(data / "ledger.db")) as vandal:
        vandal.execute(f"UPDATE events SET log_bytes = {log_bytes} WHERE position = {damaged}")
        vandal.commit()
    found: list[int] = []
    with closing(store.log_reader()) as log:
        while len(found) < 5:
            records = log.records(len(found), 5, count_max=10, bytes_max=1_000_000)
            assert records, found
            found += [one.position for one in records]
    assert found == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("selection", [None, ALL, Selection(owner="alice"), Selection(owner="bob")])
@pytest.mark.parametrize("missing", [1, 3, 5])
def test_p8_what_is_missing_is_said_and_not_passed_over(
    store: Store, data: Path, selection: Selection | None, missing: int
) -> None:
    """A gap would look like an event that does not match."""
    chain = Chain()
    for serial in range(5):
        store.writer.commit(chain.valid(made(serial, owners=[["alice"]])))
    with closing(sqlite3.connect(data / "ledger.db")) as connection:
        connection.executescript(f"DROP TRIGGER events_stay; DELETE FROM events WHERE position = {missing}")
    with closing(store.log_reader()) as log, pytest.raises(HistoryLost) as lost:
        log.selected(0, 5, selection, count_max=10, bytes_max=1_000_000)
    assert (lost.value.position, lost.value.head) == (missing, 5)


def test_the_first_event_of_a_height_or_time_is_found(store: Store) -> None:
    """Whoever starts at a height gets the rejected proposals for it as well."""
    chain = Chain()
    decisions = [chain.invalid(made(0)), chain.valid(made(1)), chain.invalid(made(2)), chain.invalid(made(3))]
    decisions += [chain.valid(made(2)), chain.valid(made(3)), chain.invalid(made(4))]
    with closing(store.log_reader()) as log:
        assert log.first_at(height=1) == 1
        for effects in decisions:
            store.writer.commit(effects)
        assert [e.last.event.height for e in decisions] == [1, 1, 2, 2, 2, 3, 4]
        assert [log.first_at(height=height) for height in (-1, 0, 1, 2, 3, 4, 5)] == [1, 1, 1, 3, 6, 7, 8]
        start = 1_700_000_000
        assert [log.first_at(time=start + later) for later in (-start, 0, 1, 2, 3)] == [1, 2, 5, 6, 8]
        assert [log.first_at(height=1, time=start + 1), log.first_at(height=3, time=0), log.first_at()] == [5, 6, 1]


def test_the_time_of_a_rejected_proposal_leads_nobody_astray(store: Store) -> None:
    """Its proposer may have said any time; a search that believes it would pass over what came before or after it."""
    chain = Chain()
    decisions = [chain.valid(made(serial)) for serial in range(3)]
    for time in (0, 1 << 33):
        rejected = chain.invalid(made(9))
        header = replace(rejected.last.block.header, timestamp=time)
        decisions.append(
            replace(rejected, logged=(replace(rejected.last, block=replace(rejected.last.block, header=header)),))
        )
        decisions += [chain.valid(made(10 + time + serial)) for serial in range(3)]
    for effects in decisions:
        store.writer.commit(effects)
    times = [effects.last.block.header.timestamp for effects in decisions if effects.last.event.type == 1]
    positions = [effects.last.event.position for effects in decisions if effects.last.event.type == 1]
    with closing(store.log_reader()) as log:
        assert [log.first_at(time=time) for time in times] == positions
        assert log.first_at(time=1 << 33) == len(decisions) + 1


def test_a_proposal_that_is_rejected_late_leads_nobody_astray(store: Store) -> None:
    """A network may log it many heights after the one it was made for: then the heights of the log are not sorted."""
    chain, decisions = Chain(), []
    for height in range(1, 10):
        decisions.append(chain.valid(made(height)))
        if height in (5, 8):
            decisions += [old(chain.invalid(made(100 * height + later)), later) for later in (2, 1)]
    for effects in decisions:
        store.writer.commit(effects)
    heights = [effects.last.event.height for effects in decisions]
    assert heights == [1, 2, 3, 4, 5, 2, 1, 6, 7, 8, 2, 1, 9]
    start = 1_700_000_000
    with closing(store.log_reader()) as log:
        for height in range(1, 10):
            first = heights.index(height) + 1
            assert log.first_at(height=height) == first
            assert log.first_at(time=start + height - 1) == first
        assert [log.first_at(height=10), log.first_at(time=start + 9)] == [len(decisions) + 1] * 2


def old(rejected: Effects, height: int) -> Effects:
    """Return a decision about a proposal as if that had been made for an earlier height."""
    [logged] = rejected.logged
    header = replace(logged.block.header, height=height)
    event = replace(logged.event, height=height)
    return replace(rejected, logged=(replace(logged, event=event, block=replace(logged.block, header=header)),))


def test_a_rejected_proposal_may_hold_anything(store: Store) -> None:
    """Its transactions stand in the log as they were received, written in any way, objects or not."""
    odd = [structs.replace(made(1), body=body) for body in (b"5", b'{"metadata": {"note" :5.0}, "outputs": 7}', b"[]")]
    store.writer.commit(Chain().invalid(*odd))
    with closing(store.log_reader()) as log:
        for value, found in ((5.0, 1), (5, 0)):
            selection = Selection(members=(Member(("note",), (value,)),))
            records, reached = log.selected(0, 1, selection, count_max=9, bytes_max=1 << 30)
            assert (len(records), reached) == (found, 1)
