"""plugins check, enable, disable: which plugins the node runs. The configuration file is the only list of them.

Source: promise P13.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bigchaindb.cli.lanes import Mask, as_document, json_option, mask_of, put_state, settle_the_past
from bigchaindb.cli.session import Session, pass_session, put, put_json, say
from bigchaindb.cli.transactions import read_object
from bigchaindb.errors import ConfigurationError, StartupError, UnknownPlace

if TYPE_CHECKING:
    from bigchaindb.config import Settings
    from bigchaindb.config.load import Loaded
    from bigchaindb.doctor.trial import Findings

RELOAD_S_MAX: Final = 300.0
"""A file that was edited by hand may name several new plugins, each of which may take 30 s to be ready."""

START_FORMS: Final = "now, genesis, height:N, time:T (Unix seconds, or ISO 8601 with a zone)"
"""Of the forms of a place, those that `start` takes in the configuration."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb plugins check sales
  bigchaindb plugins check sales --options '{"file": "sales.txt"}'

Exit code: 0 it can be enabled, 1 it cannot, and why."""
)
@click.argument("name")
@click.option("--options", metavar="JSON", help="What its configure gets; else what the configuration has for it.")
@json_option
@pass_session
def check(session: Session, name: str, *, options: str | None, as_json: bool) -> None:
    """Find, import and configure the plugin NAME, in a process of its own, and say what it asks for.

    It is not run and gets no event. A sink is asked as well whether what it writes to can be reached and used.
    """
    loaded = session.load()
    given = read_object(options, "--options")
    found = _try(loaded.settings, name, given, with_check=True)
    mask = mask_of(loaded, given)
    if as_json:
        from msgspec import to_builtins

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


@click.command(
    epilog="""\b
Examples:
  bigchaindb plugins enable sales
  bigchaindb plugins enable sales --start genesis
  bigchaindb plugins enable sales --options '{"file": "/var/lib/sales.txt"}'

A plugin that ran before goes on at its place, whatever --start says. Where BIGCHAINDB_EVENTS_PLUGINS gives the list,
it is changed there, and the node is restarted."""
)
@click.argument("name")
@click.option("--start", metavar="WHERE", help="Where it begins: now (the default), genesis, height:N or time:T.")
@click.option("--options", metavar="JSON", help="What its configure gets; @FILE reads a file.")
@click.option("--no-check", is_flag=True, help="Do not ask it first whether what it writes to can be used.")
@json_option
@pass_session
def enable(
    session: Session, name: str, *, start: str | None, options: str | None, no_check: bool, as_json: bool
) -> None:
    """Let the node run the plugin NAME, now and from now on.

    It is checked first, with what it writes to. Then its name goes into the configuration file, and a running node is
    told.
    """
    from bigchaindb.config.edit import enable as put_in

    loaded = session.load()
    settings: dict[str, Any] = {} if start is None else {"start": _checked_start(start)}
    if (given := read_object(options, "--options")) is not None:
        settings["options"] = given
    mask = mask_of(loaded, given)
    is_running = _require_the_same_file(loaded)
    is_made = _require_a_file(session, loaded)
    found = _try(loaded.settings, name, given, with_check=not no_check)
    if found.error:
        way = "; --no-check enables it all the same" if found.is_target_unusable else ""
        raise StartupError(f"{mask(found.error)}; nothing was changed{way}")
    if not is_running:
        settle_the_past(loaded.settings)
    if is_made:
        say(f"`{loaded.path}` is made, mode 0600: the ledger in `{loaded.settings.database.path}` had no configuration")
    if put_in(loaded, name, settings, os.environ):
        say(f"{name} is enabled in `{loaded.path}`")
    else:
        say(f"{name} was enabled already in `{loaded.path}`")
    _tell(loaded, name, mask, as_json=as_json)


@click.command(
    epilog="""\b
Example:
  bigchaindb plugins disable sales

