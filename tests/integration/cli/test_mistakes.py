"""Natural mistakes, made as a new user makes them: each text says what happened, why, and what to do, in this order."""

from pathlib import Path

import pytest

from tests.support import mistakes_asking, mistakes_configuration, mistakes_files, mistakes_plugins
from tests.support.mistakes import Mistake, Newcomer, require_three_parts
from tests.support.node import Node

MISTAKES = (
    *mistakes_configuration.MISTAKES,
    *mistakes_files.MISTAKES,
    *mistakes_plugins.MISTAKES,
    *mistakes_asking.MISTAKES,
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_what_happened_why_and_what_to_do(mistake: Mistake, tmp_path: Path, node: Node) -> None:
    require_three_parts(mistake, Newcomer(tmp_path, node))
