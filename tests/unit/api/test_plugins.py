"""What anybody may see of a plugin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.api.plugins import document, error_class
from bigchaindb.eventlog.lane import State
from tests.support.lane_statuses import status


def test_it_is_the_state_and_figures_and_nothing_that_a_plugin_said() -> None:
    """An error's text may hold an address or a customer's name; the port is open to everybody."""
    assert document(status("OperationalError: cannot reach 10.0.0.7 as user audit")) == {
        "attempts": 2,
        "error": "OperationalError",
        "kind": "plugin",
        "lag": 7,
        "name": "audit",
        "parked": 1,
        "state": "BACKOFF",
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("ValueError: x", "ValueError"),
        ("ValueError", "ValueError"),
        ("redis.exceptions.ConnectionError: Error 111", "redis.exceptions.ConnectionError"),
        ("", None),
        ("not ready within 30 s", None),
        ("cannot start a process: OSError: no memory", None),
        ("Connection to 10.0.0.7 failed: x", None),
        ("killed by SIGKILL", None),
    ],
)
def test_the_class_is_what_stands_before_the_colon(error: str, expected: str | None) -> None:
    assert error_class(error) == expected


@given(st.text())
def test_no_text_gets_through(text: str) -> None:
    found = error_class(f"Error in {text}")
    assert found is None


def test_an_error_that_is_over_is_not_shown() -> None:
    """A LIVE plugin with an error beside it sends somebody to look for what was mended long ago."""
    assert document(status("ValueError: x"))["error"] == "ValueError"
    assert document(status("ValueError: x", State.LIVE))["error"] is None
    assert document(status("ValueError: x", State.CATCHING_UP))["error"] == "ValueError"
    assert document(status("ValueError: x", State.CATCHING_UP, is_error_past=True))["error"] is None
