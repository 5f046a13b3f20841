"""Figures of a node that all have a value, for tests."""

from typing import Final

from bigchaindb.children import PlaceFigures
from bigchaindb.config import Limits
from bigchaindb.engine.engine import EngineFigures, Misbehavior, NetworkFigures, ValidatorFigures
from bigchaindb.metrics.figures import Figures
from bigchaindb.serving.arrival import Reason
from tests.support.lane_statuses import status

STATISTICS: Final = {"height": 4, "transactions": 9, "ledger_bytes": 4096, "wal_bytes": 512}
CHECKS: Final = {"light": PlaceFigures(2, 80, 1.5, 3), "heavy": PlaceFigures(1, 0, 0.0, 0, is_failing=True)}
FIGURES: Final = Figures(
    version="3.0.0",
    chain_id="solo-1",
    head=5,
    store=STATISTICS,
    rejected_size=(7, 8_000),
    engine=EngineFigures(1, 2, 3, 4, 5, 6, 7_000, CHECKS),
    reader=PlaceFigures(1, 90, 2.5, 4),
    network=NetworkFigures(
        is_following=True,
        is_degraded=False,
        is_stalled=True,
        height=21,
        peer_count=22,
        invalid_count=23,
        rejection_count=24,
        outbox_count=25,
        start_count=26,
        round=27,
        own_key="one",
        validators=(
            ValidatorFigures(
                public_key="one",
                address="",
                power=10,
                connected=True,
                indirect=False,
                signing=False,
                signed=60,
                blocks=100,
                signed_height=4_711,
            ),
            ValidatorFigures(
                public_key="two",
                address="",
                power=5,
                connected=True,
                indirect=False,
                signing=True,
                signed=1,
                blocks=1,
                signed_height=None,
            ),
            ValidatorFigures(
                public_key="three",
                address="",
                power=3,
                connected=False,
                indirect=False,
                signing=True,
                signed=1,
                blocks=1,
                signed_height=4_709,
            ),
        ),
        misbehaviors=(
            Misbehavior(
                address="AB", public_key="two", kind="double signing", count=28, height=4_700, shown_height=4_702
            ),
        ),
    ),
    disk_free_bytes=1 << 40,
    http_connection_count=11,
    sse_count=12,
    stream_connection_count=13,
    stream_late_count=14,
    damage_count=0,
    is_damaged=False,
    stream_flood_count=15,
    refused_counts={"http": {Reason.PLACES: 16, Reason.ADDRESS: 17}},
    tls_expiry_s=86_400.0,
    log_dropped_count=70,
    failed=("certificate", "reserve of disk"),
    access_key_count=71,
    access_refused_counts={401: 72, 403: 73},
    lanes=[status("ValueError: secret")],
    limits=Limits(),
)