Its place and what it parked are kept: `enable` lets it go on there, `forget` deletes both."""
)
@click.argument("name")
@json_option
@pass_session
def disable(session: Session, name: str, *, as_json: bool) -> None:
    """Let the node run the plugin NAME no more.

    Its name and settings are taken out of the configuration file, and a running node is told. What it has in hand when
    it is ended comes again if it is enabled again.
    """
    from bigchaindb.config.edit import disable as take_out

    loaded = session.load()
    _require_the_same_file(loaded)
    if name not in loaded.settings.events_plugins:
        raise ConfigurationError(f"events_plugins: {name!r} is not in `{loaded.path}`, so there is nothing to disable")
    take_out(loaded, name, os.environ)
    say(f"{name} is disabled in `{loaded.path}`, its settings are gone from there")
    _tell(loaded, name, mask_of(loaded), as_json=as_json)


def _try(settings: "Settings", name: str, options: dict[str, Any] | None, *, with_check: bool = False) -> "Findings":
    from bigchaindb.config import PluginSettings
    from bigchaindb.doctor.trial import try_plugin

    known = settings.events_plugins.get(name) or PluginSettings()
    return try_plugin(
        name,
        dict(known.options) if options is None else options,
        window_count=known.window or settings.limits.window_count_max,
        with_check=with_check,
    )


def _checked_start(text: str) -> str:
    from bigchaindb.config import PluginSettings
    from bigchaindb.eventlog import place

    try:
        PluginSettings(start=text)
        place.parse(text)
    except (ConfigurationError, UnknownPlace) as error:
        raise click.UsageError(
            f"--start: expected one of {START_FORMS}; found {text[:80]!r}. "
            "To any other place `bigchaindb plugins seek` sends it, once it is enabled"
        ) from error
    return text


def _require_the_same_file(loaded: "Loaded") -> bool:
    """Require that the running node reads its list of plugins from the file that is about to be changed.

    Returns:
        Whether a node runs.
    """
    from bigchaindb.control.client import ask
    from bigchaindb.control.messages import Configuration, GetConfiguration
    from bigchaindb.store.directory import DataDirectory

    node = ask(DataDirectory(loaded.settings.database.path).control, GetConfiguration(), Configuration)
    if node is None:
        return False
    if node.given_elsewhere is not None:
        raise ConfigurationError(
            f"events_plugins: {node.given_elsewhere} gives the running node its list; change it there and restart it"
        )
    if node.path is None or Path(node.path).resolve() != loaded.path.resolve():
        raise ConfigurationError(f"the running node reads `{node.path}`, not `{loaded.path}`; name its file with -c")
    return True


def _require_a_file(session: Session, loaded: "Loaded") -> bool:
    """Require a configuration file, or a ledger that runs on the defaults, beside which one may be made.

    Returns:
        Whether the file is yet to be made.
    """
    from bigchaindb.config.load import PATH_VARIABLE
    from bigchaindb.store.directory import DataDirectory

    if loaded.path.exists():
        return False
    data = loaded.settings.database.path
    is_default = session.config is None and PATH_VARIABLE not in os.environ and "database.path" not in loaded.origins
    if is_default and DataDirectory(data).ledger.exists():
        return True
    raise ConfigurationError(
        f"no configuration at `{loaded.path}`, and no ledger that runs without one in `{data}`; -c names the file of a "
        "node, or `bigchaindb configure` makes one"
    )


def _tell(loaded: "Loaded", name: str, mask: Mask, *, as_json: bool) -> None:
    """Let a running node read the file again; say what became of the plugin.

    Raises:
        StartupError: the node could not run it.
    """
    from bigchaindb.control.client import ask
    from bigchaindb.control.messages import Reload, Reloaded
    from bigchaindb.eventlog.lane import State
    from bigchaindb.eventlog.orders import way_on
    from bigchaindb.store.directory import DataDirectory

    answer = ask(DataDirectory(loaded.settings.database.path).control, Reload(), Reloaded, wait_s=RELOAD_S_MAX)
    if answer is None:
        if as_json:
            put_json(None)
        say("the node is not running; its next start does it")
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
