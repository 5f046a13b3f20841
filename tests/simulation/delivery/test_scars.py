"""Failures that the histories have found, and some of other systems, each as a history of its own."""

import pytest

from bigchaindb.config.settings import RetrySettings
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Pause, Restart, Resume
from bigchaindb.subscribers.plugins import EXPLICIT, Wants
from tests.simulation.delivery.history import History
from tests.simulation.delivery.ledger import RED
from tests.simulation.delivery.scars import DELAYS_S, ONE_TRY, install, order, parked, status, until_answered
from tests.simulation.delivery.temper import Temper


def test_p6_a_plugin_that_goes_on_while_it_still_ends_repeats_nothing(history: History) -> None:
    """It would get again what it settled in the run that a pause was ending."""
    install(history, Temper(Wants()))
    history.commit(["red"] * 5)
    order(history, Pause())
    until_answered(history)
    order(history, Resume())
    history.settle()
    assert history.plugins["one"].account.acked.keys() == set(range(1, history.head + 1))


def test_p13_a_plugin_that_could_not_be_disabled_runs_on(history: History) -> None:
    """It would be enabled, by its name, and never run again before the node does."""
    install(history, Temper(Wants()))
    history.disk.fail(is_full=True, fails_to_sync=False)
    history.commit(["red"])
    history.run(0.5)
    history.plugins["one"].is_enabled = False
    history.reload()
    history.run(3)
    assert status(history).state is not State.DISABLED
    history.settle()


def test_p2_a_full_disk_is_no_events_fault(history: History) -> None:
    """Events would be set aside because no process could be started."""
    install(history, Temper(Wants(), dies=100), retry=RetrySettings(attempts=2, duration_s=0))
    temper = history.plugins["one"].temper
    temper.dies = 0
    history.commit(["red"])
    temper.raises = 100
    history.run(0.05)
    history.disk.fail(is_full=True, fails_to_sync=False)
    history.run(30)
    history.disk.fail(is_full=False, fails_to_sync=False)
    temper.heal()
    history.run(30)
    assert parked(history) == []
    assert status(history).position == 1
    history.settle()


def test_p3_what_is_set_aside_beyond_the_cursor_comes_once_after_a_power_cut(history: History) -> None:
    """It would come in its turn, stand in the list all the same, and come again when asked for."""
    install(history, Temper(Wants(acknowledge=EXPLICIT), batch=3, poison=2), retry=ONE_TRY)
    history.commit(["red", "red"])
    history.plugins["one"].temper.hangs = 0
    for _ in range(200):
        history.run(0.05)
        if parked(history) == [2]:
            break
    assert parked(history) == [2]
    history.die(of_power_cut=True)
    history.settle()


def test_p6_what_is_sent_back_again_and_again_has_another_number_each_time(history: History) -> None:
    """A node that died within a second would begin again with the numbers that it had written down."""
    install(history, Temper(Wants(acknowledge=EXPLICIT), nacks=100))
    history.commit(["red"] * 3)
    for delay_s in (0.7, 0.2, 0.2, 2.5, 0.4):
        history.run(delay_s)
        history.die()
        history.start()
    assert max(history.plugins["one"].account.numbers.values()) > 3
    history.settle()


def test_p6_a_page_that_could_not_be_made_takes_nothing_with_it(history: History) -> None:
    """After the death of the node everything beyond the cursor would come again: its page was not the one noted."""
    install(history, Temper(Wants(acknowledge=EXPLICIT), batch=5, nacks=50))
    history.commit(["red"] * 6)
    history.run(1.2)
    history.disk.fail(is_full=False, fails_to_sync=True)
    order(history, Restart())
    history.run(5)
    history.disk.fail(is_full=False, fails_to_sync=False)
    history.die()
    history.settle()


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_p2_a_seek_that_the_disk_refuses_moves_nothing(history: History, delay_s: float) -> None:
    """The events before that place would be passed over, though the person was told that it had failed."""
    install(history, Temper(Wants(acknowledge=EXPLICIT), poison=1), retry=ONE_TRY)
    history.commit(["red"] * 4)
    history.run(10)
    order(history, Pause())
    until_answered(history)
    history.commit(["red"] * 4)
    history.run(2)
    history.seek("one", 7)
    history.run(delay_s)
    history.disk.fail(is_full=True, fails_to_sync=False)
    until_answered(history)
    assert status(history).position == (4 if history.counts["order refused"] else 7)


