"""A command's module is imported when the command is asked for; its help shows the command's own words before."""

import subprocess
import sys

import click
import pytest

from bigchaindb.cli import commands
from bigchaindb.cli.events import events
from bigchaindb.cli.network import network
from bigchaindb.cli.plugins import plugins
from tests.support.commands import imported

GROUPS = (commands, events, network, plugins)


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("plugins", "--help")])
def test_help_imports_no_module_of_a_command(arguments: tuple[str, ...]) -> None:
    """Everybody waits for it: with all modules the first line would come four times as late."""
    code = (
        f"import sys; from bigchaindb.cli import commands; commands.main({arguments!r}, standalone_mode=False);"
        "sys.exit(int(not sys.modules.keys().isdisjoint(('asyncio', 'sqlite3', 'cryptography', 'msgspec'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_list_of_commands_has_the_words_of_each(group: click.Group) -> None:
    with click.Context(group) as context:
        listed = {
            name: command.get_short_help_str(1000)
            for name in group.list_commands(context)
            if (command := group.get_command(context, name)) is not None
        }
    found = imported(group)
    assert listed == {name: command.get_short_help_str(1000) for name, command in found.items()}
    assert {name: command.name for name, command in found.items()} == {name: name for name in found}


@pytest.mark.parametrize(
    "group",
    [commands, *filter(lambda one: isinstance(one, click.Group), imported(commands).values())],
    ids=lambda group: group.name,
)
def test_a_summary_is_whole_on_a_narrow_terminal(group: click.Group) -> None:
    with click.Context(group, terminal_width=80) as context:
        lines = group.get_help(context).partition("Commands:\n")[2].splitlines()
    assert lines
    assert [line for line in lines if line.endswith("...") or len(line) > 80] == []


def test_a_node_on_its_own_loads_nothing_of_a_network_or_of_metrics() -> None:
    """They are half of the time of its start, and 14 MB that it would never give back."""
    code = (
        "import sys, bigchaindb.node; print({'aiohttp', 'google.protobuf', 'prometheus_client'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
