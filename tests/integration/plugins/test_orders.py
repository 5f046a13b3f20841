"""What people can order while the node runs. Source: promises P2, P3, P8, P12 and P13; decision 0024."""

import time

import pytest

from bigchaindb.config import PluginSettings
from bigchaindb.config.settings import RetrySettings
from bigchaindb.errors import OrderRefused, StoreFull, UnknownPlace
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Discard, Pause, Restart, Resume, Retry, Seek
from bigchaindb.eventlog.retrying import Backoff
from bigchaindb.subscribers.supervisor import Supervisor
from tests.integration.plugins.conftest import Running, until
from tests.support.waiting import whole_lines

NAME = "misbehaving"
AT_ONCE = RetrySettings(attempts=1, duration_s=0)


@pytest.fixture
async def supervisor(running: Running) -> Supervisor:
    """Run a plugin that cannot digest position 2, and parks it at once."""
    return await started(running, fault="raise", at=2, times=2)


async def started(
    running: Running, *, on_failure: str = "park", retry: RetrySettings = AT_ONCE, **options: object
) -> Supervisor:
    settings = {"start": "genesis", "retry": retry, "on_failure": on_failure, "options": running.options(**options)}
    supervisor = running.supervisor({NAME: settings})
    await supervisor.start()
    return supervisor


def lane_error(running: Running) -> str | None:
    row = running.store.node.lane(NAME)
    assert row is not None
    return row.last_error


async def until_at(supervisor: Supervisor, position: int) -> None:
    """Wait until the plugin has taken everything up to a position, and its status shows it."""
    await until(
        lambda: (
            (status := supervisor.status()[0]).state is State.LIVE
            and max((status.position, *status.in_hand)) >= position
        ),
        what=f"position {position}",
    )


async def test_p2_an_event_that_always_fails_is_parked_and_listed_and_the_rest_goes_on(
    running: Running, supervisor: Supervisor
) -> None:
    running.commit(4)
    await running.until_seen(4)
    assert running.positions() == [1, 2, 3, 4]
    (row,) = running.store.node.parked(NAME)
    assert (row.position, row.attempts, row.error) == (2, 1, "RuntimeError: cannot digest position 2")
    assert supervisor.status()[0].parked_count == 1


async def test_p3_a_parked_event_comes_back_by_hand_alone_and_before_what_follows(
    running: Running, supervisor: Supervisor
) -> None:
    running.commit(4)
    await running.until_seen(4)
    await supervisor.order(NAME, Retry())  # its second delivery fails as well
    await running.until_seen(5)
    assert [(seen.position, seen.attempt) for seen in running.seen()][4:] == [(2, 2)]
    await until(lambda: supervisor.status()[0].parked_count == 1, what="parked again")
    running.commit(1)
    await until_at(supervisor, 5)
    assert running.positions().count(2) == 2
    await supervisor.order(NAME, Retry((2,)))  # mended
    await until(lambda: running.positions().count(2) == 3, what="the third delivery")
    running.commit(1)
    await until_at(supervisor, 6)
    await until(lambda: supervisor.status()[0].parked_count == 0, what="settled")
    assert running.store.node.parked(NAME) == []
    assert {*running.positions()} == {1, 2, 3, 4, 5, 6}


async def test_p3_what_came_back_and_was_settled_does_not_come_again_after_a_restart(running: Running) -> None:
    supervisor = await started(running, fault="raise", at=2, times=1)
    running.commit(3)
    await running.until_seen(3)
    await supervisor.order(NAME, Retry())
    running.commit(1)
    await until(lambda: running.positions().count(2) == 2 and 4 in running.positions(), what="both")
    await until(lambda: not supervisor.status()[0].in_hand, what="both to be settled")
    await supervisor.stop()
    supervisor = await started(running, fault="raise", at=2, times=1)
    running.commit(1)
    await until_at(supervisor, 5)
    assert running.positions().count(2) == 2
    assert running.store.node.parked(NAME) == []


async def test_a_parked_event_that_is_discarded_never_comes_again(running: Running, supervisor: Supervisor) -> None:
    running.commit(3)
    await running.until_seen(3)
    with pytest.raises(OrderRefused, match="position 3 is not parked"):
        await supervisor.order(NAME, Discard((3,)))
    await supervisor.order(NAME, Discard((2,)))
    assert running.store.node.parked(NAME) == []
    with pytest.raises(OrderRefused, match="no event is parked"):
        await supervisor.order(NAME, Retry())


