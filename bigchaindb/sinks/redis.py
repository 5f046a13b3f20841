"""The plugin `redis`: events as entries of a stream in Redis or Valkey, under ids made of their positions.

The server refuses an id that is not above the last one of its stream. Such an event is a repeat only if the stream
holds that id with that event. Else it is a parked one that returns, what a seek brings again, or what another writer
left out, and it is added behind the others under a free id. What is sent together is in the stream whole or not at all,
so that a server that refuses some of it for a moment does not change the order.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final
from urllib.parse import SplitResult, unquote

from bigchaindb.delivery import Format, Naming, batches, messages_of, read_options
from bigchaindb.distribution import needs_extra
from bigchaindb.events import EventQueue, EventTypes
from bigchaindb.sinks.servers import TlsOptions, address_of, place_of

try:
    from redis.connection import Connection, SSLConnection

    from bigchaindb.sinks.redis_server import Server, Streams
except ImportError as error:
    raise ImportError(needs_extra("redis", "redis")) from error

CONNECT_S_MAX: Final = 10.0
ANSWER_S_MAX: Final = 3600.0
"""More is never meant, and far more does not fit into the clock of a socket."""
WINDOW: Final = 256
"""Messages that are added together: more are hardly faster, and the server does nothing else meanwhile."""
PORT: Final = 6379
DATABASES_MAX: Final = 1 << 31
DIGITS_MAX: Final = 10
"""Of the number of a database."""
_ADDRESS: Final = "redis://USER:PASSWORD@HOST:PORT/NUMBER"
_log: Final = logging.getLogger(__name__)


class RedisOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        url: `redis://user:password@host:port/number`, or `rediss://` for TLS; the number is of the database.
        stream: the stream of a message, by a template.
        maxlen: about so many entries stay in a stream, the newest; None keeps all.
        window: messages that are added together.
        answer_s: so long the server may take for an answer.
        ca_file: for `rediss`: whom to trust besides the system's authorities.
    """

    url: str
    stream: str = "bigchaindb.events"
    maxlen: int | None = None
    window: int = WINDOW
    answer_s: float = 10.0

    default_format: ClassVar[Format] = Format.BINARY

    def __post_init__(self) -> None:
        """Refuse options that cannot work."""
        super().__post_init__()
        number = self.parts.path.strip("/") or "0"
        if not number.isdecimal() or len(number) > DIGITS_MAX or int(number) >= DATABASES_MAX:
            raise ValueError(
                f"url: is no address; write it as {_ADDRESS}, with the number of a database below {DATABASES_MAX}"
            )
        _ = self.naming
        for name, value in (("maxlen", self.maxlen), ("window", self.window)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: must be at least 1, found {value!r}")
        if not 0 < self.answer_s <= ANSWER_S_MAX:
            raise ValueError(f"answer_s: must be above 0 and at most {ANSWER_S_MAX:g}, found {self.answer_s!r}")
        if self.parts.scheme == "rediss":
            self.tls_context()  # refuses files that the library would fail with
        elif files := [name for name in ("ca_file", "cert_file", "key_file") if getattr(self, name) is not None]:
            raise ValueError(f"{files[0]}: needs a url that begins with rediss://")

    @property
    def parts(self) -> SplitResult:
        """The address."""
        form = f"{_ADDRESS}, or rediss:// for TLS"
        return address_of(self.url, {"redis", "rediss"}, kind="Redis", form=form, takes_path=True)

    @property
    def naming(self) -> Naming:
        """The names of streams."""
        return Naming(self.stream, "stream")

    @property
    def place(self) -> str:
        """The server without its password, for people."""
        return place_of(self.parts, PORT)

    @property
    def connection(self) -> Any:  # noqa: ANN401 - the library's has no types
        """A connection that is not open yet. It tries nothing twice: a plugin that ends begins again."""
        parts = self.parts
        settings: dict[str, Any] = {
            "host": parts.hostname,
            "port": parts.port or PORT,
            "db": int(parts.path.strip("/") or 0),
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "protocol": 2,
            "socket_connect_timeout": CONNECT_S_MAX,
            "socket_timeout": self.answer_s,
            "driver_info": None,
        }
        make: Any = Connection
        if parts.scheme == "rediss":
            make = SSLConnection
            settings |= {
                "ssl_ca_certs": self.ca_file,
                "ssl_certfile": self.cert_file,
                "ssl_keyfile": self.key_file,
                "ssl_password": self.key_password,
            }
        return make(**settings)


class RedisSink:
    """What the entry point names."""

    acknowledge = "next_get"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, RedisOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select

    def check(self) -> str:
        """Connect, and try what is needed without adding anything."""
        options = self._options
        with self.opened() as (server, streams):
            streams.try_out()
            place = f"{server.version()} at {options.place}, stream {options.stream}"
            return "; ".join((place, *dangers(server)))

    def run(self, queue: EventQueue) -> None:
        """Add events until the queue has ended."""
        options = self._options
        with self.opened() as (server, streams):
            for danger in dangers(server):
                _log.warning("the plugin redis, %s: %s", options.place, danger)
            for events in batches(queue):
                streams.write(message for event in events for message in messages_of(event, options.per))

    @contextmanager
    def opened(self) -> Iterator[tuple[Server, Streams]]:
        """Connect, and learn what the server takes.

        Raises:
            Unavailable: the server does not answer, or refuses the login.
        """
        options = self._options
        with Server(options.connection, options.place, options.answer_s) as server:
            streams = Streams(server, options.naming, options.shape, window=options.window, maxlen=options.maxlen)
            (bytes_max,) = server.setting("proto-max-bulk-len")
            streams.bytes_max = int(bytes_max) if bytes_max and bytes_max.isdecimal() else None
            yield server, streams


def dangers(server: Server) -> list[str]:
    """Return how the server may lose what it confirms, by its own settings."""
    only, fsync, eviction = server.setting("appendonly", "appendfsync", "maxmemory-policy")
    found = list[str]()
    if only is None or fsync is None:
        found.append(
            "CONFIG GET is refused, so it is unknown whether what the server confirms is on its disk; "
            "allow the user +config|get, or look that appendonly is yes and appendfsync is always"
        )
    elif (only, fsync) != ("yes", "always"):
        found.append(
            f"appendonly is {only} and appendfsync is {fsync}, so a crash of the server loses what it confirmed "
            "shortly before; set appendonly to yes and appendfsync to always"
        )
    if eviction is not None and eviction.startswith("allkeys"):
        found.append(
            f"maxmemory-policy is {eviction}, so a server whose memory is full removes whole streams; set it to "
            "noeviction"
        )
    return found


plugin = RedisSink()
"""Reads its options in `configure`."""
