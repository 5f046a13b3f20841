"""How a plugin's queue reads the log with a selection. Source: promises P8, P10 and P15."""

from collections.abc import Callable
from pathlib import Path
from queue import Empty

import pytest

from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog.lane import Progress
from bigchaindb.eventlog.selection import Selection
from bigchaindb.events import EventTypes
from bigchaindb.ledger.ports import Record
from bigchaindb.subscribers.lane_page import Word
from bigchaindb.subscribers.plugins import EXPLICIT, NEXT_GET, Wants
from tests.support.event_logs import ListLog
from tests.support.plugin_queues import Plugin

CREATES = Selection(operation="CREATE")
Make = Callable[..., Plugin]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def plugin(operations: str, acknowledge: str = NEXT_GET) -> Plugin:
        one = Plugin(tmp_path, ListLog(), wants=Wants(EventTypes.BLOCK_VALID, acknowledge, 0, CREATES))
        commit(one, operations)
        return one

    return plugin


def commit(plugin: Plugin, operations: str) -> None:
    """Append a block with one transaction for each letter: C is a CREATE, T a TRANSFER, - a rejected CREATE."""
    for letter in operations:
        operation = "TRANSFER" if letter == "T" else "CREATE"
        event_type = EventTypes.BLOCK_INVALID if letter == "-" else EventTypes.BLOCK_VALID
        plugin.append_transaction(f'{{"operation":"{operation}"}}', event_type)


def test_only_what_matches_arrives(make: Make) -> None:
    plugin = make("CTTTTTC-CT")
    assert plugin.take(3) == [1, 7, 9]
    with pytest.raises(Empty):
        plugin.queue.get_nowait()
    assert plugin.progress() == Progress(10, 10)


def test_a_cursor_moves_though_nothing_matches(make: Make) -> None:
    """The scar of others: an empty window that never moves the cursor, so lag looks infinite."""
    plugin = make("T" * 50)
    assert plugin.queue.empty()
    assert plugin.progress() == Progress(50, 50)


def test_what_does_not_match_is_passed_over_while_something_is_in_hand(make: Make) -> None:
    plugin = make("C", acknowledge=EXPLICIT)
    event = plugin.queue.get_nowait()
    commit(plugin, "T" * 20)
    with pytest.raises(Empty):
        plugin.queue.get_nowait()
    assert plugin.progress() == Progress(0, 21, (1,))
    event.ack()
    assert plugin.progress() == Progress(21, 21)


def test_p8_a_log_that_ends_before_its_head_is_loud(make: Make) -> None:
    plugin = make("CTT")
    assert plugin.take(1) == [1]
    plugin.page.words[Word.HEAD] = 9
    with pytest.raises(HistoryLost) as lost:
        plugin.queue.get_nowait()
    assert (lost.value.position, lost.value.head) == (4, 9)
    assert plugin.queue.fault() is lost.value


def test_a_stop_does_not_wait_for_a_long_search(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that wants little of a long log would be killed at each stop, in the middle of it."""
    plugin = make("")
    plugin.page.words[Word.HEAD] = 10**12

    def selected(after: int, *_: object, **__: object) -> tuple[list[Record], int]:
        if after == 300:
            plugin.queue._gate.is_closed = True  # what `close` does before it asks for the lock
        return [], after + 3

    monkeypatch.setattr(plugin.log, "selected", selected)
    assert plugin.queue.empty()
    assert plugin.page.cursor == 303
