"""For tests of plugins: a pytest plugin, there wherever this package is installed beside pytest, and crash tests.

Fixtures: `make_queue` gives queues to call `run` with, `make_events` gives events. Import `crash_test` to have the
plugin killed in real processes. See docs/how-to/write-a-plugin.md.

What all this is made of is imported when it is used: pytest loads this module in every run.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

if TYPE_CHECKING:
    from bigchaindb.events import Event
    from bigchaindb.simulated.crash_report import CrashReport
    from bigchaindb.simulated.crashes import crash_test
    from bigchaindb.simulated.queues import GeneratedQueue

__all__ = ["CrashReport", "MakeEvents", "MakeQueue", "crash_test", "make_events", "make_queue"]

_LATE: Final = {
    "CrashReport": "bigchaindb.simulated.crash_report",
    "crash_test": "bigchaindb.simulated.crashes",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class or a function
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class MakeQueue(Protocol):
    """What the fixture `make_queue` gives."""

    def __call__(
        self,
        blocks: int = 10,
        *,
        transactions: int = 3,
        invalid: float = 0.0,
        seed: int = 0,
        event_types: int | None = None,
    ) -> "GeneratedQueue":
        """Make a chain and a queue over its events.

        Args:
            blocks: how many events there are.
            transactions: in each block.
            invalid: which share of the blocks was voted invalid.
            seed: another one gives another chain.
            event_types: a mask as in a plugin: other events are passed over.
        """
        ...


class MakeEvents(Protocol):
    """What the fixture `make_events` gives."""

    def __call__(
        self, blocks: int = 10, *, transactions: int = 3, invalid: float = 0.0, seed: int = 0
    ) -> "list[Event]":
        """Make a chain and give all its events; the arguments are those of `MakeQueue`."""
        ...


@pytest.fixture
def make_queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeQueue]:
    """Give a function that makes queues to call a plugin's `run` with: the real ones, over generated blocks.

    `run` takes every event and then gets `Closed`, as at the stop of a node. `queue.events` are the events of the
    chain, `queue.acked` is the position up to which the plugin has settled them.
    """
    with ExitStack() as queues:

        def make(
            blocks: int = 10,
            *,
            transactions: int = 3,
            invalid: float = 0.0,
            seed: int = 0,
            event_types: int | None = None,
        ) -> "GeneratedQueue":
            from bigchaindb.simulated.chain import Recipe
            from bigchaindb.simulated.queues import GeneratedQueue

            recipe = Recipe(blocks=blocks, transactions=transactions, invalid=invalid, seed=seed)
            folder = tmp_path_factory.mktemp("event-queue")
            return queues.enter_context(GeneratedQueue(folder, recipe, event_types))

        yield make


@pytest.fixture
def make_events() -> MakeEvents:
    """Give a function that makes a chain and gives its events: for functions that take an event."""

    def make(blocks: int = 10, *, transactions: int = 3, invalid: float = 0.0, seed: int = 0) -> "list[Event]":
        from bigchaindb.simulated.chain import Recipe, events

        return events(Recipe(blocks=blocks, transactions=transactions, invalid=invalid, seed=seed))

    return make
