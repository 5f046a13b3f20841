"""Plugins as installed packages: found by entry point, loaded, and read for their properties.

The node finds and never loads them; a plugin's own process does both. Source:
docs/reference/contract/event-plugin-api.md, sections 1 and 4.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from inspect import iscoroutine, iscoroutinefunction
from inspect import signature as inspect_signature
from typing import Any, Final, NamedTuple

from bigchaindb.errors import ConfigurationError, StartupError
from bigchaindb.eventlog.selection import Selection, from_data
from bigchaindb.events import EventTypes
from bigchaindb.masking import longest_first, secrets_in, without_secrets

GROUP: Final = "bigchaindb.events"
"""The entry point group in which packages advertise plugins."""

IF_SLOW: Final = "if it is only slow, set a higher ready_s for it"
"""What to do about a plugin that is not ready in its time."""
_KNOWN_TYPES: Final = EventTypes.BLOCK_VALID | EventTypes.BLOCK_INVALID

NEXT_GET: Final = "next_get"
"""An event is settled when the thread that took it asks for the next, or `ack_lag` further ones."""
EXPLICIT: Final = "explicit"
"""The plugin answers for each event."""
DELIVERY: Final = "delivery"
"""An event is settled once it was handed over, as in 2017."""
_MODES: Final = (NEXT_GET, EXPLICIT, DELIVERY)

_SAID_CHARACTERS_MAX: Final = 500
"""Characters that are kept of a text of foreign code."""
_LINE_CHARACTERS_MAX: Final = 64 * 1024
"""Characters of it that are searched for secrets before."""
_hidden: Final[list[str]] = []


class Wants(NamedTuple):
    """The properties of a plugin that decide which events it gets, and when they are settled.

    Attributes:
        event_types: a mask of `bigchaindb.events.EventTypes`.
        acknowledge: when an event is settled.
        ack_lag: with `NEXT_GET`, how many more are taken before that.
        select: which of the events; None is all.
    """

    event_types: int = EventTypes.ALL
    acknowledge: str = NEXT_GET
    ack_lag: int = 0
    select: Selection | None = None


class Plugin(NamedTuple):
    """A plugin as its process runs it.

    Attributes:
        run: called once in each process with the queue.
        wants: what it wants to get.
    """

    run: Callable[[Any], object]
    wants: Wants


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
            raise ConfigurationError(f"events_plugins: {name!r} is listed twice")
        if not providers:
            raise _not_installed(name, sorted(installed))
        if len(providers) > 1:
            owners = " and ".join(f"{provider} ({value})" for provider, value in sorted(providers))
            raise ConfigurationError(f"events_plugins: {name!r} is provided more than once: {owners}; uninstall one")
        (found[name],) = providers.values()
    return found


def _not_installed(name: str, installed: Sequence[str]) -> ConfigurationError:
    close = get_close_matches(name, installed, n=1)
    meant = f"did you mean {close[0]!r}? Else install" if close else "install"
    return ConfigurationError(
        f"events_plugins: no installed package provides {name!r} in the entry point group {GROUP!r}; "
        f"installed for {sys.executable} are: {', '.join(map(repr, installed)) or 'none'}; "
        f"{meant} its package into that environment: `bigchaindb plugins install PACKAGE`; or take the name out"
    )


def load(name: str, entry_point: EntryPoint) -> object:
    """Import a plugin.

    Raises:
        StartupError: it cannot be imported; says why.
        ConfigurationError: it is no plugin.
    """
    try:
        loaded = entry_point.load()
    except (Exception, SystemExit) as error:
        raise StartupError(
            f"events plugin {name!r}: cannot import {entry_point.value!r}: {describe(error)}; "
            f"{_cure(error)}, or take it out of events_plugins"
        ) from error
    _check_functions(name, loaded)
    return loaded


def _cure(error: BaseException) -> str:
    """Return what helps a plugin that cannot be imported."""
    match error:
        case SyntaxError():
            return f"correct line {error.lineno} of `{error.filename}`"
        case ImportError():
            return "install what it needs"
        case SystemExit():
            return "move what ends the process out of the import, into run"
        case _:
            return "mend it"


def configure(name: str, loaded: object, options: Mapping[str, Any]) -> None:
    """Hand the plugin its options.

    Raises:
        ConfigurationError: it takes none, or refused them.
    """
    function = getattr(loaded, "configure", None)
    if function is None:
        if options:
            raise ConfigurationError(f"events_plugins.{name}.options: the plugin has no configure(options)")
        return
    try:
        function(options)
    except ConfigurationError as error:
        raise ConfigurationError(f"events_plugins.{name}.options: {error}") from error
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"events_plugins.{name}.options: refused by the plugin: {describe(error)}") from error


def check(name: str, loaded: object) -> str:
    """Ask a configured plugin whether its target is usable; return its answer, in one line.

    Raises:
        StartupError: it is not; says why.
    """
    function = getattr(loaded, "check", None)
    if function is None:
        return ""
    try:
        said = finished(function())
    except (Exception, SystemExit) as error:
        raise StartupError(f"events plugin {name!r}: its target is not usable: {describe(error)}") from error
    return "usable" if said is None else one_line(said)


def finished(value: object) -> object:
    """Return what a function returned; run it to its end first if it is a coroutine function."""
    if not iscoroutine(value):
        return value
    import asyncio  # a fifth of a process's start, if it is not used

    return asyncio.run(value)


def inspect(name: str, loaded: object, *, window_count: int | None = None) -> Plugin:
    """Read the properties of a plugin's module, class or object; after `configure`, which may set them.

    Args:
        name: of its entry point.
        loaded: what that names.
        window_count: events that it may hold; None if that is not known.

    Raises:
        ConfigurationError: it has no `run`, or wants what there is not.
    """
    run = _check_functions(name, loaded)
    acknowledge = _acknowledge(name, getattr(loaded, "acknowledge", None))
    wants = Wants(
        event_types=_event_types(name, getattr(loaded, "event_types", None)),
        acknowledge=acknowledge,
        ack_lag=_ack_lag(name, getattr(loaded, "ack_lag", None), acknowledge, window_count),
        select=_select(name, getattr(loaded, "select", None)),
    )
    return Plugin(run, wants)


def describe(error: BaseException) -> str:
    """Return an error of foreign code as one line of bounded length that UTF-8 can hold, even if its `str` fails."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - foreign code as well
        text = "(its text cannot be had)"
    return one_line(f"{type(error).__name__}: {text}")


