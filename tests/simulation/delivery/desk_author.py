"""What the seed of a history with a subscription decides."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bigchaindb.eventlog.subscription import Subscription
from tests.simulation.delivery.author import Author, play_out
from tests.simulation.delivery.desk_history import NAME, DeskHistory


def play(seed: int, folder: Path, *, steps: int = 40) -> DeskHistory:
    """Play the history of a seed to its end.

    Raises:
        AssertionError: a promise was broken; its notes hold the last steps.
    """
    history = DeskHistory(seed, folder)
    play_out(history, DeskAuthor(history), steps)
    return history


class DeskAuthor(Author):
    """Draws what happens next."""

    history: DeskHistory

    def begin(self) -> None:
        self.draw_fixed()
        self.draw_temper()
        self.history.subscribe(self.definition())

    def draw_fixed(self) -> None:
        draw = self.draw
        self.fixed: dict[str, Any] = draw.choice(({"granularity": "transaction"}, {"granularity": "transaction"}, {}))
        if draw.random() < 0.5:
            self.fixed |= {"start": "genesis"}
        if draw.random() < 0.4:
            self.fixed |= {"select": {"metadata.colour": "red"}}
        elif "granularity" not in self.fixed and draw.random() < 0.5:
            self.fixed |= {"types": ["valid"]}

    def definition(self) -> Subscription:
        draw = self.draw
        is_by_transaction = "granularity" in self.fixed
        orders = ("asset", "asset", "log", "none") if is_by_transaction else ("log", "none")
        members: dict[str, Any] = {
            **self.fixed,
            "order": draw.choice(orders),
            "window": draw.choice((1, 2, 3, 8, 30)),
            "retry": {"attempts": draw.choice((1, 2, 3)), "duration_s": draw.choice((0, 0, 4))},
            "on_failure": draw.choice(("park", "park", "block", "skip")),
            "answer_s": draw.choice((None, None, 1, 5)),
        }
        return Subscription.read(NAME, members)

    def draw_temper(self) -> None:
        draw, temper = self.draw, self.history.temper
        is_sick = draw.random() < 0.8

        def sometimes(in_a_hundred: int) -> int:
            return draw.choice((0, 0, in_a_hundred)) if is_sick else 0

        temper.nacks, temper.unavailable, temper.parks = sometimes(25), sometimes(30), sometimes(10)
        temper.hangs, temper.lies, temper.expires = sometimes(2), sometimes(20), sometimes(10)
        temper.leaves, temper.breaks, temper.stops = sometimes(4), sometimes(6), sometimes(10)
        temper.poison = draw.choice((0, 0, 3, 5)) if is_sick else 0

    def acts(self) -> Mapping[Callable[[], None], int]:
        acts = dict(super().acts())
        del acts[self.lose_node_db]  # a subscription is lost with it
        return {**acts, self.sit_down: 24, self.make_anew: 2}

    def sit_down(self) -> None:
        if len(self.history.present()) < 4 and self.history.node is not None:
            self.history.sit_down(self.draw.choice((1, 2, 3, 100)))

    def make_anew(self) -> None:
        history = self.history
        assert history.node is not None
        if history.disk.is_well and not history.hole and not history.node.orders:
            self.draw_fixed()
            history.make_anew(self.definition())

    def change_settings(self) -> None:
        assert self.history.node is not None
        if "" not in self.history.node.orders:
            self.history.change(self.definition())
