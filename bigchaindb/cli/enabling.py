"""plugins check, enable, disable. The configuration file is the only list of the plugins that a node runs.

Source: promise P13.
"""

import os
from pathlib import Path
from typing import Any, Final

import click
from msgspec import to_builtins

from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.lanes import Mask, as_document, mask_of, put_state, settle_the_past
from bigchaindb.cli.on_plugin import completed_places, on_plugin
from bigchaindb.cli.options import read_object
from bigchaindb.cli.output import put, put_json, say
from bigchaindb.cli.session import Session
from bigchaindb.config import PluginSettings, Settings, edit
from bigchaindb.config.load import PATH_VARIABLE, Loaded
from bigchaindb.doctor.trial import Tried, try_plugin
from bigchaindb.errors import ConfigurationError, StartupError, UnknownPlace
from bigchaindb.eventlog import place
from bigchaindb.eventlog.bounds import NAME_RULE
from bigchaindb.eventlog.lane import State
from bigchaindb.eventlog.orders import way_on
from bigchaindb.store.directory import DataDirectory

START_FORMS: Final = "now, genesis, height:N, time:T (Unix seconds, or ISO 8601 with a zone)"
"""The forms of a place that `start` accepts in the configuration."""


@on_plugin("""\b
Examples:
  bigchaindb plugins check sales
  bigchaindb plugins check sales --options '{"file": "sales.txt"}'

Exit code: 0 the plugin can be enabled, 1 it cannot: the message names the reason.""")
@click.option("--options", metavar="JSON", help="Options for its configure(); by default those in the configuration.")
def check(session: Session, name: str, *, options: str | None, as_json: bool) -> None:
    """Find, import and configure the plugin NAME in a process of its own, and print what it asks for.

    The plugin is not run and receives no event. If it has a check() of its target, that is called.
    """
    loaded = session.load()
    given = read_object(options, "--options")
    found = _try(loaded.settings, name, given, with_check=True)
    mask = mask_of(loaded, given)
    if as_json:
        put_json(to_builtins(found) | {"error": mask(found.error), "checked": mask(found.checked)})
        if found.error:
            raise SystemExit(1)
        return
    if found.error:
        raise StartupError(mask(found.error))
    for key, value in (
        ("package", found.package),
        ("entry point", found.target),
        ("event types", ", ".join(found.event_types)),
        ("acknowledge", found.acknowledge + (f", ack_lag {found.ack_lag}" if found.ack_lag else "")),
        ("select", found.select or "everything"),
        ("options", "taken" if found.takes_options else "none"),
        ("target", mask(found.checked) if found.has_check else "not checked: the plugin has no check()"),
    ):
        put(f"{key:14} {value}")


@on_plugin("""\b
Examples:
  bigchaindb plugins enable sales
  bigchaindb plugins enable sales --start genesis
  bigchaindb plugins enable sales --options '{"file": "/var/lib/sales.txt"}'

A plugin that ran before continues at its cursor; --start is for new ones. If BIGCHAINDB_EVENTS_PLUGINS lists the
plugins, change the variable and restart the node instead.""")
@click.option(
    "--start",
    metavar="WHERE",
    shell_complete=lambda *where: [form for form in completed_places(*where) if form != "position:"],
    help="Where a new plugin begins: now (the default), genesis, height:N or time:T.",
)
@click.option("--options", metavar="JSON", help="Options for its configure(); @FILE reads a file.")
@click.option("--no-check", is_flag=True, help="Do not call its check() of the target first.")
def enable(
    session: Session, name: str, *, start: str | None, options: str | None, no_check: bool, as_json: bool
) -> None:
    """Enable the plugin NAME: the node runs it from now on.

    The plugin and its target are checked first. Then its name is written into the configuration file, and a running
    node starts the plugin.
    """
    loaded = session.load()
    settings: dict[str, Any] = {} if start is None else {"start": _checked_start(start)}
    if (given := read_object(options, "--options")) is not None:
        settings["options"] = given
    mask = mask_of(loaded, given)
    is_running = _require_the_same_file(loaded)
    is_made = _require_a_file(session, loaded, is_running=is_running)
    found = _try(loaded.settings, name, given, with_check=not no_check)
    if found.error:
        way = "; --no-check enables the plugin all the same" if found.is_target_unusable else ""
        raise StartupError(f"{mask(found.error)}; nothing was changed{way}")
    if not is_running:
        settle_the_past(loaded)
    if is_made:
        say(
            f"`{loaded.path}` was made, mode 0600: the ledger in `{loaded.settings.database.path}` had no configuration"
        )
    if edit.enable(loaded, name, settings, os.environ):
        say(f"{name} is enabled in `{loaded.path}`")
    else:
        say(f"{name} was enabled already in `{loaded.path}`")
    _reload_node(loaded, name, mask, as_json=as_json)


