"""Settings as one frozen, validated object. `bigchaindb.config.load` makes it from file, environment and options.

Every `Settings` is valid: each class checks its own members and names the key in its errors.

Source: docs/reference/contract/configuration-and-cli.md, section 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bigchaindb.config.access import Access
from bigchaindb.config.checks import PORT_MAX, check_address, check_host, check_level, check_peer, require, split_bind
from bigchaindb.config.tls import Tls
from bigchaindb.eventlog.bounds import INDEX_BITS, INDEX_END, NAME_RULE, is_name

PEER_COUNT_MAX: Final = 1_000

KIB: Final = 1024
MIB: Final = 1024 * KIB

_AT_LEAST: Final = (
    ("event_bytes_max", "block_bytes_max", 512 * KIB, "one event could not leave"),
    ("window_bytes_max", "event_bytes_max", 0, "one event could not leave"),
    ("receiving_bytes_max", "body_bytes_max", 0, "one body could never arrive"),
    ("admission_bytes_max", "body_bytes_max", 0, "one body could never be checked"),
    # A transaction may be longer than its body was, up to what a block takes.
    ("pool_bytes_max", "block_bytes_max", 0, "one transaction could never be taken"),
    ("disk_free_bytes_warn", "disk_free_bytes_min", 0, "the warning would come too late"),
)
"""Pairs of limits: the first is at least the second and some more, else what the last member tells happens."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every bound of the node, in one place; the key in the configuration is `limits.<name>`."""

    body_bytes_max: int = 1 * MIB
    """Largest request body: the largest transaction; beyond it 413."""
    body_read_s_max: float = 30.0
    """Time for a request's head and body to arrive: slow senders are cut off."""
    receiving_bytes_max: int = 64 * MIB
    """Bytes of all bodies that are still arriving; beyond it 503."""
    connection_count_max: int = 4096
    """Open HTTP connections; more are answered 503 and closed."""
    address_connection_count_max: int | None = None
    """Open connections of one IPv4 address or IPv6 /64 on each of HTTP, WebSocket and metrics; more are answered 503.
    Null is half of each one's places, and any number for addresses of this machine, which proxies on it come from."""
    admission_bytes_max: int = 16 * MIB
    """Bytes waiting to be checked; beyond it 503."""
    pool_count_max: int = 10_000
    """Transactions checked and waiting for a block; beyond it 503."""
    pool_bytes_max: int = 64 * MIB
    """Their bytes; beyond it 503."""
    commit_waiter_count_max: int = 10_000
    """Open requests in mode commit; beyond it 503."""
    commit_wait_s_max: float = 10.0
    """Time after which mode commit answers 504; both drivers give up at 20 s."""
    block_count_max: int = 1_000
    """Transactions in a block: what 1.x clients know as the largest block."""
    block_bytes_max: int = 4 * MIB
    """Bytes of the transactions in a block; a network counts the whole block."""
    event_bytes_max: int = 5 * MIB
    """Largest event body: the largest block and its envelope."""
    window_count_max: int = 256
    """Events of one lane that are handed over and not settled."""
    window_bytes_max: int = 8 * MIB
    """Their bytes; with `event_bytes_max` the bound of promise P10."""
    page_count_max: int = 1_000
    """Rows of a long list that are read and written at once."""
    query_waiting_count_max: int = 1_024
    """Queries of the HTTP API that run or wait for a thread, searches apart; beyond it 503."""
    search_waiting_count_max: int = 64
    """Searches, and scans for the newest events, that run or wait for the reader process; beyond it 503."""
    search_match_count_max: int = 100_000
    """Rows that a search may match, whatever its `limit`: ranking them takes half a second; beyond it 400."""
    search_s_max: float = 10.0
    """Time of one search, or of a piece of a list, in the reader process; beyond it 400. Twice as long ends it."""
    balance_output_count_max: int = 100_000
    """Outputs of which balances and holders are added up, a third of a second; with more they are incomplete."""
    scan_ms_max: int = 250
    """Time of one request's scan for the newest events that match a filter; its answer says how far it looked."""
    rejected_log_count_max: int = 100_000
    """Rows in the node's log of rejected transactions; beyond it the oldest go."""
    rejected_log_bytes_max: int = 128 * MIB
    """Their bytes; beyond it the oldest go, too. The newest one always stays."""
    stream_connection_count_max: int = 4096
    """Open WebSocket connections; more are answered 503."""
    stream_buffer_bytes_max: int = 256 * KIB
    """Bytes buffered for a WebSocket client before it is served from the log at its own position."""
    stream_stall_s_max: float = 60.0
    """Time without progress after which a WebSocket client is closed with a token, and an HTTP connection is ended."""
    stream_message_bytes_max: int = 64 * KIB
    """Largest message that a WebSocket client may send; those of clients of event streams are ignored."""
    event_page_bytes_max: int = 1 * MIB
    """Bytes of event bodies in a page of `/api/v1/events`; one event always fits."""
    sse_connection_count_max: int = 1024
    """Open Server-Sent Events and WebSockets of `/api/v1/streams/events`; more are answered 503. They count as HTTP
    connections too."""
    access_key_count_max: int = 10_000
    """Access keys, revoked ones included; beyond it the oldest that is over makes room."""
    bucket_count_max: int = 10_000
    """Addresses, or access keys, whose rate is remembered, for each rate of `access.rates` and for wrong keys; those
    not used for longest are forgotten, and may then send their burst anew."""
    handshake_count_max: int = 64
    """TLS handshakes under way, an eighth of them from one address; further clients wait, as connections."""
    subscription_count_max: int = 1_000
    """Subscriptions; beyond it 503. Each that somebody consumes has a page and a descriptor."""
    consumer_count_max: int = 64
    """Consumers of one subscription; beyond it 429. All of them are asked whenever an event is given."""
    subscription_window_count_max: int = 65_536
    """Events of one subscription that are in hand: a page of 1.5 MiB and 25 MiB of memory."""
    pull_waiting_count_max: int = 1_024
    """Pulls of subscriptions that wait for events; beyond it 503."""
    lease_s_max: float = 3_600.0
    """The longest time for which a pull may have its events; one that is forgotten holds their keys so long."""
    log_bytes_max: int = 4 * MIB
    """Bytes of log lines that wait for standard error, and for each log file; further lines are dropped and counted."""
    wal_bytes_max: int = 256 * MIB
    """Write-ahead log size from which a reader that pins it for 5 s is killed."""
    disk_free_bytes_min: int = 256 * MIB
    """Free bytes under which the node takes no more transactions."""
    disk_free_bytes_warn: int = 2048 * MIB
    """Free bytes under which a warning says how long they will last."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(value is None or value > 0, f"limits.{name}: must be above 0, found {value!r}")
        for name, other, more, why in _AT_LEAST:
            least = f"{other} + {more // KIB} KiB" if more else other
            fits = getattr(self, name) >= getattr(self, other) + more
            require(fits, f"limits.{name}: below {least}, so {why}")
        require(
            self.block_count_max < INDEX_END,
            f"limits.block_count_max: must be below {INDEX_END}, as events number a block's transactions in "
            f"{INDEX_BITS} bits; found {self.block_count_max}",
        )
        fits = self.body_bytes_max <= self.block_bytes_max
        require(fits, "limits.body_bytes_max: above block_bytes_max, so one transaction could not be decided")


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where the HTTP API listens."""

    bind: str = "localhost:9984"
    """Where HTTP is served: `host:port`, `0.0.0.0:9984`, `[::]:9984`; port 0 takes a free one."""
    loglevel: str = "info"
    """Level of the HTTP API's own log lines."""
    workers: int | None = None
    """Processes that check light documents; null is 1 below four cores, else 2."""
    docs_url: str | None = None
    """Where the documentation of this version is, which clients find in `docs`; null is the node's own description of
    its API."""

    def __post_init__(self) -> None:
        split_bind(self.bind)
        check_level("server.loglevel", self.loglevel)
        require(
            self.workers is None or self.workers > 0,
            f"server.workers: must be above 0 or null, found {self.workers!r}",
        )
        require(
            self.docs_url is None or self.docs_url.startswith(("http://", "https://")),
            f"server.docs_url: must begin with http:// or https://, found {self.docs_url!r}",
        )

    @property
    def host(self) -> str:
        """The host of `bind`, without brackets."""
        return split_bind(self.bind)[0]

    @property
    def port(self) -> int:
        """The port of `bind`."""
        return split_bind(self.bind)[1]


