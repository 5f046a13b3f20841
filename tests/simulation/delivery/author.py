"""What the seed of a history decides: the plugins, their tempers, and what happens next."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from bigchaindb.config import PluginSettings
from bigchaindb.config.settings import RetrySettings
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import Pause, Restart, Resume
from bigchaindb.events import EventTypes
from bigchaindb.subscribers.plugins import DELIVERY, EXPLICIT, NEXT_GET, Wants
from tests.simulation.delivery.history import History
from tests.simulation.delivery.ledger import KINDS, RED
from tests.simulation.delivery.temper import Temper


def play(seed: int, folder: Path, *, steps: int = 40) -> History:
    """Play the history of a seed to its end.

    Raises:
        AssertionError: a promise was broken; its notes hold the last steps.
    """
    history = History(seed, folder)
    play_out(history, Author(history), steps)
    return history


def play_out(history: History, author: "Author", steps: int) -> None:
    """Have an author play a history. Raises: as `play`."""
    with history.in_force():
        try:
            author.play(steps)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised with what led to it
            cause = history.broken or error  # the first thing that went wrong
            cause.add_note("\n".join(["the last steps:", *history.transcript[-60:]]))
            cause.add_note(f"repeat it: SEED={history.seed} pytest tests/simulation/delivery")
            raise cause  # noqa: B904


class Author:
    """Draws what happens next."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.draw = history.draw

    def play(self, steps: int) -> None:
        history, draw = self.history, self.draw
        self.begin()
        acts = [act for act, weight in self.acts().items() for _ in range(weight)]
        for _ in range(steps):
            history.start()
            draw.choice(acts)()
            history.run(draw.choice((0.0, 0.01, 0.2, 1.0, 1.0, 3.0, 3.0, 20.0)))
        history.settle()

    def begin(self) -> None:
        for number in range(self.draw.choice((1, 1, 2))):
            self.history.install(f"plugin{number}", self.settings(), self.temper())
        self.history.start()

    def acts(self) -> Mapping[Callable[[], None], int]:
        return {
            self.commit: 24,
            self.give_order: 14,
            self.kill_somewhere: 5,
            self.kill_in_disk: 3,
            self.cut_power: 4,
            self.restart: 4,
            self.trouble_disk: 4,
            self.jump: 2,
            self.change_settings: 4,
            self.make_hole: 1,
            self.back_up: 1,
            self.restore: 1,
            self.lose_node_db: 1,
        }

    def settings(self) -> PluginSettings:
        draw = self.draw
        return PluginSettings(
            start=draw.choice(("genesis", "genesis", "now")),
            window=draw.choice((1, 2, 3, 8, None)),
            retry=RetrySettings(attempts=draw.choice((1, 2, 3)), duration_s=draw.choice((0.0, 0.0, 4.0))),
            on_failure=draw.choice(("park", "park", "block", "skip")),
        )

    def temper(self) -> Temper:
        draw = self.draw
        acknowledge = draw.choice((NEXT_GET, NEXT_GET, EXPLICIT, EXPLICIT, DELIVERY))
        wants = Wants(
            event_types=draw.choice((EventTypes.ALL, int(EventTypes.BLOCK_VALID))),
            acknowledge=acknowledge,
            select=draw.choice((None, None, RED)),
        )
        is_sick = draw.random() < 0.7

        def sometimes(in_a_hundred: int) -> int:
            return draw.choice((0, 0, in_a_hundred)) if is_sick else 0

        return Temper(
            wants=wants,
            batch=draw.choice((1, 1, 2, 5)),
            raises=sometimes(6),
            unavailable=sometimes(3),
            dies=sometimes(6),
            hangs=sometimes(2),
            returns=sometimes(4),
            nacks=sometimes(25),
            parks=sometimes(10),
            refuses=sometimes(2),
            dies_early=sometimes(5),
            poison=draw.choice((0, 0, 3, 5)) if is_sick else 0,
        )

    # Acts

    def commit(self) -> None:
        self.history.commit([self.draw.choice(KINDS) for _ in range(self.draw.choice((1, 1, 2, 5, 12)))])

    def kill_somewhere(self) -> None:
        history, node = self.history, self.history.node
        assert node is not None
        node.loop.die_in(self.draw.randrange(1, 40))
        history.run(2.0)
        if history.node is node:
            history.die()

    def kill_in_disk(self) -> None:
        history, node = self.history, self.history.node
        assert node is not None
        history.disk.dies_in = self.draw.randrange(8)
        if self.draw.random() < 0.5:
            self.give_order()
        history.run(3.0)
        history.disk.dies_in = None

    def cut_power(self) -> None:
        history = self.history
        if self.draw.random() < 0.5:
            history.run(self.draw.uniform(0, 3))
        if history.node is not None:
            history.die(of_power_cut=True)

    def restart(self) -> None:
        self.history.stop()

    def trouble_disk(self) -> None:
        disk = self.history.disk
        if disk.is_well:
            is_full = self.draw.random() < 0.6
            disk.fail(is_full=is_full, fails_to_sync=not is_full or self.draw.random() < 0.3)
        else:
            disk.fail(is_full=False, fails_to_sync=False)
        self.history.note("disk fails" if not disk.is_well else "disk is well")

    def jump(self) -> None:
        jump_s = self.draw.choice((-3_600.0, -5.0, 5.0, 3_600.0))
        self.history.agenda.wall_jump_s += jump_s
        self.history.note("clock jumps", f"{jump_s:+g} s")

    def make_hole(self) -> None:
        history = self.history
        history.hole = 0 if history.hole else self.draw.randint(1, history.head + 3)
        history.note("log has a hole" if history.hole else "log is whole", str(history.hole))

    def change_settings(self) -> None:
        history, draw = self.history, self.draw
        plugin = draw.choice(list(history.plugins.values()))
        if draw.random() < 0.5:
            plugin.is_enabled = not plugin.is_enabled
        else:
            plugin.settings = replace(self.settings(), start=plugin.settings.start)
            plugin.account.may_skip |= plugin.settings.on_failure == "skip"
        assert history.node is not None
        if "" not in history.node.orders:
            history.reload()

    def is_certain(self) -> bool:
        accounts = [plugin.account for plugin in self.history.plugins.values()]
        is_known = all(not one.sought and one.was_cut_s is None for one in accounts)
        return is_known and all(plugin.is_enabled for plugin in self.history.plugins.values())

    def back_up(self) -> None:
        if self.history.branch == 0:
            self.history.save_backup()

    def restore(self) -> None:
        history = self.history
        if history.backup is not None and history.branch == 0 and self.is_certain():
            history.stop()
            if history.node is None and self.is_certain():
                history.disk.fail(is_full=False, fails_to_sync=False)
                history.restore_backup()

    def lose_node_db(self) -> None:
        history = self.history
        if self.is_certain() and self.draw.random() < 0.5:
            history.die()
            history.disk.fail(is_full=False, fails_to_sync=False)
            history.lose_node_db()

    def give_order(self) -> None:
        history, draw = self.history, self.draw
        assert history.node is not None
        free = [one for one in history.node.supervisor.status() if one.name not in history.node.orders]
        if not free:
            return
        status, orders = draw.choice(free), history.node.supervisor
        name, account = status.name, history.plugins[status.name].account
        listed = sorted(account.listed)
        some = draw.sample(listed, draw.randint(1, len(listed))) if listed else [1]
        known = history.backup[1] if history.backup and history.branch else history.head
        choices: dict[str, Callable[[], None]] = {
            "pause": lambda: history.order(name, "pause", orders.order(name, Pause())),
            "resume": lambda: history.order(name, "resume", orders.order(name, Resume())),
            "restart": lambda: history.order(name, "restart", orders.order(name, Restart())),
            "seek": partial(history.seek, name, draw.randint(0, known)),
            "retry": partial(history.retry, name),
            "retry some": partial(history.retry, name, some),
            "discard": partial(history.discard, name, some),
        }
        match status.state:
            case State.PAUSED:
                likely = ["resume"]
            case State.BLOCKED:
                likely = ["retry", "discard"]
                choices["discard"] = partial(history.discard, name, [draw.choice(status.in_hand or (1,))])
            case State.GAPPED:
                likely = ["seek"]
            case State.FAILED:
                likely = ["restart"]
            case _:
                likely = ["retry", "retry some", "discard"] if listed else ["pause", "restart"]
        choices[draw.choice([*likely, draw.choice(sorted(choices))])]()
