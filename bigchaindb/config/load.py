"""Finds the configuration, lays file, environment and options over the defaults, and checks the result.

Precedence, high to low: options of the command line, environment, file, defaults.

Source: docs/reference/contract/configuration-and-cli.md, section 1.
"""

import json
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from bigchaindb.agreed import ACCESS_KEY_VARIABLE
from bigchaindb.config.checks import check_level
from bigchaindb.config.old import OLD_KEYS, Notice, notices, refuse_old
from bigchaindb.config.settings import Settings
from bigchaindb.config.unknown import about_variable, unknown_variables
from bigchaindb.config.unparsed import explain
from bigchaindb.config.values import build, from_text, leaves, plugin_mapping, shown, to_json
from bigchaindb.errors import ConfigurationError
from bigchaindb.masking import is_secret_name
from bigchaindb.owners import refusal

PATH_VARIABLE: Final = "BIGCHAINDB_CONFIG_PATH"
IN_USE_CHARACTERS_MAX: Final = 200
"""Characters of a value in a warning: a path is printed whole, a long list of plugins is not."""
OTHER_VARIABLES: Final = (
    PATH_VARIABLE,
    ACCESS_KEY_VARIABLE,
    "BIGCHAINDB_KEY_FILE",
    "BIGCHAINDB_PRIVATE_KEY",
    "BIGCHAINDB_NODE",
)
"""Variables that the commands read and that are no settings."""
LOADED: Final = "Configuration loaded from"
"""Beginning of the notice that names the file."""

HINTS: Final = {leaf.path: leaf.hint for leaf in leaves(Settings())}
"""The type of every setting by its path."""
_PATHS: Final = (
    "database.path",
    "log.file",
    "log.error_file",
    "network.cometbft",
    "access.writers",
    "tls.certificate_file",
    "tls.private_key_file",
)
_SECRET_SECTIONS: Final = frozenset({"keypair"})
"""Sections whose value may by mistake be the secret itself."""


@dataclass(frozen=True)
class Loaded:
    """Settings, and where they came from.

    Attributes:
        document: the effective configuration as JSON values, secrets and unknown keys included.
        origins: by path, where each value that is no default was set: a file, a variable, an option.
        notices: to log once logging is set up.
        path: where the file is, or would be.
    """

    settings: Settings
    document: dict[str, Any]
    origins: Mapping[str, str]
    notices: tuple[Notice, ...]
    path: Path


class _File(NamedTuple):
    path: Path
    is_required: bool


