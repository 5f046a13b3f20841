"""Keys of 1.x and 2.x configurations that this node refuses, or ignores with a notice. Pure.

Source: docs/reference/contract/configuration-and-cli.md, sections 2 and 3.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from bigchaindb.config.unknown import GUNICORN, about_key
from bigchaindb.errors import ConfigurationError

OLD_BACKENDS: Final = ("rethinkdb", "mongodb", "localmongodb")

_OWN_DATA: Final = "the node keeps its data itself"
_ONE_FORMAT: Final = "there is one log format"
_OWN_ENGINE: Final = "the node orders transactions itself, and in a network starts CometBFT itself"

IGNORED: Final[Mapping[str, str]] = {
    **dict.fromkeys((f"database.{name}" for name in (
        "host", "port", "connection_timeout", "max_tries", "replicaset", "ssl", "login", "password", "ca_cert",
        "certfile", "keyfile", "keyfile_passphrase", "crlfile",
    )), _OWN_DATA),
    **dict.fromkeys((f"tendermint.{name}" for name in ("host", "port", "version")), _OWN_ENGINE),
}  # fmt: skip
"""Old keys that get a warning, with the reason why they have no meaning."""

NOTICED: Final[Mapping[str, str]] = {
    "backlog_reassign_delay": "no transaction waits for another node",
    "log.fmt_console": _ONE_FORMAT,
    "log.fmt_logfile": _ONE_FORMAT,
    "log.port": "processes write their log lines themselves",
    "graphite.host": "figures are not sent to Graphite",
    "limits.rejected_count_max": "limits.rejected_log_count_max bounds what is kept of rejected transactions",
}
"""Old keys that get a notice: files of 1.x have them by default."""

UNSUPPORTED: Final[Mapping[str, str]] = {
    "consensus_plugin": "the rules of this node cannot be replaced by a plugin of the group bigchaindb.consensus",
    "validation_plugin": "the rules of this node cannot be replaced by a plugin of the group bigchaindb.validation",
}

OLD_KEYS: Final = (*IGNORED, *NOTICED, *UNSUPPORTED)
"""All old keys, so that those in the environment get the same notices."""

_INTERNAL: Final = frozenset({"CONFIGURED"})  # 1.x wrote its own mark into the configuration


class Notice(NamedTuple):
    """A text for whoever runs the node; `level` is a name of `bigchaindb.config.LEVELS`."""

    level: str
    text: str


def refuse_old(document: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """Refuse keys that the node must not ignore in silence.

    Raises:
        ConfigurationError: an old backend, or a plugin that would replace the rules; names the origin.
    """
    database = document.get("database")
    backend = database.get("backend") if isinstance(database, Mapping) else None
    if isinstance(backend, str) and backend.lower() in OLD_BACKENDS:
        raise ConfigurationError(old_backend(f"database.backend is {backend!r} (from {origins['database.backend']})"))
    for key, reason in UNSUPPORTED.items():
        if document.get(key) is not None:
            raise ConfigurationError(f"{key}: not supported, {reason}; delete it from {origins[key]}")


def old_backend(finding: str) -> str:
    """Return the paragraph about a backend that this node does not have. Source: section 3."""
    return (
        f"{finding}, but this server keeps its data itself, in files of its own: it needs no MongoDB, no RethinkDB and "
        "no Tendermint, and does not talk to one. Write 'sqlite' instead, or delete the key, which means the same; "
        "database.path says where the files go. The data of such a server is not imported: this node starts a ledger "
        "of its own."
    )  # fmt: skip


def notices(
    given: Iterable[str], known: Iterable[str], origins: Mapping[str, str], in_use: Callable[[str], str]
) -> list[Notice]:
    """Return notices on keys without a meaning: one a reason, however many keys.

    Args:
        given: paths from the file and the environment, such as `database.host`.
        known: paths of all settings.
        origins: by path, where it was set.
        in_use: returns the value of a setting, as text.

    Returns:
        Warnings and notices, in the order of their first keys.
    """
    known = list(known)
    lines: dict[Notice, list[str]] = {}
    for path in given:
        if (verdict := _verdict(path, known, origins[path], in_use)) is not None:
            lines.setdefault(verdict, []).append(path)
    return [Notice(line.level, f"{', '.join(paths)}: {line.text}") for line, paths in lines.items()]


def _verdict(path: str, known: list[str], origin: str, in_use: Callable[[str], str]) -> Notice | None:
    if path in IGNORED:
        return Notice("warning", f"ignored, {IGNORED[path]} (from {origin})")
    if path in NOTICED:
        return Notice("info", f"ignored, {NOTICED[path]} (from {origin})")
    if path in _INTERNAL or path in UNSUPPORTED or _is_known(path, known):
        return None
    if path.startswith("server.") and path.removeprefix("server.") in GUNICORN:
        return Notice("warning", f"ignored: no Gunicorn (from {origin})")
    return Notice("warning", about_key(path, known, in_use, origin))


def _is_known(path: str, known: list[str]) -> bool:
    # Below these two the names are the user's own.
    is_own = path.startswith(("events_plugins.", "log.granular_levels."))
    return is_own or path in known or any(one.startswith(f"{path}.") for one in known)  # a section that is null
