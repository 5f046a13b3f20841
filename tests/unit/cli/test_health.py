"""What `bigchaindb health` prints, and its exit code, by which a supervisor ends a node."""

from typing import Any

import pytest

from bigchaindb.cli.health import put_health

UNHEALTHY = {"status": "unhealthy", "reason": "why"}


@pytest.mark.parametrize(
    ("found", "code", "first"),
    [
        ({"status": "healthy"}, 0, "healthy"),
        ({**UNHEALTHY, "kind": "behind"}, 4, "unhealthy (behind): why"),
        ({**UNHEALTHY, "kind": "full"}, 3, "unhealthy (full): why"),
        ({**UNHEALTHY, "kind": "halted"}, 3, "unhealthy (halted): why"),
    ],
)
def test_each_state_has_its_exit_code_and_notes_stand_below(
    found: dict[str, Any], code: int, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = ["the work `certificate` has failed", "two\nlines \x1b[31m"]
    assert put_health({**found, "notes": notes}, as_json=False) == code
    assert capsys.readouterr().out.splitlines() == [first, f"note: {notes[0]}", "note: two?lines ?[31m"]
    assert put_health(found, as_json=True) == code
