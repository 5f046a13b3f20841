"""The commands of the command line, imported."""

import click


def imported(group: click.Group) -> dict[str, click.Command]:
    """Return the commands of a group by name."""
    found = {}
    with click.Context(group) as context:
        for name in group.list_commands(context):
            _, command, _ = group.resolve_command(context, [name])
            assert command is not None
            found[name] = command
    return found
