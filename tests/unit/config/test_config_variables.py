"""Settings that come from variables of the environment: their names, types and warnings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config.load import HINTS, OTHER_VARIABLES, variable_name
from bigchaindb.config.values import SEPARATORS
from tests.unit.config.conftest import LoadDocument

EXAMPLES: dict[str, str] = {
    "server.bind": "0.0.0.0:80",
    "server.loglevel": "DEBUG",
    "server.workers": "3",
    "server.docs_url": "https://docs.example/3.0",
    "wsserver.scheme": "wss",
    "wsserver.advertised_scheme": "wss",
    "database.backend": "sqlite",
    "keypair.public": "",  # a pair cannot be set by halves; see below
    "keypair.private": "",
    "keyring": "one:two",
    "events_plugins": "one:two",
    "log.format": "json",
    "log.level_console": "critical",
    "log.level_logfile": "critical",
    "metrics.bind": "0.0.0.0:9100",
    "metrics.access": "True",
    "page.enabled": "False",
    "network.bind": "0.0.0.0:26000",
    "network.external_address": "node.example:26000",
    "network.peers": f"{'0a' * 20}@one.example:26656,{'0b' * 20}@[2001:db8::1]:26656",
    "access.anonymous": "read subscribe:billing-*",
    "access.rates.anonymous.read": "0.5:100.0",
    "access.rates.anonymous.write": "20.0:100.0",
    "access.rates.known.read": "100.0:1000.0",
    "access.rates.known.write": "100.0:1000.0",
    "access.origins": "https://a.example:1,http://b.example",
    "access.proxies": "10.0.0.0/8,::1",
    "tls.certificate_file": "",  # as with a key pair
    "tls.private_key_file": "",
    "tls.ended_by_proxy": "True",
    "limits.body_bytes_max": "1000",
    "limits.receiving_bytes_max": "2000000",
    "limits.admission_bytes_max": "2000000",
    "limits.pool_bytes_max": "5000000",
    "limits.block_bytes_max": "2000000",
    "limits.event_bytes_max": "6000000",
    "limits.window_bytes_max": "9000000",
    "limits.disk_free_bytes_warn": "400000000",
}


@pytest.mark.parametrize("path", sorted(HINTS))
def test_every_setting_has_its_variable(path: str, load_document: LoadDocument) -> None:
    if path == "log.granular_levels":
        return  # an object: its members have variables where the file has them
    text = EXAMPLES.get(path, "77")
    loaded = load_document({}, {variable_name(path): text})
    if text:
        assert loaded.origins[path] == f"the environment variable {variable_name(path)}"
        value: Any = loaded.settings
        for name in path.split("."):
            value = getattr(value, name)
        separator = SEPARATORS.get(path, ":")
        shown = separator.join(map(str, value)) if isinstance(value, tuple | Mapping) else str(value)
        assert shown in (text, f"{text}.0", str(Path(text).absolute()))


def test_variable_names_are_unambiguous() -> None:
    assert len({variable_name(path) for path in HINTS}) == len(HINTS)
    assert variable_name("database.path") == "BIGCHAINDB_DATABASE_PATH"
    assert variable_name("keyring") == "BIGCHAINDB_KEYRING"


def test_unknown_variables_are_warned_about(load_document: LoadDocument) -> None:
    loaded = load_document({}, {"BIGCHAINDB_SERVR_BIND": "x", "BIGCHAINDB_NONSENSE": "y"})
    typo, nonsense = loaded.notices[1:]
    assert (typo.level, nonsense.level) == ("warning", "warning")
    assert typo.text == (
        "BIGCHAINDB_SERVR_BIND: unknown, so ignored; the nearest known variable is BIGCHAINDB_SERVER_BIND "
        "(from the environment)"
    )
    assert nonsense.text.startswith("BIGCHAINDB_NONSENSE: unknown, so ignored; the nearest known variable is ")


def test_variables_of_commands_and_of_orchestrators_are_no_typos(load_document: LoadDocument) -> None:
    """Kubernetes tells every container of a service called `bigchaindb` where that is."""
    environ = {
        **dict.fromkeys(OTHER_VARIABLES, "x"),
        "BIGCHAINDB_PORT": "tcp://10.0.0.1:9984",
        "BIGCHAINDB_PORT_9984_TCP_ADDR": "10.0.0.1",
        "BIGCHAINDB_SERVICE_HOST": "10.0.0.1",
        "BIGCHAINDB_SERVICE_PORT_HTTP": "9984",
        "BIGCHAINDB_TENDERMINT_HOST": "old",
        "HOME": "/",
    }
    assert [notice.text for notice in load_document({}, environ).notices if "unknown" in notice.text] == []
    (notice,) = load_document({}, {"BIGCHAINDB_PORT": "1984"}).notices[1:]
    assert notice.text.startswith("BIGCHAINDB_PORT: unknown, so ignored")


def test_a_leaf_that_only_the_file_has_can_be_set_and_keeps_its_type(load_document: LoadDocument) -> None:
    document = {"events_plugins": {"sink": {"options": {"url": "a", "count": 1, "deep": {"flag": False}}}}, "odd": "a"}
    environ = {
        "BIGCHAINDB_EVENTS_PLUGINS_SINK_OPTIONS_URL": "amqp://b",
        "BIGCHAINDB_EVENTS_PLUGINS_SINK_OPTIONS_COUNT": "7",
        "BIGCHAINDB_EVENTS_PLUGINS_SINK_OPTIONS_DEEP_FLAG": "yes",
        "BIGCHAINDB_ODD": "b",
    }
    loaded = load_document(document, environ)
    options = loaded.settings.events_plugins["sink"].options
    assert options == {"url": "amqp://b", "count": 7, "deep": {"flag": True}}
    assert loaded.document["odd"] == "b"


def test_a_dotted_logger_can_be_set_where_the_file_names_it(load_document: LoadDocument) -> None:
    document = {"log": {"granular_levels": {"bigchaindb.api": "info"}}}
    loaded = load_document(document, {"BIGCHAINDB_LOG_GRANULAR_LEVELS_BIGCHAINDB_API": "debug"})
    assert loaded.settings.log.granular_levels == {"bigchaindb.api": "debug"}
