"""The queue of `make_queue` is the node's own, but it ends: else a test of `run` would wait for ever."""

from pathlib import Path

import pytest

from bigchaindb.errors import Closed
from bigchaindb.events import EventTypes
from bigchaindb.simulated.chain import Recipe
from bigchaindb.simulated.queues import GeneratedQueue
from bigchaindb.subscribers.queue import LogQueue
from bigchaindb.testing import MakeEvents, MakeQueue


def test_it_gives_every_event_and_then_ends(make_queue: MakeQueue) -> None:
    queue = make_queue(blocks=3)
    assert [queue.get().position for _ in range(3)] == [1, 2, 3]
    with pytest.raises(Closed):
        queue.get()


def test_it_says_which_plugin_of_which_ledger_it_is_for(make_queue: MakeQueue) -> None:
    """Before the first event: a target may want to know who connects."""
    queue = make_queue(blocks=1, seed=3)
    assert (queue.chain_id, queue.plugin) == ("simulated-3", "plugin")
    assert queue.get().id.startswith(f"{queue.chain_id}:")


def test_a_loop_over_it_ends(make_queue: MakeQueue) -> None:
    queue = make_queue(blocks=3)
    assert [event.id for event in queue] == [event.id for event in queue.events]


@pytest.mark.parametrize("settings", [{"block": False}, {"timeout": 60.0}, {"timeout": 0.0}])
def test_no_form_of_get_waits_at_the_end(make_queue: MakeQueue, settings: dict[str, float]) -> None:
    """A plugin that flushes on `Empty` would be asked for its last events for ever."""
    queue = make_queue(blocks=1)
    queue.get(**settings)  # type: ignore[arg-type]
    with pytest.raises(Closed):
        queue.get(**settings)  # type: ignore[arg-type]


def test_get_many_gives_what_there_is_and_then_ends(make_queue: MakeQueue) -> None:
    queue = make_queue(blocks=5)
    assert [[event.position for event in queue.get_many(3)] for _ in range(2)] == [[1, 2, 3], [4, 5]]
    with pytest.raises(Closed):
        queue.get_many(3)


def test_it_settles_as_a_node_does(make_queue: MakeQueue) -> None:
    """What a plugin would get again after a crash can be asserted."""
    queue = make_queue(blocks=3)
    seen = []
    for _ in range(3):
        queue.get()
        seen.append(queue.acked)
    with pytest.raises(Closed):
        queue.get()
    assert [*seen, queue.acked] == [0, 1, 2, 3]


def test_other_types_are_passed_over(make_queue: MakeQueue) -> None:
    queue = make_queue(blocks=10, invalid=0.5, event_types=EventTypes.BLOCK_INVALID)
    assert {event.type for event in queue} == {EventTypes.BLOCK_INVALID}
    assert queue.acked == 10
    assert len(queue.events) == 10


def test_a_log_without_matching_events_ends_at_once(make_queue: MakeQueue) -> None:
    assert list(make_queue(blocks=3, event_types=EventTypes.BLOCK_INVALID)) == []


def test_two_queues_of_a_test_know_nothing_of_each_other(make_queue: MakeQueue) -> None:
    assert [next(iter(make_queue(blocks=1, seed=seed))).id[:11] for seed in (1, 2)] == ["simulated-1", "simulated-2"]


def test_it_is_the_real_queue(tmp_path: Path) -> None:
    """A test against a look-alike proves nothing about a node."""
    with GeneratedQueue(tmp_path, Recipe(blocks=1)) as queue:
        assert isinstance(queue, LogQueue)


def test_make_events_gives_events_as_a_queue_does(make_events: MakeEvents, make_queue: MakeQueue) -> None:
    made = make_events(blocks=4, transactions=2, invalid=0.25, seed=5)
    queue = make_queue(blocks=4, transactions=2, invalid=0.25, seed=5)
    assert [(event.id, event.body, event.time) for event in made] == [
        (event.id, event.body, event.time) for event in queue
    ]