@dataclass(frozen=True, kw_only=True)
class WebSocketServer:
    """Where the WebSocket API listens and what `streams` advertises."""

    scheme: str = "ws"
    """`ws` or `wss`: what the server's address is said to be, where the node itself serves without TLS."""
    host: str = "localhost"
    """Where WebSocket is served."""
    port: int = 9985
    """Its port; 0 takes a free one. It must differ from that of `server.bind`."""
    advertised_scheme: str | None = None
    """`ws` or `wss`: what clients find in `streams`; null is `wss` with `tls.certificate_file`, else
    `wsserver.scheme`."""
    advertised_host: str | None = None
    """The host that clients find in `streams`; null is the host that they ask."""
    advertised_port: int | None = None
    """The port that clients find in `streams`; null is the port that is listened on."""
    heartbeat: float = 60.0
    """Seconds of silence before a ping; 0 is off."""

    def __post_init__(self) -> None:
        for name in ("scheme", "advertised_scheme"):
            value = getattr(self, name)
            is_unset = value is None and name != "scheme"
            require(is_unset or value in ("ws", "wss"), f"wsserver.{name}: must be 'ws' or 'wss', found {value!r}")
        for name in ("port", "advertised_port"):
            value = getattr(self, name)
            is_unset = value is None and name != "port"
            require(is_unset or 0 <= value <= PORT_MAX, f"wsserver.{name}: must be 0 to {PORT_MAX}, found {value!r}")
        check_host(self.host, "wsserver.host")
        require(self.heartbeat >= 0, f"wsserver.heartbeat: must be 0 or more, found {self.heartbeat!r}")


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where the node keeps its data."""

    backend: str = "sqlite"
    """`sqlite`, the only one there is."""
    name: str = "bigchain"
    """What `drop` calls the database when it asks."""
    path: Path = Path("~/.local/share/bigchaindb")
    """The data directory."""

    def __post_init__(self) -> None:
        require(
            self.backend == "sqlite",
            f"database.backend: must be 'sqlite', found {self.backend!r}; delete the key, the node has no other",
        )


@dataclass(frozen=True, kw_only=True)
class KeyPairSettings:
    """The node's identity, base58; both or neither."""

    public: str | None = None
    """Base58 of 32 bytes; null leaves the identity to `keypair.json` of the data directory."""
    private: str | None = field(default=None, repr=False)
    """Base58 of the 32 bytes that `public` is derived from. Secret."""

    def __post_init__(self) -> None:
        require(
            (self.public is None) == (self.private is None),
            "keypair: one half is set and the other is null; set both, or neither",
        )


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """How long an event that fails is tried again before `on_failure` decides."""

    attempts: int = 5
    """Failures of one event after which it is given up, once `duration_s` is over as well."""
    duration_s: float = 600.0
    """Seconds since its first failure: what a target that restarts or is mended may take."""
    delay_s_max: float = 60.0
    """The longest wait between two attempts; waits are random and their bound doubles from one second."""

    def __post_init__(self) -> None:
        require(self.attempts >= 1, f"retry.attempts: must be 1 or more, found {self.attempts!r}")
        require(self.duration_s >= 0, f"retry.duration_s: must be 0 or more, found {self.duration_s!r}")
        require(self.delay_s_max > 0, f"retry.delay_s_max: must be above 0, found {self.delay_s_max!r}")


