"""configure, show-config, export-my-pubkey.

Source: docs/reference/contract/configuration-and-cli.md, section 4.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from bigchaindb.access.exposure import open_door
from bigchaindb.cli.output import ask, put, put_json, say
from bigchaindb.cli.session import STANDARD_OUTPUT, Session, pass_session
from bigchaindb.config import Database, Settings, edit
from bigchaindb.config.load import HINTS, load_all, load_without_file, locate, variable_name
from bigchaindb.config.old import OLD_BACKENDS, old_backend
from bigchaindb.config.values import build, from_text, hints
from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.identity import find
from bigchaindb.key_files import new_keypair
from bigchaindb.masking import masked
from bigchaindb.store.directory import DataDirectory

QUESTIONS: Final = (
    ("server.bind", "Address of the HTTP API"),
    ("wsserver.scheme", "WebSocket scheme, ws or wss"),
    ("wsserver.host", "WebSocket host"),
    ("wsserver.port", "WebSocket port"),
    ("database.path", "Data directory"),
)


@click.command(
    epilog="""\b
Examples:
  bigchaindb configure                          ask, write ~/.bigchaindb
  bigchaindb -y configure                       take the defaults; an existing file is kept
  bigchaindb -y configure --new                 replace an existing file, kept as ~/.bigchaindb.1
  bigchaindb -y -c /etc/bigchaindb.json configure
  bigchaindb -y -c - configure                  print it, write nothing"""
)
@click.argument("backend", required=False)
@click.option("--new", "is_new", is_flag=True, help="Write a fresh file; an existing one is kept as FILE.1.")
@pass_session
def configure(session: Session, backend: str | None, *, is_new: bool) -> None:
    """Write a configuration file.

    It asks for addresses and the data directory, and makes a new key pair for the node. In an existing file only the
    answers that differ are changed; with -y nothing is. BACKEND is accepted for old scripts; the only one is sqlite.
    """
    _check_backend(backend)
    if session.config == STANDARD_OUTPUT:
        put_json(_answered(session, load_without_file(os.environ).document))
        return
    path = locate(None if session.config is None else Path(session.config), os.environ).path
    if path.is_file() and not is_new:
        _keep_or_change(session, path)
    else:
        _write_fresh(session, path)


def _keep_or_change(session: Session, path: Path) -> None:
    """Write the answers that differ into the file; with `-y` each answer is the value in the file."""
    if session.assume_yes:
        say(f"Configuration kept: {path}; --new writes a fresh one and keeps this as {path}.1")
        return
    if ask(f"Config file `{path}` exists, do you want to override it? (cannot be undone) [y/N]: ") != "y":
        return
    try:
        loaded = load_all(path, os.environ)
    except ConfigurationError as error:
        error.add_note(f"correct it; or `configure --new` writes a fresh file and keeps this one as {path}.1")
        raise
    edit.put(loaded, _changed_answers(loaded.document), os.environ)
    changed = load_all(path, os.environ).settings
    _say_written(path, changed, is_moved=changed.database.path != loaded.settings.database.path)


def _write_fresh(session: Session, path: Path) -> None:
    kept = edit.write_fresh(path, _answered(session, load_without_file(os.environ).document))
    if kept is not None:
        say(f"The previous file is kept as {kept}")
    _say_written(path, load_all(path, os.environ).settings, is_moved=True)


def _say_written(path: Path, settings: Settings, *, is_moved: bool) -> None:
    """Print what was written.

    Args:
        path: of the configuration.
        settings: of the configuration.
        is_moved: whether the data directory is new to this configuration.
    """
    directory = DataDirectory(settings.database.path)
    say(f"The ledger is kept in {directory.path} (database.path)")
    if is_moved and directory.has_ledger:
        say(
            "Mind that this folder holds a ledger already: a node with this configuration goes on with that ledger, "
            "and is refused while another node runs on it. For a ledger of its own name another folder in "
            "database.path."
        )
    say(f"Configuration written to {path}")
    if (sentence := open_door(settings)) is not None:
        say(f"Mind that {sentence}.")
    say("Ready to go!")


@click.command(
    "show-config",
    epilog="""\b
