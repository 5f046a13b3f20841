"""What the scripts of histories have alike."""

from bigchaindb.config import PluginSettings
from bigchaindb.config.settings import RetrySettings
from bigchaindb.eventlog.orders import Order
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.plugins import Wants
from tests.simulation.delivery.history import History
from tests.simulation.delivery.temper import Temper

ONE_TRY = RetrySettings(attempts=1, duration_s=0)
DELAYS_S = (0.0, 0.001, 0.01, 0.022, 0.03, 0.1)
"""One of them hits the moment."""


def install(history: History, temper: Temper, **settings: object) -> None:
    history.install("one", PluginSettings(start="genesis", **settings), temper)  # type: ignore[arg-type]
    history.start()


def status(history: History) -> LaneStatus:
    assert history.node is not None
    (found,) = history.node.supervisor.status()
    return found


def parked(history: History) -> list[int]:
    assert history.node is not None
    return [row.position for row in history.node.store.node.parked("one")]


def returns_in(history: History) -> int | None:
    assert history.node is not None
    (row,) = history.node.store.node.parked("one")
    return row.returns_in


def order(history: History, wanted: Order) -> None:
    assert history.node is not None
    history.order("one", type(wanted).__name__, history.node.supervisor.order("one", wanted))


def retry_what_is_then_skipped(history: History) -> None:
    """Park position 1, retry it as a person would, and have it fail again under another policy."""
    install(history, Temper(Wants(), poison=1), retry=ONE_TRY, on_failure="park")
    history.commit(["red"])
    history.run(10)
    assert parked(history) == [1]
    plugin = history.plugins["one"]
    plugin.settings = PluginSettings(start="genesis", retry=ONE_TRY, on_failure="skip")
    plugin.account.may_skip = True
    history.reload()
    history.run(5)
    history.retry("one")


def until_answered(history: History) -> None:
    while history.node is not None and history.node.orders:
        history.run(0.001)
