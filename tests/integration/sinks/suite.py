"""What every sink owes its users, as one suite that each runs against its real service.

A sink's test module gives the fixture `target`, derives from `SinkSuite`, and from `ServiceSuite` if it writes to a
service. The plugin runs in its own process under the real supervisor; nothing of either side is replaced.
"""

import asyncio
import os
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Protocol

import pytest

from bigchaindb.config.settings import RetrySettings
from bigchaindb.delivery import Message, Per, messages_of
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.eventlog.lane import State
from bigchaindb.events import Event
from bigchaindb.simulated.chain import Recipe, events
from bigchaindb.simulated.rehearsal import Rehearsal, rehearse
from bigchaindb.testing import crash_test
from tests.support import scale

RECIPE: Final = Recipe(blocks=60, transactions=4, invalid=0.1, seed=7)
WITHIN_S: Final = 60.0
"""Time for what a test waits for, on a busy machine."""


class Held(NamedTuple):
    """One message as the target has it.

    Attributes:
        id: of the message.
        key: messages of one key have to be in order.
        data: the JSON of the event or the transaction.
    """

    id: str
    key: str
    data: bytes


class Target(Protocol):
    """What a sink writes to."""

    def options(self, **more: Any) -> dict[str, Any]:
        """Return options with which the sink works."""
        ...

    def held(self) -> Sequence[Held]:
        """Return the messages that have arrived, in their order, repeats included."""
        ...


class Service(Target, Protocol):
    """A target that is a process of its own."""

    def start(self) -> None:
        """Start it again, with what it had."""
        ...

    def kill(self) -> None:
        """SIGKILL."""
        ...

    def freeze(self) -> None:
        """Stop its processes, so that it takes bytes and answers nothing."""
        ...

    def thaw(self) -> None:
        """Continue the processes that `freeze` stopped."""
        ...


def expected(recipe: Recipe, per: Per) -> list[Message]:
    """Return the messages that must arrive, in order."""
    return [message for event in events(recipe) for message in messages_of(event, per)]


def check(held: Sequence[Held], messages: Sequence[Message], *, exactly_once: bool, in_order: bool = True) -> None:
    """Require every message to be there, with its bytes, and in order within its key unless one was parked."""
    data = {message.id: message.data for message in messages}
    ids = {one.id for one in held}
    assert ids == data.keys(), (
        f"{len(data.keys() - ids)} of {len(data)} are missing, {len(ids - data.keys())} are foreign"
    )
    assert all(one.data == data[one.id] for one in held)
    if exactly_once:
        assert len(held) == len(data)
    if not in_order:
        return
    firsts: dict[str, Held] = {}
    for one in held:
        firsts.setdefault(one.id, one)
    orders: dict[str, list[int]] = defaultdict(list)
    places = {message.id: place for place, message in enumerate(messages)}
    for one in firsts.values():
        orders[one.key].append(places[one.id])
    assert all(order == sorted(order) for order in orders.values())


