"""Commands of 1.x and 2.x that this node does not have: each fails with the reason.

Source: docs/reference/contract/configuration-and-cli.md, section 4.
"""

from typing import Final

import click

from bigchaindb.errors import ConfigurationError

_STORE: Final = "this server keeps its data itself, in one place, and needs no MongoDB, RethinkDB or Tendermint"

REASONS: Final = {
    "set-shards": f"there are no shards: {_STORE}",
    "set-replicas": f"there are no replicas: {_STORE}",
    "add-replicas": f"there are no replicas: {_STORE}",
    "remove-replicas": f"there are no replicas: {_STORE}",
    "tendermint-version": "there is no Tendermint: the engine of this node is solo and has the server's own version, "
    "see `bigchaindb version`",
}


def _removed(name: str, reason: str) -> click.Command:
    @click.command(name, hidden=True, context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        del arguments
        raise ConfigurationError(f"{name}: {reason}")

    command.help = f"Gone: {reason}."
    return command


REMOVED: Final = tuple(_removed(name, reason) for name, reason in REASONS.items())
