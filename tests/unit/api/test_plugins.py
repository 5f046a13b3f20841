"""What anybody may see of a plugin."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.api import subscriptions
from bigchaindb.api.plugins import document, error_class
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.subscription import Subscription
from tests.support.lane_statuses import status


def test_it_is_the_state_and_figures_and_nothing_that_a_plugin_said() -> None:
    """An error's text may hold an address or a customer's name; the port is open to everybody."""
    seen = status("OperationalError: cannot reach 10.0.0.7 as user audit")
    assert document(replace(seen, next_attempt_at=17.5, error_at=9.0), operates=False) == {
        "attempts": 2,
        "cursor": 5,
        "error": "OperationalError",
        "in_hand": 1,
        "kind": "plugin",
        "lag": 7,
        "last_error": "OperationalError",
        "name": "audit",
        "next_attempt_at": 18,
        "oldest_s": 1.0,
        "parked": 1,
        "since": 0.0,
        "state": "BACKOFF",
    }


def test_the_operator_reads_the_text_and_its_time_without_secrets() -> None:
    seen = replace(status("OperationalError: postgresql://audit:secret@db is away"), error_at=9.0)
    public, whole = (document(seen, operates=operates) for operates in (False, True))
    assert whole == public | {"last_error": whole["last_error"], "error_at": 9.0}
    assert str(whole["last_error"]).startswith("OperationalError: postgresql://audit:xxx")
    assert "secret" not in str(whole)
    assert document(status(""), operates=True)["last_error"] is None


def test_who_consumes_a_subscription_reads_its_reason_without_secrets() -> None:
    seen = status("OperationalError: postgresql://audit:secret@db is away", State.BLOCKED)
    found = subscriptions.document(Subscription.read("audit", {}), seen)
    assert found["reason"].startswith("OperationalError: postgresql://audit:xxx")
    assert "secret" not in str(found)
    assert subscriptions.document(Subscription.read("audit", {}), status(""))["reason"] is None


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
    for state, is_past, shown in (
        (State.BACKOFF, False, "ValueError"),
        (State.LIVE, False, None),
        (State.CATCHING_UP, False, "ValueError"),
        (State.CATCHING_UP, True, None),
    ):
        found = document(status("ValueError: x", state, is_error_past=is_past), operates=False)
        assert (found["error"], found["last_error"]) == (shown, "ValueError")
