"""The bounds of a node, each with what happens beyond it, and how they depend on each other."""

from dataclasses import dataclass
from typing import Final

from bigchaindb.config.checks import require
from bigchaindb.eventlog.bounds import INDEX_BITS, INDEX_END

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
