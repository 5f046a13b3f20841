"""Desks read the same events in whatever pieces: from the log, from what was just decided, and again."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import HistoryLost
from bigchaindb.eventlog import token
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.ledger.effects import Effects
from bigchaindb.simulated.chain import Chain, Recipe
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LogSource
from bigchaindb.subscribers.desk_log import DeskLog, Item
from bigchaindb.subscribers.machine import one_thread

RECIPE = Recipe(blocks=9, transactions=4, invalid=0.3)
DEFINITIONS: Sequence[dict[str, object]] = (
    {"granularity": "transaction"},
    {"granularity": "transaction", "select": {"operation": "TRANSFER"}, "order": "none"},
    {"granularity": "transaction", "select": {"operation": "CREATE"}, "order": "log"},
    {},
    {"types": ["invalid"]},
    {"select": {"operation": "TRANSFER"}, "order": "none"},
)


class Grown:
    """A chain, and what was announced of it."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.decided: list[Effects] = []
        commit = self.store.writer.commit

        def committed(effects: Effects) -> None:
            commit(effects)
            self.decided.append(effects)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.store.writer, "commit", committed)
            Chain(self.store, RECIPE).grow()

    def log(self, hub: Hub) -> DeskLog:
        return DeskLog(LogSource(hub, self.store.log_reader, RECIPE.chain_id), one_thread)


@pytest.fixture(scope="module")
def grown() -> Iterator[Grown]:
    with TemporaryDirectory() as folder:
        one = Grown(Path(folder))
        yield one
        one.store.close()


async def read(log: DeskLog, wanted: Subscription, bounds: Sequence[tuple[int, int]]) -> list[Item]:
    """Read everything in pieces of these bounds, over and over."""
    found: list[Item] = []
    number, turn = wanted.numbering.behind(0), 0
    while wanted.numbering.seen(number) < log.hub.head:
        count_max, bytes_max = bounds[turn % len(bounds)]
        piece = await log.read(wanted, number, count_max=count_max, bytes_max=bytes_max)
        assert len(piece.items) <= count_max
        assert number < piece.reached
        assert all(number < item.number <= piece.reached for item in piece.items)
        assert await log.token(wanted, piece.reached) == piece.token
        found += piece.items
        number, turn = piece.reached, turn + 1
    return found


BOUNDS = st.lists(st.tuples(st.integers(1, 30), st.sampled_from((1, 2_000, 10_000, 10**6))), min_size=1, max_size=4)


@given(definition=st.sampled_from(DEFINITIONS), bounds=BOUNDS)
async def test_p15_any_pieces_hold_the_same_events(
    grown: Grown, definition: dict[str, object], bounds: Sequence[tuple[int, int]]
) -> None:
    """A consumer gets other events, or others' keys, if its window is another."""
    wanted = Subscription.read("one", definition)
    with closing(grown.log(Hub(RECIPE.blocks))) as log:
        whole = await read(log, wanted, [(10_000, 10**9)])
        assert [item.number for item in whole] == sorted(item.number for item in whole)
        assert await read(log, wanted, bounds) == whole
        hub = Hub()
        with closing(grown.log(hub)) as announced:
            announced.reader_count = 1
            for effects in grown.decided:
                hub.committed(effects)
            assert await read(announced, wanted, bounds) == whole


@given(definition=st.sampled_from(DEFINITIONS), picks=st.sets(st.integers(0, 40)), bytes_max=st.integers(1, 20_000))
async def test_p5_what_is_read_again_is_the_same(
    grown: Grown, definition: dict[str, object], picks: set[int], bytes_max: int
) -> None:
    """A consumer that gets an event again gets another one."""
    wanted = Subscription.read("one", definition)
    with closing(grown.log(Hub(RECIPE.blocks))) as log:
        whole = await read(log, wanted, [(10_000, 10**9)])
        some = [item for index, item in enumerate(whole) if index in picks]
        left = [item.number for item in some]
        again: list[Item] = []
        while left:
            found = await log.recall(wanted, left, bytes_max=bytes_max)
            assert found
            again += found
            del left[: len(found)]
        assert again == some


async def test_p8_what_the_log_does_not_hold_is_lost_history(grown: Grown) -> None:
    """A consumer waits for ever for an event that is gone."""
    wanted = Subscription.read("one", {})
    with closing(grown.log(Hub(RECIPE.blocks + 5))) as log:
        with pytest.raises(HistoryLost):
            await log.recall(wanted, [RECIPE.blocks + 1], bytes_max=1)
        with pytest.raises(HistoryLost):
            await log.read(wanted, RECIPE.blocks, count_max=1, bytes_max=1)
        with pytest.raises(HistoryLost):
            await log.token(wanted, RECIPE.blocks + 1)
        assert (await log.token(wanted, 0)).startswith(token.PREFIX)
