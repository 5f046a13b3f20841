"""completion: prints the script with which a shell completes commands, options and names."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from bigchaindb.cli.output import put
from bigchaindb.errors import ConfigurationError

SHELLS: Final = ("bash", "zsh", "fish")
PROGRAM: Final = "bigchaindb"
VARIABLE: Final = "_BIGCHAINDB_COMPLETE"
"""With it in the environment, the command answers the script instead of running. Source: click."""


@click.command(
    epilog="""\b
Examples:
  eval "$(bigchaindb completion bash)"                                       in ~/.bashrc
  bigchaindb completion zsh > ~/.zfunc/_bigchaindb                           a folder of fpath
  bigchaindb completion fish > ~/.config/fish/completions/bigchaindb.fish"""
)
@click.argument(
    "shell", shell_complete=lambda _context, _parameter, start: [one for one in SHELLS if one.startswith(start)]
)
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script with which a shell completes this command.

    SHELL is bash, zsh or fish. The names of plugins, subscriptions and files are completed, too.
    """
    found = get_completion_class(shell) if shell in SHELLS else None
    if found is None:
        raise ConfigurationError(f"SHELL: no completion for {shell[:40]!r}; there are scripts for {', '.join(SHELLS)}")
    put(found(context.find_root().command, {}, PROGRAM, VARIABLE).source())
