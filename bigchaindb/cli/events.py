"""The group `events`."""

import click

from bigchaindb.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    places={
        "show": ("event_reads:show", "Print one event: a block with its transactions."),
        "tail": ("event_reads:tail", "Print the last events of the log, a line each."),
        "replay": ("event_reads:replay", "Copy events to standard output or a file, in order, a line of JSON each."),
        "proof": ("proofs:proof", "Print the proof of the event about a block, as JSON."),
        "simulate": ("simulate:simulate", "Run the installed plugin NAME on generated blocks."),
    },
)
def events() -> None:
    """Print, follow and copy events, and try plugins on generated ones.

    Events are read from the log, whether the node runs or not. No plugin's cursor is moved.
    """
