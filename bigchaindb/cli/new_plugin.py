"""plugins new: writes a working package for a plugin."""

import keyword
import re
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

import click

from bigchaindb.cli.output import say
from bigchaindb.doctor.installed import plugins
from bigchaindb.errors import ConfigurationError

NAME_CHARACTERS_MAX: Final = 60
_NAME: Final = re.compile(r"[a-z]([a-z0-9_-]*[a-z0-9])?")
_TAKEN: Final = frozenset({"bigchaindb", "pytest", "setuptools"})


@click.command(
    epilog="""\b
Examples:
  bigchaindb plugins new sales
  bigchaindb plugins new sales-report ~/src/sales-report

\b
Then, in the new folder:
  bigchaindb plugins install --editable .
  pytest
  bigchaindb events simulate sales"""
)
@click.argument("name")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
def new(name: str, directory: Path | None) -> None:
    """Write a package for the plugin NAME into DIRECTORY, ./NAME by default.

    The package has a module with run(queue), the entry point, tests that kill the plugin and find what was lost, and a
    README. No existing file is overwritten.
    """
    _refuse_installed(name)
    module = _module(name)
    folder = directory or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"`{folder}` exists and is not empty; name another directory")
    for path, text in _texts(name, module).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    say(f"The plugin {name} is in {folder}. Next:")
    say(f"  bigchaindb plugins install --editable {folder}")
    say(f"  pytest {folder}")
    say(f"  bigchaindb events simulate {name}")


def _refuse_installed(name: str) -> None:
    """Refuse the name of an installed plugin: of two packages that provide one name neither can be enabled."""
    for plugin in plugins():
        if plugin.name == name:
            raise ConfigurationError(
                f"NAME: a plugin {name!r} is already installed, by {plugin.package}, and of two with one name neither "
                "can be enabled; choose another name, or uninstall that package first"
            )


def _module(name: str) -> str:
    """Return the module's name.

    Raises:
        ConfigurationError: the name is not fit for a plugin, its package and its module.
    """
    if len(name) > NAME_CHARACTERS_MAX or _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"NAME: must be 1 to {NAME_CHARACTERS_MAX} of a-z, 0-9, - and _, begin with a letter and end with a letter "
            f"or digit; found {name!r}"
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module in _TAKEN:
        raise ConfigurationError(
            f"NAME: a module {module!r} would hide another module of that name; choose another name"
        )
    return module


def _texts(name: str, module: str) -> Mapping[Path, str]:
    """Return the files of the package, by path."""
    targets = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        "plugin.py": f"{module}.py",
        "test_plugin.py": f"test_{module}.py",
    }
    folder = files("bigchaindb.cli") / "plugin_template"
    return {
        Path(target): Template((folder / f"{source}.txt").read_text("utf-8")).substitute(name=name, module=module)
        for source, target in targets.items()
    }
