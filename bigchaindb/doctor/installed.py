"""Lists installed event plugins for the command line. None is imported into this process.

Source: docs/reference/contract/event-plugin-api.md, section 1.
"""

import subprocess
from importlib.metadata import entry_points
from typing import Final, NamedTuple

from bigchaindb import children
from bigchaindb.subscribers.plugins import GROUP

IMPORT_S_MAX: Final = 30.0
"""The same time as a plugin's process has to report ready."""

# The same steps and texts as in the plugin's own process.
_TRIAL: Final = """
import sys
from bigchaindb.errors import BigchainDBError
from bigchaindb import children
from bigchaindb.subscribers.plugins import find, load
name = sys.argv[1]
try:
    load(name, find([name])[name])
except BigchainDBError as error:
    sys.exit(str(error))
"""


class Installed(NamedTuple):
    """A plugin's name, and its distribution with the version."""

    name: str
    package: str


def plugins() -> list[Installed]:
    """Return all installed plugins by name. A name that two distributions advertise occurs twice."""
    return sorted(
        {
            Installed(point.name, f"{point.dist.name} {point.dist.version}" if point.dist else "?")
            for point in entry_points(group=GROUP)
        }
    )


def complaint_about(name: str) -> str | None:
    """Find and import a plugin in a process of its own, to be safe from it; return its error, None without one."""
    started = children.start([*children.PYTHON, "-c", _TRIAL, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    trial = children.run(started, IMPORT_S_MAX)
    if trial.is_late:
        return f"its import takes longer than {IMPORT_S_MAX:g} s"
    if trial.code == 0:
        return None
    lines = trial.stderr.decode(errors="replace").strip().splitlines()
    return (lines or [f"its import ended the process: {children.words_for(trial.code)}"])[-1]
