"""Orders while no node runs: the same rules, and nothing that a later node would undo. Source: promises P2, P8, P12."""

from contextlib import closing
from dataclasses import replace

import pytest

from bigchaindb.config import Settings
from bigchaindb.errors import ConfigurationError, OrderRefused, StoreFull, UnknownPlace
from bigchaindb.eventlog.lane import Lane, Progress, State, Trouble
from bigchaindb.eventlog.orders import Discard, Pause, Restart, Resume, Retry, Seek
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_page import LanePage, page_path
from bigchaindb.subscribers.offline import OfflineDesk, kept_lanes
from bigchaindb.subscribers.saving import Saving
from tests.support.decisions import Chain, made
from tests.support.left_lanes import CHAIN, NAME, Ledger, settings


def test_p12_a_lane_is_sent_back_and_no_old_page_says_otherwise(ledger: Ledger) -> None:
    """The page of the process before says 4: were it believed, the seek would be forgotten."""
    ledger.left(State.STOPPED, Progress(4, 4), parked=(1, 3))
    stale = LanePage(page_path(ledger.store.directory.lanes, NAME, 1))
    ledger.order(Seek("position:3"))
    lane = ledger.next_node()
    assert (lane.state, lane.progress) == (State.STOPPED, Progress(2, 2))
    # What was parked beyond it comes in its turn.
    assert [row.position for row in ledger.parked()] == [1]
    assert [page.name for page in ledger.store.directory.lanes.iterdir()] == [f"{NAME}.{lane.epoch}"]
    assert lane.epoch > 1
    stale.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (State.STOPPED, State.STOPPED),
        (State.PAUSED, State.PAUSED),
        (State.BLOCKED, State.STOPPED),
        (State.GAPPED, State.STOPPED),
        (State.FAILED, State.FAILED),
    ],
)
def test_p8_a_seek_ends_what_it_answers_and_nothing_else(ledger: Ledger, before: State, after: State) -> None:
    ledger.left(before, Progress(2, 2), error="why")
    ledger.order(Seek("now"))
    lane = ledger.next_node()
    assert (lane.state, lane.progress.cursor) == (after, 5)


def test_a_plugin_that_never_ran_can_be_sent_somewhere(ledger: Ledger) -> None:
    ledger.order(Seek("position:2"))
    assert ledger.next_node().progress == Progress(1, 1)


def test_a_place_that_is_not_there_changes_nothing(ledger: Ledger) -> None:
    ledger.left(State.STOPPED, Progress(4, 4))
    with pytest.raises(UnknownPlace, match="beyond the end"):
        ledger.order(Seek("position:9"))
    assert (ledger.next_node().progress, ledger.next_node().epoch) == (Progress(4, 4), 1)


def test_a_pause_keeps_what_is_in_hand_and_lasts(ledger: Ledger) -> None:
    progress = Progress(2, 4, (3, 4))
    ledger.left(State.STOPPED, progress)
    ledger.order(Pause())
    lane = ledger.next_node()
    assert (lane.state, lane.progress, lane.troubles[3].attempts) == (State.PAUSED, progress, 3)
    assert lane.epoch == 2  # P12: a process that was left behind writes into a page that nobody reads
    ledger.order(Resume())
    assert (ledger.next_node().state, ledger.next_node().progress) == (State.STOPPED, progress)
    with pytest.raises(OrderRefused, match="'sales' is STOPPED: it cannot be resumed"):
        ledger.order(Resume())
    with pytest.raises(OrderRefused, match="the node is not running"):
        ledger.order(Restart())


@pytest.mark.parametrize("state", [State.GAPPED, State.BLOCKED, State.FAILED])
def test_what_waits_for_another_word_cannot_be_paused(ledger: Ledger, state: State) -> None:
    ledger.left(state, Progress(2, 2), error="the log is another")
    with pytest.raises(OrderRefused, match=f"is {state}: it cannot be paused; the log is another"):
        ledger.order(Pause())
    assert ledger.next_node().state is state


def test_p2_parked_events_come_again_with_their_number_of_deliveries(ledger: Ledger) -> None:
    ledger.left(State.STOPPED, Progress(4, 4), parked=(1, 2, 3))
    ledger.order(Retry((1, 3)))
    lane = ledger.next_node()
    assert (lane.progress.returning, lane.progress.cursor) == ((1, 3), 4)
    assert [lane.attempt(position) for position in (1, 3)] == [3, 3]
    assert [(row.position, row.returns_in) for row in ledger.parked()] == [(1, 2), (2, None), (3, 2)]
    ledger.order(Retry())
    assert ledger.next_node().progress.returning == (1, 2, 3)


