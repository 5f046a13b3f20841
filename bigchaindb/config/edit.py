"""Changes the list of plugins, or members of a section, in the configuration file, and nothing else in it.

Source: docs/reference/contract/configuration-and-cli.md, section 1; promise P13.
"""

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from bigchaindb import files
from bigchaindb.config.load import Loaded, load_document, read_document
from bigchaindb.errors import ConfigurationError

KEY: Final = "events_plugins"
KEPT_COUNT_MAX: Final = 99
"""Files that `write_fresh` keeps beside one: far more than a person makes."""


def given_elsewhere(loaded: Loaded) -> str | None:
    """Return what sets the list of plugins, None if the file does."""
    return elsewhere(loaded, KEY)


def elsewhere(loaded: Loaded, path: str) -> str | None:
    """Return what sets a setting, None if the file does or may."""
    origin = loaded.origins.get(path)
    return None if origin == f"`{loaded.path}`" else origin


def _require_own(loaded: Loaded, path: str, what: str) -> None:
    if (origin := elsewhere(loaded, path)) is not None:
        raise ConfigurationError(
            f"{path}: {origin} sets {what}, so a change of `{loaded.path}` would have no effect; change it there"
        )


def enable(loaded: Loaded, name: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Name a plugin in the file, made if missing; its settings in the file that are not in `settings` stay.

    Args:
        loaded: the configuration with the file.
        name: of the plugin.
        settings: members of `PluginSettings` to set.
        environ: the environment, to check the whole again.

    Returns:
        Whether anything changed.

    Raises:
        ConfigurationError: the file does not set the list, or cannot be read or written; a setting is refused.
    """

    def changed(plugins: list[Any] | dict[str, Any]) -> list[Any] | dict[str, Any]:
        if isinstance(plugins, list) and not settings:
            return plugins if name in plugins else [*plugins, name]
        by_name = plugins if isinstance(plugins, dict) else {one: {} for one in plugins}
        return {**by_name, name: {**by_name.get(name, {}), **settings}}

    return _edit(loaded, changed, environ)


def disable(loaded: Loaded, name: str, environ: Mapping[str, str]) -> bool:
    """Remove a plugin from the file, with its settings.

    Returns:
        Whether it was there.

    Raises:
        ConfigurationError: as for `enable`.
    """

    def changed(plugins: list[Any] | dict[str, Any]) -> list[Any] | dict[str, Any]:
        if isinstance(plugins, list):
            return [other for other in plugins if other != name]
        return {other: settings for other, settings in plugins.items() if other != name}

    return _edit(loaded, changed, environ)


def put(loaded: Loaded, values: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> bool:
    """Set members of sections in the file, made if missing.

    Args:
        loaded: the configuration with the file.
        values: by section.
        environ: the environment, to check the whole again.

    Returns:
        Whether anything changed.

    Raises:
        ConfigurationError: the environment or an option sets one of them; else as for `enable`.
    """
    for path in (f"{section}.{name}" for section, members in values.items() for name in members):
        _require_own(loaded, path, "it")

    def changed(document: dict[str, Any]) -> dict[str, Any]:
        merged = {section: {**document.get(section, {}), **members} for section, members in values.items()}
        return {**document, **{section: members for section, members in merged.items() if members}}

    return _rewrite(loaded, changed, environ)


def write_fresh(path: Path, document: Mapping[str, Any]) -> Path | None:
    """Write a configuration file. A former one is copied to FILE.1, or the next number that is free.

    Returns:
        Where the former file is kept; None if there was none.

    Raises:
        ConfigurationError: one of the two files cannot be written.
    """
    with _alone(path):
        kept = _keep(path)
        write_whole(path, document)
        return kept


def _keep(path: Path) -> Path | None:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    for number in range(1, KEPT_COUNT_MAX + 1):
        kept = path.with_name(f"{path.name}.{number}")
        with suppress(FileExistsError):
            files.write(kept, text, is_new=True)
            return kept
    raise ConfigurationError(f"`{path}.1` to `{path}.{KEPT_COUNT_MAX}` exist already; delete those that are not needed")


def write_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Write a configuration file whole or not at all; a link stays one, and a file keeps its owner.

    Only its owner may read it, whatever its mode was: it may hold a private key.
    """
    target = path.resolve()
    text = json.dumps(document, indent=4, ensure_ascii=False) + "\n"
    with files.replacing(target) as file:
        _take_over(file.fileno(), target)
        file.write(text.encode())


def _edit(
    loaded: Loaded,
    changed: Callable[[list[Any] | dict[str, Any]], list[Any] | dict[str, Any]],
    environ: Mapping[str, str],
) -> bool:
    _require_own(loaded, KEY, "the list")

    def changed_document(document: dict[str, Any]) -> dict[str, Any]:
        before = document.get(KEY) or []
        return document if (after := changed(before)) == before else {**document, KEY: after}

    return _rewrite(loaded, changed_document, environ)


def _rewrite(loaded: Loaded, changed: Callable[[dict[str, Any]], dict[str, Any]], environ: Mapping[str, str]) -> bool:
    with _alone(loaded.path):
        before = read_document(loaded.path)
        after = changed(before)
        if after == before:
            return False
        load_document(after, loaded.path, environ)  # refused before the file is written
        write_whole(loaded.path, after)
    return True


def _take_over(descriptor: int, target: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):  # a new file; one of another owner
        before = target.stat()
        os.fchown(descriptor, before.st_uid, before.st_gid)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Serialize edits. The folder is locked, as the file is replaced."""
    try:
        with ExitStack() as opened:
            folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
            opened.callback(os.close, folder)
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
    except OSError as error:
        cure = "make its folder, or name another with -c" if error.errno == errno.ENOENT else "name another with -c"
        raise ConfigurationError(f"cannot write the configuration file `{path}`: {error.strerror}; {cure}") from error
