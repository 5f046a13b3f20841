"""The outcome of an examination."""

from typing import Literal, NamedTuple

from bigchaindb.errors import BigchainDBError

Status = Literal["ok", "note", "fix"]


class Finding(NamedTuple):
    """The outcome for one subject; with status `fix` something must be done, which `advice` says."""

    subject: str
    status: Status
    text: str
    advice: str = ""


def way_on(error: BigchainDBError) -> str:
    """Return what to do about files that cannot be read."""
    return "; ".join(getattr(error, "__notes__", ("restore a backup",)))
