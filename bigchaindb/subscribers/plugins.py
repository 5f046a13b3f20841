"""Plugins as installed packages: found by entry point, loaded, and asked what they want.

The node finds and never loads them; a plugin's own process does both. Source:
docs/reference/contract/event-plugin-api.md, sections 1 and 4.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, NamedTuple

from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.events import EventTypes

GROUP: Final = "bigchaindb.events"
"""The entry point group in which packages advertise plugins."""

_KNOWN_TYPES: Final = EventTypes.BLOCK_VALID | EventTypes.BLOCK_INVALID
_SUPPORTED: Final[Mapping[str, object]] = {"acknowledge": "next_get", "ack_lag": 0, "select": None}


class Plugin(NamedTuple):
    """What a plugin wants.

    Attributes:
        event_types: a mask of `bigchaindb.events.EventTypes`.
        run: called once in each process with the queue.
        configure: called before it with the options of the configuration; None if the plugin takes none.
    """

    event_types: int
    run: Callable[[Any], object]
    configure: Callable[[Mapping[str, Any]], object] | None


def find(names: Sequence[str]) -> dict[str, EntryPoint]:
    """Find the entry points of the plugins called `names`, in that order.

    Raises:
        ConfigurationError: a name occurs twice, no installed package provides it, or two do.
    """
    installed: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for entry_point in entry_points(group=GROUP):
        provider = entry_point.dist.name if entry_point.dist else ""
        installed.setdefault(entry_point.name, {})[provider, entry_point.value] = entry_point
    found: dict[str, EntryPoint] = {}
    for name in names:
        providers = installed.get(name, {})
        if name in found:
            raise ConfigurationError(f"events_plugins: {name!r} stands there twice")
        if not providers:
            raise ConfigurationError(
                f"events_plugins: no installed package provides {name!r} in the entry point group {GROUP!r}; "
                f"installed are: {', '.join(map(repr, sorted(installed))) or 'none'}. "
                "Install the plugin's package for this Python, or take the name out"
            )
        if len(providers) > 1:
            owners = " and ".join(f"{provider} ({value})" for provider, value in sorted(providers))
            raise ConfigurationError(f"events_plugins: {name!r} is provided more than once: {owners}; uninstall one")
        (found[name],) = providers.values()
    return found


def load(name: str, entry_point: EntryPoint) -> Plugin:
    """Import a plugin and read what it wants.

    Raises:
        StartupError: it cannot be imported; says why.
        ConfigurationError: it has no `run`, or wants what there is not.
    """
    try:
        loaded = entry_point.load()
    except (Exception, SystemExit) as error:
        raise StartupError(
            f"events plugin {name!r}: cannot import {entry_point.value!r}: {describe(error)}; "
            "install what it needs, or take it out of events_plugins"
        ) from error
    return inspect(name, loaded)


def inspect(name: str, loaded: object) -> Plugin:
    """Read what a plugin's module, class or object wants.

    Raises:
        ConfigurationError: it has no `run`, or wants what there is not.
    """
    run, configure = getattr(loaded, "run", None), getattr(loaded, "configure", None)
    if not callable(run):
        raise ConfigurationError(
            f"events plugin {name!r}: {loaded!r} has no function run(queue); mend it, or take it out of events_plugins"
        )
    if configure is not None and not callable(configure):
        raise ConfigurationError(f"events plugin {name!r}: configure is not a function")
    for member, supported in _SUPPORTED.items():
        if (value := getattr(loaded, member, supported)) != supported:
            raise ConfigurationError(
                f"events plugin {name!r}: {member} is {value!r}, and this version supports {supported!r} alone"
            )
    return Plugin(_event_types(name, getattr(loaded, "event_types", None)), run, configure)


def configure(name: str, plugin: Plugin, options: Mapping[str, Any]) -> None:
    """Hand the plugin its options.

    Raises:
        ConfigurationError: it takes none, or refused them.
    """
    if plugin.configure is None:
        if options:
            raise ConfigurationError(f"events_plugins.{name}.options: the plugin has no configure(options)")
        return
    try:
        plugin.configure(options)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"events_plugins.{name}.options: refused by the plugin: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """Say an error of foreign code in one line of bounded length."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:500]


def _event_types(name: str, mask: object) -> int:
    if mask is None:
        return EventTypes.ALL
    if not isinstance(mask, int):
        raise ConfigurationError(f"events plugin {name!r}: event_types must be a bit mask, found {mask!r}")
    if mask != EventTypes.ALL and (unknown := mask & ~_KNOWN_TYPES):
        raise ConfigurationError(f"events plugin {name!r}: event_types has the unknown bits {unknown:#x}")
    return mask
