"""The options of the sink `kafka`, and what the library's clients are made with by them."""

from hashlib import sha256
from typing import Any, ClassVar, Final, Literal

import msgspec

from bigchaindb.delivery import WINDOW_COUNT_MAX, Format, Naming
from bigchaindb.sinks.servers import TlsOptions

COMMIT_S_MAX: Final = 900.0
"""What a broker allows unless told otherwise."""
TOPIC_CHARACTERS_MAX: Final = 249
_PLAIN_NAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class KafkaOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        servers: `host:port` of some brokers, separated by commas; the others are learnt from them.
        topic: of the messages; may hold names in braces. It has to be there.
        positions: the topic with the record of what was written; by default the topic's name and `.positions`.
        create: whether the topic of the positions is made where it is missing.
        transactional_id: of this node, if several nodes shall all write: else the last one that starts ends the others.
        window: events of a transaction at most.
        commit_s: a transaction that is not committed within so long is given up.
        compression: of the messages.
        tls: whether the brokers talk TLS.
        user, password, mechanism: of a login by SASL.
    """

    servers: str
    topic: str = "bigchaindb.events"
    positions: str = ""
    create: bool = True
    transactional_id: str = ""
    window: int = WINDOW_COUNT_MAX
    commit_s: float = 30.0
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    tls: bool = False
    user: str | None = None
    password: str | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"

    default_format: ClassVar[Format] = Format.BINARY

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        super().__post_init__()
        if not all(_is_server(one) for one in self.servers.split(",")):
            raise ValueError("servers: must be HOST:PORT, or several of them with commas, without a scheme or a user")
        self._require_topics()
        if self.window < 1:
            raise ValueError(f"window: must be at least 1, found {self.window!r}")
        if not 1 <= self.commit_s <= COMMIT_S_MAX:
            raise ValueError(f"commit_s: must be 1 to {COMMIT_S_MAX:g}, found {self.commit_s!r}")
        if not self.tls and (self.ca_file or self.cert_file):
            raise ValueError("tls: must be true where ca_file or cert_file is set")
        if self.tls:
            self.tls_context()  # refuses files that the library would fail with
        if (self.user is None) != (self.password is None):
            raise ValueError("user, password: set both or neither")

    def _require_topics(self) -> None:
        if not self.naming.is_constant and not self.positions:
            raise ValueError(
                "positions: topic is a template, so name the topic that keeps which positions were written"
            )
        if self.positions == self.topic:
            raise ValueError("positions: must be another topic than topic, whose readers would get the record")
        for option, name in (("topic", self.naming.example), ("positions", self.positions_topic)):
            if not _PLAIN_NAME.issuperset(name) or len(name) > TOPIC_CHARACTERS_MAX or name in {".", ".."}:
                raise ValueError(
                    f"{option}: must be up to {TOPIC_CHARACTERS_MAX} letters, digits, '.', '_' and '-', found {name!r}"
                )

    @property
    def naming(self) -> Naming:
        """The template of the topic."""
        return Naming(self.topic, "topic")

    @property
    def positions_topic(self) -> str:
        """The topic of the record."""
        return self.positions or f"{self.topic}.positions"

    @property
    def danger(self) -> str:
        """What is wrong with the login, "" if nothing is."""
        if self.user is None or self.tls:
            return ""
        return (
            f"the user {self.user} logs in by {self.mechanism} without TLS, so whoever is between here and the brokers "
            "may read or take over what is sent; set the option tls to true, and name a port with TLS"
        )

    @property
    def wants(self) -> str:
        """A digest of what is passed on: a record of other wishes says nothing about ours."""
        wishes = [self.per, sorted({*self.event_types}), self.select]
        return sha256(msgspec.json.encode(wishes, order="sorted")).hexdigest()[:16]

    @property
    def settings(self) -> dict[str, Any]:
        """What the library's clients are made with."""
        wanted = {
            "bootstrap.servers": self.servers,
            "security.protocol": ("SASL_" if self.user else "") + ("SSL" if self.tls else "PLAINTEXT"),
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.cert_file,
            "ssl.key.location": self.key_file,
            "ssl.key.password": self.key_password,
            "sasl.mechanism": self.mechanism if self.user else None,
            "sasl.username": self.user,
            "sasl.password": self.password,
        }
        return {name: value for name, value in wanted.items() if value is not None}


def _is_server(text: str) -> bool:
    host, _, port = text.strip().rpartition(":")
    return bool(host) and port.isdecimal() and not set(host) & set("/@ ")
