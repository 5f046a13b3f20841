"""The groups of tests that run in one worker: they share a server, or anything else that is costly to start.

What a fixture gives for a module or for the whole run exists once in each worker. Without groups every worker would
start a network, a broker or an installation of its own.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]
QUICK: Final = ("unit", "vectors", "conformance")
"""Folders of short tests: a module is one piece of work, as a message for each test would cost more than the test."""
CHEAP: Final = frozenset(
    {"node", "misbehaving", "plugins", "tls", "browser", "full_node", "nats_server", "redis_server", "redis_tls"}
)
"""Fixtures of a run that each worker may well make for itself: within a second or two."""


def mark_groups(items: Sequence[pytest.Item]) -> None:
    """Mark each test with its group. pytest-xdist reads the marks when it sees the collected tests itself."""
    for item in items:
        if (name := group_of(item)) is not None:
            item.add_marker(pytest.mark.xdist_group(name))


def put_longest_first(items: list[pytest.Item]) -> None:
    """Put in front what takes long, so that all workers end at the same time.

    Groups come first, the largest before others, then tests that have asked for more time than all have; the rest
    fill the gaps at the end.
    """
    sizes = Counter(map(_marked_group, items))

    def place(item: pytest.Item) -> tuple[int, float, str]:
        if (name := _marked_group(item)) is not None:
            return (0, -sizes[name], name)
        mark = item.get_closest_marker("timeout")
        return (2, 0, "") if mark is None else (1, -mark.args[0], "")

    items.sort(key=place)


def _marked_group(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("xdist_group")
    return None if mark is None else str(mark.args[0])


def group_of(item: pytest.Item) -> str | None:
    """Return the group of a test; None if it may run anywhere."""
    module = ".".join(item.path.relative_to(TESTS).with_suffix("").parts)
    fixtures = _fixtures(item)
    if module.split(".")[0] in QUICK or any(scope == "module" for _, scope in fixtures):
        return module
    for name, scope in reversed(fixtures):  # what others are made of comes last
        if scope == "session" and name not in CHEAP:
            parameter = _parameter(item, name)
            return name if parameter is None else f"{name} {parameter}"
    return None


def _fixtures(item: pytest.Item) -> Sequence[tuple[str, str]]:
    """Return name and scope of each fixture of ours that a test uses, directly or not."""
    if not isinstance(item, pytest.Function):
        return ()
    found = item._fixtureinfo.name2fixturedefs.items()
    return [(name, defined[-1].scope) for name, defined in found if defined[-1].func.__module__.startswith("tests")]


def _parameter(item: pytest.Item, fixture: str) -> str | None:
    assert isinstance(item, pytest.Function)
    called = getattr(item, "callspec", None)
    return None if called is None or fixture not in called.params else str(called.params[fixture])
