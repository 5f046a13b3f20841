"""The command line. Each module beside this one holds some commands; they import what they need when they run.

Source: docs/reference/contract/configuration-and-cli.md, section 4.
"""

import sys
from collections.abc import Sequence
from typing import Final

import click

from bigchaindb import __version__
from bigchaindb.cli.backup import backup
from bigchaindb.cli.configure import configure, export_my_pubkey, show_config
from bigchaindb.cli.doctor import doctor
from bigchaindb.cli.election import election
from bigchaindb.cli.events import events
from bigchaindb.cli.keys import keys
from bigchaindb.cli.network import network
from bigchaindb.cli.plugins import plugins
from bigchaindb.cli.proofs import verify
from bigchaindb.cli.removed import REMOVED
from bigchaindb.cli.run import drop, init, start
from bigchaindb.cli.session import Session
from bigchaindb.cli.transactions import transactions
from bigchaindb.errors import BigchainDBError

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "BENCHMARK")


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start here: `bigchaindb configure`, `bigchaindb start`, and `bigchaindb doctor` where something is odd.",
)
@click.option("-c", "--config", metavar="PATH", help="The configuration file; - is standard output, for configure.")
@click.option(
    "-l",
    "--log-level",
    type=click.Choice(LOG_LEVELS, case_sensitive=False),
    metavar="LEVEL",
    help=f"{', '.join(LOG_LEVELS)}: sets log.level_console, log.level_logfile and server.loglevel.",
)
@click.option("-y", "--yes", "--yes-please", "assume_yes", is_flag=True, help="Ask nothing, go on with yes.")
@click.version_option(__version__, "-v", "--version", prog_name="bigchaindb", message="%(prog)s %(version)s")
@click.pass_context
def commands(context: click.Context, config: str | None, log_level: str | None, *, assume_yes: bool) -> None:
    """Run and look after a BigchainDB node.

    Values come, the strongest first, from these options, from environment variables (BIGCHAINDB_SERVER_BIND is
    server.bind), from the configuration file (~/.bigchaindb, or the one that BIGCHAINDB_CONFIG_PATH or -c names),
    and from built-in defaults.
    """
    context.obj = Session(config, log_level, assume_yes)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@commands.command()
def version() -> None:
    """Print the version."""
    click.echo(f"bigchaindb {__version__}")


for command in (
    configure,
    show_config,
    export_my_pubkey,
    init,
    start,
    drop,
    backup,
    doctor,
    events,
    keys,
    network,
    plugins,
    transactions,
    election,
    verify,
    *REMOVED,
):
    commands.add_command(command)


def main(args: Sequence[str] | None = None) -> None:
    """Run a command and end the process: 0 done, 1 not done and why is said, 2 called wrongly."""
    if sys.flags.optimize:
        _fail("Python runs with -O or PYTHONOPTIMIZE, which drops the checks that guard the ledger; run it without")
    try:
        commands.main(args, prog_name="bigchaindb")
    except FileNotFoundError as error:
        _fail(f"FileNotFoundError: {error.strerror}: {error.filename}")
    except (BigchainDBError, OSError) as error:
        _fail("; ".join((str(error), *getattr(error, "__notes__", ()))))


def _fail(message: str) -> None:
    from bigchaindb.masking import masked_text

    click.echo(f"bigchaindb: {masked_text(message)}", err=True)
    sys.exit(1)
