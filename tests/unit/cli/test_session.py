"""What commands tell the person at the terminal."""

from pathlib import Path

import pytest

from bigchaindb.cli.output import say


def test_a_standard_error_that_takes_nothing_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node whose output goes to a file on a full disk has to start and to serve reads."""
    full = Path("/dev/full").open("w")  # noqa: SIM115 - its end raises, as its text was not taken
    monkeypatch.setattr("sys.stderr", full)
    say("a text")
    with pytest.raises(OSError, match="No space left"):
        full.close()
