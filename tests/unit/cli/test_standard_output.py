"""A result that cannot be printed is no success: a script would go on without it."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bigchaindb.cli.standard_output import ResultFile

FULL = (
    "standard output cannot be written: No space left on device; what is there of the result is not whole: make room, "
    "or direct it elsewhere"
)
CLOSED = "standard output is closed, so the result cannot be printed; open it, or direct it to a file or to /dev/null"


def test_what_cannot_be_written_is_a_sentence_once() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        for is_closed, reason in ((False, FULL), (True, CLOSED)):
            text = io.TextIOWrapper(io.BufferedWriter(ResultFile(descriptor, is_closed=is_closed)))
            text.write("a result")
            with pytest.raises(OSError, match=r"^standard output") as caught:
                text.flush()
            assert str(caught.value) == reason
            text.close()  # the end of the process
    finally:
        os.close(descriptor)


def test_what_can_be_written_is(tmp_path: Path) -> None:
    with (tmp_path / "result").open("wb") as file, io.TextIOWrapper(ResultFile(file.fileno())) as text:
        text.write("one\n")
        text.write("two\n")
    assert (tmp_path / "result").read_text() == "one\ntwo\n"


@pytest.mark.parametrize(("to", "reason"), [(">/dev/full", FULL), (">&-", CLOSED)])
def test_a_command_ends_with_1_where_its_result_is_lost(to: str, reason: str) -> None:
    shell = ["sh", "-c", f'"$@" {to}', "sh", sys.executable, "-m", "bigchaindb", "version"]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"bigchaindb: {reason}\n")
