"""Texts about unknown keys and environment variables: which was meant, and what holds instead. Pure.

Source: docs/reference/contract/configuration-and-cli.md, sections 1 and 2.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

PREFIX: Final = "BIGCHAINDB_"

GUNICORN: Final = frozenset((
    "accesslog", "access_log_format", "backlog", "capture_output", "certfile", "chdir", "check_config", "ciphers",
    "config", "daemon", "default_proc_name", "dirty_timeout", "disable_redirect_access_to_syslog",
    "dogstatsd_tags", "do_handshake_on_connect", "enable_stdio_inheritance", "errorlog", "forwarded_allow_ips",
    "forwarder_headers", "graceful_timeout", "group", "header_map", "initgroups", "keepalive", "keyfile",
    "limit_request_field_size", "limit_request_fields", "limit_request_line", "logconfig", "logconfig_dict",
    "logconfig_json", "logger_class", "max_requests", "max_requests_jitter", "no_sendfile", "paste", "pidfile",
    "preload_app", "print_config", "proc_name", "proxy_allow_ips", "proxy_protocol", "pythonpath", "raw_env",
    "raw_paste_global_conf", "reload", "reload_engine", "reload_extra_files", "reuse_port",
    "secure_scheme_headers", "sendfile", "spew", "ssl_version", "statsd_host", "statsd_prefix",
    "strip_header_spaces", "suppress_ragged_eofs", "syslog", "syslog_addr", "syslog_facility", "syslog_prefix",
    "threads", "timeout", "tmp_upload_dir", "umask", "user", "worker_class", "worker_connections",
    "worker_tmp_dir", "wsgi_app",
))  # fmt: skip
"""Settings of Gunicorn's that stand below `server` in files of 1.x and 2.x."""

_MEANT: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("port", "host"), ("server.bind", "wsserver.port")),
    **dict.fromkeys(("data", "data_dir", "datadir", "directory", "data_path"), ("database.path",)),
    "plugins": ("events_plugins",),
}
"""Names at the top level that other software uses for a setting."""
_ORCHESTRATION: Final = re.compile(r"BIGCHAINDB_(?:.+_)?(?:SERVICE_(?:HOST|PORT)(?:_.+)?|PORT_[0-9]+_(?:TCP|UDP).*)")
"""Kubernetes and Docker set these for a service called `bigchaindb` in every container; no person typed them."""


def about_key(path: str, known: Sequence[str], in_use: Callable[[str], str], origin: str) -> str:
    """Return the warning about the key `path`, which is no setting.

    Args:
        path: such as `server.bnd`.
        known: paths of all settings.
        in_use: returns the effective value of a setting, as text.
        origin: where the key was set.
    """
    meant = _meant(path, known)
    if not meant:
        return f"unknown, so ignored; the nearest known key is {_closest(path, known, 0)[0]} (from {origin})"
    held = ", ".join(f"{one} = {in_use(one)}" for one in meant)
    return f"unknown, so ignored; did you mean {' or '.join(meant)}? (from {origin}; in use is {held})"


def about_variable(name: str, known: Sequence[str]) -> str:
    """Return the warning about an environment variable of no setting and no key of the file."""
    close = _closest(name, known, 0.8) or _closest(name, known, 0)
    return f"unknown, so ignored; the nearest known variable is {close[0]} (from the environment)"


def unknown_variables(environ: Iterable[tuple[str, str]], known: Iterable[str]) -> list[str]:
    """Return the names of `environ` that begin like a setting's variable and are unknown."""
    names = set(known)
    return [
        name
        for name, value in environ
        if name.startswith(PREFIX)
        and name not in names
        and not (_ORCHESTRATION.fullmatch(name) or value.startswith(("tcp://", "udp://")))
    ]


def _meant(path: str, known: Sequence[str]) -> Sequence[str]:
    """Return the settings that were probably meant: those of a similar path, else of a similar last part."""
    if path in _MEANT:
        return _MEANT[path]
    if close := _closest(path, known, 0.75):
        return close
    by_last: dict[str, str] = {}
    for name in known:
        by_last.setdefault(name.rpartition(".")[2], name)
    return [by_last[name] for name in _closest(path.rpartition(".")[2], by_last, 0.8)]


def _closest(path: str, known: Iterable[str], cutoff: float) -> list[str]:
    return difflib.get_close_matches(path, list(known), n=1, cutoff=cutoff)
