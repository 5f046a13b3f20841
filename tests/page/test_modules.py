"""The page's modules: their format, types, sizes, and what none of them may use."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support import installed
from tests.support.browsers import TOOLS

HERE: Final = Path(__file__).parent
PAGE: Final = installed.CHECKOUT / "bigchaindb/page"
MODULES: Final = sorted(PAGE.rglob("*.js"))
TEXTS: Final = PAGE / "texts.js"
LINES_MAX: Final = 200
MARKUP: Final = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|"
    r"createContextualFragment"
)
FOREIGN: Final = re.compile(r"https?://(?!www\.w3\.org/)")


def tool(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=installed.CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def programs() -> Path:
    return installed.javascript_packages(TOOLS) / "node_modules/.bin"


def test_format_and_lint(programs: Path) -> None:
    tool(programs / "biome", "check", f"--config-path={HERE}", "--error-on-warnings", PAGE)


def test_types(programs: Path) -> None:
    tool(programs / "tsc", "-p", HERE)


def test_pure_modules() -> None:
    node = installed.node()
    environment = {**os.environ, "PAGE": PAGE.as_uri()}
    command = [str(node), "--test", *map(str, sorted(HERE.glob("*.test.js")))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PAGE).as_posix())
def test_a_module_is_small_and_uses_no_markup(module: Path) -> None:
    """`texts.js` is a table, and the one place of all texts."""
    text = module.read_text()
    assert module == TEXTS or text.count("\n") <= LINES_MAX
    assert not MARKUP.search(text)
    assert not FOREIGN.search(text)
