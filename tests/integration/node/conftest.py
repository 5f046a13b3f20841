"""What nodes start with: plugins as installed packages, and a ledger that others have filled."""

import asyncio
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.integration.node.stalled import make_long_ledger
from tests.support import scale
from tests.support.node import running_node
from tests.support.packages import advertise

FILLED_S = scale.of(suite=300, long=1_200)
"""Time in which the first test that needs it fills a ledger, on a busy machine."""
LongLedger: TypeAlias = Callable[[], dict[str, Any]]
"""What the fixture `long_ledger` gives."""
EXAMPLE = Path(__file__).parents[3] / "examples" / "print-on-console"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow tests over a long ledger the time to fill it."""
    for item in items:
        if "ledger_of_thousands" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(FILLED_S))


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a node that has the plugins `console_print`, `recorder` and `sleeper`."""
    folder = tmp_path_factory.mktemp("plugins")
    for own in ("recorder", "sleeper"):
        shutil.copy(Path(__file__).with_name(f"{own}.py"), folder)
        advertise(folder, own, {own: own})
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    ((name, target),) = project["entry-points"]["bigchaindb.events"].items()
    shutil.copytree(EXAMPLE / target, folder / target)
    advertise(folder, project["name"], {name: target})
    return {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="session")
def ledger_of_thousands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a data directory, once for the whole run."""
    with running_node(tmp_path_factory.mktemp("long")) as node:
        asyncio.run(make_long_ledger(node))
        assert node.stop() == 0
        return node.data


@pytest.fixture
def long_ledger(ledger_of_thousands: Path, tmp_path: Path) -> LongLedger:
    """Copy it; return the settings of a node over the copy."""

    def copy() -> dict[str, Any]:
        data = shutil.copytree(ledger_of_thousands, tmp_path / "long")
        return {"database": {"path": str(data)}}

    return copy