async def test_a_lane_that_is_to_block_waits_for_a_person(running: Running) -> None:
    supervisor = await started(running, on_failure="block", fault="raise", at=2, times=2)
    running.commit(3)
    await until(lambda: supervisor.status()[0].state is State.BLOCKED, what="a blocked lane")
    assert running.positions() == [1, 2]
    status = supervisor.status()[0]
    assert (status.in_hand, status.error) == ((2,), "position 2: RuntimeError: cannot digest position 2")
    await supervisor.stop()
    supervisor = await started(running, on_failure="block", fault="raise", at=2, times=2)
    assert supervisor.status()[0].state is State.BLOCKED  # over a restart of the node
    await supervisor.order(NAME, Retry())
    await until(lambda: supervisor.status()[0].state is State.BLOCKED, what="a blocked lane again")
    assert [(seen.position, seen.attempt) for seen in running.seen()] == [(1, 1), (2, 1), (2, 2)]
    await supervisor.order(NAME, Discard((2,)))
    await running.until_seen(4)
    assert running.positions() == [1, 2, 2, 3]


async def test_p2_what_was_parked_and_then_blocks_the_lane_is_discarded_for_good(running: Running) -> None:
    supervisor = await started(running, fault="raise", at=2, times=9)
    running.commit(3)
    await until_at(supervisor, 3)
    await supervisor.stop()
    supervisor = await started(running, on_failure="block", fault="raise", at=2, times=9)
    await supervisor.order(NAME, Retry())
    await until(lambda: supervisor.status()[0].state is State.BLOCKED, what="a blocked lane")
    status = await supervisor.order(NAME, Discard((2,)))
    assert (status.parked_count, running.store.node.parked(NAME)) == (0, [])
    await until_at(supervisor, 3)


async def test_a_lane_that_is_to_skip_goes_on_without(running: Running) -> None:
    supervisor = await started(running, on_failure="skip", fault="raise", at=2, times=9)
    running.commit(3)
    await until_at(supervisor, 3)
    assert running.positions() == [1, 2, 3]
    assert running.store.node.parked(NAME) == []


async def test_a_pause_lets_the_plugin_finish_and_holds_over_a_restart(running: Running) -> None:
    supervisor = await started(running)
    running.commit(2)
    await running.until_seen(2)
    assert (await supervisor.order(NAME, Pause())).state is State.PAUSED
    running.commit(2)
    await until(lambda: supervisor.status()[0].pid is None, what="the end of the process")
    assert (await supervisor.order(NAME, Seek("genesis"))).state is State.PAUSED
    await supervisor.stop()
    supervisor = await started(running)
    assert supervisor.status()[0].state is State.PAUSED
    assert running.positions() == [1, 2]
    await supervisor.order(NAME, Resume())
    await running.until_seen(6)
    assert running.positions() == [1, 2, 1, 2, 3, 4]  # it was sought while it was paused
    with pytest.raises(OrderRefused, match="it cannot be resumed"):
        await supervisor.order(NAME, Resume())


async def test_p6_a_lane_that_is_resumed_at_once_repeats_nothing(running: Running) -> None:
    """The process from before the pause has not ended by then, and what it settled last stands in its page alone."""
    supervisor = await started(running)
    running.commit(3)
    await running.until_settled(supervisor, 3)
    await supervisor.order(NAME, Pause())
    await supervisor.order(NAME, Resume())
    running.commit(1)
    await running.until_seen(4)
    assert running.positions() == [1, 2, 3, 4]


async def test_a_resume_ends_a_process_that_does_not_finish(running: Running) -> None:
    supervisor = await started(running, fault="hang", at=2)
    running.commit(3)
    await running.until_seen(2)
    await supervisor.order(NAME, Pause())
    assert (await supervisor.order(NAME, Resume())).error == ""
    await running.until_seen(4)
    assert [(seen.position, seen.attempt) for seen in running.seen()] == [(1, 1), (2, 1), (2, 2), (3, 1)]
    assert supervisor.status()[0].failure_count == 0


