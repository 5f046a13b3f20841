"""A plugin's queue in this process, over a log that is a list."""

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from bigchaindb.eventlog.lane import Progress
from bigchaindb.events import Event, EventTypes
from bigchaindb.ledger.block import Block, Header, event_body
from bigchaindb.ledger.effects import NO_DIGEST
from bigchaindb.ledger.ports import Record
from bigchaindb.subscribers.host_protocol import Report
from bigchaindb.subscribers.lane_page import LanePage, Word
from bigchaindb.subscribers.plugins import NEXT_GET, Wants
from bigchaindb.subscribers.queue import LogQueue
from tests.support import lane_pages
from tests.support.event_logs import ListLog


class Plugin:
    """A queue, with the log and the page behind it."""

    def __init__(
        self,
        folder: Path,
        log: ListLog,
        progress: Progress | None = None,
        *,
        epoch: int = 1,
        window: int = 8,
        acknowledge: str = NEXT_GET,
        ack_lag: int = 0,
        **settings: Any,
    ) -> None:
        settings.setdefault("wants", Wants(acknowledge=acknowledge, ack_lag=ack_lag))
        self.log = log
        self.reports: list[Report] = []
        page_path = folder / f"plugin.{epoch}"
        self.page = LanePage.create(page_path, progress or Progress(), head=log.head(), slot_count=window)
        self.queue = LogQueue(self.page, log, chain_id="solo-1", report=self.reports.append, **settings)
        lane_pages.OPEN.callback(self.close)

    def close(self) -> None:
        """Close the page and the queue's descriptor, as the end of its process does."""
        lane_pages.close(self.page)
        gate = self.queue._gate
        if (descriptor := gate.fd) is not None:
            gate.fd = None
            os.close(descriptor)

    def append(self, event_type: int = EventTypes.BLOCK_VALID) -> None:
        self.log.append(event_type)
        self.page.words[Word.HEAD] = self.log.head()
        self.queue.wake()

    def append_transaction(self, text: str, event_type: int = EventTypes.BLOCK_VALID) -> None:
        """Commit a block of one transaction."""
        position = len(self.log.all) + 1
        header = Header(f"{position:064x}", position, 1_700_000_000, "node", ("node",), None)
        body = event_body(Block(header, (text.encode(),)))
        self.log.all.append(Record(position, event_type, position, header.timestamp, NO_DIGEST, body))
        self.page.words[Word.HEAD] = position
        self.queue.wake()

    def progress(self) -> Progress:
        """Return the page's progress without the positions that were taken."""
        return replace(self.page.progress(), delivered=frozenset())

    @property
    def taken(self) -> Collection[int]:
        """The positions that the process has taken and not settled, by the page."""
        return self.page.progress().delivered

    def take(self, count: int) -> list[int]:
        return [event.position for event in self.events(count)]

    def events(self, count: int) -> list[Event]:
        return [self.queue.get_nowait() for _ in range(count)]


Make: TypeAlias = Callable[..., Plugin]
"""Makes a plugin over a log of so many valid blocks."""
