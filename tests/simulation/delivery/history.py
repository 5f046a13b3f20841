"""One history of a node and its plugins: the real supervisor, lanes, pages, node.db, queues and log, in simulated time.

Every choice comes from the seed, so a seed is a history; `author` makes those about what happens next.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from bigchaindb.config import PluginSettings
from bigchaindb.errors import OrderRefused
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Discard, Restart, Retry, Seek
from bigchaindb.events import EventTypes
from bigchaindb.subscribers.plugins import Wants
from tests.simulation.delivery.account import Account, keep
from tests.simulation.delivery.disk import copy_ledger
from tests.simulation.delivery.ledger import KINDS
from tests.simulation.delivery.node_runs import Node, NodeRuns, Order, Plugin
from tests.simulation.delivery.temper import Temper

SETTLE_S: Final = 600.0
"""Virtual time in which all is delivered once nothing fails any more."""


class History(NodeRuns):
    """What happens in the world that a seed makes."""

    def matcher(self, wants: Wants) -> Callable[[int], bool]:
        def matches(position: int) -> bool:
            kind = self.events[position - 1]
            bit = EventTypes.BLOCK_INVALID if kind == "rejected" else EventTypes.BLOCK_VALID
            return bool(wants.event_types & bit) and (wants.select is None or kind == "red")

        return matches

    def install(self, name: str, settings: PluginSettings, temper: Temper) -> Plugin:
        account = Account(name, self.matcher(temper.wants), settings.start, may_skip=settings.on_failure == "skip")
        self.plugins[name] = Plugin(settings, temper, account)
        self.write(f"installs {name}: {settings} {temper}")
        return self.plugins[name]

    # What happens

    def commit(self, kinds: Sequence[str]) -> None:
        """Commit blocks; no commit waits for anybody, so no time passes (P9)."""
        assert self.node is not None
        before_s = self.agenda.elapsed_s
        for kind in kinds:
            self.events.append(kind)
            position = self.commit_block(self.node, kind)
            assert position == self.head
        keep("P9", self.agenda.elapsed_s == before_s, "a commit took time")
        self.note("commits", f"{', '.join(kinds)}: head {self.head}")

    def order(
        self,
        name: str,
        what: str,
        call: Coroutine[Any, Any, Any],
        on_done: Callable[[BaseException | None], None] = lambda _: None,
    ) -> None:
        """Ask for something, one thing of a plugin at a time."""
        assert self.node is not None
        assert name not in self.node.orders
        self.write(f"order {what} {name}")
        self.node.orders[name] = Order(f"{what} {name}", self.node.loop.create_task(call), on_done)

    def seek(self, name: str, place: int) -> None:
        assert self.node is not None
        account, number = self.plugins[name].account, self.number_behind(place)
        account.is_seeking, moves = True, account.moves
        account.sought.add(number)

        def done(error: BaseException | None) -> None:
            account.is_seeking = False
            if isinstance(error, OrderRefused):
                account.sought.discard(number)
            elif error is None:
                if account.moves == moves:
                    account.move(number)
                account.is_gapped, account.is_other_log = False, False
                account.sought.clear()

        self.order(name, f"seek {place}", self.node.supervisor.order(name, Seek(f"position:{place + 1}")), done)

    def discard(self, name: str, positions: Sequence[int]) -> None:
        assert self.node is not None
        account = self.plugins[name].account
        account.discarding |= {*positions}

        def done(error: BaseException | None) -> None:
            account.discarding -= {*positions}
            if error is None:
                account.discarded |= {*positions}
                account.returning -= {*positions}
            elif not isinstance(error, OrderRefused):
                account.maybe |= {*positions}

        self.order(
            name, f"discard {list(positions)}", self.node.supervisor.order(name, Discard(tuple(positions))), done
        )

    def retry(self, name: str, positions: Sequence[int] | None = None) -> None:
        assert self.node is not None
        wanted = Retry(None if positions is None else tuple(positions))
        self.order(name, f"retry {positions or 'all'}", self.node.supervisor.order(name, wanted))

    def reload(self) -> None:
        assert self.node is not None
        self.order("", f"reload {list(self.enabled)}", self.node.supervisor.reload(self.enabled))

    def save_backup(self) -> None:
        path = self.folder / "backup.db"
        copy_ledger(self.folder / "data" / "ledger.db", path)
        self.backup = (path, self.head)
        self.note("backup is made", f"head {self.head}")

    def restore_backup(self) -> None:
        """Bring the ledger back as it was; a lane that knew more must say so (P8)."""
        assert self.node is None
        assert self.backup is not None
        path, head = self.backup
        for plugin in self.plugins.values():
            for process in plugin.processes:
                process.release()
        copy_ledger(path, self.folder / "data" / "ledger.db")
        del self.events[head:]
        self.branch += 1
        self.note("backup is restored", f"head {head}")
        for status in self.start().supervisor.status():
            if self.plugins[status.name].account.handed > self.number_behind(head):
                keep("P8", status.state is State.GAPPED, f"{status.name} knew more than the log, and is {status.state}")
            # It may have passed over what was not for it.
            self.plugins[status.name].account.is_other_log = status.state is State.GAPPED

    def lose_node_db(self) -> None:
        """node.db is gone, and with it where each plugin was (P8)."""
        assert self.node is None
        for suffix in ("", "-wal", "-shm"):
            (self.folder / "data" / f"node.db{suffix}").unlink(missing_ok=True)
        self.note("node.db is lost")
        for plugin in self.plugins.values():
            for process in plugin.processes:
                process.release()
            plugin.account.run = None
            plugin.account.list({})
            plugin.account.numbers.clear()
            plugin.account.is_gapped = plugin.account.is_other_log = True
            plugin.account.was_cut_s = None
            plugin.account.sought.clear()
        for status in self.start().supervisor.status():
            keep("P8", status.state is State.GAPPED, f"{status.name} lost its place, and is {status.state}")

    # The end of all faults

    def settle(self) -> None:
        """End all faults, and require all that is owed to come and be settled (P2)."""
        self.note("nothing fails any more")
        self.hole = 0
        self.disk.fail(is_full=False, fails_to_sync=False)
        for plugin in self.plugins.values():
            plugin.temper.heal()
            plugin.is_enabled = True
        self.start()
        self._until(lambda node: not node.orders, "orders are carried out")
        self.reload()
        self._until(lambda node: not node.orders, "plugins are enabled")
        self._let_all_run()
        self.commit(KINDS)
        self._until(lambda _: not self._undone(), "everything is settled")
        self._retry_all()
        self._until(lambda _: not self._undone() and not self._listed(), "everything set aside is settled")
        self.stop()
        self.write("end")

    def _undone(self) -> dict[str, list[int]]:
        undone = {name: one.account.undone(self.head) for name, one in self.plugins.items()}
        return {name: positions for name, positions in undone.items() if positions}

    def _listed(self) -> set[int]:
        return {position for one in self.plugins.values() for position in one.account.listed}

    def _until(self, is_done: Callable[[Node], bool], what: str) -> None:
        end_s = self.agenda.elapsed_s + SETTLE_S
        while self.node is None or not is_done(self.node):
            keep("P2", self.agenda.elapsed_s < end_s, f"not in {SETTLE_S:g} s: {what}; undone {self._undone()}")
            self.run(1.0)

    def _let_all_run(self) -> None:
        """Order each lane that waits for a person to go on, and end what hangs."""
        assert self.node is not None
        for status in self.node.supervisor.status():
            name, account, node = status.name, self.plugins[status.name].account, self.node.supervisor
            match status.state:
                case State.GAPPED:
                    left = [] if account.place is None else account.undone(self.head)
                    known = min(self.head, self.backup[1]) if self.backup and self.branch else self.head
                    self.seek(name, min([known, *map(self.position_before, left)]))
                case State.BLOCKED:
                    self.retry(name)
                case _:
                    self.order(name, "restart", node.order(name, Restart()))
        self._until(lambda node: not node.orders, "lanes go on")

    def _retry_all(self) -> None:
        assert self.node is not None
        for name, plugin in self.plugins.items():
            if plugin.account.listed:
                self.retry(name)
        self._until(lambda node: not node.orders, "what was set aside is asked for")
