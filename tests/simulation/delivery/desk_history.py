"""One history of a node and a subscription: real supervisor, desk, lane, page, node.db and log, in simulated time."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from bigchaindb.config import PluginSettings
from bigchaindb.errors import OrderRefused
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.subscription import BY_ASSET, BY_LOG, TRANSACTION, Subscription
from bigchaindb.events import EventTypes
from bigchaindb.store import Log, Store
from bigchaindb.subscribers import consumers, lane_log
from bigchaindb.subscribers.desk import Desk
from bigchaindb.subscribers.lane_page import LanePage
from bigchaindb.subscribers.lane_status import LaneStatus
from bigchaindb.subscribers.plugins import Wants
from tests.simulation.delivery.account import Broken, keep
from tests.simulation.delivery.desk_account import DeskAccount
from tests.simulation.delivery.desk_consumer import SimulatedConsumer, Temper
from tests.simulation.delivery.history import History
from tests.simulation.delivery.ledger import HoleyLog, asset_of, colours_of, commit_several
from tests.simulation.delivery.node_runs import Node, Plugin
from tests.simulation.delivery.temper import Temper as PluginTemper

NAME: Final = "one"


class DeskHistory(History):
    """The world that a seed makes, with a subscription in it.

    Attributes:
        temper: of all consumers.
        seated: the consumers of this node.
        desk: that runs; None between two runs.
    """

    account: DeskAccount

    def __init__(self, seed: int, folder: Path) -> None:
        super().__init__(seed, folder)
        self.temper = Temper()
        self.seated: list[SimulatedConsumer] = []
        self.desk: Desk | None = None
        self.is_settling = False
        self.had_hole = False
        self._cursor = (0, 0)
        self._readers: list[Log] = []

    @property
    def desk_is_open(self) -> bool:
        return self.desk is not None

    @property
    def enabled(self) -> dict[str, PluginSettings]:
        return {}

    def subscribe(self, wanted: Subscription) -> None:
        """Create the subscription."""
        self.wanted = wanted
        self.account = account = DeskAccount(
            NAME,
            self._matches,
            wanted.start,
            may_skip=wanted.policy.on_failure == "skip",
            numbering=wanted.numbering,
            key_of=self._key_of,
            count_of=self._count_of,
            answer_s=wanted.answer_s,
        )
        self.plugins[NAME] = Plugin(PluginSettings(), PluginTemper(Wants()), account)
        self.write(f"creates {wanted}")
        account.place = account.handed = wanted.numbering.behind(0 if wanted.start == "genesis" else self.head)
        node = self.start()
        node.loop.run_until_complete(node.supervisor.create(wanted))

    def make_anew(self, wanted: Subscription) -> None:
        """Delete the subscription under its consumers, and create another of its name."""
        assert self.node is not None
        for one in self.present():
            one.is_gone = one.is_gone or not one.is_seated
        try:
            self.node.loop.run_until_complete(self.node.supervisor.delete(NAME))
        except OrderRefused:  # an event is about to be set aside
            return
        keep("P19", not self.present(), "somebody still consumes what is deleted")
        self.note("subscription is made anew")
        self.backup, self._cursor = None, (0, 0)  # both are of the other one
        self.subscribe(wanted)

    def change(self, wanted: Subscription) -> None:
        """Order another definition."""
        assert self.node is not None
        self.account.may_skip |= wanted.policy.on_failure == "skip"
        self.order("", f"change {wanted}", self.node.supervisor.create(wanted, is_change=True))

    def sit_down(self, room_count: int) -> SimulatedConsumer:
        """Add a consumer."""
        assert self.node is not None
        one = SimulatedConsumer(self, self.account, self.temper, room_count)
        self.seated.append(one)
        self.node.loop.call_soon(one.sit)
        return one

    def present(self) -> list[SimulatedConsumer]:
        """Return the consumers that are there."""
        self.seated = [one for one in self.seated if not one.is_gone]
        return self.seated

    # What is owed

    def _matches(self, number: int) -> bool:
        numbering = self.wanted.numbering
        kind = self.events[numbering.position(number) - 1]
        bit = EventTypes.BLOCK_INVALID if kind == "rejected" else EventTypes.BLOCK_VALID
        colours = colours_of(kind, numbering.position(number))
        if self.wanted.granularity == TRANSACTION:
            colours = [colours[number & 0xFFFFF]]
        is_selected = not self.wanted.selection.members or "red" in colours
        return bool(self.wanted.types & bit) and is_selected

    def _key_of(self, number: int) -> Hashable:
        match self.wanted.order:
            case order if order == BY_ASSET:
                return asset_of(number >> 20, number & 0xFFFFF)
            case order if order == BY_LOG:
                return None
            case _:
                return number

    def _count_of(self, position: int) -> int:
        is_whole = self.wanted.granularity != TRANSACTION
        return 1 if is_whole else len(colours_of(self.events[position - 1], position))

    # The node

    @contextmanager
    def in_force(self) -> Iterator["DeskHistory"]:
        history = self

        class SpiedDesk(Desk):
            """Reports its beginning and its end to the history."""

            def __init__(self, wanted: Subscription, lane: Any, page: LanePage, *others: Any) -> None:
                super().__init__(wanted, lane, page, *others)
                history.wanted, history.account.answer_s = wanted, wanted.answer_s
                history.guard(lambda: history.account.begin(int(page.path.suffix[1:]), page, history.head))
                history.write(f"a run begins behind {page.cursor} with {list(page.in_hand())}")
                history.counts["run begins"] += 1
                history.begins(int(page.path.suffix[1:]), page.cursor)
                history.desk = self

            def kill(self) -> None:
                if history.desk is self:
                    history.desk = None
                    super().kill()
                    history.guard(history.account.ended)

        with super().in_force(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(consumers, "Desk", SpiedDesk)
            patch.setattr(lane_log, "time", SimpleNamespace(time=self.agenda.now))
            yield self

    def guard(self, act: Callable[[], object]) -> None:
        """Do something of the account's; what it finds broken ends the history."""
        try:
            act()
        except Broken as error:
            self.broken = self.broken or error
            raise

    def open_store(self) -> Store:
        store = super().open_store()

        def log_reader() -> Log:
            self._readers.append(HoleyLog(store.directory.ledger, self))
            return self._readers[-1]

        store.log_reader = log_reader  # type: ignore[method-assign]
        return store

    def _leave(self, *, of_power_cut: bool = False) -> None:
        for one in self.seated:
            one.is_gone = True
        self.desk, self._cursor = None, (0, 0)
        super()._leave(of_power_cut=of_power_cut)
        for reader in self._readers:
            reader.close()
        self._readers.clear()

    def cursor_of(self, status: LaneStatus) -> int:
        assert status.number is not None
        return status.number

    def commit_block(self, node: Node, kind: str) -> int:
        effects = commit_several(node.store.writer, kind, self.branch)
        node.hub.committed(effects)
        return effects.tip.position

    def check(self) -> None:
        self.had_hole = self.had_hole or bool(self.hole)
        super().check()
        self.account.check_overdue(self.agenda.elapsed_s)
        assert self.node is not None
        for status in self.node.supervisor.status():
            is_known = self.had_hole or self.account.is_other_log or bool(self.branch)
            keep("P8", status.state is not State.GAPPED or is_known, f"GAPPED for nothing: {status.error}")
            self._check_ascending(status)
            for one in status.consumers:
                held = [number for number, out in self.account.out.items() if out.consumer == one.consumer]
                keep("P14", one.in_hand_count == len(held), f"{one} has {held}")

    def number_behind(self, position: int) -> int:
        return self.wanted.numbering.behind(position)

    def number_of(self, place: str) -> int:
        return self.wanted.numbering.read(place)

    def position_before(self, number: int) -> int:
        return self.wanted.numbering.seen(number - 1)

    def restore_backup(self) -> None:
        self.account.bodies.clear()
        super().restore_backup()

    def begins(self, epoch: int, cursor: int) -> None:
        """A run begins: its cursor does not go back from there."""
        self._cursor = epoch, cursor

    def _check_ascending(self, status: LaneStatus) -> None:
        """Within a run no cursor goes back."""
        cursor, (epoch, before) = self.cursor_of(status), self._cursor
        is_moved = epoch != status.epoch or self.account.sought
        keep("E6", is_moved or cursor >= before, f"the cursor goes from {before} back to {cursor}")
        self._cursor = status.epoch, cursor

    # The end

    def settle(self) -> None:
        self.temper.heal()
        self.is_settling = True
        for one in self.present():
            one.is_weary = True
        super().settle()

    def run(self, duration_s: float) -> None:
        if self.is_settling and self.node is not None:
            for one in self.present():
                if one.is_weary:
                    self.node.loop.call_soon(one.leave)
            if not self.present():
                self.sit_down(8)
        super().run(duration_s)
