"""The command line. Each module beside this one holds some commands, and is imported when one of them is asked for.

Source: docs/reference/contract/configuration-and-cli.md, section 4.
"""

import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from bigchaindb import __version__
from bigchaindb.cli.lazy import GlobalOptions, LazyGroup, completed_files
from bigchaindb.cli.output import say
from bigchaindb.cli.removed import REMOVED
from bigchaindb.cli.standard_output import use_result_file
from bigchaindb.distribution import two_distributions
from bigchaindb.errors import BigchainDBError
from bigchaindb.masking import masked_text
from bigchaindb.owners import refusal

_EXTRA: Final = re.compile(r"Got unexpected extra arguments? \((\S+)\)")
_GLOBAL: Final = {
    **dict.fromkeys(("-y", "--yes", "--yes-please"), "-y"),
    **dict.fromkeys(("-l", "--log-level"), "-l LEVEL"),
}
"""Options that stand before the command, by name, as they are written there."""
_SHOWN_MAX: Final = 80
_MEANT: Final = {
    "status": "`bigchaindb health` prints whether the node is healthy, `bigchaindb network status` the state of its "
    "network, and `bigchaindb plugins list` that of its plugins",
}
"""Commands that there are not, with those that do the same: the nearest by letters would be another."""
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "BENCHMARK")


class Commands(LazyGroup):
    """All commands."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as in click
        """Run the command. Explain global options behind it, and `-c` where a file is passed as an argument."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if (option := _GLOBAL.get(error.option_name)) is None or error.ctx is None:
                raise
            meant = error.ctx.command_path.replace(ctx.command_path, f"{ctx.command_path} {option}", 1)
            text = f"No such option {error.option_name!r} behind a command: it stands before it, as in `{meant}`"
            raise click.UsageError(text, error.ctx) from error
        except click.NoSuchCommand as error:
            if error.ctx is not ctx or (other := _MEANT.get(error.command_name)) is None:
                raise
            raise click.UsageError(f"{error.message} {other}", error.ctx) from error
        except click.MissingParameter as error:
            group = "" if error.ctx is None or error.ctx.parent is None else error.ctx.parent.info_name
            if error.param is None or error.param.name != "name" or group not in {"plugins", "subscriptions"}:
                raise
            text = f"Missing argument 'NAME'; `{ctx.command_path} {group} list` prints the names"
            raise click.UsageError(text, error.ctx) from error
        except click.UsageError as error:
            if (found := _EXTRA.match(error.message)) and (found[1].endswith(".json") or Path(found[1]).is_file()):
                text = f"{error.message}; name a configuration file with -c: `-c {found[1]}`"
                raise click.UsageError(text, error.ctx) from error
            raise


