"""Whom a Kafka cluster lets in, and to what: TLS, logins and access lists, each failure in one sentence."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from bigchaindb.delivery import read_options
from bigchaindb.doctor.trial import try_plugin
from bigchaindb.events import Unavailable
from bigchaindb.simulated.chain import Recipe
from bigchaindb.sinks.kafka import KafkaSink
from bigchaindb.sinks.kafka_options import KafkaOptions
from bigchaindb.testing import MakeQueue
from bigchaindb.testing.sinks import passing, until
from bigchaindb.testing.targets import require_sentence
from tests.support.kafka import PASSWORD, SCRAM_PASSWORD, SCRAM_USER, USER, Kafka
from tests.support.kafka_topics import Guarded, Topic


@pytest.mark.parametrize(
    ("user", "password", "mechanism"), [(USER, PASSWORD, "PLAIN"), (SCRAM_USER, SCRAM_PASSWORD, "SCRAM-SHA-256")]
)
async def test_tls_with_a_login(guarded: Guarded, tmp_path: Path, user: str, password: str, mechanism: str) -> None:
    topic = Topic(guarded.broker, guarded)
    options = topic.options(user=user, password=password, mechanism=mechanism)
    async with passing(tmp_path, "kafka", options, Recipe(blocks=5, transactions=1, seed=7)) as run:
        run.grow()
        await until(lambda: run.status().position == 5, "all of it", run)
    assert len(await asyncio.to_thread(topic.held)) == 5


def test_what_lets_nobody_in_is_said_and_no_password(guarded: Guarded) -> None:
    """Each in one sentence with what helps."""
    right = {"servers": guarded.broker.address, **guarded.login}

    def error(**more: Any) -> str:
        found = try_plugin("kafka", {**right, **more}, with_check=True).error
        assert PASSWORD not in found
        assert "wrong-one" not in found
        return found

    assert "; correct user, password or mechanism among the options" in error(password="wrong-one")
    wrong_authority = error(ca_file=str(guarded.other.file))
    assert "certificate verify failed" in wrong_authority
    assert "; for an authority of your own set the option ca_file" in wrong_authority
    assert "option tls" in error(tls=False, ca_file=None)
    assert "there is no topic bigchaindb.events" in error()


def test_what_does_not_answer_is_said(kafka: Kafka) -> None:
    down = try_plugin("kafka", {"servers": "127.0.0.1:1"}, with_check=True).error
    assert "Connection refused" in down
    assert "; start the broker, or correct the option servers" in down
    tls = try_plugin("kafka", {"servers": kafka.address, "tls": True}, with_check=True).error
    assert "; set the option tls to false" in tls or "option tls" in tls


@pytest.mark.parametrize(
    ("kind", "name", "operation", "said"),
    [
        ("TOPIC", "{topic}", "DESCRIBE", "there is no topic {topic}, or this user may not see it; make it"),
        (
            "TOPIC",
            "{topic}",
            "WRITE",
            "grant the user DESCRIBE and WRITE on the topics, and READ on that of the positi",
        ),
        ("TOPIC", "{topic}.positions", "READ", "may not read the topic {topic}.positions; grant the user DESCRIBE and"),
        ("TRANSACTIONAL_ID", "{writer}", "WRITE", "grant the user DESCRIBE and WRITE on the transactional id, or name"),
    ],
)
async def test_what_an_access_list_refuses_is_said(
    guarded: Guarded, tmp_path: Path, kind: str, name: str, operation: str, said: str
) -> None:
    """In one sentence with what helps; no event is blamed for it, since a person may yet grant it."""
    topic = Topic(guarded.broker, guarded)
    await asyncio.to_thread(guarded.broker.make_topic, f"{topic.name}.positions", cleanup_policy="compact")
    producer = Producer(guarded.broker.settings_of_client)
    producer.produce(f"{topic.name}.positions", b"{}", key="another")  # what is empty nobody reads
    await asyncio.to_thread(producer.flush, 30)
    names = {"topic": topic.name, "writer": f"writer-of-{topic.name}"}
    await asyncio.to_thread(guarded.broker.deny, USER, kind, name.format(**names), operation)
    options = topic.options(transactional_id=names["writer"])
    async with passing(tmp_path, "kafka", options, Recipe(blocks=5, transactions=1, seed=7)) as run:
        run.grow()
        await until(lambda: run.errors, "a refusal", run)
        assert run.parked("kafka") == ()
    require_sentence(run.errors[0], "Unavailable: ")
    assert said.format(**names) in run.errors[0]


def test_a_login_without_tls_is_warned_of(make_queue: MakeQueue, caplog: pytest.LogCaptureFixture) -> None:
    """By a check of what is there, and in the log at each start; the password is in neither."""
    login = {"user": USER, "password": PASSWORD, "mechanism": "PLAIN"}
    said = f"the user {USER} logs in by PLAIN without TLS, so whoever is between here and the brokers may read"
    options = read_options({"servers": "127.0.0.1:1", **login}, KafkaOptions)
    assert options.danger.startswith(said)
    sink = KafkaSink()
    sink.configure({"servers": "127.0.0.1:1", **login})
    with pytest.raises(Unavailable):
        sink.run(make_queue(blocks=1))
    assert said in caplog.text
    assert PASSWORD not in caplog.text
    assert read_options({"servers": "127.0.0.1:1", "tls": True, **login}, KafkaOptions).danger == ""
