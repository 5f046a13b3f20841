"""Why the owner or mode of a file keeps this process from using it, and what the operator must change."""

import os
import pwd
import shlex
import stat
from pathlib import Path


def user(number: int) -> str:
    """Return `user 1000 (bob)`; without the name where the system knows none."""
    try:
        return f"user {number} ({pwd.getpwuid(number).pw_name})"
    except KeyError:
        return f"user {number}"


def refusal(path: Path, *, is_written: bool = False) -> str | None:
    """Return why this process may not use `path`, or a folder on the way to it, and what to do; None if it may.

    Args:
        path: of a file or a folder; one that is not there is nobody's.
        is_written: whether it must be writable as well; a folder must be.
    """
    last = path.absolute()
    for place in (*reversed(last.parents), last):
        try:
            about = place.stat()
        except OSError:
            return None
        needed = os.X_OK if stat.S_ISDIR(about.st_mode) else os.R_OK
        if place == last and (is_written or stat.S_ISDIR(about.st_mode)):
            needed |= os.R_OK | os.W_OK
        if not os.access(place, needed):
            # A folder on the way may be the system's, and hold other programs' files.
            return _refusal(place, f": chown -R {os.geteuid()} {_quoted(place)}" if place == last else _alone(place))
    return None


def refusal_to_make(path: Path) -> str | None:
    """Return why this process may not make a folder that is not there, and what to do; None if it may."""
    above = next(folder for folder in path.absolute().parents if _is_there(folder))
    if os.access(above, os.R_OK | os.W_OK | os.X_OK):
        return None
    if os.access(above, os.R_OK) and any(above.iterdir()):
        return _refusal(above, f": install -d -o {os.geteuid()} -m 0700 {_quoted(path)}")
    return _refusal(above, _alone(above))


def _alone(folder: Path) -> str:
    return f", if nothing but this node uses that folder: chown {os.geteuid()} {_quoted(folder)}"


def _is_there(folder: Path) -> bool:
    try:
        folder.stat()
    except OSError:
        return False
    return True


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _refusal(path: Path, command: str) -> str:
    """Return why a place may not be used, and what to do; `command` is what root would do."""
    if os.statvfs(path).f_flag & os.ST_RDONLY and os.access(path, os.R_OK):
        return f"`{path}` lies on a file system that is mounted for reading alone; mount it for writing"
    about, me = path.stat(), os.geteuid()
    mode = f"{stat.S_IMODE(about.st_mode):04o}"
    if about.st_uid == me:
        return f"`{path}` has mode {mode}, with which its owner may not use it; run: chmod u+rwX {_quoted(path)}"
    return (
        f"`{path}` belongs to {user(about.st_uid)} and has mode {mode}, and this process is of {user(me)}; "
        f"run it as {user(about.st_uid)}, or as root{command}"
    )