def test_p2_a_seek_that_cannot_be_written_down_changes_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is told that it failed finds the lane where it was, and parked what was parked."""
    ledger.left(State.STOPPED, Progress(4, 4), parked=(1, 3))
    ledger.order(Retry((1,)))

    before = ledger.next_node().progress, ledger.parked()

    def fail(*_: object, **__: object) -> None:
        raise StoreFull("node.db: no room on the disk; nothing was written")

    with monkeypatch.context() as patched:
        patched.setattr(ledger.store.node, "save_lanes", fail)
        with pytest.raises(StoreFull):
            ledger.order(Seek("position:3"))
    assert (ledger.next_node().progress, ledger.parked()) == before
    ledger.order(Seek("position:3"))
    assert ledger.next_node().progress == Progress(2, 2)
    assert [(row.position, row.returns_in) for row in ledger.parked()] == [(1, None)]


def test_what_blocks_a_lane_comes_again_or_is_passed_over(ledger: Ledger) -> None:
    ledger.left(State.BLOCKED, Progress(2, 4, (3, 4)), error="position 3: no")
    ledger.order(Retry())
    lane = ledger.next_node()
    assert (lane.state, lane.progress.in_hand, lane.troubles[3].failures) == (State.STOPPED, (3, 4), 0)
    ledger.left(State.BLOCKED, Progress(2, 4, (3, 4)), error="position 3: no")
    ledger.order(Discard((3,)))
    lane = ledger.next_node()
    assert (lane.state, lane.progress.in_hand, lane.progress.cursor) == (State.STOPPED, (4,), 3)


def test_a_discarded_event_is_gone_also_if_it_was_to_come_again(ledger: Ledger) -> None:
    ledger.left(State.STOPPED, Progress(4, 4), parked=(1, 2, 3))
    ledger.order(Retry((1,)))
    ledger.order(Discard((1, 2)))
    assert [row.position for row in ledger.parked()] == [3]
    assert ledger.next_node().progress == Progress(4, 4)


def test_p2_what_was_parked_and_then_blocks_the_lane_is_discarded_for_good(ledger: Ledger) -> None:
    """Left in the list it would come again after a power cut, and at `retry --all`."""
    ledger.left(State.STOPPED, Progress(4, 4), parked=(2, 3))
    ledger.order(Retry((2,)))
    lane = ledger.next_node()
    files = LaneFiles(ledger.store, CHAIN)
    blocked = replace(lane, state=State.BLOCKED, epoch=lane.epoch + 1)
    files.begin_epoch(NAME, blocked, since=1.0, head=5, slot_count=8).close()
    files.close()
    ledger.order(Discard((2,)))
    assert [row.position for row in ledger.parked()] == [3]
    assert (ledger.next_node().state, ledger.next_node().progress) == (State.STOPPED, Progress(4, 4))


def test_p3_what_was_parked_stays_so_if_the_node_dies_before_the_next_process(ledger: Ledger) -> None:
    """The page that was left still has 2 in hand, and the cursor in the row has passed it; 5 was parked before."""
    progress = Progress(1, 5, (2, 4))
    ledger.left(State.STOPPED, progress, parked=(5,))
    files = LaneFiles(ledger.store, CHAIN)
    files.recover(NAME, "now")
    files.park(NAME, {2: Trouble(2, 2, 1.0, "no")})
    waiting = Lane(State.BACKOFF, 1, progress.without({2}))
    files.save([Saving(NAME, waiting, waiting.progress.cursor, 1.0, None)])
    files.close()
    assert ledger.next_node().progress == Progress(3, 5, (4,))
    assert [row.position for row in ledger.parked()] == [2, 5]


def test_only_what_is_parked_can_be_retried_or_discarded(ledger: Ledger) -> None:
    ledger.left(State.STOPPED, Progress(4, 4))
    with pytest.raises(OrderRefused, match="'sales': no event is parked"):
        ledger.order(Retry())
    with pytest.raises(OrderRefused, match="position 4 is not parked"):
        ledger.order(Retry((4,)))
    with pytest.raises(OrderRefused, match="position 4 is not parked"):
        ledger.order(Discard((4,)))
    with pytest.raises(OrderRefused, match="1001 positions at once, the most is 1000"):
        ledger.order(Discard(tuple(range(1, 1002))))


def test_what_is_not_enabled_takes_no_orders_and_what_is_enabled_is_not_forgotten(ledger: Ledger) -> None:
    ledger.left(State.STOPPED, Progress(4, 4), parked=(1,))
    with pytest.raises(OrderRefused, match=r"no events plugin 'other' is enabled, .* there are: sales"):
        ledger.order(Pause(), "other")
    with pytest.raises(OrderRefused, match="'sales' is enabled; disable it first"), closing(ledger.desk()) as desk:
        desk.forget(NAME)
    (ledger.store.directory.lanes / f"{NAME}.3.new").write_bytes(b"half")  # its process died making it
    disabled = OfflineDesk(ledger.store, CHAIN, Settings())
    disabled.forget(NAME)
    disabled.close()
    assert (ledger.store.node.lane_names(), ledger.parked()) == ([], [])
    assert list(ledger.store.directory.lanes.iterdir()) == []


def test_a_place_that_has_not_come_is_no_place_to_go_to(ledger: Ledger) -> None:
    """A time in milliseconds would skip everything; and a height would not keep back what lies below it."""
    for place, said in (
        ("height:7", "height:7 is beyond the end: the last is 5"),
        (f"time:{10**12}", "has not come"),
        ("yesterday", "expected one of now"),
    ):
        with pytest.raises(UnknownPlace, match=said):
            ledger.order(Seek(place))
    with closing(ledger.store.log_reader()) as log:
        (last,) = log.records(4, 5, count_max=1, bytes_max=1)
    for place in ("height:6", f"time:{last.time + 1}"):  # the next block; and a time after which nothing was committed
        ledger.order(Seek(place))
        assert ledger.next_node().progress.cursor == 5


def test_the_next_height_is_that_of_the_chain(ledger: Ledger) -> None:
    """A network's last event may be about an older height: a proposal rejected late, beside blocks without content."""
    rejected = Chain(ledger.store.writer.tip()).invalid(made(1))
    [logged] = rejected.logged
    header = replace(logged.block.header, height=2)
    late = replace(logged, event=replace(logged.event, height=2), block=replace(logged.block, header=header))
    ledger.store.writer.commit(replace(rejected, tip=replace(rejected.tip, height=6), logged=(late,)))
    ledger.order(Seek("height:7"))
    assert ledger.next_node().progress.cursor == 6
    with pytest.raises(UnknownPlace, match="height:8 is beyond the end: the last is 6"):
        ledger.order(Seek("height:8"))


