"""The plugins that the kills benchmark runs: each writes down what it took, and is killed from inside now and then.

There is one for each way to acknowledge, as what may come again after a kill depends on it (P6).
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from bigchaindb.events import Event, EventQueue
from bigchaindb.simulated.victim import Victim

WORK_S: Final = 0.001
"""Before an event is written down and after it, so that kills find it on either side."""
BATCH_COUNT: Final = 8
LAG_COUNT: Final = 3


class Recorder:
    """Appends a line for each event: which run of the plugin, position, block id."""

    def __init__(
        self, *, acknowledge: Literal["next_get", "explicit"] = "next_get", ack_lag: int = 0, batch_count: int = 1
    ) -> None:
        self.acknowledge = acknowledge
        self.ack_lag = ack_lag
        self._batch_count = batch_count
        self._record = Path()

    @property
    def in_hand_most(self) -> int:
        """The most events that a kill may bring again."""
        return self._batch_count + self.ack_lag

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take `record`, the file to write."""
        self._record = Path(options["record"])

    def run(self, queue: EventQueue) -> None:
        """Take events until the process is killed or the queue ends."""
        run = f"{os.getpid()}.{time.monotonic_ns()}"
        with self._record.open("ab", buffering=0) as record:
            for events in self._batches(queue):
                for event in events:
                    time.sleep(WORK_S)
                    record.write(f"{run} {event.position} {event.data['id']}\n".encode())
                    time.sleep(WORK_S)
                if self.acknowledge == "explicit":
                    queue.ack_through(events[-1].position)

    def _batches(self, queue: EventQueue) -> Iterator[Sequence[Event]]:
        while True:
            yield [queue.get()] if self._batch_count == 1 else queue.get_many(self._batch_count)


plain = Recorder()
lagging = Recorder(ack_lag=LAG_COUNT)
explicit = Recorder(acknowledge="explicit")
batches = Recorder(acknowledge="explicit", batch_count=BATCH_COUNT)


class Killed(Victim):
    """Dies so many events after the first one of its process: how many there will be nobody knows beforehand."""

    def _took(self, events: Sequence[Event]) -> None:
        if events and not self._has_taken and self._kill is not None:
            self._kill = self._kill._replace(position=events[0].position + self._kill.position)
        super()._took(events)
