"""Commands about one plugin or subscription, whose name the shell completes."""

from collections.abc import Callable
from contextlib import suppress

import click

from bigchaindb.cli.lanes import read_lanes
from bigchaindb.cli.options import json_option
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.errors import BigchainDBError


def on_plugin(epilog: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command about the plugin NAME, with `--json`; the function gets the session first."""

    def make(function: Callable[..., None]) -> click.Command:
        named = click.argument("name", shell_complete=lane_names)
        made = click.command(epilog=epilog)(named(json_option(pass_session(function))))
        made.params.append(made.params.pop(1))  # in the help --json comes last, as everywhere
        return made

    return make


def lane_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a plugin or a subscription; nothing where no node's files can be read."""
    with suppress(BigchainDBError, OSError):
        settings = Session(context.find_root().params.get("config")).load_silently().settings
        names = {*settings.events_plugins, *(lane.name for lane in read_lanes(settings)[1])}
        return sorted(name for name in names if name.startswith(incomplete))
    return []