Examples:
  bigchaindb show-config
  BIGCHAINDB_WSSERVER_PORT=9999 bigchaindb show-config""",
)
@pass_session
def show_config(session: Session) -> None:
    """Print the effective configuration.

    It is the sum of defaults, file, environment and options, as JSON. Secrets are masked: the private key, passwords in
    URLs, members named password, secret, token or key.
    """
    document = session.load(names_file=True, uses_data=False).document
    put_json(masked({name: value for name, value in document.items() if name != "CONFIGURED"}))


@click.command(
    "export-my-pubkey",
    epilog="""\b
Example:
  bigchaindb export-my-pubkey > node.pub""",
)
@pass_session
def export_my_pubkey(session: Session) -> None:
    """Print this node's public key.

    It is the key of the configuration, else the key that `init` made.
    """
    pair = find(session.load().settings)
    if pair is None:
        raise StartupError("This node's public key wasn't set anywhere so it can't be exported")
    put(pair.public_key)


def _check_backend(backend: str | None) -> None:
    if backend is None or backend == "sqlite":
        return
    if backend.lower() in OLD_BACKENDS:
        raise ConfigurationError(old_backend(f"database.backend is {backend!r} (from `configure {backend}`)"))
    raise ConfigurationError(
        f"configure: unknown backend {backend!r}: the only one is 'sqlite', which need not be named"
    )


def _answered(session: Session, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a fresh file: answers or defaults, and a key pair unless the environment has one."""
    document = _questioned(defaults)
    document["database"] = {
        "backend": "sqlite",
        # Unexpanded: a `~` in the file means the home of whoever runs the node.
        "path": os.environ.get(variable_name("database.path")) or str(Database().path),
    }
    if not session.assume_yes:
        for path, question in QUESTIONS:
            _ask_for(document, path, question)
    pair = new_keypair()
    keypair = {"public": pair.public_key, "private": pair.private_key}
    return document | {
        "keypair": defaults["keypair"] if defaults["keypair"]["private"] else keypair,
        "keyring": defaults["keyring"],
        "events_plugins": defaults["events_plugins"],
    }


def _changed_answers(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Ask every question, and return the answers that differ from `document`, by section."""
    before, answered = _questioned(document), _questioned(document)
    for path, question in QUESTIONS:
        _ask_for(answered, path, question)
    return {
        section: changed
        for section, values in answered.items()
        if (changed := {name: value for name, value in values.items() if value != before[section][name]})
    }


def _questioned(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the value of `document` for each question."""
    found: dict[str, dict[str, Any]] = {}
    for path, _ in QUESTIONS:
        section, _, name = path.partition(".")
        found.setdefault(section, {})[name] = document[section][name]
    return found


def _ask_for(document: dict[str, Any], path: str, question: str) -> None:
    """Ask until the node accepts the answer; put it into `document`."""
    section, _, name = path.partition(".")
    default = document[section][name]
    while True:
        answer = ask(f"{question}? (default `{default}`): ")
        if answer is None:
            raise StartupError(
                "configure: standard input ended before the last answer; `bigchaindb -y configure` takes the defaults"
            )
        try:
            document[section][name] = default if not answer else _typed(answer, path)
            _check(document, section, is_complete=path == "wsserver.port")
        except ConfigurationError as error:
            say(str(error))
        else:
            return


def _typed(answer: str, path: str) -> object:
    if HINTS[path] is Path and not answer.startswith("~"):
        return str(Path(answer).absolute())  # the node may be started from another folder
    return from_text(answer, HINTS[path], path)


def _check(document: Mapping[str, Any], section: str, *, is_complete: bool) -> None:
    # The two ports can be compared only when both are known.
    if is_complete:
        build(document, Settings, "")
    else:
        build(document[section], hints(Settings)[section], section)
