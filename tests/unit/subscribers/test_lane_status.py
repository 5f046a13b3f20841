"""What a person is told to do for a lane that waits."""

import pytest

from bigchaindb.eventlog.lane import State
from bigchaindb.store.checksums import damaged
from bigchaindb.subscribers.lane_status import is_damage, way_on


def test_a_lane_that_comes_to_damage_waits_for_a_backup() -> None:
    """A restart fails at the same event, and a seek passes over one that the ledger has."""
    advice = way_on("sales", State.FAILED, str(damaged("events", 3)))
    assert "`bigchaindb check`" in advice
    assert "`bigchaindb restore DIR`" in advice
    assert "restart" not in advice
    assert "seek" not in advice


@pytest.mark.parametrize("error", ["sales: No module named 'sales'", "no lane page; delete the file", ""])
def test_a_lane_that_failed_otherwise_waits_for_a_restart(error: str) -> None:
    assert not is_damage(error)
    assert "`bigchaindb plugins restart sales`" in way_on("sales", State.FAILED, error)


@pytest.mark.parametrize("state", [State.BACKOFF, State.LIVE, State.CATCHING_UP])
def test_a_lane_that_waits_for_nobody_has_no_advice(state: State) -> None:
    assert way_on("sales", state, str(damaged("events", 3))) == ""
