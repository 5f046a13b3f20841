"""The Kafka sink against Kafka: exactly once for readers of committed messages. Source: decisions 0151 and 0152."""

import asyncio
import itertools
import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
from confluent_kafka import Producer

from bigchaindb.delivery import Per
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.eventlog.lane import State
from bigchaindb.events import Unavailable
from bigchaindb.simulated.chain import events
from bigchaindb.simulated.rehearsal import Rehearsal
from bigchaindb.sinks import kafka_client
from bigchaindb.testing.sinks import RECIPE, ServiceSuite, ShapedSuite, check, done, expected, passing, until
from tests.support import scale
from tests.support.kafka import Kafka
from tests.support.kafka_topics import Guarded, Topic, headers_of, new_name
from tests.support.targets import KILL_RUN

_numbers: Final = itertools.count(1)
AT_ONCE: Final = {"attempts": 2, "duration_s": 0, "delay_s_max": 0.1}


@pytest.fixture
def target(kafka: Kafka, guarded: Guarded) -> Iterator[Topic]:
    yield Topic(kafka, guarded)
    kafka.start()


def pid_of(run: Rehearsal) -> int:
    pid = run.status().pid
    assert pid is not None
    return pid


def writer_of(topic: Topic) -> str:
    """Return the transactional id unless one is set."""
    return f"{RECIPE.chain_id}.kafka.{topic.name}.positions"


