"""The package of a plugin that writes down what it gets, in as many versions as a test wants."""

from pathlib import Path
from typing import NamedTuple

from tests.support.installation import Installation
from tests.support.waiting import whole_lines

PROJECT = """\
[build-system]
requires = ["setuptools>=61"]
build-backend = "setuptools.build_meta"

[project]
name = "journal"
version = "{version}"

[project.entry-points."bigchaindb.events"]
{name} = "{module}"

[tool.setuptools]
py-modules = ["{module}"]
"""
MODULE = """\
from pathlib import Path

options = {{}}


def configure(given):
    if "file" not in given:
        raise ValueError("file: where to write?")
    options.update(given)


def run(queue):
    while True:
        event = queue.get()
        with open(options["file"], "a") as file:
            file.write(f"{version} {{event.position}} {{event.attempt}}\\n")
        if event.position in options.get("fails_at", []) and not Path(options["file"] + ".mended").exists():
            raise ValueError("cannot digest password=hunter22hunter22")
"""


class Entry(NamedTuple):
    """What the plugin writes of one event."""

    version: str
    position: int
    attempt: int


class Journal:
    """The file that the plugin writes, and its package."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self.name = name
        self.file = folder / f"{name}.txt"

    def install(self, installation: Installation, version: str) -> None:
        """Install it, or another version over it, while whatever runs goes on."""
        source = self._folder / f"{self.name}-{version}"
        source.mkdir()
        module = f"{self.name}_plugin"
        (source / "pyproject.toml").write_text(PROJECT.format(name=self.name, module=module, version=version))
        (source / f"{module}.py").write_text(MODULE.format(version=version))
        installation.install(source)

    def entries(self) -> list[Entry]:
        """Return all entries that were written so far."""
        lines = [line.split() for line in whole_lines(self.file)]
        return [Entry(version, int(position), int(attempt)) for version, position, attempt in lines]

    def positions(self) -> list[int]:
        return [entry.position for entry in self.entries()]

    def mend(self) -> None:
        """Make the plugin take the event at which it failed."""
        Path(f"{self.file}.mended").touch()

    def break_module(self, installation: Installation) -> str:
        """Make what is installed impossible to import; return what stood there."""
        module = self._installed(installation)
        text = module.read_text()
        module.write_text("import nothing_of_that_name")
        return text

    def mend_module(self, installation: Installation, text: str) -> None:
        """Write again what `break_module` gave."""
        self._installed(installation).write_text(text)

    def _installed(self, installation: Installation) -> Path:
        (module,) = installation.folder.glob(f"environment/lib/*/site-packages/{self.name}_plugin.py")
        return module
