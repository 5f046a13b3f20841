"""What every sink owes its users, as one suite that each runs against its real service.

The test module of a sink gives the fixture `target`, derives a class from `SinkSuite` and its kin, and names the sink
in it. The plugin runs in its own process under the real supervisor; nothing of either side is replaced.

    class TestMine(ShapedSuite, ServiceSuite):
        sink = "mine"

It needs pytest and pytest-asyncio.
"""

import asyncio
import os
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Protocol

import pytest

from bigchaindb.config.settings import RetrySettings
from bigchaindb.delivery import Format, Message, Per, Shape, messages_of
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.events import Event
from bigchaindb.simulated.chain import Recipe, events
from bigchaindb.simulated.crashes import crash_test
from bigchaindb.simulated.rehearsal import Rehearsal, rehearse

RECIPE: Final = Recipe(blocks=60, transactions=4, invalid=0.1, seed=7)
WITHIN_S: Final = 60.0
"""Time for what a test waits for, on a busy machine."""

FIELDS: Final = {"id": "$.id", "keys": "$.outputs[*].public_keys[*]", "title": "$.asset.data.title"}
"""What `ShapedSuite` selects of a transaction."""
SHAPED_COUNT: Final = 12
"""Events of which every format is tried."""


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

    def options(self, **more: object) -> dict[str, Any]:
        """Return options with which the sink works."""
        ...

    def held(self) -> Sequence[Held]:
        """Return the messages that have arrived, in their order, repeats included."""
        ...