class TestKafka(ShapedSuite, ServiceSuite):
    """No message is there twice without saying so."""

    sink = "kafka"
    exactly_once = True
    kill_count = scale.SINK_KILLS
    kill_run = KILL_RUN
    said_of_secret: ClassVar[str] = "correct user, password or mechanism among the options"
    cannot: ClassVar[Mapping[str, str]] = {
        "full": "a topic has no limit",
        "refusing": "a topic refuses by size alone, see test_what_was_parked_returns_once_through_kills",
    }

    async def test_headers_describe_the_data(self, target: Topic, tmp_path: Path) -> None:
        """As the Kafka binding of CloudEvents has them; what belongs together is in one partition."""
        async with passing(tmp_path, "kafka", target.options(per="transaction")) as run:
            await done(run)
        messages = {message.id: message for message in expected(RECIPE, Per.TRANSACTION)}
        records = await asyncio.to_thread(target.records)
        assert len(records) == len(messages)
        for record in records:
            headers = headers_of(record)
            message = messages[headers["ce_id"]]
            attributes = {f"ce_{name}": value for name, value in message.attributes.items()}
            assert headers == {"content-type": "application/json", **attributes}
            assert record.value() == message.data
            assert record.key() == (message.asset_id or message.chain_id).encode()

    async def test_a_seek_that_is_killed_in_the_middle_goes_on(self, target: Topic, tmp_path: Path) -> None:
        """All of it comes again, once, and says so; what follows is new."""
        async with passing(tmp_path, "kafka", target.options()) as run:
            run.grow(40)
            await until(lambda: run.status().position == 40, "the first forty", run)
            await run.seek("genesis")
            await until(lambda: run.status().pid is not None, "the process behind the seek", run)
            os.kill(pid_of(run), signal.SIGKILL)
            await done(run)
        returned = await asyncio.to_thread(target.returned)
        assert sorted(returned) == [*range(1, 41)]
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True)

    async def test_what_was_parked_returns_once_through_kills(self, kafka: Kafka, tmp_path: Path) -> None:
        """It lies below what is written by then, and is none of it."""
        topic = Topic(kafka, max_message_bytes=5_300)  # with headers and key, a few of the events are larger
        async with passing(tmp_path, "kafka", topic.options(), retry=AT_ONCE) as run:
            await done(run)
            parked = [position for position, _ in run.parked("kafka")]
            assert 0 < len(parked) < RECIPE.blocks // 4
            assert all("refuses a message of these events" in error for _, error in run.parked("kafka"))
            kafka.alter_topic(topic.name, max_message_bytes="1000000")
            await run.retry(parked)
            await until(lambda: run.status().pid is not None, "the process that retries", run)
            os.kill(pid_of(run), signal.SIGKILL)
            await until(lambda: run.parked("kafka") == (), "all of them to be settled", run)
        assert sorted(await asyncio.to_thread(topic.returned)) == [one for one in parked if one < RECIPE.blocks]
        check(await asyncio.to_thread(topic.held), expected(RECIPE, Per.BLOCK), exactly_once=True, in_order=False)

    async def test_a_second_instance_ends_the_first(self, target: Topic, tmp_path: Path) -> None:
        """Both with the same id: the first one waits for a person, and the second one goes on where it was."""
        async with passing(tmp_path / "1", "kafka", target.options()) as first:
            first.grow(20)
            await until(lambda: first.status().position == 20, "the first twenty", first)
            async with passing(tmp_path / "2", "kafka", target.options()) as second:
                second.grow(30)
                await until(lambda: second.status().position == 30, "thirty of the second", second)
                first.grow(25)
                await until(lambda: first.status().state is State.FAILED, "the first to be shut out", first)
                status = first.status()
                assert f"another instance writes as {writer_of(target)} to {target.server.address}" in status.error
                assert "transactional_id" in status.error
                await done(second)
            assert first.status().state is State.FAILED
        records = await asyncio.to_thread(target.records)
        assert [headers_of(one)["ce_id"] for one in records] == [event.id for event in events(RECIPE)]

    async def test_instances_of_their_own_ids_both_write(self, target: Topic, tmp_path: Path) -> None:
        for number in ("1", "2"):
            async with passing(tmp_path / number, "kafka", target.options(transactional_id=f"node-{number}")) as run:
                await done(run)
        ids = [headers_of(one)["ce_id"] for one in await asyncio.to_thread(target.records)]
        assert ids == [event.id for event in events(RECIPE)] * 2

    async def test_plugins_of_one_name_with_topics_of_their_own_both_write(
        self, target: Topic, kafka: Kafka, tmp_path: Path
    ) -> None:
        """Unless told otherwise they are no instances of one writer."""
        other = Topic(kafka)
        async with (
            passing(tmp_path / "1", "kafka", target.options()) as first,
            passing(tmp_path / "2", "kafka", other.options()) as second,
        ):
            for count in (5, 10):
                for run in (first, second):
                    run.grow(5)
                    await until(lambda run=run, count=count: run.status().position == count, "all of it", run)  # type: ignore[misc]
            assert (first.errors, second.errors) == ([], [])

    async def test_instances_of_one_id_with_topics_of_their_own_say_so(
        self, target: Topic, kafka: Kafka, tmp_path: Path
    ) -> None:
        """Neither finds the name of the other one in its record, and both go on trying."""
        async with passing(tmp_path / "1", "kafka", target.options(transactional_id="one")) as first:
            first.grow(5)
            await until(lambda: first.status().position == 5, "the first five", first)
            async with passing(tmp_path / "2", "kafka", Topic(kafka).options(transactional_id="one")) as second:
                second.grow(5)
                await until(lambda: second.status().position == 5, "five of the second", second)
                first.grow(10)
                wanted = "another instance writes as one to another topic"
                await until(lambda: any(wanted in error for error in first.errors), "the first to be shut out", first)
                assert all(error.startswith("Unavailable: ") for error in first.errors)

    async def test_a_broker_that_takes_too_long_ends_a_transaction_and_no_instance(
        self, target: Topic, tmp_path: Path
    ) -> None:
        """The cluster says the same as of a second instance: it must not wait for a person."""
        async with passing(tmp_path, "kafka", target.options(commit_s=1.0)) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            target.freeze()
            try:
                run.grow(5)
                await until(lambda: run.errors, "the deadline", run)
            finally:
                target.thaw()
            await done(run)
            assert all(error.startswith("Unavailable: ") for error in run.errors)
        check(await asyncio.to_thread(target.held), expected(RECIPE, Per.BLOCK), exactly_once=True)

    async def test_what_a_kill_leaves_open_holds_readers_up_no_longer_than_a_restart(
        self, target: Topic, tmp_path: Path
    ) -> None:
        """Else they would wait until the transaction is too old, half a minute."""
        async with passing(tmp_path, "kafka", target.options()) as run:
            run.grow(5)
            await until(lambda: run.status().position == 5, "the first five", run)
            run.grow(20)
            os.kill(pid_of(run), signal.SIGKILL)
            settings = target.server.settings_of_client | {"transactional.id": writer_of(target)}
            left = Producer(settings)  # as such a process leaves it
            left.init_transactions(30)  # in this thread: the plugin starts again behind it, and not before
            left.begin_transaction()
            left.produce(target.name, b"of nobody")
            left.flush(30)
            await done(run)
            held = await asyncio.to_thread(target.held)
            assert (len(held), run.status().state in {State.LIVE, State.CATCHING_UP}) == (RECIPE.blocks, True)
        check(held, expected(RECIPE, Per.BLOCK), exactly_once=True)

    async def test_the_record_shows_how_far_it_is(self, target: Topic, tmp_path: Path) -> None:
        """In a topic that keeps the last one, made by the plugin, for whoever reads and for its next process."""
        async with passing(tmp_path, "kafka", target.options(compression="zstd")) as run:
            await done(run)
        *_, last = await asyncio.to_thread(target.server.read, f"{target.name}.positions")
        record = json.loads(last.value() or b"")
        assert (last.key() or b"").decode() == f"{RECIPE.chain_id}.kafka"
        assert (record["position"], record["written"], record["seek_count"]) == (60, [[1, 60]], 0)
        assert target.server.config_of(f"{target.name}.positions", "cleanup.policy") == "compact"

    async def test_topics_by_template(self, kafka: Kafka, tmp_path: Path) -> None:
        topic = Topic(kafka)
        for kind in ("valid", "invalid"):
            await asyncio.to_thread(kafka.make_topic, f"{topic.name}.{kind}")
        options = topic.options(topic=f"{topic.name}.{{validity}}", positions=f"{topic.name}.positions")
        async with passing(tmp_path, "kafka", options) as run:
            await done(run)
        for kind, type_ in (("valid", 1), ("invalid", 2)):
            records = await asyncio.to_thread(kafka.read, f"{topic.name}.{kind}")
            wanted = [event.id for event in events(RECIPE) if event.type == type_]
            assert [headers_of(record)["ce_id"] for record in records] == wanted

    async def test_a_topic_that_is_missing_is_waited_for(self, kafka: Kafka, tmp_path: Path) -> None:
        options = {"servers": kafka.address, "topic": new_name()}
        wanted = f"{kafka.address}: there is no topic {options['topic']}, or this user may not see it; make it"
        assert wanted in (await asyncio.to_thread(try_plugin, "kafka", options, with_check=True)).error
        async with passing(tmp_path, "kafka", options) as run:
            run.grow(1)
            await until(lambda: any(wanted in error for error in run.errors), "it to be missed", run)
            await asyncio.to_thread(kafka.make_topic, options["topic"])
            await done(run)
            assert run.parked("kafka") == ()

    async def test_a_record_of_another_program_is_left_alone(self, target: Topic, tmp_path: Path) -> None:
        """It says nothing of what was written: a person looks at it."""
        positions, key = f"{target.name}.positions", f"{RECIPE.chain_id}.kafka"
        await asyncio.to_thread(target.server.make_topic, positions, cleanup_policy="compact")
        producer = Producer(target.server.settings_of_client)
        producer.produce(positions, b'{"position": 5}', key=key)
        await asyncio.to_thread(producer.flush, 30)
        async with passing(tmp_path, "kafka", target.options()) as run:
            run.grow(1)
            await until(lambda: run.errors, "the record to be refused", run)
            error = run.errors[0]
        assert f"the last record of {key} in the topic {positions} is none of this plugin" in error
        assert error.endswith("name another topic in the option positions")
        assert await asyncio.to_thread(target.records) == []

    def test_a_topic_of_positions_must_be_there_and_keep_them(self, target: Topic) -> None:
        positions = f"{target.name}.positions"
        error = try_plugin("kafka", target.options(create=False), with_check=True).error
        assert f"there is no topic {positions}; make it with one partition and cleanup.policy=compact" in error
        target.server.make_topic(positions)
        for policy in ("delete", "compact,delete"):
            target.server.alter_topic(positions, cleanup_policy=policy)
            error = try_plugin("kafka", target.options(), with_check=True).error
            assert f"the topic {positions} has cleanup.policy={policy}, by which it forgets" in error

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"servers": "kafka://bob:hidden@host:9092"}, "servers: must be HOST:PORT"),
            ({"servers": "host"}, "servers: must be HOST:PORT"),
            ({"topic": ""}, "topic: must not be empty"),
            ({"topic": "a b"}, "topic: must be up to 249 letters"),
            ({"topic": "a.{kind}"}, "positions: topic is a template"),
            ({"topic": "a", "positions": "a"}, "positions: must be another topic than topic"),
            ({"topic": "a.{colour}", "positions": "p"}, "topic: may hold {chain_id}"),
            ({"window": 0}, "window: must be at least 1, found 0"),
            ({"commit_s": 901.0}, "commit_s: must be 1 to 900, found 901.0"),
            ({"ca_file": "ca.pem"}, "tls: must be true where ca_file or cert_file is set"),
            ({"tls": True, "cert_file": "c.pem"}, "cert_file, key_file: set both or neither"),
            ({"user": "bob"}, "user, password: set both or neither"),
        ],
    )
    def test_options_that_cannot_work_are_refused(self, options: dict[str, Any], error: str) -> None:
        found = try_plugin("kafka", {"servers": "localhost:9092", **options}).error
        assert error in found
        assert "hidden" not in found


