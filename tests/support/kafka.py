"""A Kafka broker of a test's own: one Java process with a temporary directory, on free ports."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as Record
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it exports them without saying so
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from tests.support import installed, services
from tests.support.ports import free_ports
from tests.support.servers import Server, folder_for, running
from tests.support.tls import Authority
from tests.support.waiting import until

POM: Final = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.4.0</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.3</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.25.3</version></dependency>
  </dependencies>
</project>
"""
LOGGING: Final = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m%n
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
"""
SETTINGS: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={protocol}://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map={protocol}:{protocol},CONTROLLER:PLAINTEXT
inter.broker.listener.name={protocol}
log.dirs={folder}/log
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
"""
# The two last ones: else a start after a SIGKILL waits 9 s for the registration of the process before to expire.
SECURED: Final = """\
ssl.keystore.type=PEM
ssl.keystore.location={folder}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={authority}
sasl.enabled.mechanisms=SCRAM-SHA-256,PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="admin" password="adminpw" user_admin="adminpw" user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
allow.everyone.if.no.acl.found=true
"""
USER: Final = "bob"
PASSWORD: Final = "s3cret-of-bob"
SCRAM_USER: Final = "alice"
SCRAM_PASSWORD: Final = "s3cret-of-alice"
CLUSTER: Final = "AAAAAAAAAAAAAAAAAAAAAQ"
START_S: Final = 90.0
ASK_S: Final = 30.0


def require() -> Path:
    """Return the folder of the broker's jars, which Maven brings once.

    Raises:
        MissingServiceError: Java or Maven is missing and may not be installed here.
    """
    services.require("java", "mvn")

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "pom.xml").write_text(POM)
        command = ("mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'jars'}")
        installed.run(*command, cwd=folder)

    return installed.made_once("kafka", POM.encode(), make) / "jars"


@dataclass
class Kafka(Server):
    """A broker that is running, or was.

    Attributes:
        settings: further lines of server.properties.
        client: what a client sets besides the address.
    """

    folder: Path
    jars: Path
    port: int
    controller: int
    protocol: str = "PLAINTEXT"
    settings: str = ""
    client: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The same, as the pages of all services have it."""
        return self.address

    @property
    def settings_of_client(self) -> dict[str, Any]:
        """What a client of the library is made with."""
        return {"bootstrap.servers": self.address, **self.client}

    def format(self) -> None:
        """Prepare the directory of its data, once."""
        own = {"protocol": self.protocol, "port": self.port, "controller": self.controller, "folder": self.folder}
        (self.folder / "server.properties").write_text(SETTINGS.format(**own) + self.settings)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        scram = f"SCRAM-SHA-256=[name={SCRAM_USER},password={SCRAM_PASSWORD}]"
        secured = ("--add-scram", scram) if self.protocol == "SASL_SSL" else ()
        line = self._java("kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER, *secured, "-c")
        subprocess.run([*line, self.folder / "server.properties"], check=True, capture_output=True)

    def start(self) -> None:
        """Start it and wait until topics can be made."""
        if self.process is not None:
            return
        self.launch(*self._java("kafka.Kafka"), self.folder / "server.properties")
        until(self._answers, what="Kafka to answer", within_s=START_S)

    def make_topic(self, name: str, *, partitions: int = 1, **config: str) -> None:
        """Make a topic, and wait until it is there."""
        named = {key.replace("_", "."): value for key, value in config.items()}
        admin = self._admin()  # what is not kept ends, and with it what it was asked for
        admin.create_topics([NewTopic(name, partitions, 1, config=named)])[name].result(ASK_S)
        until(lambda: name in self.topics(), what=f"the topic {name}", within_s=ASK_S)

    def alter_topic(self, name: str, **config: str) -> None:
        """Change settings of a topic."""
        entries = [
            ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        admin = self._admin()
        admin.incremental_alter_configs([resource])[resource].result(ASK_S)

    def deny(self, user: str, kind: str, name: str, operation: str) -> None:
        """Deny a user something; whoever is not named then may do nothing with what is named."""
        what, who = (ResourceType[kind], name, ResourcePatternType.LITERAL), (f"User:{user}", "*")
        denied = AclBinding(*what, *who, AclOperation[operation], AclPermissionType.DENY)
        allowed = AclBinding(*what, *who, AclOperation.ALL, AclPermissionType.ALLOW)
        admin = self._admin()
        for answer in admin.create_acls([denied, allowed]).values():
            answer.result(ASK_S)

    def config_of(self, name: str, key: str) -> str:
        """Return a setting of a topic."""
        resource = ConfigResource(ResourceType.TOPIC, name)
        admin = self._admin()
        return str(admin.describe_configs([resource])[resource].result(ASK_S)[key].value)

    def topics(self) -> set[str]:
        """Return the names of all topics."""
        return {*self._admin().list_topics(timeout=ASK_S).topics}

    def read(self, topic: str, *, is_committed: bool = True) -> list[Record]:
        """Return the records of a topic up to its end, by partition; committed ones as a rule."""
        level = "read_committed" if is_committed else "read_uncommitted"
        consumer = Consumer(
            self.settings_of_client
            | {
                "group.id": "none",
                "isolation.level": level,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        try:
            return _to_its_end(consumer, topic)
        finally:
            consumer.close()

    def _admin(self) -> AdminClient:
        return AdminClient(self.settings_of_client | {"log_level": 0, "logger": _silent()})

    def _answers(self) -> bool:
        self.require_alive()
        with suppress(KafkaException):
            return bool(self._admin().list_topics(timeout=1.0).brokers)
        return False

    def _java(self, *line: str) -> Sequence[str]:
        # The serial collector and the first compiler alone: tests share two cores.
        options = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        logging = f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties"
        return ["java", *options, logging, "-cp", f"{self.jars}/*", *line]


def _silent() -> Any:
    import logging

    logger = logging.getLogger("tests.kafka")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


def _to_its_end(consumer: Consumer, topic: str) -> list[Record]:
    partitions = consumer.list_topics(topic, timeout=ASK_S).topics[topic].partitions
    left = {*partitions}
    consumer.assign([TopicPartition(topic, one, 0) for one in left])
    found: list[Record] = []
    while left:
        record = consumer.poll(ASK_S)
        assert record is not None, f"{topic}: no record and no end within {ASK_S:g} s"
        if (error := record.error()) is None:
            found.append(record)
        elif error.name() == "_PARTITION_EOF":
            left.discard(record.partition())
        elif not error.retriable():
            raise KafkaException(error)
    return sorted(found, key=lambda one: (one.partition() or 0, one.offset() or 0))


@contextmanager
def running_kafka(*, authority: Authority | None = None, settings: str = "") -> Iterator[Kafka]:
    """Run a broker.

    Args:
        authority: signs its certificate: then it wants TLS and a password.
        settings: further lines of server.properties.
    """
    jars = require()
    port, controller = free_ports(2)
    with folder_for("kafka") as folder:
        broker = Kafka(folder, jars, port, controller, settings=settings)
        if authority is not None:
            pair = authority.sign()
            (folder / "keystore.pem").write_text(pair.key.read_text() + pair.certificate.read_text())
            broker.protocol = "SASL_SSL"
            secured = {"folder": folder, "authority": authority.file, "user": USER, "password": PASSWORD}
            broker.settings += SECURED.format(**secured)
            broker.client = {
                "security.protocol": "SASL_SSL",
                "ssl.ca.location": str(authority.file),
                "sasl.mechanism": "PLAIN",
                "sasl.username": USER,
                "sasl.password": PASSWORD,
            }
        broker.format()
        with running(broker):
            yield broker
