"""A socket in the file system, open to everyone who may enter its folder: this node's user alone."""

import os
import socket
from pathlib import Path
from typing import Final

from bigchaindb.errors import StartupError

MODE: Final = 0o600
SOCKET_PATH_BYTES_MAX: Final = 107
"""Linux's limit, without the terminating zero."""


def check_path(path: Path) -> None:
    """Require that a socket can have this path.

    Raises:
        StartupError: it is too long; the text names the setting to change.
    """
    if (count := len(os.fsencode(path))) > SOCKET_PATH_BYTES_MAX:
        raise StartupError(
            f"database.path: the socket path `{path}` has {count} bytes, the system allows {SOCKET_PATH_BYTES_MAX}; "
            "set database.path to a shorter path"
        )


def bound(path: Path) -> socket.socket:
    """Return a socket bound to this path; a socket that a killed node left there is replaced.

    Raises:
        StartupError: the path is too long, or cannot be bound.
    """
    check_path(path)
    listening = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)
        listening.bind(str(path))
        path.chmod(MODE)
    except OSError as error:
        listening.close()
        raise StartupError(f"cannot listen on `{path}`: {error.strerror}") from error
    return listening
