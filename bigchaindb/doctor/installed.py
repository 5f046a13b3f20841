"""Lists installed event plugins for the command line. None is imported into this process.

Source: docs/reference/contract/event-plugin-api.md, section 1.
"""

from importlib.metadata import entry_points
from typing import NamedTuple

from bigchaindb.subscribers.plugins import GROUP


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
