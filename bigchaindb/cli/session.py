"""What all commands share: the global options, the configuration, questions and output.

Results go to standard output, all other text to standard error.
"""

import difflib
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bigchaindb.errors import ConfigurationError, StartupError

if TYPE_CHECKING:
    from bigchaindb.config.load import Loaded

STANDARD_OUTPUT: Final = "-"
LEVEL_KEYS: Final = ("log.level_console", "log.level_logfile", "server.loglevel")
"""Settings that `--log-level` sets."""


@dataclass(frozen=True)
class Session:
    """The global options of one call of the command line."""

    config: str | None = None
    log_level: str | None = None
    assume_yes: bool = False

    def load(self, *, log_files: bool = False, names_file: bool = False) -> "Loaded":
        """Load the configuration, set up the log and write the notices about the configuration to it.

        Args:
            log_files: whether this process is the node: it writes the log files as well, and never waits for the log.
            names_file: whether to name the file that was loaded; a missing one is always named.

        Raises:
            ConfigurationError: the file that `-c` names is not there, or a value is wrong.
        """
        from bigchaindb import log
        from bigchaindb.config.load import LOADED
        from bigchaindb.masking import secrets_in

        loaded = self.load_silently()
        log.set_up(loaded.settings, secrets=secrets_in(loaded.document), files=log_files, in_background=log_files)
        log.log_notices(notice for notice in loaded.notices if names_file or not notice.text.startswith(LOADED))
        return loaded

    def load_silently(self) -> "Loaded":
        """Load the configuration and leave its notices to the caller."""
        from bigchaindb.config.load import load_all

        if self.config == STANDARD_OUTPUT:
            raise ConfigurationError("-c -: only `configure` writes to standard output; name a file")
        overrides = {} if self.log_level is None else dict.fromkeys(LEVEL_KEYS, self.log_level.lower())
        try:
            return load_all(None if self.config is None else Path(self.config), os.environ, overrides)
        except FileNotFoundError as error:
            raise _missing(str(self.config)) from error


def _missing(path: str) -> ConfigurationError:
    """Return the error of a missing file that `-c` names; suggests one of a similar name."""
    folder = Path(path).parent
    try:
        nearest = difflib.get_close_matches(Path(path).name, [entry.name for entry in folder.iterdir()], n=1)
    except OSError:
        return ConfigurationError(
            f"no such file: `{path}`, which -c names: there is no folder `{folder}`; correct the path"
        )
    meant = f"did you mean `{folder / nearest[0]}`?" if nearest else "correct the name."
    return ConfigurationError(
        f"no such file: `{path}`, which -c names and which must exist; {meant} "
        f"`bigchaindb -y -c {path} configure` makes a new one"
    )


def no_ledger(loaded: "Loaded") -> StartupError:
    """Return the error of a command where there is no ledger; names the folder, and why that one."""
    origin = loaded.origins.get("database.path")
    why = f"from {origin}" if origin is not None else f"the default, as {named(loaded)} names no other"
    return StartupError(
        f"there is no ledger in `{loaded.settings.database.path}` (database.path, {why}): "
        "name a node's configuration with -c, or make one with `bigchaindb init`"
    )


def named(loaded: "Loaded") -> str:
    """Return the name of the configuration file, with a remark if it does not exist."""
    return f"`{loaded.path}`" if loaded.path.exists() else f"`{loaded.path}`, which is not there,"


pass_session: Final = click.make_pass_decorator(Session, ensure=True)


def say(text: str) -> None:
    """Print a text that is no result, on standard error."""
    log = sys.modules.get("bigchaindb.log")  # its import would double the start of commands without a log
    if log is None or not log.put(text):
        with suppress(OSError):  # a full disk or a reader that is gone must not stop a node
            click.echo(text, err=True)


def put(text: str) -> None:
    """Print a result."""
    click.echo(text)


def put_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Print a result as JSON."""
    put(json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False))


def ask(question: str) -> str | None:
    """Ask on standard error and read a line from standard input; None at its end."""
    click.echo(question, err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        say("")
        return None
    return answer.strip()


def ask_secret(question: str) -> str:
    """Ask for a text that is not shown; without a terminal it is a line of standard input.

    Raises:
        ConfigurationError: the answer is empty.
    """
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(question, sys.stderr)
    answer = ask(question)
    if not answer:
        raise ConfigurationError("there is no private key: pass --key-file, set BIGCHAINDB_PRIVATE_KEY, or type it in")
    return answer


def printable(text: str) -> str:
    """Return foreign text without characters that control a terminal or begin a line."""
    return "".join(character if character.isprintable() else "?" for character in text)


def put_table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows with aligned columns."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        put("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
