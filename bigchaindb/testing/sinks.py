"""What every sink owes its users, as one suite that each runs against its real service.

The test module of a sink gives the fixture `target`, derives a class from `SinkSuite` and its kin, and names the sink
in it. The plugin runs in its own process under the real supervisor; nothing of either side is replaced.

    class TestMine(ShapedSuite, ServiceSuite):
        sink = "mine"

It needs pytest and pytest-asyncio.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from bigchaindb.delivery import Format, Per, Shape
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.eventlog.lane import State
from bigchaindb.simulated.chain import Recipe, events
from bigchaindb.simulated.crashes import crash_test
from bigchaindb.testing.kill_runs import KillRun, among_kills
from bigchaindb.testing.targets import (
    POLICY,
    RECIPE,
    WITHIN_S,
    Held,
    Service,
    ShapedTarget,
    Target,
    Trouble,
    check,
    done,
    expected,
    has_transfer,
    passed,
    passing,
    position_of,
    require_sentence,
    until,
)

__all__ = [
    "RECIPE",
    "Held",
    "KillRun",
    "Service",
    "ServiceSuite",
    "ShapedSuite",
    "SinkSuite",
    "Target",
    "Trouble",
    "check",
    "done",
    "expected",
    "passing",
    "position_of",
    "until",
]

FIELDS: Final = {"id": "$.id", "keys": "$.outputs[*].public_keys[*]", "title": "$.asset.data.title"}
"""What `ShapedSuite` selects of a transaction."""
SHAPED_COUNT: Final = 12
"""Events of which every format is tried."""
WRONG: Final = "wr0ng-s3cret"
SLOW_S: Final = 0.1
"""So late a slow service answers."""
_log: Final = logging.getLogger(__name__)


class SinkSuite:
    """For every sink.

    Attributes:
        sink: the name of its entry point.
        exactly_once: whether the target itself holds nothing twice, whatever is killed.
        writes_again: whether what a seek brings again is written again all the same.
        kill_count: of the sink's process, in one test.
        seek_kill_count: the same, while all comes again because of a seek.
        kill_run: of both sides, in another test.
        is_once_in_place: whether the target holds nothing twice as long as nothing is parked.
        cannot: those of `Hooks` that the target has not, each with the reason.
        said_of_secret: part of the error if it is wrong.
        checks_secret: whether a check finds that out.
        missing_state: of the lane if its place is missing; FAILED if a person must start it again.
        large_transactions: in a block that a `limited` target refuses.
    """

    sink: ClassVar[str]
    exactly_once: ClassVar[bool] = False
    writes_again: ClassVar[bool] = False
    kill_count: ClassVar[int] = 12
    seek_kill_count: ClassVar[int] = 2
    kill_run: ClassVar[KillRun] = KillRun()
    is_once_in_place: ClassVar[bool] = False
    cannot: ClassVar[Mapping[str, str]] = {}
    said_of_secret: ClassVar[str] = ""
    checks_secret: ClassVar[bool] = True
    missing_state: ClassVar[State] = State.BACKOFF
    large_transactions: ClassVar[int] = 100

    def hook(self, target: Target, name: str) -> Callable[..., Any] | None:
        """Return a hook of the target; None if the class says why it has none."""
        found: Callable[..., Any] | None = getattr(target, name, None)
        if name in self.cannot:
            assert found is None, f"the target has `{name}`, so `cannot` must not name it"
        else:
            assert found is not None, f"the target has no `{name}`; write it, or name it in `cannot` with the reason"
        return found

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
        """Killed at its start, before, while and after it writes.

        One event is parked and comes back behind all others. Then a person seeks back, and it is killed again.
        """
        report = crash_test(
            self.sink,
            options=target.options(per=per),
            read_sink=lambda: [position_of(one.id) for one in {one.id: one for one in target.held()}.values()],
            blocks=RECIPE.blocks,
            transactions=RECIPE.transactions,
            invalid=RECIPE.invalid,
            seed=RECIPE.seed,
            kills=self.kill_count,
            seek_kills=self.seek_kill_count,
        )
        assert report.kills == self.kill_count + self.seek_kill_count
        assert (report.failure, report.warning, report.lost, report.out_of_order) == ("", "", (), ())
        check(target.held(), expected(RECIPE, per), exactly_once=self.stays_single, in_order=False)

    @property
    def stays_single(self) -> bool:
        """Whether the target holds nothing twice, a seek included."""
        return self.exactly_once and not self.writes_again

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
    async def test_kills_of_either_side_lose_and_disorder_nothing(self, target: Target, tmp_path: Path) -> None:
        """Under load, evenly over the log. What is there twice was in hand at a kill, and the page of sinks says so."""
        plan = self.kill_run
        async with passing(tmp_path, self.sink, target.options(per=Per.TRANSACTION), plan.recipe) as run:
            await among_kills(run, plan, target if isinstance(target, Service) else None)
            await done(run)
            assert run.parked(self.sink) == ()
        messages = passed(tmp_path, plan.recipe, Per.TRANSACTION)
        held = await asyncio.to_thread(target.held)
        _log.info("%s: %d messages, %d repeats", self.sink, len(messages), len(held) - len(messages))
        check(held, messages, exactly_once=self.exactly_once or self.is_once_in_place)

    @pytest.mark.asyncio
    async def test_what_is_not_wanted_does_not_come(self, target: Target, tmp_path: Path) -> None:
        """By `event_types` and `select`."""
        options = target.options(event_types=["valid"], select={"operation": "TRANSFER"})
        async with passing(tmp_path, self.sink, options) as run:
            await done(run)
        chosen = [event for event in events(RECIPE) if event.type == 1 and has_transfer(event)]
        assert 0 < len(chosen) < RECIPE.blocks
        assert [one.id for one in await asyncio.to_thread(target.held)] == [event.id for event in chosen]

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
        places = self.hook(target, "places") or set
        before = {*places()}
        found = try_plugin(self.sink, target.options(), with_check=True)
        assert found.error == ""
        assert found.checked not in {"", "usable"}
        assert ({*places()}, list(target.held())) == (before, []), "a check leaves nothing behind"

    @pytest.mark.asyncio
    @pytest.mark.parametrize("trouble", ["missing", "full"])
    async def test_a_place_that_takes_nothing_is_waited_for(self, target: Target, tmp_path: Path, trouble: str) -> None:
        """No event is blamed for it, and once a person has mended it all of them are there."""
        if (hook := self.hook(target, trouble)) is None:
            return
        options, mend, said = await asyncio.to_thread(hook)
        async with passing(tmp_path, self.sink, options) as run:
            run.grow(20)
            await until(lambda: run.errors, "an error", run)
            if trouble == "missing" and self.missing_state is not State.BACKOFF:
                await until(lambda: run.status().state is self.missing_state, str(self.missing_state), run)
                return
            require_sentence(run.errors[0], "Unavailable: ")
            assert said in run.errors[0]
            await asyncio.to_thread(mend)
            await done(run)
            assert run.parked(self.sink) == ()
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once)

    @pytest.mark.asyncio
    async def test_a_message_that_is_refused_is_set_aside_alone(self, target: Target, tmp_path: Path) -> None:
        """The others go on, and it comes when a person has mended what refused it."""
        refused = expected(RECIPE, Per.BLOCK)[7]
        if (hook := self.hook(target, "refusing")) is None:
            return
        options, mend, said = await asyncio.to_thread(hook, refused)
        async with passing(tmp_path, self.sink, options, retry=POLICY) as run:
            await done(run)
            ((position, error),) = run.parked(self.sink)
            assert (position, said in error) == (refused.position, True)
            require_sentence(error)
            others = [one for one in expected(RECIPE, Per.BLOCK) if one != refused]
            check(await asyncio.to_thread(target.held), others, exactly_once=self.exactly_once)
            await asyncio.to_thread(mend)
            await run.retry([position])
            await until(lambda: not (run.parked(self.sink) or run.status().in_hand), "it to be settled", run)
        held = await asyncio.to_thread(target.held)
        check(held, expected(RECIPE, Per.BLOCK), exactly_once=self.exactly_once, in_order=False)

    @pytest.mark.asyncio
    async def test_messages_that_are_too_large_are_set_aside(self, target: Target, tmp_path: Path) -> None:
        """They would hold up all others for ever."""
        if (hook := self.hook(target, "limited")) is None:
            return
        limited: Target = await asyncio.to_thread(hook)
        recipe = Recipe(blocks=3, transactions=self.large_transactions, seed=7)
        async with passing(tmp_path, self.sink, limited.options(), recipe, retry=POLICY) as run:
            run.grow()
            await until(lambda: run.status().lag == 0 and run.head == recipe.blocks, "all to be settled", run)
            parked = run.parked(self.sink)
        assert [position for position, _ in parked] == [1, 2, 3]
        for _, error in parked:
            require_sentence(error)
        assert list(await asyncio.to_thread(limited.held)) == []

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
    """For sinks that write to a service; its secret must not be shown by any test of the class."""

    @pytest.fixture(autouse=True)
    def shows_no_secret(
        self, target: Service, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> Iterator[None]:
        """Require that neither the output of the plugin nor the log of the node, errors included, holds the secret."""
        caplog.set_level(logging.INFO, logger="bigchaindb")
        yield
        records = caplog.get_records("call")
        fields = [str(vars(record)) for record in records]
        shown = "\n".join([*capfd.readouterr(), *(record.getMessage() for record in records), *fields])
        assert target.secret
        assert not [one for one in (target.secret, WRONG) if one in shown]

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
    async def test_a_service_that_is_slow_gets_all_of_it_once(self, target: Service, tmp_path: Path) -> None:
        """Each of its answers is late: nothing is given up or sent again for that."""
        async with passing(tmp_path, self.sink, target.options()) as run:
            run.grow(10)
            await until(lambda: run.status().position == 10, "the first ten", run)
            for count in range(20, RECIPE.blocks + 1, 10):
                target.freeze()
                try:
                    run.grow(10)
                    await until(lambda: run.status().in_hand, "something to be on its way", run)
                    await asyncio.sleep(SLOW_S)
                finally:
                    target.thaw()
                await until(lambda count=count: run.status().position == count, "it to follow", run)  # type: ignore[misc]
            assert (run.status().start_count, run.parked(self.sink)) == (1, ())
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True)

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

    @pytest.mark.asyncio
    async def test_a_secret_that_is_wrong_is_said_and_not_shown(self, target: Service, tmp_path: Path) -> None:
        """It may become right, so no event is blamed for it."""
        options = await asyncio.to_thread(target.wrong_credentials, WRONG)
        async with passing(tmp_path, self.sink, options) as run:
            run.grow(1)
            await until(lambda: run.errors, "it to be refused", run)
            assert run.parked(self.sink) == ()
            assert WRONG not in run.status().error
        require_sentence(run.errors[0], "Unavailable: ")
        assert self.said_of_secret in run.errors[0]
        found = await asyncio.to_thread(try_plugin, self.sink, options, with_check=True)
        assert found.is_target_unusable is self.checks_secret
        require_sentence(said := found.error or found.checked)
        assert WRONG not in said

    @pytest.mark.asyncio
    async def test_tls_with_its_authority_and_not_with_another(self, target: Service, tmp_path: Path) -> None:
        """Whoever stands between us and the service has a certificate as well."""
        secured, untrusting = await asyncio.to_thread(target.secured)
        found = await asyncio.to_thread(try_plugin, self.sink, untrusting, with_check=True)
        assert "certificate verify failed" in found.error
        require_sentence(found.error)
        async with passing(tmp_path, self.sink, secured.options()) as run:
            await done(run)
        check(await asyncio.to_thread(secured.held), expected(RECIPE, Per.BLOCK), exactly_once=True)