@click.group(
    cls=Commands,
    places={
        "access": ("access:access", "Decide who may send what: access keys, and requests without one."),
        "assets": ("holdings:assets", "Show assets and who holds them."),
        "backup": ("backup:backup", "Copy the node's data into DIR."),
        "check": ("check:check", "Read the whole ledger and compare it with its checksums."),
        "completion": ("completion:completion", "Print the script with which a shell completes this command."),
        "configure": ("configure:configure", "Write a configuration file."),
        "demo": ("demo:demo", "Fill a node of its own with 200 transactions, so that there is something to look at."),
        "doctor": ("doctor:doctor", "Find what keeps a node from running."),
        "drop": ("run:drop", "Delete the ledger."),
        "election": ("election:election", "Propose, approve and list changes of a network's validators."),
        "events": ("events:events", "Print, follow and copy events, and try plugins on generated ones."),
        "export-my-pubkey": ("configure:export_my_pubkey", "Print this node's public key."),
        "health": ("health:health", "Print whether a node is healthy, and why not."),
        "init": ("run:init", "Make an empty ledger."),
        "keys": ("keys:keys", "Make and show key pairs of the ledger's users."),
        "network": ("network:network", "Make this node part of a network, whose nodes vote on one ledger."),
        "page": ("page:page", "Open the node's page with the rights to read and to give orders."),
        "owners": ("holdings:owners", "Show what public keys hold."),
        "plugins": ("plugins:plugins", "List, enable and control event plugins."),
        "restore": ("restore:restore", "Replace the node's data by a backup that `bigchaindb backup` made."),
        "show-file": (
            "show_file:show_file",
            "Print a file for other programs that this package brings, or their names.",
        ),
        "show-config": ("configure:show_config", "Print the effective configuration."),
        "sql": ("sql:sql", "Ask the tables that the plugin sqlite writes."),
        "start": ("run:start", "Run the node until it is stopped."),
        "subscriptions": (
            "subscriptions:subscriptions",
            "Create, list and delete subscriptions, by which applications follow the ledger over the network.",
        ),
        "transactions": ("transactions:transactions", "Create, transfer and show assets."),
        "verify": ("proofs:verify", "Check the proof of an event, without a node or a network."),
    },
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="To begin: `bigchaindb start`, which asks nothing. `bigchaindb configure` asks for addresses and folders. "
    "To find a fault: `bigchaindb doctor`.",
)
@click.option(
    "-c",
    "--config",
    metavar="PATH",
    shell_complete=completed_files,
    help="Configuration file, before or behind the command. With configure, - is standard output.",
)
@click.option(
    "-l",
    "--log-level",
    type=click.Choice(LOG_LEVELS, case_sensitive=False),
    metavar="LEVEL",
    help=f"{', '.join(LOG_LEVELS)}. Sets log.level_console, log.level_logfile and server.loglevel.",
)
@click.option("-y", "--yes", "--yes-please", "assume_yes", is_flag=True, help="Answer every question with yes.")
@click.version_option(__version__, "-v", "--version", prog_name="bigchaindb", message="%(prog)s %(version)s")
@click.pass_context
def commands(context: click.Context, config: str | None, log_level: str | None, *, assume_yes: bool) -> None:
    """Run and operate a BigchainDB node.

    A setting is taken from the first place that has it: these options, an environment variable (server.bind is
    BIGCHAINDB_SERVER_BIND), the configuration file (~/.bigchaindb, or the one named by -c or BIGCHAINDB_CONFIG_PATH),
    the built-in default.
    """
    context.obj = GlobalOptions(config, log_level, assume_yes)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@commands.command(
    epilog="""\b
Example:
  bigchaindb version"""
)
def version() -> None:
    """Print the version."""
    click.echo(f"bigchaindb {__version__}")
    if (found := two_distributions()) is not None:
        say(f"bigchaindb: {found}")


for removed in REMOVED:
    commands.add_command(removed)


def main(args: Sequence[str] | None = None) -> None:
    """Run a command and end the process: 0 done, 1 failed with a message, 2 wrong usage."""
    if sys.flags.optimize:
        _fail(
            "Python runs with -O or PYTHONOPTIMIZE, which removes the checks that guard the ledger; run it without them"
        )
    use_result_file()
    try:
        commands.main(args, prog_name="bigchaindb")
    except PermissionError as error:
        _fail(_forbidden(error))
    except UnicodeEncodeError as error:
        if error.encoding.startswith("utf"):  # of no output: half of a surrogate pair
            given = (one for one in (sys.argv[1:] if args is None else args) if not one.isprintable())
            if (wrong := next(given, None)) is None:
                raise
            _fail(f"the argument {wrong[:_SHOWN_MAX]!r} has bytes that are no text in UTF-8; write it in UTF-8")
        missing = error.object[error.start]
        _fail(
            f"the output is written in {error.encoding}, which has no {missing!r}; set PYTHONIOENCODING=utf-8 or a "
            "locale of UTF-8"
        )
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        found = error.filename is not None and error.strerror is not None
        _fail(f"cannot use `{error.filename}`: {error.strerror}; correct the path" if found else str(error))
    except (BigchainDBError, OSError) as error:
        _fail("; ".join((str(error), *getattr(error, "__notes__", ()))))


def _forbidden(error: PermissionError) -> str:
    what = f"cannot open `{error.filename}`: {error.strerror}" if error.filename else str(error)
    why = None if error.filename is None else refusal(Path(os.fsdecode(error.filename)))
    return (
        f"{what}; name a place that this user may use, or run this as another user" if why is None else f"{what}: {why}"
    )


def _fail(message: str) -> None:
    say(f"bigchaindb: {masked_text(message)}", logging.ERROR)
    sys.exit(1)