class ShapedTarget(Target, Protocol):
    """What a sink writes to that takes `format` and `fields`."""

    def bodies(self) -> Sequence[bytes]:
        """Return the bodies of the messages that have arrived, in any order, repeats included."""
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
    """For every sink.

    Attributes:
        sink: the name of its entry point.
        exactly_once: whether the target itself holds nothing twice, whatever is killed.
        kill_count: of the sink's process, in one test.
    """

    sink: ClassVar[str]
    exactly_once: ClassVar[bool] = False
    kill_count: ClassVar[int] = 12

    @pytest.mark.asyncio
    @pytest.mark.parametrize("per", list(Per))
    async def test_everything_arrives_once_in_order_and_byte_for_byte(
        self, target: Target, tmp_path: Path, per: Per
    ) -> None:
        """Nothing is wrong, so nothing is repeated either."""
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
            kills=self.kill_count,
        )
        assert report.kills == self.kill_count
        assert (report.failure, report.warning, report.lost, report.out_of_order) == ("", "", (), ())
        check(target.held(), expected(RECIPE, per), exactly_once=self.exactly_once, in_order=False)

    @pytest.mark.asyncio
    async def test_a_clean_stop_leaves_nothing_behind(
        self, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What counts as done is in the target, and the process did not have to be killed."""
        monkeypatch.setattr("bigchaindb.subscribers.lanes.GRACE_S", WITHIN_S)  # on a busy machine a second is nothing
        async with passing(tmp_path, self.sink, target.options()) as run:
            run.grow(30)
            await until(lambda: run.status().position > 0, "the first events", run)
            await run.close()
            position, in_hand = run.status().position, run.status().in_hand
            ids = {one.id for one in await asyncio.to_thread(target.held)}
            done_already = [event for event in events(RECIPE) if event.position <= position]
            assert ids >= {event.id for event in done_already}
            assert not in_hand, "a clean stop waits for what is on its way"

    @pytest.mark.asyncio
    async def test_it_goes_on_where_it_was(self, target: Target, tmp_path: Path) -> None:
        """A process that was killed between two events has a successor."""
        async with passing(tmp_path, self.sink, target.options()) as run:
            run.grow(10)
            await until(lambda: run.status().position == 10, "the first ten", run)
            pid = run.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await done(run)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once)

    @pytest.mark.asyncio
    async def test_what_is_not_wanted_does_not_come(self, target: Target, tmp_path: Path) -> None:
        """By `event_types` and `select`."""
        options = target.options(event_types=["valid"], select={"operation": "TRANSFER"})
        async with passing(tmp_path, self.sink, options) as run:
            await done(run)
        chosen = [event for event in events(RECIPE) if event.type == 1 and _has_transfer(event)]
        assert 0 < len(chosen) < RECIPE.blocks
        assert [one.id for one in await asyncio.to_thread(target.held)] == [event.id for event in chosen]

    @pytest.mark.asyncio
    async def test_what_a_seek_brings_again_is_there_afterwards(self, target: Target, tmp_path: Path) -> None:
        """A person who seeks back wants it written, if it is not there."""
        async with passing(tmp_path, self.sink, target.options()) as run:
            await done(run)
            await run.seek("genesis")
            await done(run)
            assert run.parked(self.sink) == ()
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once)

    @pytest.mark.asyncio
    async def test_a_position_below_the_last_one_is_no_repeat(self, target: Target, tmp_path: Path) -> None:
        """What another node or an earlier filter left out lies below it; taken for repeats, it would be lost."""
        for number, options in enumerate((target.options(event_types=["invalid"]), target.options())):
            async with passing(tmp_path / str(number), self.sink, options) as run:
                await done(run)
        held = await asyncio.to_thread(target.held)
        check(held, expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once, in_order=False)

    def test_a_check_says_that_it_is_usable(self, target: Target) -> None:
        """It names the target, and changes nothing there."""
        found = try_plugin(self.sink, target.options(), with_check=True)
        assert found.error == ""
        assert found.checked not in {"", "usable"}
        assert list(target.held()) == [], "a check leaves nothing behind"

    def test_an_option_that_is_unknown_is_refused(self, target: Target) -> None:
        """A mistyped name must not be a default."""
        error = try_plugin(self.sink, target.options(ulr="x")).error
        assert f"events_plugins.{self.sink}.options: Object contains unknown field `ulr`" in error


class ShapedSuite:
    """For sinks whose options derive from `ShapedOptions`, beside `SinkSuite` or `ServiceSuite`.

    Attributes:
        formats: those that the sink sends; each other one must be refused.
    """

    sink: ClassVar[str]
    formats: ClassVar[Collection[Format]] = tuple(Format)

    @pytest.mark.asyncio
    @pytest.mark.parametrize("format_", list(Format))
    async def test_each_format_arrives_byte_for_byte_or_is_refused(
        self, target: ShapedTarget, tmp_path: Path, format_: Format
    ) -> None:
        """Every sink means the same by `format` and `fields`."""
        options = target.options(per=Per.TRANSACTION, format=format_, fields=FIELDS)
        if format_ not in self.formats:
            assert f"format: {format_} cannot be sent here: " in try_plugin(self.sink, options).error
            return
        async with passing(tmp_path, self.sink, options) as run:
            run.grow(SHAPED_COUNT)
            await until(lambda: run.status().position == SHAPED_COUNT, "the sink to be done", run)
        shape = Shape(format_, FIELDS)
        sent = [one for one in expected(RECIPE, Per.TRANSACTION) if one.position <= SHAPED_COUNT]
        assert sorted(await asyncio.to_thread(target.bodies)) == sorted(map(shape.body, sent))

    def test_a_path_that_is_none_is_refused(self, target: ShapedTarget) -> None:
        """Before the first event, and with its place."""
        error = try_plugin(self.sink, target.options(fields={"fine": "$.id", "wrong": "$.a[?match(@.b, 'x(')]"})).error
        assert f"events_plugins.{self.sink}.options: fields.wrong: " in error
        assert ", character 18: 'x(' is no pattern of match" in error


class ServiceSuite(SinkSuite):
    """For sinks that write to a service."""

    @pytest.mark.asyncio
    async def test_a_service_that_is_down_at_the_start_is_waited_for(self, target: Service, tmp_path: Path) -> None:
        """No event is blamed for it: none is parked, however long it takes."""
        target.kill()
        async with passing(tmp_path, self.sink, target.options()) as run:
            run.grow(20)
            await until(lambda: run.errors, "it to be unavailable", run)
            assert run.errors[0].startswith("Unavailable: ")
            await asyncio.to_thread(target.start)
            await done(run)
            assert run.parked(self.sink) == ()
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once)

    @pytest.mark.asyncio
    async def test_a_service_that_dies_loses_and_doubles_nothing(self, target: Service, tmp_path: Path) -> None:
        """Killed under load, three times."""
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

    @pytest.mark.asyncio
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
