"""The option `path` of sinks that write a file."""

import os
from pathlib import Path
from typing import Final

NAME_BYTES_MAX: Final = 255
"""Of a file or a folder, on every usual file system."""


def absolute(text: str) -> Path:
    """Return the path that an option names, `~` replaced.

    Raises:
        ValueError: it would depend on where the node was started, or no file can have it.
    """
    try:
        text.encode()
        path = Path(text).expanduser()
        name_bytes = max((len(os.fsencode(part)) for part in path.parts), default=0)
    except (RuntimeError, UnicodeEncodeError) as error:
        why = "has a name that UTF-8 cannot hold" if isinstance(error, ValueError) else "its ~ is no home of a user"
        raise ValueError(f"path: {why}, found {text!r}") from error
    if "\0" in text or name_bytes > NAME_BYTES_MAX:
        why = "holds NUL" if "\0" in text else f"has a name of {name_bytes} bytes, more than {NAME_BYTES_MAX}"
        raise ValueError(f"path: {why}, found {text!r}")
    if not path.is_absolute():
        raise ValueError(f"path: must be absolute, found {text!r}")
    return path


def no_folder(path: Path) -> str:
    """Return what is wrong where the folder of a file is missing."""
    return f"{path}: cannot be made: there is no folder {path.parent}; make it, or give another path"
