"""Converts values of JSON and text to the types of `bigchaindb.config`; each error names its key. Pure.

Source: docs/reference/contract/configuration-and-cli.md, section 1.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from bigchaindb.config.settings import PluginSettings, RetrySettings
from bigchaindb.errors import ConfigurationError
from bigchaindb.masking import is_secret_name, masked, masked_address

TRUTH: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
"""Words of environment variables for true and false, in any letter case."""

ENDS: Final[Mapping[Any, int]] = {int: 2**63, float: 10**15}
"""Bounds of numbers for SQLite and timers; 1e999 is a number in JSON, and infinity in Python."""

SEPARATORS: Final[Mapping[str, str]] = dict.fromkeys(("network.peers", "access.origins", "access.proxies"), ",")
"""Separators of a list in a text where it is no colon, which they hold themselves."""

_NAMES: Final[Mapping[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    Path: "a path",
}


class Leaf(NamedTuple):
    """One setting: its path in the configuration, such as `server.bind`, its type and its default."""

    path: str
    hint: Any
    default: object


def hints(cls: type) -> Mapping[str, Any]:
    """Return the types of a settings class by member."""
    return get_type_hints(cls)


def leaves(section: object, prefix: str = "") -> Iterator[Leaf]:
    """Yield every setting of a settings object, section by section."""
    for name, hint in hints(type(section)).items():
        value = getattr(section, name)
        if is_dataclass(value):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield Leaf(prefix + name, hint, value)


def to_json(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return a settings object, or a member of one, as JSON values."""
    if is_dataclass(value):
        return {member.name: to_json(getattr(value, member.name)) for member in fields(value)}
    if isinstance(value, Mapping):
        return {name: to_json(member) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(member) for member in value]
    return str(value) if isinstance(value, Path) else value


def from_text(text: str, hint: Any, path: str) -> object:  # noqa: ANN401 - a type as annotations write it
    """Convert the text of an environment variable, or a string in the file in place of another type.

    Raises:
        ConfigurationError: the text is no value of that type; names `path`.
    """
    base = _base(hint)
    if base is not hint and text == "":  # an unset variable that a compose file passes on
        return None
    if base is bool:
        return _looked_up(text, path)
    if base in (int, float):
        return _number(text, base, path)
    if get_origin(base) is tuple:
        members = text.split(SEPARATORS.get(path, ":")) if text else []
        return [from_text(member, get_args(base)[0], path) for member in members]
    return text


def build(value: object, hint: Any, path: str) -> Any:  # noqa: ANN401 - a type as annotations write it
    """Return `value` as the annotated type, settings classes member by member; unknown keys are left out.

    Raises:
        ConfigurationError: a member is of another type, or a settings class refuses it.
    """
    base = _base(hint)
    if value is None and base is not hint:
        return None
    if is_dataclass(base):
        assert isinstance(base, type)
        return _section(value, base, path)
    if get_origin(base) is tuple:
        value = from_text(value, base, path) if isinstance(value, str) else value
        member_hint = get_args(base)[0]
        return tuple(build(member, member_hint, path) for member in _required(value, list, path, "a list"))
    if get_origin(base) is Mapping:
        item = get_args(base)[1]
        members = _required(value, dict, path, "an object")
        return {name: build(member, item, f"{path}.{name}") for name, member in members.items()}
    return _scalar(value, base, path)


def plugin_mapping(value: object) -> dict[str, Any]:
    """Return `events_plugins` as names with their settings, from either of its two forms.

    Raises:
        ConfigurationError: it has neither form, a name occurs twice, or a setting of a plugin is unknown.
    """
    if value is None:
        return {}
    if isinstance(value, list | tuple):
        return {name: {} for name in _names(value)}
    plugins: dict[str, Any] = _required(
        value, dict, "events_plugins", "a list of names or an object of name and settings"
    )
    for name, settings in plugins.items():
        path = f"events_plugins.{name}"
        _refuse_unknown(_required(settings, dict, path, "an object"), PluginSettings, path, "a plugin")
        if isinstance(retry := settings.get("retry"), dict):
            _refuse_unknown(retry, RetrySettings, f"{path}.retry", "it")
    return plugins


def _refuse_unknown(given: Mapping[str, Any], cls: type, path: str, who: str) -> None:
    for key in given:
        if key not in hints(cls):
            raise ConfigurationError(f"{path}.{key}: unknown setting; {who} has {', '.join(hints(cls))}")


def _names(value: Sequence[object]) -> list[str]:
    names: list[str] = [_scalar(name, str, "events_plugins") for name in value]
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise ConfigurationError(f"events_plugins: {twice!r} is named twice")
    return names


def _section(value: object, cls: type, path: str) -> object:
    members = _required(value, dict, path, "an object")
    prefix = f"{path}." if path else ""
    given = {name: build(members[name], hint, prefix + name) for name, hint in hints(cls).items() if name in members}
    try:
        return cls(**given)
    except ConfigurationError as error:
        if cls not in (PluginSettings, RetrySettings):
            raise
        plugin = path if cls is PluginSettings else path.rpartition(".")[0]
        raise ConfigurationError(f"{plugin}.{error}") from error  # the class lacks the plugin's name


def _scalar(value: object, base: Any, path: str) -> Any:  # noqa: ANN401
    end = ENDS.get(base)
    if end is not None and isinstance(value, int | float) and not -end < value < end:
        raise ConfigurationError(f"{path}: must be below {end}, found {str(value)[:20]}")
    if base is Any or type(value) is base:
        return value
    if base is float and type(value) is int:
        return float(value)
    if base is Path and isinstance(value, str):
        return Path(_checked_path(value, path))
    if isinstance(value, str) and base in (bool, int, float):
        return _scalar(from_text(value, base, path), base, path)  # 1.x accepted "9985" as a port
    raise ConfigurationError(f"{path}: expected {_NAMES[base]}, found {_shown(value, path)}")


def _checked_path(text: str, path: str) -> str:
    try:
        if text and b"\0" not in os.fsencode(text):
            return text
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold and no file system
        pass
    raise ConfigurationError(f"{path}: expected a path, found {_shown(text, path)}")


def _number(text: str, base: Any, path: str) -> int | float:  # noqa: ANN401
    try:
        number: int | float = base(text)
    except ValueError as error:
        raise ConfigurationError(f"{path}: expected {_NAMES[base]}, found {_shown(text, path)}") from error
    if not math.isfinite(number):
        raise ConfigurationError(f"{path}: expected {_NAMES[base]}, found {_shown(text, path)}")
    return number


def _looked_up(text: str, path: str) -> bool:
    if (truth := TRUTH.get(text.lower())) is None:
        raise ConfigurationError(f"{path}: expected one of {', '.join(TRUTH)}, found {_shown(text, path)}")
    return truth


def _required(value: object, kind: type, path: str, what: str) -> Any:  # noqa: ANN401
    if not isinstance(value, kind):
        raise ConfigurationError(f"{path or 'the configuration'}: expected {what}, found {_shown(value, path)}")
    return value


def shown(value: object, *, secret: bool) -> str:
    """Return a refused value for an error, its secrets masked."""
    return (
        "a value that is not shown here"
        if secret
        else repr(masked_address(value) if isinstance(value, str) else masked(value))
    )


def _shown(value: object, path: str) -> str:
    return shown(value, secret=is_secret_name(path.rpartition(".")[2]))


def _base(hint: Any) -> Any:  # noqa: ANN401
    """Return T of `T | None`, any other type unchanged."""
    if isinstance(hint, UnionType):
        return next(member for member in get_args(hint) if member is not NoneType)
    return hint