@dataclass(frozen=True, kw_only=True)
class PluginSettings:
    """How one plugin is run."""

    start: str = "now"
    """Where a plugin that never ran before begins: `now`, `genesis`, `height:N` or `time:T`."""
    window: int | None = None
    """Events that it may hold unsettled; null is `limits.window_count_max`, which is also the most."""
    retry: RetrySettings = field(default_factory=RetrySettings)
    """When an event that fails again and again is given up."""
    on_failure: str = "park"
    """What then happens: `park` sets it aside for a person, `block` waits for one, `skip` goes on without it."""
    queue: str = "log"
    """`log` reads the event log; `pipe` is a real multiprocessing.Queue that children can share, and loses events."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the plugin's `configure` gets; its own matter."""

    def __post_init__(self) -> None:
        form = self.start.partition(":")[0]
        require(
            self.start in ("now", "genesis") or (form in ("height", "time") and self.start != f"{form}:"),
            f"start: must be 'now', 'genesis', 'height:N' or 'time:T', found {self.start!r}",
        )
        require(self.window is None or self.window >= 1, f"window: must be 1 or more or null, found {self.window!r}")
        require(
            self.on_failure in ("park", "block", "skip"),
            f"on_failure: must be 'park', 'block' or 'skip', found {self.on_failure!r}",
        )
        require(self.queue in ("log", "pipe"), f"queue: must be 'log' or 'pipe', found {self.queue!r}")


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Where figures for Prometheus are served."""

    bind: str | None = None
    """`host:port` for `GET /metrics`; null is nowhere."""
    access: bool = False
    """Whether a reader needs an access key with the scope `operate`; else anybody may read who reaches it."""

    def __post_init__(self) -> None:
        if self.bind is not None:
            split_bind(self.bind, "metrics.bind")


@dataclass(frozen=True, kw_only=True)
class Page:
    """The page that browsers get at the address of `server.bind`."""

    enabled: bool = True
    """Whether there is one; else browsers get the same JSON as all other clients."""
    folder: Path | None = None
    """Its files, read at the start, for work on the page itself; null is those of the package."""


@dataclass(frozen=True, kw_only=True)
class Log:
    """Where log lines go, which, and in which form."""

    format: str = "text"
    """`text` is for people, `json` has the same fields as one JSON object a line; on standard error and in files."""
    file: Path | None = None
    """A file for log lines besides standard error; null is none."""
    error_file: Path | None = None
    """A file for lines of level error and above; null is none."""
    level_console: str = "info"
    """The lowest level on standard error."""
    level_logfile: str = "info"
    """The lowest level in `log.file`."""
    datefmt_console: str = "%Y-%m-%d %H:%M:%S"
    """How time is written on standard error, as for strftime."""
    datefmt_logfile: str = "%Y-%m-%d %H:%M:%S"
    """How time is written in files, as for strftime."""
    granular_levels: Mapping[str, str] = field(default_factory=dict)
    """Levels of single loggers by name: `{"bigchaindb.subscribers": "debug"}`."""

    def __post_init__(self) -> None:
        require(self.format in ("text", "json"), f"log.format: must be 'text' or 'json', found {self.format!r}")
        check_level("log.level_console", self.level_console)
        check_level("log.level_logfile", self.level_logfile)
        for name, level in self.granular_levels.items():
            check_level(f"log.granular_levels.{name}", level)


@dataclass(frozen=True, kw_only=True)
class Network:
    """How the nodes of a network reach each other; means nothing until `bigchaindb network init` or `join`."""

    bind: str = "0.0.0.0:26656"
    """Where other nodes are listened to: `host:port`."""
    external_address: str | None = None
    """`host:port` under which other nodes reach this one, where that is another than `bind` says; null tells none."""
    peers: tuple[str, ...] = ()
    """The other nodes, each as `ID@HOST:PORT`; `bigchaindb network id` prints a node's id."""
    cometbft: Path | None = None
    """The program CometBFT; null looks for it on the PATH, then in `~/.local/share/bigchaindb/bin`."""

    def __post_init__(self) -> None:
        check_address(self.bind, "network.bind")
        if self.external_address is not None:
            check_address(self.external_address, "network.external_address")
        require(
            len(self.peers) <= PEER_COUNT_MAX,
            f"network.peers: must be at most {PEER_COUNT_MAX} peers, found {len(self.peers)}",
        )
        for peer in self.peers:
            check_peer(peer, "network.peers")
        ids = [peer.partition("@")[0] for peer in self.peers]
        twice = next((one for index, one in enumerate(ids) if one in ids[:index]), None)
        require(twice is None, f"network.peers: {twice} is named twice")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration."""

    server: Server = field(default_factory=Server)
    wsserver: WebSocketServer = field(default_factory=WebSocketServer)
    database: Database = field(default_factory=Database)
    keypair: KeyPairSettings = field(default_factory=KeyPairSettings)
    keyring: tuple[str, ...] = ()
    """Public keys of the network's other nodes, as 1.x lists them; shown at `/`."""
    events_plugins: Mapping[str, PluginSettings] = field(default_factory=dict)
    """The plugins that run: a list of names, or names with settings."""
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    page: Page = field(default_factory=Page)
    network: Network = field(default_factory=Network)
    access: Access = field(default_factory=Access)
    tls: Tls = field(default_factory=Tls)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        require(
            self.server.port != self.wsserver.port or self.server.port == 0,
            f"wsserver.port: {self.wsserver.port} is also the port of server.bind; they must differ",
        )
        for name in self.events_plugins:
            require(
                is_name(name),
                f"events_plugins: {name!r} cannot be a plugin's name: it must be {NAME_RULE}",
            )
        for name, plugin in self.events_plugins.items():
            most = self.limits.window_count_max
            require(
                plugin.window is None or plugin.window <= most,
                f"events_plugins.{name}.window: above limits.window_count_max = {most}, found {plugin.window!r}",
            )
