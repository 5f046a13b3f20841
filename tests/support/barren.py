"""A nursery that forks one child and finds no room for another, run as a program."""

import os
from errno import EAGAIN
from typing import Final

from bigchaindb.engine import nursery

FORKS: Final = [os.fork]


def _fork() -> int:
    if not FORKS:
        raise OSError(EAGAIN, os.strerror(EAGAIN))
    return FORKS.pop()()


if __name__ == "__main__":
    setattr(nursery, "_fork", _fork)  # noqa: B010 - private to all others
    nursery.main()
