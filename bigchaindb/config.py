"""Settings from file, environment and flags, as one frozen, validated object.

Source: docs/reference/contract/configuration-and-cli.md, sections 1 and 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bigchaindb.errors import ConfigurationError

KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every bound of the node, in one place; the key in the configuration is `limits.<name>`."""

    body_bytes_max: int = 1 * MIB
    """Largest request body: the largest transaction; beyond it 413."""
    body_read_s_max: float = 30.0
    """Time for a request's head and body to arrive: slow senders are cut off."""
    connection_count_max: int = 4096
    """Open HTTP connections; more are answered 503 and closed."""
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
    rejected_count_max: int = 10_000
    """Rejected ids that `/statuses` still explains."""
    stream_connection_count_max: int = 4096
    """Open WebSocket connections; more are answered 503."""
    stream_buffer_bytes_max: int = 1 * MIB
    """Bytes buffered for a WebSocket client before it is served from the log at its own position."""
    stream_stall_s_max: float = 60.0
    """Time without progress after which a WebSocket client is closed with a token."""
    stream_message_bytes_max: int = 64 * KIB
    """Largest message a WebSocket client may send; it is ignored anyway."""
    wal_bytes_max: int = 256 * MIB
    """Write-ahead log size from which a reader that pins it for 5 s is killed."""
    disk_free_bytes_min: int = 256 * MIB
    """Free bytes under which the node takes no more transactions."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ConfigurationError(f"limits.{name}: must be above 0, found {value!r}")
        if self.event_bytes_max < self.block_bytes_max + 512 * KIB:
            raise ConfigurationError(
                "limits.event_bytes_max: below block_bytes_max + 512 KiB, so one event could not leave"
            )
        if self.window_bytes_max < self.event_bytes_max:
            raise ConfigurationError("limits.window_bytes_max: below event_bytes_max, so one event could not leave")
        if self.body_bytes_max > self.block_bytes_max:
            raise ConfigurationError(
                "limits.body_bytes_max: above block_bytes_max, so one transaction could not be decided"
            )


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where the HTTP API listens."""

    bind: str = "localhost:9984"


@dataclass(frozen=True, kw_only=True)
class WebSocketServer:
    """Where the WebSocket API listens and what `streams` advertises."""

    scheme: str = "ws"
    host: str = "localhost"
    port: int = 9985
    advertised_scheme: str = "ws"
    advertised_host: str = "localhost"
    advertised_port: int = 9985
    heartbeat: float = 60.0
    """Seconds of silence before a ping; 0 is off."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where the node keeps its data."""

    backend: str = "sqlite"
    path: Path = Path("~/.local/share/bigchaindb")


@dataclass(frozen=True, kw_only=True)
class KeyPairSettings:
    """The node's identity, base58; both or neither."""

    public: str | None = None
    private: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class PluginSettings:
    """How one plugin is run; see docs/reference for each."""

    start: str = "now"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Log:
    """Where log lines go and which."""

    file: Path | None = None
    error_file: Path | None = None
    level_console: str = "info"
    level_logfile: str = "info"
    datefmt_console: str = "%Y-%m-%d %H:%M:%S"
    datefmt_logfile: str = "%Y-%m-%d %H:%M:%S"
    granular_levels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All of it."""

    server: Server = field(default_factory=Server)
    wsserver: WebSocketServer = field(default_factory=WebSocketServer)
    database: Database = field(default_factory=Database)
    keypair: KeyPairSettings = field(default_factory=KeyPairSettings)
    keyring: tuple[str, ...] = ()
    events_plugins: Mapping[str, PluginSettings] = field(default_factory=dict)
    log: Log = field(default_factory=Log)
    limits: Limits = field(default_factory=Limits)
