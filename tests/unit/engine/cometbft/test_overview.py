"""What `network status` ends with: supervisors and scripts act on it."""

from typing import Any

import msgspec
import pytest

from bigchaindb.engine.cometbft.overview import BEHIND_COUNT_MAX, Decides, Overview, Standing

OVERVIEW = Overview(
    state=Standing.FOLLOWING,
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


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"behind": BEHIND_COUNT_MAX}, 0),
        ({"behind": BEHIND_COUNT_MAX + 1}, 4),
        ({"state": Standing.CATCHING_UP}, 4),
        ({"state": Standing.CATCHING_UP, "network": Decides.HALTED}, 4),
        ({"state": Standing.CATCHING_UP, "network": Decides.CUT_OFF}, 3),
        ({"network": Decides.CUT_OFF}, 3),
        ({"network": Decides.HALTED}, 3),
        ({"state": Standing.STOPPED, "network": None, "behind": None}, 1),
        ({"state": Standing.NO_ANSWER, "network": None, "behind": None}, 1),
    ],
)
def test_exit_codes(changes: dict[str, Any], code: int) -> None:
    assert msgspec.structs.replace(OVERVIEW, **changes).exit_code == code