async def until(condition: Callable[[], object], what: str, run: Rehearsal | None = None) -> None:
    """Wait for a condition."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not condition():  # noqa: ASYNC110 - another process makes it true
                await asyncio.sleep(0.02)
    except TimeoutError:
        seen = run and run.status()
        raise AssertionError(f"waited {WITHIN_S:g} s for {what}; the lane: {seen}") from None


@asynccontextmanager
async def passing(
    folder: Path,
    sink: str,
    options: Mapping[str, Any],
    recipe: Recipe = RECIPE,
    *,
    retry: Mapping[str, float] | None = None,
) -> AsyncIterator[Rehearsal]:
    """Run a sink over a chain that grows by and by, with its data in the folder."""
    policy = RetrySettings(**retry) if retry else None  # type: ignore[arg-type]
    async with rehearse(folder / "data", recipe, sink, options, retry=policy) as run:
        yield run


async def done(run: Rehearsal) -> None:
    """Grow the chain to its end, and wait until the sink has acknowledged all of it."""
    run.grow()
    await until(lambda: run.status().lag == 0 and run.head == RECIPE.blocks, "the sink to be done", run)


class SinkSuite:
    """For every sink."""

    sink: ClassVar[str]
    exactly_once: ClassVar[bool] = False

    @pytest.mark.parametrize("per", list(Per))
    async def test_everything_arrives_once_in_order_and_byte_for_byte(
        self, target: Target, tmp_path: Path, per: Per
    ) -> None:
        async with passing(tmp_path, self.sink, target.options(per=per)) as run:
            await done(run)
            assert (run.status().start_count, run.parked(self.sink)) == (1, ())
        check(await asyncio.to_thread(target.held), expected(RECIPE, per), exactly_once=True)

    @pytest.mark.parametrize("per", list(Per))
    def test_whatever_kills_it_nothing_is_lost(self, target: Target, per: Per) -> None:
        """Killed at its start, before, while and after it writes; and one event is parked and comes back late."""
        report = crash_test(
            self.sink,
            options=target.options(per=per),
            read_sink=lambda: [position_of(one.id) for one in {one.id: one for one in target.held()}.values()],
            blocks=RECIPE.blocks,
            transactions=RECIPE.transactions,
            invalid=RECIPE.invalid,
            seed=RECIPE.seed,
            kills=scale.SINK_KILLS,
        )
        assert report.kills == scale.SINK_KILLS
        assert (report.failure, report.warning, report.lost, report.out_of_order) == ("", "", (), ())
        check(target.held(), expected(RECIPE, per), exactly_once=self.exactly_once, in_order=False)

    async def test_a_clean_stop_leaves_nothing_behind(self, target: Target, tmp_path: Path) -> None:
        """What counts as done is in the target, and the process did not have to be killed."""
        async with passing(tmp_path, self.sink, target.options()) as run:
            run.grow(30)
            await until(lambda: run.status().position > 0, "the first events", run)
            await run.close()
            position, in_hand = run.status().position, run.status().in_hand
            ids = {one.id for one in await asyncio.to_thread(target.held)}
            done_already = [event for event in events(RECIPE) if event.position <= position]
            assert ids >= {event.id for event in done_already}
            assert not in_hand, "a clean stop waits for what is on its way"

    async def test_it_goes_on_where_it_was(self, target: Target, tmp_path: Path) -> None:
        async with passing(tmp_path, self.sink, target.options()) as run:
            run.grow(10)
            await until(lambda: run.status().position == 10, "the first ten", run)
            pid = run.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await done(run)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once)

    async def test_what_is_not_wanted_does_not_come(self, target: Target, tmp_path: Path) -> None:
        options = target.options(event_types=["valid"], select={"operation": "TRANSFER"})
        async with passing(tmp_path, self.sink, options) as run:
            await done(run)
        chosen = [event for event in events(RECIPE) if event.type == 1 and _has_transfer(event)]
        assert 0 < len(chosen) < RECIPE.blocks
        assert [one.id for one in await asyncio.to_thread(target.held)] == [event.id for event in chosen]

    def test_a_check_says_that_it_is_usable(self, target: Target) -> None:
        found = try_plugin(self.sink, target.options(), with_check=True)
        assert found.error == ""
        assert found.checked not in {"", "usable"}
        assert list(target.held()) == [], "a check leaves nothing behind"

    def test_an_option_that_is_unknown_is_refused(self, target: Target) -> None:
        error = try_plugin(self.sink, target.options(ulr="x")).error
        assert f"events_plugins.{self.sink}.options: Object contains unknown field `ulr`" in error


class ServiceSuite(SinkSuite):
    """For sinks that write to a service."""

    secret: ClassVar[str] = ""
    """What `wrong_credentials` holds and nobody may see; "" if the service has none."""

    async def test_a_service_that_is_down_at_the_start_is_waited_for(self, target: Service, tmp_path: Path) -> None:
        """No event is blamed for it: none is parked, however long it takes."""
        target.kill()
        async with passing(tmp_path, self.sink, target.options()) as run:
            run.grow(20)
            await until(lambda: run.status().state is State.BACKOFF, "it to be unavailable", run)
            assert run.status().error.startswith("Unavailable: ")
            await asyncio.to_thread(target.start)
            await done(run)
            assert run.parked(self.sink) == ()
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once)

    async def test_a_service_that_dies_loses_and_doubles_nothing(self, target: Service, tmp_path: Path) -> None:
        async with passing(tmp_path, self.sink, target.options(per="transaction")) as run:
            for part in range(1, 4):
                run.grow(RECIPE.blocks // 4)
                await until(lambda part=part: run.status().position > (part - 1) * RECIPE.blocks // 4, "some", run)  # type: ignore[misc]
                target.kill()
                run.grow(2)
                await asyncio.to_thread(target.start)
            await done(run)
            assert run.parked(self.sink) == ()
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.TRANSACTION), exactly_once=self.exactly_once)

    async def test_a_service_that_takes_nothing_is_borne(self, target: Service, tmp_path: Path) -> None:
        """What is on its way is bounded by the window, and goes on when the service does."""
        async with passing(tmp_path, self.sink, target.options()) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            target.freeze()
            try:
                run.grow()
                await until(lambda: run.status().in_hand, "something to be on its way", run)
                await asyncio.sleep(0.5)  # it must stay so, whatever else it does
                assert run.status().position < RECIPE.blocks
            finally:
                target.thaw()
            await done(run)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once)


def position_of(id_: str) -> int:
    """Return the position that the id of a message names."""
    return int(id_.split(":")[1])


def _has_transfer(event: Event) -> bool:
    return any(transaction["operation"] == "TRANSFER" for transaction in event.data["transactions"])