def hide(options: Mapping[str, Any]) -> None:
    """Keep the secrets of these options out of all that `one_line` returns in this process.

    The node masks whole secrets in reports; it would not recognize one of which a part was cut off.
    """
    _hidden[:] = longest_first({*_hidden, *secrets_in(options)})


def one_line(text: object) -> str:
    """Return a text of foreign code as one line of bounded length that UTF-8 can hold."""
    # Cut out first: a secret may have several lines.
    line = without_secrets(str(text)[:_LINE_CHARACTERS_MAX], _hidden).partition("\n")[0][:_SAID_CHARACTERS_MAX]
    return line.encode(errors="backslashreplace").decode()[:_SAID_CHARACTERS_MAX]


def _event_types(name: str, mask: object) -> int:
    if mask is None:
        return EventTypes.ALL
    cure = "write EventTypes.BLOCK_VALID (1), EventTypes.BLOCK_INVALID (2), or both with |"
    if not isinstance(mask, int):
        raise ConfigurationError(f"events plugin {name!r}: event_types must be a bit mask, found {mask!r}; {cure}")
    if mask != EventTypes.ALL and (unknown := mask & ~_KNOWN_TYPES):
        raise ConfigurationError(f"events plugin {name!r}: event_types has the unknown bits {unknown:#x}; {cure}")
    if mask == 0:
        raise ConfigurationError(
            f"events plugin {name!r}: event_types is 0, so it would never get an event: name one type or more, "
            "or leave it out to get all"
        )
    return mask


def _check_functions(name: str, loaded: object) -> Callable[[Any], object]:
    """Return `run`; require that `configure` and `check` are functions, if there are any."""
    run: Callable[[Any], object] | None = getattr(loaded, "run", None)
    if not callable(run):
        raise ConfigurationError(
            f"events plugin {name!r}: {loaded!r} has no function run(queue); add one, or take it out of events_plugins"
        )
    if (signature := _unfit_signature(run)) is not None:
        raise ConfigurationError(
            f"events plugin {name!r}: run{signature} cannot be called with the queue alone, as it is: "
            "write it as run(queue), or take it out of events_plugins"
        )
    for function in ("configure", "check"):
        if (found := getattr(loaded, function, None)) is not None and not callable(found):
            raise ConfigurationError(f"events plugin {name!r}: {function} is not a function")
        if function == "configure" and iscoroutinefunction(found):
            raise ConfigurationError(
                f"events plugin {name!r}: configure is a coroutine function, and nothing would run it; only run and "
                "check may be: make it an ordinary one"
            )
    return run


def _unfit_signature(run: Callable[[Any], object]) -> str | None:
    """Return the signature of a function that takes no single argument; None if it does, or if nobody can tell."""
    try:
        signature = inspect_signature(run)
    except (TypeError, ValueError):  # of a callable written in C
        return None
    try:
        signature.bind(None)
    except TypeError:
        return str(signature)
    return None


def _acknowledge(name: str, mode: object) -> str:
    if mode is None:
        return NEXT_GET
    if mode not in _MODES:
        raise ConfigurationError(
            f"events plugin {name!r}: acknowledge must be {', '.join(map(repr, _MODES[:-1]))} or {_MODES[-1]!r}, "
            f"found {mode!r}"
        )
    return str(mode)


def _ack_lag(name: str, lag: object, acknowledge: str, window_count: int | None) -> int:
    if lag is None or (lag == 0 and lag is not False):
        return 0
    if not isinstance(lag, int) or isinstance(lag, bool) or lag < 0:
        raise ConfigurationError(f"events plugin {name!r}: ack_lag must be a whole number from 0, found {lag!r}")
    if acknowledge != NEXT_GET:
        raise ConfigurationError(
            f"events plugin {name!r}: ack_lag is {lag}, and acknowledge is {acknowledge!r}: "
            f"ack_lag belongs to {NEXT_GET!r} alone; set one of them"
        )
    if window_count is not None and lag >= window_count:
        raise ConfigurationError(
            f"events plugin {name!r}: ack_lag is {lag}, and must be below the window of {window_count} events: "
            f"raise events_plugins.{name}.window, or lower ack_lag"
        )
    return lag


def _select(name: str, select: object) -> Selection | None:
    if select is None or select == {}:
        return None
    return from_data(select, f"events plugin {name!r}: select")
