"""For tests of plugins: a pytest plugin, loaded wherever this package is installed beside pytest, and crash tests.

Fixtures: `make_queue` makes queues to call `run` with, `make_events` makes events. Import `crash_test` to have the
plugin killed in real processes. `bigchaindb.testing.sinks` is the suite that every sink of this package passes. See
docs/how-to/write-a-plugin.md.

Parts are imported when they are used: pytest loads this module in every run.
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

pytest.register_assert_rewrite("bigchaindb.testing.sinks", "bigchaindb.testing.targets")

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
    """The function of the fixture `make_queue`."""

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
            blocks: number of events.
            transactions: their number in each block.
            invalid: share of the blocks that were voted invalid.
            seed: of the generated chain.
            event_types: a mask as in a plugin: other events are skipped.
        """
        ...


class MakeEvents(Protocol):
    """The function of the fixture `make_events`."""

    def __call__(
        self, blocks: int = 10, *, transactions: int = 3, invalid: float = 0.0, seed: int = 0
    ) -> "list[Event]":
        """Make a chain and return all its events; the arguments are those of `MakeQueue`."""
        ...


@pytest.fixture
def make_queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeQueue]:
    """Return a function that makes queues for a plugin's `run`: real ones, over generated blocks.

    `run` takes every event and then gets `Closed`, as at the stop of a node. `queue.events` are the events of the
    chain, `queue.acked` is the cursor of the plugin.
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
    """Return a function that makes a chain and returns its events: for functions that take an event."""

    def make(blocks: int = 10, *, transactions: int = 3, invalid: float = 0.0, seed: int = 0) -> "list[Event]":
        from bigchaindb.simulated.chain import Recipe, events

        return events(Recipe(blocks=blocks, transactions=transactions, invalid=invalid, seed=seed))

    return make
