"""The reference names every setting and every command: what no page names cannot be relied on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest

from bigchaindb.cli import commands
from bigchaindb.config import Settings
from bigchaindb.config.load import HINTS, to_document, variable_name
from bigchaindb.config.old import OLD_KEYS
from bigchaindb.config.settings import PluginSettings
from bigchaindb.config.values import Leaf, leaves
from tests.support.commands import imported

REFERENCE: Final = Path(__file__).parents[3] / "docs" / "reference"
CONFIGURATION: Final = (REFERENCE / "configuration.md").read_text()
COMMAND_LINE: Final = (REFERENCE / "command-line.md").read_text()
NONE: Final = "–"  # noqa: RUF001 - as the tables have it
UNITS: Final = {
    **dict.fromkeys(("bytes_max", "bytes_min", "bytes_warn"), "bytes"),
    "ms_max": "milliseconds",
    "s_max": "seconds",
    "count_max": "count",
}


@pytest.mark.parametrize("path", HINTS)
def test_every_setting_has_a_row_with_default_unit_and_variable(path: str) -> None:
    default: Any = to_document(Settings())
    for name in path.split("."):
        default = default[name]
    (row,) = (line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{path}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == f"`{json.dumps(default)}`"
    assert cells[3] == next((unit for end, unit in UNITS.items() if path.endswith(end)), NONE)
    assert cells[4] == (NONE if path == "log.granular_levels" else variable_name(path))
    assert len(cells[5]) > 10


@pytest.mark.parametrize("leaf", list(leaves(PluginSettings())), ids=lambda leaf: leaf.path)
def test_every_setting_of_a_plugin_has_a_row_with_its_default(leaf: Leaf) -> None:
    (row,) = (line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{leaf.path}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2] == f"`{json.dumps(leaf.default)}`"
    assert len(cells[3]) > 10


@pytest.mark.parametrize("key", OLD_KEYS)
def test_every_old_key_is_named(key: str) -> None:
    assert f"`{key}`" in CONFIGURATION or f"`{key.rsplit('.', maxsplit=1)[-1]}`" in CONFIGURATION


def every_command(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in imported(group).items():
        if isinstance(command, click.Group):
            yield from every_command(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


COMMANDS: Final = dict(every_command(commands))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    assert f"`bigchaindb {name}" in COMMAND_LINE or (COMMANDS[name].hidden and f"`{name}`" in COMMAND_LINE)
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert all(f"`{option}`" in COMMAND_LINE for option in parameter.opts), parameter.opts


@pytest.mark.parametrize("parameter", commands.params, ids=lambda parameter: parameter.name)
def test_every_global_option_is_documented(parameter: click.Parameter) -> None:
    assert all(f"`{option}`" in COMMAND_LINE for option in parameter.opts)


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.hidden])
def test_help_teaches_by_example(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    if name != "version":
        assert command.epilog is not None
        assert f"bigchaindb {name.split(maxsplit=1)[0]}" in command.epilog or f" {name}" in command.epilog
