"""What `network status` ends with: supervisors and scripts act on it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bigchaindb.engine.cometbft.overview import BEHIND_COUNT_MAX, Activity, Decides, Overview, activity_of
from bigchaindb.engine.cometbft.rpc_answers import (
    NodeInfo,
    NodeStatus,
    SyncInfo,
    Versions,
)
from bigchaindb.engine.engine import NetworkFigures

OVERVIEW = Overview(
    state=Activity.FOLLOWING,
    pid=1,
    chain_id="chain",
    genesis_hash="",
    node_id="",
    public_key="",
    address="",
    power=10,
    network=Decides.DECIDES,
    connected_power=40,
    signing_power=40,
    signed_last=7,
    height=7,
    behind=0,
    round=0,
    time=None,
    position=1,
    invalid_blocks=0,
    rejections=0,
    outbox=0,
    cometbft="0.38.26",
    clock_behind_s=0,
    peers=(),
    validators=(),
    misbehaviors=(),
)


def figures(*, is_following: bool) -> NetworkFigures:
    return NetworkFigures(
        is_following=is_following,
        is_degraded=False,
        is_stalled=False,
        height=7,
        peer_count=0,
        invalid_count=0,
        rejection_count=0,
        outbox_count=0,
        start_count=1,
        round=0,
        own_key="",
        validators=(),
        misbehaviors=(),
    )


def status(*, is_catching_up: bool) -> NodeStatus:
    sync = SyncInfo(height=7, time=datetime.fromtimestamp(0, UTC), is_catching_up=is_catching_up)
    node = NodeInfo(id="", version="", moniker="", versions=Versions(app=1))
    return NodeStatus(node=node, sync=sync)


def test_a_node_whose_key_is_held_does_not_follow_yet() -> None:
    """Its CometBFT has caught up, and the node takes no transaction before its key may vote."""
    caught_up, behind = status(is_catching_up=False), status(is_catching_up=True)
    assert activity_of(1, caught_up, figures(is_following=False)) is Activity.CATCHING_UP
    assert activity_of(1, caught_up, figures(is_following=True)) is Activity.FOLLOWING
    assert activity_of(1, caught_up, None) is Activity.FOLLOWING
    assert activity_of(1, behind, figures(is_following=True)) is Activity.CATCHING_UP
    assert activity_of(1, None, None) is Activity.NO_ANSWER
    assert activity_of(None, None, None) is Activity.STOPPED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"behind": BEHIND_COUNT_MAX}, 0),
        ({"behind": BEHIND_COUNT_MAX + 1}, 4),
        ({"state": Activity.CATCHING_UP}, 4),
        ({"state": Activity.CATCHING_UP, "network": Decides.HALTED}, 4),
        ({"state": Activity.CATCHING_UP, "network": Decides.CUT_OFF}, 3),
        ({"network": Decides.CUT_OFF}, 3),
        ({"network": Decides.HALTED}, 3),
        ({"state": Activity.STOPPED, "network": None, "behind": None}, 1),
        ({"state": Activity.NO_ANSWER, "network": None, "behind": None}, 1),
    ],
)
def test_exit_codes(changes: dict[str, Any], code: int) -> None:
    assert msgspec.structs.replace(OVERVIEW, **changes).exit_code == code
