"""What commands tell the person at the terminal."""

import io
from pathlib import Path

import pytest

from bigchaindb.cli import main
from bigchaindb.cli.output import say


def test_a_standard_error_that_takes_nothing_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node whose output goes to a file on a full disk has to start and to serve reads."""
    full = Path("/dev/full").open("w")  # noqa: SIM115 - its end raises, as its text was not taken
    monkeypatch.setattr("sys.stderr", full)
    say("a text")
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_an_output_that_cannot_hold_a_text_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a locale of ISO 8859-1."""
    file = tmp_path / "node.json"
    file.write_text('{"database": {"name": "b€"}}', "utf-8")
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="iso8859-1"))
    with pytest.raises(SystemExit, match="1"):
        main(["-c", str(file), "show-config"])
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        "bigchaindb: the output is written in latin-1, which has no '€'; set PYTHONIOENCODING=utf-8 or a locale of "
        "UTF-8"
    )
