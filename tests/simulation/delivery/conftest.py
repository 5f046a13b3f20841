"""A folder for the files of a history."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.simulation.delivery.history import History

SHARED_MEMORY: Final = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose syncs cost nothing, as what they are for is simulated."""
    with TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as path:
        yield Path(path)


@pytest.fixture
def history(folder: Path) -> Iterator[History]:
    with History(1, folder).in_force() as one:
        yield one
