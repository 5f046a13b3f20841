"""Events into other systems: how fast each sink is beside a bare client of its library that renders the same messages.

Every server is a real one, a child of this process. `sqlite` has no such client: its CPU is that of all it does.
`ONLY=kafka,nats` measures these alone; the sink `webhook` has a benchmark of its own.
"""

import os
from importlib import import_module
from typing import Final

from bench.measure import Scale
from bench.report import Figure

SINKS: Final = ("amqp", "kafka", "mqtt", "nats", "redis", "sqlite")


def run(scale: Scale) -> list[Figure]:
    """Measure all sinks, or those that `ONLY` names."""
    wanted = [name for name in os.environ.get("ONLY", "").split(",") if name]
    return [figure for name in wanted or SINKS for figure in import_module(f"bench.sinks.{name}").figures(scale)]
