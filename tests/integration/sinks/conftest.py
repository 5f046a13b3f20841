"""Services that the tests of all sinks share: one of each, with a place of its own for every test."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.kafka import Kafka, running_kafka
from tests.support.kafka_topics import Guarded
from tests.support.mosquitto import Mosquitto, running_mosquitto
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.rabbitmq import RabbitMQ, running_rabbitmq
from tests.support.redis import Redis, running_redis
from tests.support.redis_streams import Stream
from tests.support.sqlite_tables import Tables
from tests.support.tls import Authority, Tls


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    authority, other = (Authority(tmp_path_factory.mktemp(name)) for name in ("authority", "other"))
    return Tls(authority, *authority.sign(), other)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A broker. Tests that stop it start it again."""
    with running_rabbitmq() as broker:
        yield broker


@pytest.fixture(scope="session")
def rabbitmq_tls(tls: Tls) -> Iterator[RabbitMQ]:
    """A broker that talks TLS alone, and takes no message above 60,000 bytes."""
    settings = (
        f"ssl_options.cacertfile = {tls.ca}\nssl_options.certfile = {tls.certificate}\n"
        f"ssl_options.keyfile = {tls.key}\nssl_options.verify = verify_none\nmax_message_size = 60000\n"
    )
    with running_rabbitmq(settings=settings, scheme="amqps") as broker:
        yield broker


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[Mosquitto]:
    """A broker. Tests that stop it start it again."""
    with running_mosquitto() as broker:
        yield broker


@pytest.fixture(scope="session")
def mosquitto_tls(tls: Tls) -> Iterator[Mosquitto]:
    """A broker that talks TLS alone, to those with a certificate, and takes no packet above 60,000 bytes."""
    settings = (
        f"cafile {tls.ca}\ncertfile {tls.certificate}\nkeyfile {tls.key}\nrequire_certificate true\n"
        "max_packet_size 60000\n"
    )
    with running_mosquitto(settings=settings, scheme="mqtts") as broker:
        yield broker


@pytest.fixture(scope="session")
def postgresql(tls: Tls) -> Iterator[PostgreSQL]:
    """A server that talks TLS to whoever wants to."""
    with running_postgresql(certificate=tls.certificate, key=tls.key) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A server whose every answer is on its disk. Tests that stop it start it again."""
    with running_redis() as server:
        yield server


@pytest.fixture(scope="session")
def redis_tls(tls: Tls) -> Iterator[Redis]:
    """A server that talks TLS alone, asks everybody who they are, and takes no field above 1 MiB."""
    with running_redis(settings=("--proto-max-bulk-len", "1mb"), tls=tls) as server:
        yield server


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A broker. Tests that stop it start it again."""
    with running_kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def guarded(tls: Tls) -> Iterator[Guarded]:
    """Such a broker."""
    with running_kafka(authority=tls.authority) as broker:
        yield Guarded(broker, tls.authority, tls.other)


@pytest.fixture
def redis_target(redis_server: Redis, redis_tls: Redis, tls: Tls) -> Iterator[Stream]:
    stream = Stream(redis_server, Stream(redis_tls, **tls.own), other_ca=tls.other_ca)
    yield stream
    if redis_server.process is None or redis_server.process.poll() is not None:
        redis_server.start()
    stream.do("CONFIG", "SET", "maxmemory", "0")


@pytest.fixture
def sqlite_target(tmp_path: Path) -> Iterator[Tables]:
    with ExitStack() as disks:
        yield Tables(tmp_path / "ledger.db", disks)
