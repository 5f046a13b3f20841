"""The outcome of an examination."""

from typing import Literal, NamedTuple

Status = Literal["ok", "note", "fix"]


class Finding(NamedTuple):
    """The outcome for one subject; with status `fix` something must be done, which `advice` says."""

    subject: str
    status: Status
    text: str
    advice: str = ""
