"""Histories that once went wrong where events that were set aside come back."""

import pytest

from bigchaindb.config import PluginSettings
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Restart
from bigchaindb.subscribers.plugins import EXPLICIT, Wants
from tests.simulation.delivery.history import History
from tests.simulation.delivery.scars import (
    ONE_TRY,
    install,
    order,
    parked,
    retry_what_is_then_skipped,
    returns_in,
    status,
    until_answered,
)
from tests.simulation.delivery.temper import Temper


def test_p2_a_retry_that_finds_no_room_for_its_page_loses_nothing(history: History) -> None:
    """node.db would say that the event comes again, no page would hold it, and a restart would take it for settled."""
    install(history, Temper(Wants(), poison=1), retry=ONE_TRY)
    history.commit(["red"])
    history.run(10)
    assert parked(history) == [1]
    history.disk.fail(is_full=False, fails_to_sync=True)
    history.retry("one")
    history.run(3)
    history.disk.fail(is_full=False, fails_to_sync=False)
    history.run(10)
    history.die()
    history.settle()


def test_what_is_skipped_after_a_retry_is_listed_no_more(history: History) -> None:
    """A person would be told to see to an event that the plugin's policy has passed over."""
    retry_what_is_then_skipped(history)
    history.run(20)
    assert history.counts["event is skipped"] == 1
    assert parked(history) == []
    history.settle()


def test_p6_a_retry_leaves_alone_what_is_settled_while_the_process_ends(history: History) -> None:
    """Who asked twice would get twice what the first time had settled."""
    install(history, Temper(Wants(), poison=1), retry=ONE_TRY)
    history.commit(["red"])
    history.run(10)
    assert parked(history) == [1]
    account = history.plugins["one"].account
    history.plugins["one"].temper.heal()
    history.retry("one")
    until_answered(history)
    while account.run is None or account.run.seen != {1}:
        history.run(0.001)
    history.retry("one")  # its process ends by asking for the next event, which settles this one
    history.run(2)
    assert parked(history) == []
    history.settle()


@pytest.mark.parametrize("delay_s", [number / 20 for number in range(20)])
def test_a_retry_of_all_is_not_refused_for_what_is_settled_meanwhile(history: History, delay_s: float) -> None:
    """Progress is written down once a second, and takes what came back and is settled off the list."""
    install(history, Temper(Wants(), poison=1), retry=ONE_TRY)
    history.commit(["red"] * 2)
    history.run(10)
    assert parked(history) == [1, 2]
    account = history.plugins["one"].account
    history.plugins["one"].temper.heal()
    history.retry("one", [1])
    until_answered(history)
    while 1 not in account.acked:
        history.run(0.001)
    history.run(delay_s)
    history.retry("one")
    history.run(5)
    assert not history.counts["order refused"]
    history.settle()


def test_p6_what_is_skipped_after_a_retry_stays_so_when_the_node_dies(history: History) -> None:
    """No page was made since, and the last one would bring the event back."""
    retry_what_is_then_skipped(history)
    account = history.plugins["one"].account
    while account.run is None or account.run.seen != {1}:
        history.run(0.001)
    history.disk.fail(is_full=False, fails_to_sync=True)
    while not history.counts["event is skipped"]:
        history.run(0.001)
    history.run(3)
    history.disk.fail(is_full=False, fails_to_sync=False)
    while parked(history):
        history.run(0.001)
    assert status(history).state is State.BACKOFF  # no process has begun since
    history.die()
    history.settle()
    assert sum("gets [1]" in line for line in history.transcript) == 2


def test_p6_what_came_back_and_was_settled_stays_so_when_many_starts_have_failed(history: History) -> None:
    """Epochs without a page do not count: a later page would seem older than the order, and be mistrusted."""
    install(history, Temper(Wants(), poison=1), retry=ONE_TRY)
    history.commit(["red"])
    history.run(10)
    history.disk.fail(is_full=False, fails_to_sync=True)
    order(history, Restart())
    history.run(20)
    assert status(history).epoch > 5
    history.disk.fail(is_full=False, fails_to_sync=False)
    history.plugins["one"].temper.heal()
    history.retry("one")
    while returns_in(history) is None:
        history.run(0.0001)
    history.die()
    history.start()
    account = history.plugins["one"].account
    while 1 not in account.acked:
        history.run(0.001)
    history.die()
    history.settle()


def test_p3_what_a_power_cut_brings_back_may_fail_again(history: History) -> None:
    """A retried event whose acknowledgement the cut took would count as set aside once it had come again."""
    install(history, Temper(Wants(acknowledge=EXPLICIT), poison=1), retry=ONE_TRY, on_failure="park")
    history.commit(["red"])
    history.run(10)
    assert parked(history) == [1]
    plugin = history.plugins["one"]
    plugin.settings = PluginSettings(start="genesis", on_failure="block")
    history.reload()
    history.run(5)
    plugin.temper.heal()
    history.retry("one")
    until_answered(history)
    while 1 not in plugin.account.acked:
        history.run(0.001)
    history.die(of_power_cut=True)
    plugin.temper.nacks = 100
    history.start()
    while history.transcript[-1].count("declines 1") == 0:
        history.run(0.001)
    history.disk.fail(is_full=True, fails_to_sync=False)
    history.run(10)
    history.disk.fail(is_full=False, fails_to_sync=False)
    history.settle()


def test_p6_a_retry_behind_a_seek_that_a_death_cut_short_brings_its_events(history: History) -> None:
    """The next process begins once more where the seek led, with what was asked for since."""
    install(history, Temper(Wants(), poison=1), retry=ONE_TRY, on_failure="park")
    history.commit(["red"] * 4)
    history.run(10)
    plugin = history.plugins["one"]
    run = plugin.account.run
    plugin.temper.heal()
    history.seek("one", 3)
    while plugin.account.run is run:
        history.run(0.001)
    history.die()
    history.disk.fail(is_full=False, fails_to_sync=True)  # no process begins before the retry is asked for
    history.start()
    history.run(0.05)
    history.disk.fail(is_full=False, fails_to_sync=False)
    history.retry("one", [1, 2])
    history.run(5)
    history.settle()
