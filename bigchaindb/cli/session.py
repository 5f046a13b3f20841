"""The configuration of one call of the command line."""

import difflib
import os
from collections.abc import Callable
from dataclasses import astuple
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec

import click

from bigchaindb import log
from bigchaindb.cli.lazy import GlobalOptions
from bigchaindb.config.load import LOADED, Loaded, load_all
from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.masking import secrets_in
from bigchaindb.store.directory import require_folder

STANDARD_OUTPUT: Final = "-"
LEVEL_KEYS: Final = ("log.level_console", "log.level_logfile", "server.loglevel")
"""Settings that `--log-level` sets."""

P = ParamSpec("P")


class Session(GlobalOptions):
    """One call of the command line: its global options, and the configuration that they name."""

    def load(self, *, log_files: bool = False, names_file: bool = False, uses_data: bool = True) -> Loaded:
        """Load the configuration, set up the log and write the notices about the configuration to it.

        Args:
            log_files: whether this process is the node: it writes the log files as well, and never waits for the log.
            names_file: whether to name the file that was loaded; a missing one is always named.
            uses_data: whether the command reads or writes the data directory.

        Raises:
            ConfigurationError: the file that `-c` names is not there, or a value is wrong.
            StartupError: the data directory is a file.
        """
        loaded = self.load_silently()
        if uses_data:
            require_folder(loaded.settings.database.path)
        log.set_up(loaded.settings, secrets=secrets_in(loaded.document), files=log_files, in_background=log_files)
        log.log_notices(notice for notice in loaded.notices if names_file or not notice.text.startswith(LOADED))
        return loaded

    def load_silently(self) -> Loaded:
        """Load the configuration and leave its notices to the caller."""
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


def no_ledger(loaded: Loaded) -> StartupError:
    """Return the error of a command where there is no ledger; names the folder, and why that one."""
    origin = loaded.origins.get("database.path")
    why = f"from {origin}" if origin is not None else f"the default, as {named(loaded)} names no other"
    return StartupError(
        f"there is no ledger in `{loaded.settings.database.path}` (database.path, {why}): "
        "name a node's configuration with -c, or make one with `bigchaindb init`"
    )


def named(loaded: Loaded) -> str:
    """Return the name of the configuration file, with a remark if it does not exist."""
    return f"`{loaded.path}`" if loaded.path.exists() else f"`{loaded.path}`, which is not there,"


def pass_session(command: Callable[Concatenate[Session, P], None]) -> Callable[P, None]:
    """Call a command with the session of its call."""

    @wraps(command)
    def with_session(*args: P.args, **kwargs: P.kwargs) -> None:
        given = click.get_current_context().find_object(GlobalOptions) or GlobalOptions()
        command(Session(*astuple(given)), *args, **kwargs)

    return with_session