def test_an_order_that_a_stop_overtakes_starts_nothing(history: History) -> None:
    """A process would be started that the stop knows nothing of, while the one before still ends."""
    install(history, Temper(Wants(), poison=1), retry=ONE_TRY)
    history.commit(["red"] * 3)
    history.run(10)
    history.discard("one", [1])
    history.stop()
    history.settle()


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_a_plugin_that_is_enabled_while_the_node_stops_waits_for_the_next_start(
    history: History, delay_s: float
) -> None:
    install(history, Temper(Wants()))
    enabled = history.plugins["one"]
    enabled.is_enabled = False
    history.reload()
    until_answered(history)
    enabled.is_enabled = True
    history.reload()
    history.run(delay_s)
    history.stop()
    history.settle()


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_p8_a_restart_of_a_lane_that_finds_a_gap_meanwhile_says_so(history: History, delay_s: float) -> None:
    install(history, Temper(Wants()))
    history.commit(["red"] * 2)
    history.run(2)
    history.hole = 3
    history.commit(["red"] * 2)
    history.run(delay_s)
    order(history, Restart())
    history.run(5)
    assert status(history).state is State.GAPPED


def test_p6_a_power_cut_while_node_db_is_full_repeats_what_was_settled_last_alone(history: History) -> None:
    """Where the cursor cannot be written down the lane page is made durable in its place, once a second."""
    install(history, Temper(Wants()))
    history.commit(["red"] * 3)
    history.run(2)
    history.disk.fail(is_full=True, fails_to_sync=False)
    history.commit(["red"] * 5)
    history.run(5)
    account = history.plugins["one"].account
    assert account.acked.keys() >= set(range(1, 8))
    history.disk.cut_power_to_what_was_synced()
    history.die(of_power_cut=True)
    history.disk.fail(is_full=False, fails_to_sync=False)
    history.start()
    history.run(5)
    assert sum("gets [5]" in line for line in history.transcript) == 1
    history.settle()


def test_p12_a_process_that_was_replaced_settles_nothing(history: History) -> None:
    """Events would count as done that the process in its place has not dealt with."""
    install(history, Temper(Wants()))
    history.survivors = 100
    history.commit(["red"] * 4)
    history.run(0.2)
    history.die()
    history.start()
    history.commit(["red"] * 3)
    history.run(1)
    assert history.counts["process is replaced"] == 1
    history.settle()


def test_e6_a_filter_that_nothing_passes_moves_the_cursor(history: History) -> None:
    """The lag of a plugin with a narrow selection would grow for ever."""
    install(history, Temper(Wants(select=RED)))
    history.commit(["green", "rejected"] * 20)
    history.run(5)
    assert (status(history).position, status(history).lag) == (40, 0)


@pytest.mark.parametrize("committed", [1, 2, 255, 256, 257])
def test_p3_a_resume_at_any_edge_of_a_read_misses_nothing(history: History, committed: int) -> None:
    """Exactly behind the last event that was read, as in the middle."""
    install(history, Temper(Wants(), batch=5))
    history.commit(["red"] * committed)
    history.run(600)
    assert status(history).position == committed
    history.die()
    history.start()
    history.commit(["red"] * 3)
    history.settle()


def test_unavailable_is_no_storm(history: History) -> None:
    """A target that restarts would be overrun by the plugins that wait for it."""
    install(history, Temper(Wants(), unavailable=100))
    history.commit(["red"])
    history.run(100)
    starts = history.counts["process starts"]
    assert starts < 100
    history.settle()
