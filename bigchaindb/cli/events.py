"""The group `events`: look at the event log, or run a plugin without one."""

import click

from bigchaindb.cli.simulate import simulate


@click.group()
def events() -> None:
    """Follow events, and try plugins on generated ones."""


events.add_command(simulate)