async def test_p13_a_lane_goes_where_a_person_says(running: Running, supervisor: Supervisor) -> None:
    running.commit(5)
    await running.until_seen(5)
    epoch = supervisor.status()[0].epoch
    await supervisor.order(NAME, Seek("position:2"))
    await until(lambda: running.positions()[5:6] == [2], what="position 2")
    assert supervisor.status()[0].epoch > epoch  # P12
    await until_at(supervisor, 5)
    assert [*dict.fromkeys(running.positions()[5:])] == [2, 3, 4, 5]
    with pytest.raises(UnknownPlace):
        await supervisor.order(NAME, Seek("position:9"))
    assert supervisor.status()[0].state is State.LIVE


async def test_seeking_back_brings_what_was_parked_in_its_turn(running: Running, supervisor: Supervisor) -> None:
    running.commit(3)
    await running.until_seen(3)
    await supervisor.order(NAME, Seek("genesis"))
    assert supervisor.status()[0].parked_count == 0
    await until(lambda: running.positions().count(3) == 2, what="all of it again")
    assert supervisor.status()[0].parked_count == 1  # it fails a second time


async def test_p8_a_gapped_lane_goes_on_once_it_is_told_where(running: Running) -> None:
    running.commit(2)
    running.store.knows_node = False
    supervisor = await started(running)
    (status,) = supervisor.status()
    assert status.state is State.GAPPED
    assert "bigchaindb plugins seek misbehaving" in status.error
    with pytest.raises(OrderRefused, match="GAPPED"):
        await supervisor.order(NAME, Restart())
    await supervisor.order(NAME, Seek("position:2"))
    await running.until_seen(1)
    assert running.positions() == [2]


async def test_p8_a_lane_of_a_restored_backup_says_where_it_was(running: Running) -> None:
    supervisor = await started(running)
    running.commit(3)
    await running.until_settled(supervisor, 3)
    await supervisor.stop()
    running.store.knows_node = False
    supervisor = await started(running)
    (status,) = supervisor.status()
    assert status.state is State.GAPPED
    assert "bigchaindb plugins seek misbehaving position:4" in status.error


async def test_p8_a_seek_after_a_restore_has_a_number_that_none_had(running: Running) -> None:
    """The target may know those of later seeks, which the restore has undone."""
    supervisor = await started(running)
    running.commit(3)
    await running.until_settled(supervisor, 3)
    await supervisor.order(NAME, Seek("position:2"))
    await running.until_settled(supervisor, 3)
    assert running.store.node.seek_count(NAME) == 1
    await supervisor.stop()
    running.store.knows_node = False
    before = int(time.time())
    supervisor = await started(running)
    await supervisor.order(NAME, Seek("position:2"))
    first = running.store.node.seek_count(NAME)
    assert before <= first <= time.time()
    await supervisor.order(NAME, Seek("position:2"))
    assert running.store.node.seek_count(NAME) == first + 1


async def test_p8_after_a_restore_what_is_enabled_later_begins_where_it_is_told(running: Running) -> None:
    """It is not of those whose place was lost."""
    running.commit(2)
    running.store.knows_node = False
    supervisor = running.supervisor({})
    await supervisor.start()
    assert await supervisor.reload({NAME: PluginSettings(start="genesis", options=running.options())}) == {}
    await running.until_seen(2)
    assert running.positions() == [1, 2]


async def test_p14_an_error_has_a_time_and_is_past_once_the_plugin_goes_on(running: Running) -> None:
    """Else a plugin that recovered a week ago looks ill."""
    supervisor = await started(running, fault="raise", at=2, times=1, retry=RetrySettings())
    running.commit(1)
    await running.until_seen(1)
    assert supervisor.status()[0].error_at is None
    before = time.time()
    running.commit(1)
    await until(lambda: supervisor.status()[0].error, what="the error")
    status = supervisor.status()[0]
    assert status.error_at is not None
    assert before <= status.error_at <= time.time()
    running.commit(2)
    await until_at(supervisor, 4)
    await until(lambda: supervisor.status()[0].is_error_past, what="the error to be past")
    status = supervisor.status()[0]
    assert ("cannot digest" in status.error, status.next_attempt_at) == (True, None)
    await until(lambda: lane_error(running) is None, what="the row without it")


