"""What a lane runs: a plugin's process or a subscription's desk; and what all lanes of a node have in common."""

import sys
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from bigchaindb.config import Limits, PluginSettings
from bigchaindb.eventlog import facts
from bigchaindb.eventlog.lane import Lane
from bigchaindb.eventlog.numbering import ROWS, Numbering
from bigchaindb.eventlog.retrying import Backoff, OnFailure, Policy
from bigchaindb.eventlog.subscription import EVENTS
from bigchaindb.log import format_in_force
from bigchaindb.store.damages import Damages
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers import host_protocol as wire
from bigchaindb.subscribers.lane_files import LaneFiles
from bigchaindb.subscribers.lane_page import LanePage
from bigchaindb.subscribers.lane_status import PLUGIN, SUBSCRIPTION, ConsumerStatus
from bigchaindb.subscribers.machine import Host, Machine
from bigchaindb.subscribers.plugin_run import PluginRun

Told: TypeAlias = wire.Report | facts.CaughtUp
"""What a host tells its lane; a desk knows itself when it has read everything."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all lanes of a node have in common.

    Attributes:
        thread: where `files` is used, by one thread in order.
        backoff: how long a plugin that failed waits; None leaves it to the plugins' settings.
        damages: takes note of what plugins' processes find damaged.
        running: the hosts that there are, in the order of their starts, each with the hub of the log that it follows.
    """

    hub: Hub
    files: LaneFiles
    thread: Executor
    ledger: Path
    damages: Damages
    chain_id: str
    limits: Limits
    backoff: Backoff | None
    machine: Machine
    running: dict[PluginRun, Hub] = field(default_factory=dict)


class Work(Protocol):
    """What a lane runs."""

    @property
    def kind(self) -> str:
        """`PLUGIN` or `SUBSCRIPTION`."""
        ...

    @property
    def hub(self) -> Hub:
        """Announces the head of the log that the lane follows."""
        ...

    @property
    def log(self) -> str:
        """Which log the lane follows: `EVENTS` or `REJECTED`."""
        ...

    @property
    def numbering(self) -> Numbering:
        """How its events are numbered."""
        ...

    @property
    def policy(self) -> Policy:
        """When it is tried again, and when an event is given up."""
        ...

    @property
    def window_count(self) -> int:
        """How many events it may hold unsettled."""
        ...

    @property
    def ready_s(self) -> float:
        """How long its host may take to be ready."""
        ...

    def changed(self) -> None:
        """Take note that the lane's state or error has changed."""
        ...

    @property
    def is_wanted(self) -> bool:
        """Whether a host is to run, if the lane's state allows one."""
        ...

    def ordered(self) -> None:
        """Take note that an order was carried out."""
        ...

    @property
    def waits_for(self) -> str:
        """The key that the cursor waits for; "" if there is none."""
        ...

    def statuses(self) -> tuple[ConsumerStatus, ...]:
        """Return who consumes."""
        ...

    def start(
        self,
        lane: Lane,
        page: LanePage,
        on_report: Callable[[Told], None],
        on_exit: Callable[[str], None],
    ) -> Host:
        """Start a host on a page.

        Raises:
            ConfigurationError: the options are too large.
            OSError: there is no room for another process.
        """
        ...


@dataclass(frozen=True)
class PluginWork:
    """Implements `Work` with a process."""

    name: str
    settings: PluginSettings
    shared: Shared

    kind = PLUGIN
    log = EVENTS
    numbering = ROWS
    is_wanted = True
    waits_for = ""

    @property
    def hub(self) -> Hub:
        """See `Work`."""
        return self.shared.hub

    @property
    def policy(self) -> Policy:
        """See `Work`."""
        retry, backoff = self.settings.retry, self.shared.backoff
        return Policy(
            backoff=backoff or Backoff(max_s=retry.delay_s_max),
            patience=backoff or Policy().patience,
            attempts=retry.attempts,
            duration_s=retry.duration_s,
            on_failure=OnFailure(self.settings.on_failure),
        )

    @property
    def window_count(self) -> int:
        """See `Work`."""
        return self.settings.window or self.shared.limits.window_count_max

    @property
    def ready_s(self) -> float:
        """See `Work`."""
        return self.settings.ready_s

    def changed(self) -> None:
        """See `Work`; a process need not know."""

    def ordered(self) -> None:
        """See `Work`."""

    def statuses(self) -> tuple[ConsumerStatus, ...]:
        """See `Work`."""
        return ()

    def start(
        self,
        lane: Lane,
        page: LanePage,
        on_report: Callable[[Told], None],
        on_exit: Callable[[str], None],
    ) -> Host:
        """See `Work`."""
        shared = self.shared
        launch = wire.Launch(
            name=self.name,
            ledger=str(shared.ledger.absolute()),
            page=str(page.path.absolute()),
            chain_id=shared.chain_id,
            options=dict(self.settings.options),
            queue=self.settings.queue,
            window_count=self.window_count,
            window_bytes_max=shared.limits.window_bytes_max,
            sys_path=sys.path,
            attempts={position: lane.attempt(position) for position in lane.progress.unsettled},
            one_at_a_time=lane.one_at_a_time,
            log_format=format_in_force(),
        )
        return shared.machine.start_host(launch, on_report, on_exit)


def noted(work: Work, name: str, number: int | None = None) -> dict[str, object]:
    """Return the fields of a line of the log: whose it is, and about which event."""
    if work.kind == PLUGIN:
        return {"plugin": name} if number is None else {"plugin": name, "position": number}
    return {SUBSCRIPTION: name} if number is None else {SUBSCRIPTION: name, "place": work.numbering.text(number)}
