"""Plugins as these pages write them pass a strict type check against the installed package.

An author whose editor knows nothing of `queue` and `event.data` learns of a wrong key at night.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.installation import Installation
from tests.support.pages import PAGES, ROOT, examples

MODULES: Final = ("print-on-console/print_on_console", "misbehaving/misbehaving")
pytestmark = pytest.mark.timeout(400)


def modules_of_pages() -> Iterator[tuple[str, str]]:
    """Yield the file name and the text of each module of a plugin, and of its tests."""
    for page in PAGES:
        for number, example in enumerate(examples(page)):
            if "from bigchaindb.client" in example.text:
                continue  # an application, whose packages no plugin has
            if example.file is not None and "from bigchaindb." in example.text:
                yield Path(example.file).name, example.text
            elif example.is_plugin:
                yield f"{page.stem.replace('-', '_')}_{number}.py", example.text


def check(author: Installation, folder: Path) -> "subprocess.CompletedProcess[str]":
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.py"))
    cache = author.folder / "types"  # what others have found of the libraries
    options = ("--strict", "--config-file=", "--cache-dir", cache, "--python-executable", author.python)
    return subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_plugins_pass_a_strict_type_check(author: Installation, tmp_path: Path) -> None:
    texts = dict(modules_of_pages())
    assert len(texts) >= 7
    texts |= {f"{Path(name).name}.py": (ROOT / "examples" / name / "__init__.py").read_text() for name in MODULES}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    subprocess.run([*author.command, "plugins", "new", "scaffold", tmp_path / "new"], check=True, capture_output=True)
    for path in (tmp_path / "new").glob("*.py"):
        path.rename(tmp_path / path.name)
    checked = check(author, tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_mistakes_in_a_plugin_are_found(author: Installation, tmp_path: Path) -> None:
    """Types that accept everything would pass the other test as well."""
    (tmp_path / "mistaken.py").write_text("""\
from bigchaindb.events import EventQueue


def run(queue: EventQueue) -> None:
    for event in queue:
        print(event.data["transaction"])
        print(event.data["block"]["transactions"][0]["inputs"][0]["fulfills"]["output_index"])
        queue.put(event)
""")
    checked = check(author, tmp_path)
    assert 'TypedDict "BlockEvent" has no key "transaction"' in checked.stdout
    assert 'Value of type "Fulfills | None" is not indexable' in checked.stdout
    assert '"EventQueue" has no attribute "put"' in checked.stdout