async def test_p14_the_next_attempt_is_told_while_there_is_one(running: Running) -> None:
    options = running.options(fault="raise", at=1, times=9)
    supervisor = Supervisor(
        hub=running.hub,
        store=running.store,
        chain_id="solo-test",
        plugins={NAME: PluginSettings(start="genesis", options=options)},
        backoff=Backoff(base_s=1000.0, max_s=10_000.0),
    )
    running.supervisors.append(supervisor)
    await supervisor.start()
    running.commit(1)
    await until(lambda: supervisor.status()[0].state is State.BACKOFF, what="the wait")
    status = supervisor.status()[0]
    assert status.next_attempt_at is not None
    assert status.next_attempt_at > time.time()
    assert not status.is_error_past


async def test_who_resumes_a_blocked_lane_is_told_what_it_waits_for(running: Running) -> None:
    supervisor = await started(running, on_failure="block", fault="raise", at=1, times=9)
    running.commit(1)
    await until(lambda: supervisor.status()[0].state is State.BLOCKED, what="the block")
    with pytest.raises(OrderRefused, match=r"plugins retry misbehaving --all.*plugins discard misbehaving POSITION"):
        await supervisor.order(NAME, Resume())


async def test_p13_plugins_come_and_go_without_a_restart(running: Running) -> None:
    supervisor = running.supervisor({})
    await supervisor.start()
    settings = PluginSettings(start="genesis", options=running.options())
    running.commit(2)
    assert await supervisor.reload({NAME: settings}) == {}
    await running.until_seen(2)
    running.commit(1)
    await running.until_settled(supervisor, 3)
    assert await supervisor.reload({}) == {}
    assert supervisor.status() == []
    running.commit(2)
    assert await supervisor.reload({NAME: settings}) == {}  # it goes on where it was
    await running.until_seen(5)
    assert running.positions() == [1, 2, 3, 4, 5]
    with pytest.raises(OrderRefused, match="disable it first"):
        await supervisor.forget(NAME)
    await supervisor.reload({})
    await supervisor.forget(NAME)
    await supervisor.reload({NAME: settings})
    await running.until_seen(10)
    assert running.positions()[5:] == [1, 2, 3, 4, 5]


async def test_p13_other_settings_take_effect_at_once(running: Running) -> None:
    supervisor = await started(running)
    running.commit(1)
    await running.until_seen(1)
    other = running.record.with_name("other")
    settings = PluginSettings(options=running.options(record=str(other)))
    assert await supervisor.reload({NAME: settings}) == {}
    running.commit(1)
    await until(lambda: whole_lines(other), what="a line of the other file")
    assert whole_lines(other)[0].startswith("2 1 ")


async def test_a_plugin_that_cannot_be_enabled_disturbs_no_other(running: Running) -> None:
    supervisor = running.supervisor({})
    await supervisor.start()
    good = PluginSettings(start="genesis", options=running.options())
    errors = await supervisor.reload({NAME: good, "nobody": PluginSettings()})
    assert "no installed package provides 'nobody'" in errors["nobody"]
    refusing = PluginSettings(options=running.options(fault="refuse"))
    assert "no options are good enough" in (await supervisor.reload({NAME: refusing}))[NAME]
    assert supervisor.status()[0].state is State.FAILED
    assert await supervisor.reload({NAME: good}) == {}
    running.commit(1)
    await running.until_seen(1)


@pytest.mark.usefixtures("running")
async def test_orders_for_nobody_are_refused(supervisor: Supervisor) -> None:
    with pytest.raises(OrderRefused, match="there are: misbehaving"):
        await supervisor.order("nobody", Pause())


async def test_p2_a_full_disk_parks_nothing_and_loses_nothing(
    running: Running, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written down as parked stays in hand, and the lane waits."""
    running.commit(1)
    await running.until_seen(1)
    full = StoreFull("node.db: no room")

    def refuse(*_: object) -> None:
        raise full

    with monkeypatch.context() as patched:
        patched.setattr(running.store.node, "park", refuse)
        running.commit(2)
        await running.until_seen(2)
        await until(lambda: supervisor.status()[0].state is State.STARTING, what="the wait")
        row = running.store.node.lane(NAME)
        assert row is not None
        assert row.acked < 2
        assert running.positions() == [1, 2]
    await running.until_seen(3)
    assert running.positions() == [1, 2, 3]
    assert [row.position for row in running.store.node.parked(NAME)] == [2]
