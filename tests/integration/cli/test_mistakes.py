"""Natural mistakes, made as a new user makes them: each text says what happened, why, and what to do, in this order."""

from pathlib import Path

import pytest

from tests.support import mistakes_configuration, mistakes_files
from tests.support.mistakes import Mistake, Newcomer

MISTAKES = (*mistakes_configuration.MISTAKES, *mistakes_files.MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_what_happened_why_and_what_to_do(mistake: Mistake, tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path)
    printed = mistake.make(newcomer)
    place = 0
    for part in (mistake.what, mistake.why, mistake.cure):
        assert part in printed[place:], f"{part!r} is missing, or stands too early, in:\n{printed}"
        place = printed.index(part, place) + len(part)
    assert newcomer.code == mistake.code, printed
    assert "Traceback" not in printed
    assert "network, 9p" not in printed, "a false FIX"
