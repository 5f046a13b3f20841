"""The figures of a node as Prometheus metrics: one function from values to metrics. Pure.

Names end in their unit, counters in `_total`. docs/reference/metrics.md lists each one; a test compares the two.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from bigchaindb.children import PlaceFigures
from bigchaindb.engine.engine import NetworkFigures
from bigchaindb.eventlog.lane import State
from bigchaindb.metrics.figures import Figures
from bigchaindb.subscribers.lane_status import PLUGIN, SUBSCRIPTION, LaneStatus


def families(figures: Figures) -> Iterator[Metric]:
    """Yield every metric with its value."""
    node = GaugeMetricFamily("bigchaindb_info", "Version and chain of the node; always 1.", labels=("version", "chain"))
    node.add_metric((figures.version, figures.chain_id), 1)
    yield node
    for name, (text, value) in _gauges(figures).items():
        yield GaugeMetricFamily(f"bigchaindb_{name}", text, value)
    for name, (text, value) in _counters(figures).items():
        yield CounterMetricFamily(f"bigchaindb_{name}", text, value)
    refused = CounterMetricFamily(
        "bigchaindb_refused_connections",
        "Connections refused since the node started.",
        labels=("listener", "reason"),
    )
    for listener, counts in figures.refused_counts.items():
        for reason, count in counts.items():
            refused.add_metric((listener, reason.value), count)
    yield refused
    denied = CounterMetricFamily(
        "bigchaindb_access_refused", "Requests refused for who sent them, since the node started.", labels=("status",)
    )
    for status in (401, 403, 429):
        denied.add_metric((str(status),), figures.access_refused_counts.get(status, 0))
    yield denied
    if (left_s := figures.tls_expiry_s) is not None:
        text = "Seconds until the certificate in force ends; below 0 once it has."
        yield GaugeMetricFamily("bigchaindb_tls_expiry_seconds", text, left_s)
    yield from _of_checks(figures.engine.checks)
    yield from _of_reader(figures.reader)
    yield from _of_network(figures.network)
    yield from _of_plugins([lane for lane in figures.lanes if lane.kind == PLUGIN])
    yield from _of_subscriptions([lane for lane in figures.lanes if lane.kind == SUBSCRIPTION])
    limits = GaugeMetricFamily("bigchaindb_limit", "A bound of the configuration, in its own unit.", labels=("limit",))
    for name, bound in vars(figures.limits).items():
        if bound is not None:
            limits.add_metric((name,), bound)
    yield limits


def _gauges(figures: Figures) -> dict[str, tuple[str, float]]:
    store, engine = figures.store, figures.engine
    return {
        "log_head_position": ("Position of the last durable event.", figures.head),
        "ledger_height": ("Height of the last valid block.", store["height"]),
        "ledger_transactions": ("Committed transactions.", store["transactions"]),
        "ledger_file_bytes": ("Size of the ledger's file.", store["ledger_bytes"]),
        "ledger_wal_bytes": ("Size of the ledger's write-ahead log.", store["wal_bytes"]),
        "disk_free_bytes": ("Bytes that the node may still write to the ledger's disk.", figures.disk_free_bytes),
        "admission_bytes": ("Bytes of posted bodies that wait for their check.", engine.admission_bytes),
        "pool_transactions": ("Transactions that wait for a block.", engine.pool_count),
        "pool_bytes": ("Bytes of transactions that wait for a block.", engine.pool_bytes),
        "rejected_log_rows": ("Rows in the node's log of rejected transactions.", figures.rejected_size[0]),
        "rejected_log_bytes": ("Bytes of that log, as its bound counts them.", figures.rejected_size[1]),
        "rejected_unrecorded_bytes": (
            "Bytes of rejected transactions that are not recorded yet.",
            engine.rejected_bytes,
        ),
        "store_damaged": ("1 from damage found in ledger.db until the data are restored.", figures.is_damaged),
        "failed_works": ("Background tasks and threads that have failed since the node started.", len(figures.failed)),
        "commit_waiters": ("Requests in mode commit that wait for their decision.", engine.waiting_count),
        "access_keys": ("Access keys that are neither revoked nor expired.", figures.access_key_count),
        "http_connections": ("Open connections of the HTTP API.", figures.http_connection_count),
        "sse_clients": ("Clients of Server-Sent Events and of /api/v1/streams/events.", figures.sse_count),
        "stream_connections": ("Open connections of the WebSocket API.", figures.stream_connection_count),
        "stream_late_clients": ("Clients of the WebSocket stream behind the head.", figures.stream_late_count),
    }


def _counters(figures: Figures) -> dict[str, tuple[str, float]]:
    engine = figures.engine
    return {
        "commits": ("Decisions committed since the node started.", engine.commit_count),
        "rejected_transactions": (
            "Transactions accepted and later rejected, since the node started.",
            engine.rejected_count,
        ),
        "store_damages": (
            "Reads that found damage in ledger.db since the node started.",
            figures.damage_count,
        ),
        "stream_floods": (
            "Clients of the WebSocket stream closed for sending too much.",
            figures.stream_flood_count,
        ),
        "log_dropped_lines": (
            "Lines of the node's log that were dropped because they could not be written in time.",
            figures.log_dropped_count,
        ),
    }


def _of_checks(places: Mapping[str, PlaceFigures]) -> Iterator[Metric]:
    """Yield the metrics of the check processes; those for votes are there once a proposal was judged."""
    running = GaugeMetricFamily("bigchaindb_check_processes", "Check processes that run.", labels=("place",))
    batches = CounterMetricFamily("bigchaindb_check_batches", "Batches that were checked.", labels=("place",))
    waits = CounterMetricFamily(
        "bigchaindb_check_wait_seconds", "Time from the hand-over of each batch to its verdicts.", labels=("place",)
    )
    restarts = CounterMetricFamily(
        "bigchaindb_check_restarts", "Check processes that ended and were replaced.", labels=("place",)
    )
    failing = GaugeMetricFamily(
        "bigchaindb_check_failing", "1 while no process can be started, or they end again and again.", labels=("place",)
    )
    for name, place in places.items():
        running.add_metric((name,), place.process_count)
        batches.add_metric((name,), place.batch_count)
        waits.add_metric((name,), place.wait_s)
        restarts.add_metric((name,), place.restart_count)
        failing.add_metric((name,), place.is_failing)
    yield from (running, batches, waits, restarts, failing)


def _of_reader(reader: PlaceFigures) -> Iterator[Metric]:
    prefix = "bigchaindb_reader"
    yield GaugeMetricFamily(f"{prefix}_processes", "1 while the reader process runs.", reader.process_count)
    yield CounterMetricFamily(f"{prefix}_queries", "Questions to the reader process.", reader.batch_count)
    yield CounterMetricFamily(f"{prefix}_wait_seconds", "Time from each question to its answer.", reader.wait_s)
    yield CounterMetricFamily(f"{prefix}_restarts", "Reader processes that ended.", reader.restart_count)
    text = "1 while no reader process can be started, or they end again and again."
    yield GaugeMetricFamily(f"{prefix}_failing", text, reader.is_failing)


def _of_network(network: NetworkFigures | None) -> Iterator[Metric]:
    """Yield the metrics of a network; a network of one node has none of them."""
    if network is None:
        return
    for name, text, value in (
        ("following", "1 while the node has caught up with its network, else 0.", network.is_following),
        ("degraded", "1 while the height stands still although peers are ahead, else 0.", network.is_degraded),
        ("stalled", "1 while transactions wait and nothing is decided, else 0.", network.is_stalled),
        ("height", "Height of the last block of the chain, blocks without transactions included.", network.height),
        ("peers", "Nodes connected to this one.", network.peer_count),
        ("outbox_transactions", "Transactions accepted and not decided yet.", network.outbox_count),
        ("round", "Attempt at the next block, from 0.", network.round),
        ("total_power", "Voting power of all validators.", network.total_power),
        ("connected_power", "Voting power of the validators that are connected.", network.connected_power),
        ("signing_power", "Voting power of the validators that are connected and sign.", network.signing_power),
    ):
        yield GaugeMetricFamily(f"bigchaindb_network_{name}", text, value)
    for name, text, value in (
        ("invalid_blocks", "Blocks that the network voted invalid since the node started.", network.invalid_count),
        ("rejections", "Proposals that this node voted against since it started.", network.rejection_count),
        ("cometbft_starts", "Processes of CometBFT since the node started.", network.start_count),
    ):
        yield CounterMetricFamily(f"bigchaindb_network_{name}", text, value)
    if (own := network.of(network.own_key)) is not None:
        yield GaugeMetricFamily(
            "bigchaindb_network_own_key_signing", "0 while this validator's own key does not sign.", bool(own.signing)
        )
    yield from _of_validators(network)


_OF_A_VALIDATOR: Final = {
    "power": "Voting power of the validator.",
    "connected": "1 while this node reaches the validator, else 0.",
    "signing": "0 while the validator does not sign, else 1.",
    "signed_blocks": "Blocks that the validator signed, of the last 100.",
    "missed_blocks": "Blocks that the validator did not sign, of the last 100.",
    "signed_height": "Height of the last block that the validator signed; 0: none is known.",
}


def _of_validators(network: NetworkFigures) -> Iterator[Metric]:
    yield from _labelled(
        "network_validator",
        "validator",
        _OF_A_VALIDATOR,
        {
            one.public_key: {
                "power": one.power,
                "connected": bool(one.connected),
                "signing": bool(one.signing),
                "signed_blocks": one.signed or 0,
                "missed_blocks": (one.blocks or 0) - (one.signed or 0),
                "signed_height": one.signed_height or 0,
            }
            for one in network.validators
        },
    )
    proven = CounterMetricFamily(
        "bigchaindb_network_misbehaviors",
        "Proofs on the chain that a validator misbehaved.",
        labels=("address", "kind"),
    )
    for found in network.misbehaviors:
        proven.add_metric((found.address, found.kind), found.count)
    yield proven


_OF_A_PLUGIN: Final = {
    "lag_events": "Events of the log that the plugin has not settled.",
    "in_hand_events": "Events delivered to the plugin and not settled.",
    "oldest_in_hand_seconds": "Age of the oldest event in hand.",
    "attempts": "Deliveries so far of the event in hand that has failed most often.",
    "failures": "Ends of the plugin's process in a row with no event settled between them.",
    "parked_events": "Events parked for a person to decide.",
    "epoch": "Number of the lane's owner; each start of a process has another.",
}


_OF_A_SUBSCRIPTION: Final = {
    "lag_events": "Events of the log that the subscription has not settled.",
    "in_hand_events": "Events delivered to consumers, or read for them, and not settled.",
    "oldest_in_hand_seconds": "Age of the oldest event that a consumer has.",
    "attempts": "Deliveries so far of the event in hand that has failed most often.",
    "parked_events": "Events parked for a person to decide.",
    "consumers": "Connections and pulls that take events from it.",
}


def _of_subscriptions(subscriptions: Sequence[LaneStatus]) -> Iterator[Metric]:
    # Its present state alone: there may be a thousand of them, and ten states.
    labels = ("subscription", "state")
    states = GaugeMetricFamily("bigchaindb_subscription_state", "1 for the state of the subscription.", labels=labels)
    for one in subscriptions:
        states.add_metric((one.name, one.state.value), 1.0)
    yield states
    values = {one.name: {**_values(one), "consumers": len(one.consumers)} for one in subscriptions}
    yield from _labelled("subscription", "subscription", _OF_A_SUBSCRIPTION, values)


def _of_plugins(plugins: Sequence[LaneStatus]) -> Iterator[Metric]:
    states = GaugeMetricFamily("bigchaindb_plugin_state", "1 for the state of the plugin.", labels=("plugin", "state"))
    starts = CounterMetricFamily(
        "bigchaindb_plugin_starts", "Processes of the plugin since the node started.", labels=("plugin",)
    )
    for plugin in plugins:
        for state in State:
            states.add_metric((plugin.name, state.value), float(plugin.state is state))
        starts.add_metric((plugin.name,), plugin.start_count)
    yield states
    yield starts
    yield from _labelled("plugin", "plugin", _OF_A_PLUGIN, {plugin.name: _values(plugin) for plugin in plugins})


def _values(plugin: LaneStatus) -> dict[str, float]:
    return {
        "lag_events": plugin.lag,
        "in_hand_events": len(plugin.in_hand),
        "oldest_in_hand_seconds": plugin.oldest_s,
        "attempts": plugin.attempts,
        "failures": plugin.failure_count,
        "parked_events": plugin.parked_count,
        "epoch": plugin.epoch,
    }


def _labelled(
    prefix: str, label: str, texts: Mapping[str, str], values: Mapping[str, Mapping[str, float]]
) -> Iterator[Metric]:
    """Yield a gauge for each text, with a value for each of those that the label names."""
    for name, text in texts.items():
        gauge = GaugeMetricFamily(f"bigchaindb_{prefix}_{name}", text, labels=(label,))
        for labelled, figures in values.items():
            gauge.add_metric((labelled,), figures[name])
        yield gauge
