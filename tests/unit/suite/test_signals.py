"""Children of tests get the dispositions that a terminal gives, also when the suite runs as a job in the background."""

import subprocess
import sys
from typing import Final

from tests.support.installed import CHECKOUT

IGNORED_BY_CHILD: Final = (
    "import signal; print([s.name for s in (signal.SIGINT, signal.SIGQUIT) if signal.getsignal(s) is signal.SIG_IGN])"
)


def test_a_child_ignores_no_signal_of_the_keyboard() -> None:
    command = [sys.executable, "-c", IGNORED_BY_CHILD]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_suite_that_was_started_with_them_ignored_passes() -> None:
    """Each Ctrl-C of a test did nothing then, and what it left made others fail."""
    chosen = f"{__file__}::{test_a_child_ignores_no_signal_of_the_keyboard.__name__}"
    command = 'trap "" INT QUIT; exec "$0" -m pytest -q -p no:cacheprovider "$1"'
    line = ["sh", "-c", command, sys.executable, chosen]
    done = subprocess.run(line, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
