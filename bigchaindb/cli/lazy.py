"""Groups that import a command's module only once the command is asked for.

So every module has its imports at its top, and `--help` and `--version` import none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

SUMMARY_CHARS_MAX: Final = 1_000
"""More than any first sentence has."""


@dataclass(frozen=True)
class GlobalOptions:
    """The options that stand before a command."""

    config: str | None = None
    log_level: str | None = None
    assume_yes: bool = False


class Group(click.Group):
    """A group whose list of commands has their whole first sentences; click cuts them at the terminal's width."""

    group_class = type

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the commands."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, one.get_short_help_str(SUMMARY_CHARS_MAX)) for name, one in commands if one and not one.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class LazyGroup(Group):
    """A group of commands of other modules. Each command accepts `-c` behind its name as well as before it."""

    def __init__(self, *args: Any, places: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401 - click's
        """Import nothing.

        Args:
            args: of `click.Group`.
            places: for each command `module:object`, below this package, and the first sentence of its help.
            kwargs: of `click.Group`.
        """
        super().__init__(*args, **kwargs)
        self._places = {name: place for name, (place, _) in places.items()}
        for name, (_, text) in places.items():
            super().add_command(click.Command(name, help=text))

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, with the option `-c` on it and on its subcommands."""
        _take_configuration(cmd)
        super().add_command(cmd, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the named command, imported."""
        if (place := self._places.pop(args[0], None)) is not None:
            module, _, member = place.partition(":")
            self.add_command(getattr(import_module(f"bigchaindb.cli.{module}"), member), args[0])
        return super().resolve_command(ctx, args)


def completed_files(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Leave the completion to the shell, which knows its files."""
    return [CompletionItem(incomplete, type="file")]


def _take_configuration(command: click.Command) -> None:
    option = click.Option(
        ["-c", "--config"],
        metavar="PATH",
        hidden=True,
        expose_value=False,
        callback=_take_path,
        is_eager=True,
        shell_complete=completed_files,
    )
    command.params.append(option)
    if isinstance(command, click.Group) and not isinstance(command, LazyGroup):
        for below in command.commands.values():
            _take_configuration(below)


def _take_path(context: click.Context, _: click.Parameter, path: str | None) -> None:
    """Replace the file that `-c` named before the command by the one named behind it."""
    if path is not None:
        context.obj = replace(context.find_object(GlobalOptions) or GlobalOptions(), config=path)
