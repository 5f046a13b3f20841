"""Becomes another program that ends with the process that started this one: `launch PARENT_PID PROGRAM ARGUMENTS…`.

Between fork and exec a process with threads may do next to nothing safely, so the program is tied to its parent here,
in a fresh interpreter; the tie outlives the exec.
"""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Tie this process to its parent, then become the program."""
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # the parent ended before the line above
        sys.exit("the node ended before CometBFT was started")
    os.execv(command[0], command)  # noqa: S606 - the whole point


if __name__ == "__main__":
    main()
