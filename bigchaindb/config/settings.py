"""Settings as one frozen, validated object. `bigchaindb.config.load` makes it from file, environment and options.

Every `Settings` is valid: each class checks its own members and names the key in its errors.

Source: docs/reference/contract/configuration-and-cli.md, section 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bigchaindb.config.access import Access
from bigchaindb.config.checks import (
    PORT_MAX,
    check_address,
    check_host,
    check_level,
    check_peer,
    found,
    require,
    split_bind,
)
from bigchaindb.config.limits import Limits
from bigchaindb.config.tls import Tls
from bigchaindb.eventlog.bounds import NAME_RULE, is_name

PEER_COUNT_MAX: Final = 1_000
READY_S_MAX: Final = 3_600.0
"""More than any import takes; a plugin that hangs is found after it."""


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
            f"server.docs_url: must begin with http:// or https://, {found(self.docs_url)}",
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
            require(is_unset or value in ("ws", "wss"), f"wsserver.{name}: must be 'ws' or 'wss', {found(value)}")
        for name in ("port", "advertised_port"):
            value = getattr(self, name)
            is_unset = value is None and name != "port"
            require(is_unset or 0 <= value <= PORT_MAX, f"wsserver.{name}: must be 0 to {PORT_MAX}, found {value!r}")
        check_host(self.host, "wsserver.host")
        if self.advertised_host:
            check_host(self.advertised_host, "wsserver.advertised_host")
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
            f"database.backend: must be 'sqlite', {found(self.backend)}; delete the key, the node has no other",
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
    ready_s: float = 30.0
    """Seconds for its import and its `configure`, from the start of its process; then it counts as hanging."""
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
        require(
            0 < self.ready_s <= READY_S_MAX,
            f"ready_s: must be above 0 and at most {READY_S_MAX:g}, found {self.ready_s!r}",
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
