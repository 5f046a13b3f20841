"""The lane page: what survives a kill, a power cut, and an owner that was replaced. Source: promises P6 and P12."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import StoreDamaged
from bigchaindb.eventlog.lane import Progress
from bigchaindb.subscribers.desk_slots import Slots
from bigchaindb.subscribers.lane_page import (
    COUNT_MAX,
    PAGE_BYTES,
    RETURNING,
    SLOTS_WORD,
    LanePage,
    Word,
    packed_count,
    page_path,
    pages_of,
)
from tests.support.lane_pages import as_of_1, kept


def made(
    folder: Path,
    progress: Progress | None = None,
    *,
    epoch: int = 1,
    slot_count: int = 4,
    counts: Mapping[int, int] | None = None,
) -> LanePage:
    path = page_path(folder, "plugin", epoch)
    return kept(LanePage.create(path, progress or Progress(), head=9, slot_count=slot_count, counts=counts))


@given(cursor=st.integers(0, 2**40), in_hand=st.sets(st.integers(1, 300), max_size=9), beyond=st.integers(0, 5))
def test_a_page_says_what_it_was_made_with(
    tmp_path_factory: pytest.TempPathFactory, cursor: int, in_hand: set[int], beyond: int
) -> None:
    positions = tuple(sorted(cursor + offset for offset in in_hand))
    progress = Progress(
        positions[0] - 1 if positions else cursor,
        (positions[-1] if positions else cursor) + beyond * bool(positions),
        positions,
    )
    with closing(made(tmp_path_factory.mktemp("page"), progress)) as page, closing(LanePage(page.path)) as read:
        assert page.progress() == read.progress() == progress
        assert page.words[Word.START] == page.cursor == progress.cursor
        assert page.words[Word.HEAD] == 9


def test_a_page_is_4_kib_and_a_slot_for_each_event_of_the_window(tmp_path: Path) -> None:
    assert made(tmp_path, slot_count=256).path.stat().st_size == 4096 + 16 * 256
    desk = kept(LanePage.create(tmp_path / "one.1", Progress(), head=9, slot_count=256, is_packed=True))
    assert desk.path.stat().st_size == 4096 + 24 * 256


def test_the_number_of_seeks_is_checked_where_there_is_one(tmp_path: Path) -> None:
    """A page of an earlier version has none, and opens."""
    for seek_count in (0, 3):
        path = page_path(tmp_path, "plugin", 1)
        page = kept(LanePage.create(path, Progress(), head=9, slot_count=4, seek_count=seek_count))
        assert page.words[Word.SEEK_COUNT] == seek_count
        page.words[Word.SEEK_COUNT] ^= 4
        with pytest.raises(StoreDamaged, match="is no lane page"):
            LanePage(path)


def test_both_sides_see_each_word_at_once(tmp_path: Path) -> None:
    ours = made(tmp_path)
    theirs = LanePage(ours.path)
    ours.words[Word.HEAD] = 12
    assert theirs.words[Word.HEAD] == 12
    theirs.close()


def test_p6_a_kill_between_slot_and_handed_loses_nothing(tmp_path: Path) -> None:
    page = made(tmp_path)
    page.words[SLOTS_WORD] = 1  # in hand first: REACHED was not reached
    assert page.progress() == Progress(0, 1, (1,))


def test_p6_a_kill_between_slot_and_acked_repeats_nothing(tmp_path: Path) -> None:
    page = made(tmp_path)
    page.words[Word.REACHED] = 3  # settled: the slot was cleared, CURSOR was not reached
    assert page.progress() == Progress(3, 3)


def test_p6_the_page_tells_what_its_own_process_took(tmp_path: Path) -> None:
    """Else an event would be blamed for the end of a process that never had it."""
    page = made(tmp_path, Progress(0, 3, (1, 3), (9,)))
    assert page.progress().delivered == set()
    page.words[page.slots[1] + 1] = 50
    assert page.progress().delivered == {3}


def test_p3_what_comes_back_from_being_parked_does_not_move_the_cursor(tmp_path: Path) -> None:
    page = made(tmp_path, Progress(4, 7, (5, 7), (2, 6)))
    assert page.progress() == Progress(4, 7, (5, 7), (2, 6))
    assert page.in_hand() == (2, 5, 6, 7)
    page.words[page.slots[0]] = 0  # 5 is settled
    assert page.words[page.slots[3]] == 6 | RETURNING
    assert page.progress() == Progress(6, 7, (7,), (2, 6))


def test_deliveries_are_counted_when_their_process_has_ended(tmp_path: Path) -> None:
    """Else a node that dies before it has written them down would give their numbers again."""
    page = made(tmp_path, Progress(4, 7, (5, 7), (2,)), counts={2: 9, 7: COUNT_MAX})
    assert page.progress() == Progress(4, 7, (5, 7), (2,), counts={2: 9, 7: COUNT_MAX})
    for slot in page.slots:
        page.words[slot + 1] = 50  # of the last, no event stands there any more
    page.end_deliveries()
    assert page.progress() == Progress(4, 7, (5, 7), (2,), counts={2: 10, 5: 1, 7: COUNT_MAX})
    assert page.in_hand() == (2, 5, 7)


def test_after_a_restart_of_the_machine_only_the_cursor_counts(tmp_path: Path) -> None:
    """Sectors of different moments: these slots are older than REACHED, and 5 and 6 would be lost."""
    page = made(tmp_path)
    page.words[Word.CURSOR], page.words[Word.REACHED] = 4, 6
    page.words[Word.BOOT] += 1
    assert page.progress() == Progress(4, 4)


def test_a_process_that_ended_in_the_middle_of_a_change_leaves_a_page_with_checks(tmp_path: Path) -> None:
    """What turns in it while the node is stopped is passed over, or given again, in silence."""
    page = made(tmp_path, Progress(4, 7, (5, 7)))
    page.words[Word.CHECK] = page.words[Word.HELD_CHECK] = 0
    page.words[page.slots[0]] = 0
    page.words[page.slots[1] + 1] = 50
    page.require_whole()
    page.end_deliveries()
    page.require_whole()
    for word, damage in ((Word.REACHED, "how far its events were read"), (page.slots[1], "an event in hand")):
        page.words[word] ^= 4
        with pytest.raises(StoreDamaged, match=damage):
            page.require_whole()
        page.words[word] ^= 4


def test_p12_what_a_stale_process_writes_is_not_read(tmp_path: Path) -> None:
    stale = made(tmp_path)
    for epoch in (2, 1):  # and not even where a file of the same name is made again
        current = made(tmp_path, epoch=epoch)
        stale.words[Word.CURSOR] = stale.words[Word.REACHED] = 8
        assert current.progress() == Progress()


def test_a_window_that_became_smaller_keeps_what_is_in_hand(tmp_path: Path) -> None:
    page = made(tmp_path, Progress(0, 6, (1, 2, 3, 4, 5, 6)), slot_count=2)
    assert page.in_hand() == (1, 2, 3, 4, 5, 6)


def test_the_age_is_that_of_the_event_taken_first(tmp_path: Path) -> None:
    page = made(tmp_path)
    assert page.oldest_delivery() is None
    for slot, (position, delivered_ns) in zip(page.slots, ((2, 50), (1, 30), (0, 10)), strict=False):
        page.words[slot], page.words[slot + 1] = position, delivered_ns
    assert page.oldest_delivery() == (30, 1)


@pytest.mark.parametrize("content", [b"", b"short", bytes(PAGE_BYTES), bytes(PAGE_BYTES + 3)])
def test_what_is_no_page_is_named(tmp_path: Path, content: bytes) -> None:
    """A damaged file must not look like a defect of this software, nor like a cursor."""
    (tmp_path / "x.1").write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"x\.1 is no lane page, .*; restore a backup"):
        LanePage(tmp_path / "x.1")


def test_a_page_that_is_shorter_than_it_says_is_no_page(tmp_path: Path) -> None:
    page = made(tmp_path)
    page.words[Word.SLOT_COUNT] = 1 << 40
    path = page.path
    page.close()
    with pytest.raises(StoreDamaged, match="no lane page"):
        LanePage(path)


def test_any_name_of_a_plugin_is_a_file_name(tmp_path: Path) -> None:
    assert page_path(tmp_path, "a/../b c.7", 3) == tmp_path / "a%2F..%2Fb%20c.7.3"


def test_names_of_any_letters_have_pages_of_their_own(tmp_path: Path) -> None:
    """A subscription of thirty Chinese characters kept its node from ever starting again: a file name has 255 bytes."""
    names = [
        "\N{LINKED PAPERCLIPS}" * 100,
        "\N{LINKED PAPERCLIPS}" * 99 + "a",
        *("é" * count for count in range(36, 44)),
    ]
    for epoch, name in enumerate(names, 10**9):
        LanePage.create(page_path(tmp_path, name, epoch), Progress(epoch, epoch), head=epoch, slot_count=4).close()
    for epoch, name in enumerate(names, 10**9):
        ((path, number),) = pages_of(tmp_path, name)
        with closing(LanePage(path)) as page:
            assert (number, page.cursor) == (epoch, epoch)
    assert page_path(tmp_path, "é" * 41, 1) == tmp_path / f"{'%C3%A9' * 41}.1"  # as nodes have named it before


def test_sync_and_close(tmp_path: Path) -> None:
    page = made(tmp_path)
    page.sync()
    page.close()
    with pytest.raises(ValueError, match="released"):
        page.words[0]


@pytest.mark.parametrize("name", ["other.1", "plugin.2"])
def test_p8_the_page_of_another_lane_or_epoch_is_none(tmp_path: Path, name: str) -> None:
    """What one subscription has settled is passed over for another."""
    page = made(tmp_path, Progress(8, 8))
    (tmp_path / name).write_bytes(page.path.read_bytes())
    with pytest.raises(StoreDamaged, match="that of another lane"):
        LanePage(tmp_path / name)


@given(data=st.data(), is_packed=st.booleans())
def test_p8_no_bit_of_a_page_turns_unseen(data: st.DataObject, *, is_packed: bool) -> None:
    """An event that nobody had is passed over, since a bit of a place or of a slot was another one."""
    progress = Progress(4 << 20, 9 << 20 | 3, (4 << 20 | 1, 7 << 20), (2 << 20,))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one.1"
        LanePage.create(path, progress, head=9, slot_count=4, is_packed=is_packed).close()
        content = bytearray(path.read_bytes())
        used = [*range(8 * (Word.HELD_CHECK + 1)), *range(PAGE_BYTES, len(content))]
        byte, bit = data.draw(st.sampled_from(used)), data.draw(st.integers(0, 7))
        content[byte] ^= 1 << bit
        path.write_bytes(content)
        try:
            with closing(LanePage(path)) as page:
                page.require_whole()
                found = page.progress()
        except StoreDamaged:
            return
        if byte // 8 == Word.BOOT:
            assert found == Progress(progress.cursor, progress.cursor)
        else:  # of when, and how often, it was delivered: nothing is passed over for that
            assert replace(found, delivered=frozenset(), counts={}) == progress


def test_p6_a_kill_between_any_two_stores_leaves_a_page_that_is_whole(tmp_path: Path) -> None:
    """A kill looks like damage, or what was settled before it is given again."""
    with closing(LanePage.create(tmp_path / "one.1", Progress(1, 1), head=9, slot_count=4, is_packed=True)) as page:
        stores = Stores(page.words)
        slots = Slots(page)
        slots._words = stores  # type: ignore[assignment]
        with closing(LanePage(page.path)) as seen:
            found: list[Progress] = []

            def look() -> None:
                seen.require_whole()
                found.append(seen.progress())

            stores.after = look
            slots.add(2)
            slots.add(3)
            slots.reach(3, 1)
            assert {(one.reached, one.in_hand) for one in found} == {(1, ()), (2, (2,)), (3, (2, 3))}
            found.clear()
            slots.settle(2)
            slots.settled_up_to(2)
            assert [one.in_hand for one in found] == [(3,)] * len(found)
            slots.settle(3)
            slots.add(4)
            slots.reach(4, 3)
            assert {one.in_hand for one in found} == {(3,), (), (4,)}


class Stores:
    """The words of a page, and what happens after each store."""

    def __init__(self, words: memoryview) -> None:
        self._words = words
        self.after: Callable[[], object] = lambda: None

    def __getitem__(self, at: int) -> int:
        return int(self._words[at])

    def __setitem__(self, at: int, word: int) -> None:
        self._words[at] = word
        self.after()


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_page_of_an_earlier_version_goes_on(tmp_path: Path, *, is_packed: bool) -> None:
    """An update forgets what was in hand, or does not open the data."""
    progress, counts = Progress(4, 7, (5, 7), (2,)), {2: 9, 7: 3}
    path = tmp_path / "one.1"
    with closing(LanePage.create(path, progress, head=9, slot_count=4, counts=counts, is_packed=is_packed)) as page:
        content = as_of_1(page)
    path.write_bytes(content)
    with closing(LanePage(path)) as page:
        page.require_whole()
        assert page.progress() == replace(progress, counts=counts)
        page.words[Word.CURSOR] = 6
        page.words[Word.BOOT] += 1
        assert page.progress() == Progress(6, 6)


@given(
    st.sets(st.integers(1, 2**62), max_size=8),
    st.sets(st.integers(1, 2**62), max_size=4),
    st.dictionaries(st.integers(1, 2**62), st.integers(0, 2**22 - 1), max_size=4),
)
def test_a_packed_page_has_room_for_any_number_and_for_its_count(
    in_hand: set[int], returning: set[int], counts: dict[int, int]
) -> None:
    """A subscription's place is another one after a restart, or an attempt has the number of an earlier one."""
    returning -= in_hand
    reached = max(in_hand, default=7)
    cursor = min(in_hand) - 1 if in_hand else reached
    progress = Progress(cursor, reached, tuple(sorted(in_hand)), tuple(sorted(returning)))
    counts = {number: counts.get(number, number % 5) for number in progress.unsettled}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one.1"
        with closing(LanePage.create(path, progress, head=1, slot_count=2, counts=counts, is_packed=True)) as page:
            for slot in page.slots[::2][:2]:  # some of it is delivered
                if number := page.words[slot] & ~RETURNING:
                    page.words[slot + 1] = packed_count(counts[number], 5_000_000)
        with closing(LanePage(path)) as page:
            found = page.progress()
            assert (found.cursor, found.reached, found.in_hand) == (cursor, reached, progress.in_hand)
            assert found.returning == progress.returning
            assert found.counts == {number: count for number, count in counts.items() if count}
            assert (page.oldest_delivery() is None) == (not found.delivered)
            assert page.in_hand() == progress.unsettled
            page.end_deliveries()
            ended = page.progress()
            assert ended.delivered == frozenset()
            assert page.oldest_delivery() is None
            assert ended.counts == {
                number: min(count, 2**22 - 1)
                for number, before in counts.items()
                if (count := before + (number in found.delivered))
            }
