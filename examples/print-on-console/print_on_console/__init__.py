"""An events plugin as in 2017: a module with `event_types` and `run`, which needs nothing of BigchainDB to run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bigchaindb.events import EventQueue

BLOCK_VALID = 1

event_types = BLOCK_VALID


def run(queue: "EventQueue") -> None:
    print("=" * 64)
    print("print_on_console is waiting for blocks")
    print("=" * 64)
    while True:
        event = queue.get()
        print("-" * 64)
        print(event.data["id"])
        print("-" * 64)
