"""Commands about one plugin or subscription, whose name the shell completes."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import click

from bigchaindb.cli.lanes import read_lanes
from bigchaindb.cli.options import json_option
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.doctor.installed import plugins as installed
from bigchaindb.errors import BigchainDBError

PLACES: Final = ("genesis", "now", "height:", "position:", "time:")
"""How a place in the log begins. Source: `bigchaindb.eventlog.place`."""


def on_plugin(epilog: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command about the plugin NAME, with `--json`; the function gets the session first."""

    def make(function: Callable[..., None]) -> click.Command:
        named = click.argument("name", shell_complete=lane_names)
        made = click.command(epilog=epilog)(named(json_option(pass_session(function))))
        made.params.append(made.params.pop(1))  # in the help --json comes last, as everywhere
        return made

    return make


def completed_places(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Complete the beginning of a place in the log."""
    return [form for form in PLACES if form.startswith(incomplete)]


def lane_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a plugin or a subscription; only of installed plugins where no node's files can be read."""
    names = {plugin.name for plugin in installed()}
    with suppress(BigchainDBError, OSError):
        settings = Session(context.find_root().params.get("config")).load_silently().settings
        names |= {*settings.events_plugins, *(lane.name for lane in read_lanes(settings)[1])}
    return sorted(name for name in names if name.startswith(incomplete))