def test_a_broker_that_hangs_is_blamed_and_no_event(target: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the events in hand would count a failure each, and be parked in the end."""
    cluster = kafka_client.Cluster(target.server.settings_of_client, target.server.address)
    assert cluster.config_of(target.name)["max.message.bytes"] == "1000000"
    monkeypatch.setattr(kafka_client, "ANSWER_S_MAX", 0.5)
    target.freeze()
    try:
        with pytest.raises(Unavailable, match=target.server.address):
            cluster.config_of(target.name)
    finally:
        target.thaw()


def test_a_record_is_found_behind_many_of_others(target: Topic) -> None:
    """Several nodes may keep theirs in one topic, and one of them may have had no event for long."""
    producer = Producer(target.server.settings_of_client)
    for key, count in (("mine", 2), ("another", kafka_client.LOOK_BACK[0] + 1)):
        for number in range(1, count + 1):
            producer.produce(target.name, b"%d" % number, key=key)
    producer.flush(30)
    cluster = kafka_client.Cluster(target.server.settings_of_client, target.server.address)
    assert cluster.last(target.name, b"mine", within_s=30.0) == b"2"
    assert cluster.last(target.name, b"nobody", within_s=30.0) is None


def test_a_record_that_cannot_be_asked_for_is_not_taken_for_none(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what was written before would be written again, and not say so."""
    monkeypatch.setattr(kafka_client, "ANSWER_S_MAX", 1.0)
    cluster = kafka_client.Cluster(kafka.settings_of_client, kafka.address)
    with pytest.raises(Unavailable, match=f"{kafka.address}: .*; make the topic, or correct the option topic"):
        cluster.last(new_name(), b"any", within_s=30.0)