def test_an_event_that_comes_back_has_its_failures_behind_it_after_a_restart_too(ledger: Ledger) -> None:
    """It has as many attempts as a new one, and its deliveries are counted on."""
    ledger.left(State.STOPPED, Progress(2, 2), parked=(1,))
    ledger.order(Retry((1,)))
    assert ledger.next_node().troubles == {1: Trouble(2)}


def test_a_seek_in_the_middle_of_a_retry_gives_no_number_twice(ledger: Ledger) -> None:
    """What is written down of a parked event is of its park, and it was delivered since."""
    ledger.left(State.STOPPED, Progress(2, 2), parked=(1,))
    ledger.order(Retry((1,)))
    (path,) = ledger.store.directory.lanes.iterdir()
    with closing(LanePage(path)) as page:
        page.words[page.slots[0] + 1] = 50  # delivered, and its node died
    assert ledger.next_node().attempt(1) == 4
    ledger.order(Seek("now"))
    assert [(row.attempts, row.returns_in, row.error) for row in ledger.parked()] == [(3, None, "cannot digest")]
    ledger.order(Retry((1,)))
    assert ledger.next_node().attempt(1) == 4


def test_whoever_resumes_a_lane_that_waits_for_more_is_told_what_it_waits_for(ledger: Ledger) -> None:
    ledger.left(State.BLOCKED, Progress(2, 4, (3, 4)), error="position 3: no")
    with pytest.raises(OrderRefused, match=r"position 3: no; .*plugins retry sales --all.*discard sales.*seek sales"):
        ledger.order(Resume())


def test_a_start_that_is_no_place_is_named(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match=r"events_plugins\.sales\.start: expected one of"):
        ledger.desk(start="time:yesterday")


def test_lanes_are_shown_as_they_are_written_down(ledger: Ledger) -> None:
    ledger.left(State.STOPPED, Progress(2, 4, (3, 4)), parked=(1,))
    files = LaneFiles(ledger.store, CHAIN)
    (lane,) = kept_lanes(ledger.store.directory, settings().events_plugins)
    assert (lane.state, lane.position, lane.lag, lane.in_hand, lane.parked_count) == (
        State.STOPPED,
        2,
        3,
        (3, 4),
        1,
    )
    assert lane.attempts == 3
    (lane,) = kept_lanes(ledger.store.directory, {})
    assert lane.state is State.DISABLED
    page_path(ledger.store.directory.lanes, NAME, 1).unlink()
    files.save([Saving(NAME, replace(files.recover(NAME, "now"), state=State.PAUSED), 2, 1.0, None)])
    files.close()
    (lane,) = kept_lanes(ledger.store.directory, settings().events_plugins)
    assert (lane.state, lane.position, lane.in_hand) == (State.PAUSED, 2, ())
