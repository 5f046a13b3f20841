"""The figures of a node: values alone, so that a node without metrics loads no library for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bigchaindb.children import PlaceFigures
from bigchaindb.config import Limits
from bigchaindb.engine.engine import EngineFigures, NetworkFigures
from bigchaindb.serving.arrival import Reason
from bigchaindb.subscribers.lane_status import LaneStatus


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A node at one moment.

    Attributes:
        version: of this software.
        chain_id: begins the id of every event.
        head: the last durable position.
        store: `Queries.statistics`.
        rejected_size: rows and bytes of the log of rejected transactions.
        reader: of the reader process.
        network: figures of the network; None on a network of one node.
        disk_free_bytes: bytes that the node's user may still write to the ledger's disk.
        http_connection_count: open on the HTTP API, Server-Sent Events included.
        sse_count: clients of Server-Sent Events.
        stream_connection_count: open on the WebSocket API.
        stream_late_count: clients of the WebSocket stream that are behind the head and read at their own speed.
        stream_flood_count: clients of the WebSocket stream that were closed because they would not stop sending.
        damage_count: reads that met damage since the node started.
        is_damaged: whether damage was found, in this run or before, and the data were not restored since.
        refused_counts: clients that got no connection, by listener and reason.
        log_dropped_count: log lines that were dropped.
        failed: background tasks and threads that have failed since the start, by name.
        access_key_count: access keys that are neither revoked nor expired.
        access_refused_counts: requests that were refused for who sent them, by status.
        tls_expiry_s: seconds until the certificate in force ends; None where the node serves without TLS.
        lanes: plugins in the order of the configuration, then subscriptions.
    """

    version: str
    chain_id: str
    head: int
    store: Mapping[str, Any]
    rejected_size: tuple[int, int]
    engine: EngineFigures
    reader: PlaceFigures
    network: NetworkFigures | None
    disk_free_bytes: int
    http_connection_count: int
    sse_count: int
    stream_connection_count: int
    stream_late_count: int
    stream_flood_count: int
    damage_count: int
    is_damaged: bool
    refused_counts: Mapping[str, Mapping[Reason, int]]
    log_dropped_count: int
    failed: Sequence[str]
    access_key_count: int
    access_refused_counts: Mapping[int, int]
    tls_expiry_s: float | None
    lanes: Sequence[LaneStatus]
    limits: Limits