def load_all(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Loaded:
    """Load the configuration.

    Args:
        path: of the file as named on the command line, which must exist; None for the usual place.
        environ: the environment.
        overrides: values from other options by path: `{"log.level_console": "debug"}`.

    Raises:
        FileNotFoundError: `path` does not exist.
        ConfigurationError: the file cannot be read, or a value is refused; names the key and where it was set.
    """
    file = locate(path, environ)
    found, said = _read(file)
    loaded = _on_defaults(found or {}, file.path, environ, overrides or {})
    return replace(loaded, notices=(*said, *loaded.notices))


def load_without_file(environ: Mapping[str, str]) -> Loaded:
    """Load defaults and environment alone, from which `configure` starts.

    Raises:
        ConfigurationError: as for `load_all`.
    """
    return _on_defaults({}, locate(None, environ).path, environ, {})


def load_document(document: Mapping[str, Any], path: Path, environ: Mapping[str, str]) -> Loaded:
    """Load the configuration as if the file at `path` had the content `document`.

    Raises:
        ConfigurationError: as for `load_all`.
    """
    return _on_defaults(deepcopy(dict(document)), path, environ, {})


def read_document(path: Path) -> dict[str, Any]:
    """Return the content of the file at `path`, without defaults or checks; empty without a file.

    Raises:
        ConfigurationError: it cannot be read, or is no JSON object.
    """
    return _read(_File(path, is_required=False))[0] or {}


def _on_defaults(
    document: dict[str, Any], path: Path, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> Loaded:
    origins = {".".join(keys): f"`{path}`" for keys, _ in _flat(document)}
    _check_shape(document, origins)
    document = _merged(to_document(Settings()), document)
    _take_environment(document, origins, environ)
    for key, value in overrides.items():
        _put(document, key.split("."), value)
        origins[key] = "the options of the command line"
    refuse_old(document, origins)
    settings = _settings(document, origins, environ)

    def in_use(key: str) -> str:
        value: Any = document
        for name in key.split("."):
            value = value and value[name]  # a section that is null has no members
        return shown(value, secret="." in key and is_secret_name(name))[:IN_USE_CHARACTERS_MAX]

    said = [*notices(origins, HINTS, origins, in_use), *_unknown_variables(document, environ)]
    return Loaded(settings, document, origins, tuple(said), path)


def locate(path: Path | None, environ: Mapping[str, str]) -> _File:
    """Return the path of the file: of `-c`, which must exist, else of BIGCHAINDB_CONFIG_PATH, else `~/.bigchaindb`."""
    if path is not None:
        return _File(path, is_required=True)
    if named := environ.get(PATH_VARIABLE):
        return _File(expanded(named, environ), is_required=False)
    return _File(home(environ) / ".bigchaindb", is_required=False)


def home(environ: Mapping[str, str]) -> Path:
    """Return the home directory."""
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def expanded(path: str | Path, environ: Mapping[str, str]) -> Path:
    """Return an absolute path, with `~` as the home directory."""
    parts = Path(path).parts
    return home(environ).joinpath(*parts[1:]) if parts[:1] == ("~",) else Path(path).absolute()


def exposed_mode(path: Path) -> str | None:
    """Return the mode of a file that others than its owner may read or change, else None."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{mode:04o}" if mode & (stat.S_IRWXG | stat.S_IRWXO) else None


def exposed_key(loaded: Loaded) -> str | None:
    """Return the warning about a configuration file that holds a private key and that others may read, else None."""
    path = loaded.path
    if not loaded.settings.keypair.private or loaded.origins.get("keypair.private") != f"`{path}`":
        return None
    if (mode := exposed_mode(path)) is None:
        return None
    return (
        f"`{path}` has mode {mode} and holds this node's private key, with which others could sign as this node; "
        f"run: chmod 600 {shlex.quote(str(path))}"
    )


def variable_name(path: str) -> str:
    """Return the environment variable of a setting: BIGCHAINDB_DATABASE_PATH for `database.path`."""
    return "BIGCHAINDB_" + path.upper().replace(".", "_")


def to_document(settings: Settings) -> dict[str, Any]:
    """Return settings as the content of a file."""
    document: dict[str, Any] = to_json(settings)
    document["events_plugins"] = document["events_plugins"] or []
    return document


def _read(file: _File) -> tuple[dict[str, Any] | None, list[Notice]]:
    path = file.path
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        if file.is_required:
            raise
        return None, [Notice("info", f"Cannot find config file `{path}`.")]
    except OSError as error:
        why = refusal(path) if isinstance(error, PermissionError) else None
        raise ConfigurationError(f"cannot read the configuration file `{path}`: {why or error.strerror}") from error
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _unparsed(path, explain(text, error)) from error
    if not isinstance(document, dict):
        raise _unparsed(path, f'expected an object of sections, {{"server": {{…}}}}, found {type(document).__name__}')
    return document, [Notice("info", f"{LOADED} `{path}`")]


def _unparsed(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(f"Failed to parse the JSON configuration from `{path}`, {reason}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _check_shape(document: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """Require that sections are objects, before anything is merged into them."""
    for section in {path.partition(".")[0] for path in HINTS if "." in path}:
        if not isinstance(value := document.get(section, {}), dict):
            found = shown(value, secret=section in _SECRET_SECTIONS)
            raise ConfigurationError(f"{section}: expected an object, found {found} (from {origins[section]})")


def _merged(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, `above` winning: objects are merged, all other values replaced."""
    result = dict(below)
    for name, value in above.items():
        held = result.get(name)
        result[name] = _merged(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return result


def _take_environment(document: dict[str, Any], origins: dict[str, str], environ: Mapping[str, str]) -> None:
    """Lay variables over the leaves of defaults, file and old releases; other names have no meaning."""
    present = dict(_flat(document))
    ours = (tuple(path.split(".")) for path in (*HINTS, *OLD_KEYS))
    for keys in dict.fromkeys((*present, *ours)):
        path = ".".join(keys)
        name = variable_name(path)
        if (text := environ.get(name)) is None or path == "log.granular_levels":
            continue
        origins[path] = f"the environment variable {name}"
        with _origin_named(origins):
            _put(document, keys, _from_environment(text, path, present.get(keys), document))


def _unknown_variables(document: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Notice]:
    """Yield a warning for each variable that sets nothing: a misspelt name would otherwise pass in silence."""
    known = {variable_name(".".join(keys)) for keys, _ in _flat(document)}
    known |= {*map(variable_name, (*HINTS, *OLD_KEYS)), *OTHER_VARIABLES}
    for name in unknown_variables(environ.items(), known):
        yield Notice("warning", f"{name}: {about_variable(name, sorted(known))}")


def _from_environment(text: str, path: str, held: object, document: Mapping[str, Any]) -> object:
    if path == "events_plugins":
        return _selected(text, document["events_plugins"])
    if path in HINTS:
        return from_text(text, HINTS[path], path)
    if path.startswith("events_plugins.") and isinstance(held, bool | int | float):
        return from_text(text, type(held), path)  # a plugin's option keeps its type in the file
    return text.split(":") if isinstance(held, list) else text


def _selected(text: str, held: object) -> object:
    """Return the plugins that the variable names, with their settings in the file."""
    names = text.split(":") if text else []
    if isinstance(held, dict) and len(set(names)) == len(names):
        return {name: held.get(name, {}) for name in names}
    return names


def _settings(document: dict[str, Any], origins: Mapping[str, str], environ: Mapping[str, str]) -> Settings:
    with _origin_named(origins):
        plugins = plugin_mapping(document["events_plugins"])
        for path in _PATHS:
            section, _, name = path.partition(".")
            if isinstance(value := document[section][name], str) and value:
                document[section][name] = str(expanded(value, environ))
        _check_levels(document)
        settings: Settings = build({**document, "events_plugins": plugins}, Settings, "")
        if settings.keypair.private is not None:
            from bigchaindb.config.keypair import check_keypair

            check_keypair(settings.keypair)
    return settings


def _check_levels(document: Mapping[str, Any]) -> None:
    """Check log levels before their types: the contract has its own text for a level that is no string."""
    for section, name in (("log", "level_console"), ("log", "level_logfile"), ("server", "loglevel")):
        check_level(f"{section}.{name}", document[section][name])
    if isinstance(levels := document["log"]["granular_levels"], dict):
        for name, level in levels.items():
            check_level(f"log.granular_levels.{name}", level)


def _flat(document: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield the leaves with their keys: every value that is no object, and empty objects."""
    for name, value in document.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, (*above, name))
        else:
            yield (*above, name), value


def _put(document: dict[str, Any], keys: Sequence[str], value: object) -> None:
    *sections, name = keys
    for section in sections:
        if document.get(section) is None:  # null may stand for a section whose members are all null
            document[section] = {}
        document = document[section]
    document[name] = value


@contextmanager
def _origin_named(origins: Mapping[str, str]) -> Iterator[None]:
    """Add the origin of a refused value to its error, whose message or note begins with the path."""
    try:
        yield
    except ConfigurationError as error:
        fixed_text = getattr(error, "__notes__", None)  # a text of the contract is not changed
        path = (fixed_text[0] if fixed_text else str(error)).partition(":")[0]
        key = next((key for key in origins if key == path or key.startswith(f"{path}.")), None)
        if key is None:
            raise
        if fixed_text:
            error.add_note(f"from {origins[key]}")
            raise
        raise ConfigurationError(f"{error} (from {origins[key]})") from error