@on_plugin("""\b
Example:
  bigchaindb plugins disable sales

Its cursor and parked events are kept: `enable` continues there, `forget` deletes both.""")
def disable(session: Session, name: str, *, as_json: bool) -> None:
    """Disable the plugin NAME: the node ends it and does not start it again.

    Its name and settings are removed from the configuration file, and a running node ends the plugin. Events in hand
    are delivered again once the plugin is enabled again.
    """
    loaded = session.load()
    _require_the_same_file(loaded)
    if name not in loaded.settings.events_plugins:
        raise ConfigurationError(f"events_plugins: {name!r} is not in `{loaded.path}`, so there is nothing to disable")
    edit.disable(loaded, name, os.environ)
    say(f"{name} is disabled in `{loaded.path}`; its settings were removed from the file")
    _reload_node(loaded, name, mask_of(loaded), as_json=as_json)


def _try(settings: Settings, name: str, options: dict[str, Any] | None, *, with_check: bool = False) -> Tried:
    known = settings.events_plugins.get(name) or PluginSettings()
    if not name.isprintable():
        raise ConfigurationError(f"NAME: {name[:80]!r} cannot be a plugin's name: {NAME_RULE}")
    return try_plugin(
        name,
        dict(known.options) if options is None else options,
        window_count=known.window or settings.limits.window_count_max,
        with_check=with_check,
        ready_s=known.ready_s,
    )


def _checked_start(text: str) -> str:
    try:
        PluginSettings(start=text)
        place.parse(text)
    except (ConfigurationError, UnknownPlace) as error:
        raise click.UsageError(
            f"--start: expected one of {START_FORMS}; found {text[:80]!r}. "
            "For any other place, enable the plugin and run `bigchaindb plugins seek`"
        ) from error
    return text


def _require_the_same_file(loaded: Loaded) -> bool:
    """Require that a running node reads its list of plugins from the file that is about to be changed.

    Returns:
        Whether a node runs.
    """
    node = ControlClient.of(loaded.settings).configuration()
    if node is None:
        return False
    if node.given_elsewhere is not None:
        raise ConfigurationError(
            f"events_plugins: {node.given_elsewhere} sets the list of the running node; change it there and "
            "restart the node"
        )
    if node.path is None or Path(node.path).resolve() != loaded.path.resolve():
        raise ConfigurationError(f"the running node reads `{node.path}`, not `{loaded.path}`; name that file with -c")
    return True


def _require_a_file(session: Session, loaded: Loaded, *, is_running: bool) -> bool:
    """Require a configuration file, or a node that runs without one, or a ledger on the defaults.

    Args:
        session: names a file, or none.
        loaded: the configuration.
        is_running: whether a node runs that reads the file once it is made.

    Returns:
        Whether the file is yet to be made.
    """
    if loaded.path.exists():
        return False
    if is_running:
        return True
    data = loaded.settings.database.path
    is_default = session.config is None and PATH_VARIABLE not in os.environ and "database.path" not in loaded.origins
    if is_default and DataDirectory(data).ledger.exists():
        return True
    raise ConfigurationError(
        f"there is no configuration file `{loaded.path}`, and no ledger in `{data}` that runs without one; name a "
        "node's configuration with -c, or make one with `bigchaindb configure`"
    )


def _reload_node(loaded: Loaded, name: str, mask: Mask, *, as_json: bool) -> None:
    """Make a running node read the file again, and print the plugin's state.

    Raises:
        StartupError: the node cannot run it.
    """
    answer = ControlClient.of(loaded.settings).reload()
    if answer is None:
        if as_json:
            put_json(None)
        say("the node is not running; the change takes effect at its next start")
        return
    for other, complaint in answer.errors.items():
        if other != name:
            say(f"{other}: {mask(complaint)}")
    lane = next((lane for lane in answer.lanes if lane.name == name), None)
    error = answer.errors.get(name) or (lane.error if lane is not None and lane.state == "FAILED" else None)
    if error is not None:
        refusal = StartupError(mask(error))
        refusal.add_note(f"{way_on(name, State.FAILED, error)}, or `bigchaindb plugins disable {name}`")
        raise refusal
    if as_json:
        put_json(None if lane is None else as_document(lane, mask))
    elif lane is not None:
        put_state(lane, mask)
