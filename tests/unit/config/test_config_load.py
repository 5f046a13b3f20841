"""Where values come from. Source: docs/reference/contract/configuration-and-cli.md, section 1."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config.load import load_all, to_document, variable_name
from bigchaindb.errors import ConfigurationError
from bigchaindb.key_files import new_keypair
from bigchaindb.masking import MASK
from tests.unit.config.conftest import LoadDocument


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_all(None, {"HOME": str(tmp_path)}).settings
    assert settings.server.bind == "localhost:9984"
    assert (settings.wsserver.host, settings.wsserver.port) == ("localhost", 9985)
    assert settings.database.path == tmp_path / ".local/share/bigchaindb"
    assert settings.events_plugins == {}


def test_the_default_file_is_bigchaindb_in_the_home(tmp_path: Path) -> None:
    (tmp_path / ".bigchaindb").write_text('{"server": {"bind": "localhost:1"}}')
    loaded = load_all(None, {"HOME": str(tmp_path)})
    assert loaded.settings.server.bind == "localhost:1"
    assert loaded.notices == (("info", f"Configuration loaded from `{tmp_path}/.bigchaindb`"),)


def test_the_variable_replaces_the_default_path_and_c_beats_both(tmp_path: Path) -> None:
    for name, port in ((".bigchaindb", 1), ("variable", 2), ("option", 3)):
        (tmp_path / name).write_text(json.dumps({"server": {"bind": f"localhost:{port}"}}))
    environ = {"HOME": str(tmp_path), "BIGCHAINDB_CONFIG_PATH": str(tmp_path / "variable")}
    assert load_all(None, environ).settings.server.port == 2
    assert load_all(tmp_path / "option", environ).settings.server.port == 3


@pytest.mark.parametrize("variable", [None, "BIGCHAINDB_CONFIG_PATH"])
def test_a_missing_file_is_said_and_not_fatal(tmp_path: Path, variable: str | None) -> None:
    missing = tmp_path / ".bigchaindb"
    environ = {"HOME": str(tmp_path)} | ({variable: str(missing)} if variable else {})
    assert load_all(None, environ).notices == (("info", f"Cannot find config file `{missing}`."),)


def test_a_missing_file_that_c_names_is_fatal(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_all(tmp_path / "missing", {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "expected an object of sections, "),
        ('{"wsserver": {"heartbeat": NaN}}', "NaN is not a JSON number"),
        ("[" * 100_000, None),
        ("\xff", None),
    ],
)
def test_broken_json_is_named_with_the_file(tmp_path: Path, text: str, reason: str | None) -> None:
    path = tmp_path / "node.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError) as caught:
        load_all(path, {})
    beginning = f"Failed to parse the JSON configuration from `{path}`, "
    assert str(caught.value).startswith(beginning)
    assert reason is None or str(caught.value).startswith(beginning + reason)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the configuration file"):
        load_all(tmp_path, {})


def test_precedence_is_options_environment_file_defaults(load_document: LoadDocument) -> None:
    document = {"log": {"level_console": "error", "level_logfile": "error", "datefmt_console": "%H"}}
    environ = {"BIGCHAINDB_LOG_LEVEL_CONSOLE": "warning", "BIGCHAINDB_LOG_LEVEL_LOGFILE": "warning"}
    log = load_document(document, environ, **{"log.level_console": "debug"}).settings.log
    assert (log.level_console, log.level_logfile, log.datefmt_console) == ("debug", "warning", "%H")
    assert log.datefmt_logfile == "%Y-%m-%d %H:%M:%S"


def test_objects_are_merged_and_lists_replaced(load_document: LoadDocument) -> None:
    settings = load_document({"wsserver": {"port": 1}, "keyring": []}).settings
    assert (settings.wsserver.port, settings.wsserver.host, settings.keyring) == (1, "localhost", ())


def test_a_pair_of_tls_is_not_set_by_halves(load_document: LoadDocument) -> None:
    """Half a pair would serve in clear what somebody wanted encrypted."""
    pair = {"certificate_file": "node.crt", "private_key_file": "~/node.key"}
    loaded = load_document({"tls": pair}, {"HOME": "/home/node"}).settings.tls
    assert loaded.files == (Path("node.crt").absolute(), Path("/home/node/node.key"))
    for missing, other in (("private_key_file", "certificate_file"), ("certificate_file", "private_key_file")):
        with pytest.raises(ConfigurationError, match=rf"^tls\.{missing}: it is null and tls\.{other} is set"):
            load_document({"tls": {other: pair[other]}})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"server": "x"}, "server: expected an object, found 'x'"),
        ({"keypair": "hunter22"}, "keypair: expected an object, found a value that is not shown here"),
        ({"server": {"bind": 5}}, "server.bind: expected a string, found 5"),
        ({"server": {"bind": "localhost"}}, "server.bind: must be host:port with a port of 0 to 65535"),
        ({"server": {"bind": f"localhost:{'9' * 5_000}"}}, "server.bind: must be host:port with a port of 0 to 65535"),
        ({"limits": {"page_count_max": 10**20}}, "limits.page_count_max: must be below 9223372036854775808, found"),
        ({"limits": {"page_count_max": "9" * 20}}, "limits.page_count_max: must be below 9223372036854775808, found"),
        ({"limits": {"commit_wait_s_max": 10**400}}, "limits.commit_wait_s_max: must be below 1000000000000000, found"),
        ('{"wsserver": {"heartbeat": 1e999}}', "wsserver.heartbeat: must be below 1000000000000000, found inf"),
        ({"server": {"bind": "::1:80"}}, "server.bind: must have an IPv6 address in brackets, such as '[::]:9984'"),
        (
            {"server": {"bind": "https://localhost:80/x"}},
            "server.bind: must be host:port without `https://`, such as 'localhost:80', found 'https://localhost:80/x'",
        ),
        (
            {"server": {"bind": "http://[::1]/"}},
            "server.bind: must be host:port without `http://`, such as '[::1]:9984'",
        ),
        ({"server": {"bind": "http://"}}, "server.bind: must be host:port without `http://`, such as 'localhost:9984'"),
        ({"wsserver": {"host": ""}}, "wsserver.host: must not be empty"),
        ({"wsserver": {"host": "http://a"}}, "wsserver.host: must be a name or an address alone, such as 'localhost'"),
        ({"wsserver": {"host": "a:9985"}}, "wsserver.host: must be a name or an address alone, such as 'localhost'"),
        ({"server": {"docs_url": "x"}}, "server.docs_url: must begin with http:// or https://, found 'x'"),
        ({"server": {"workers": 0}}, "server.workers: must be above 0 or null, found 0"),
        ({"wsserver": {"port": 70000}}, "wsserver.port: must be 0 to 65535, found 70000"),
        ({"wsserver": {"port": True}}, "wsserver.port: expected a whole number, found True"),
        ({"wsserver": {"port": 9984}}, "wsserver.port: 9984 is also the port of server.bind; they must differ"),
        ({"wsserver": {"scheme": "http"}}, "wsserver.scheme: must be 'ws' or 'wss', found 'http'"),
        ({"wsserver": {"heartbeat": -1}}, "wsserver.heartbeat: must be 0 or more, found -1.0"),
        ({"database": {"backend": "oracle"}}, "database.backend: must be 'sqlite', found 'oracle'; delete the key"),
        ({"database": {"path": ""}}, "database.path: expected a path, found ''"),
        ({"keyring": [1]}, "keyring: expected a string, found 1"),
        ({"limits": {"pool_count_max": 0}}, "limits.pool_count_max: must be above 0, found 0"),
        ({"limits": {"pool_count_max": 1.5}}, "limits.pool_count_max: expected a whole number, found 1.5"),
        ({"limits": {"receiving_bytes_max": 1000}}, "limits.receiving_bytes_max: below body_bytes_max"),
        ({"limits": {"admission_bytes_max": 1000}}, "limits.admission_bytes_max: below body_bytes_max"),
        ({"limits": {"pool_bytes_max": 4_000_000}}, "limits.pool_bytes_max: below block_bytes_max"),
        ({"limits": {"block_count_max": 2**20 - 1}}, "limits.block_count_max: must be below 1048575, as events number"),
        (
            {"log": {"level_console": "loud"}},
            "log.level_console: unknown log level, found 'loud'; the levels are critical",
        ),
        (
            {"log": {"granular_levels": {"a": "loud"}}},
            "log.granular_levels.a: unknown log level, found 'loud'; the levels are ",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_its_file(
    document: Any, message: str, load_document: LoadDocument, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_document(document)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(f" (from `{tmp_path}/node.json`)")


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("BIGCHAINDB_WSSERVER_PORT", "x", "wsserver.port: expected a whole number, found 'x'"),
        ("BIGCHAINDB_WSSERVER_HEARTBEAT", "nan", "wsserver.heartbeat: expected a number, found 'nan'"),
        ("BIGCHAINDB_LIMITS_BODY_BYTES_MAX", "1e3", "limits.body_bytes_max: expected a whole number, found '1e3'"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(
    variable: str, text: str, message: str, load_document: LoadDocument
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_document({}, {variable: text})
    assert str(caught.value) == f"{message} (from the environment variable {variable})"


@pytest.mark.parametrize(
    "setting",
    [
        "access.origins",
        "access.proxies",
        "database.backend",
        "metrics.bind",
        "network.bind",
        "network.external_address",
        "network.peers",
        "page.enabled",
        "server.bind",
        "server.docs_url",
        "server.loglevel",
        "server.workers",
        "wsserver.advertised_host",
        "wsserver.advertised_scheme",
        "wsserver.host",
        "wsserver.port",
        "wsserver.scheme",
    ],
)
@pytest.mark.parametrize("address", ["u:hunter22@host:9984", "[::1]:hunter22@host:1", "id@u:hunter22@host"])
def test_a_refused_address_is_shown_without_its_password(
    setting: str, address: str, load_document: LoadDocument
) -> None:
    """A password in an error is one in the log, whether or not a scheme stands before it."""
    with pytest.raises(ConfigurationError, match=re.escape(MASK)) as caught:
        load_document({}, {variable_name(setting): address})
    assert str(caught.value).startswith(f"{setting}: ")
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("section", ["log.level_console", "log.level_logfile", "server.loglevel"])
def test_a_level_that_is_no_string_has_its_own_text(section: str, load_document: LoadDocument) -> None:
    first, _, second = section.partition(".")
    with pytest.raises(ConfigurationError) as caught:
        load_document({first: {second: 10}})
    assert str(caught.value) == "Log level must be a string!"
    assert caught.value.__notes__[0].startswith(section)


def test_text_for_other_types_loads_as_it_did_in_1_x(load_document: LoadDocument) -> None:
    settings = load_document({"wsserver": {"port": "9986"}, "keyring": "a:b"}).settings
    assert (settings.wsserver.port, settings.keyring) == (9986, ("a", "b"))


@pytest.mark.parametrize("bind", ["9100", "localhost:", "localhost:70000", "::1:9100"])
def test_a_wrong_address_for_metrics_is_refused_under_its_own_name(bind: str, load_document: LoadDocument) -> None:
    with pytest.raises(ConfigurationError, match=r"^metrics\.bind: "):
        load_document({"metrics": {"bind": bind}})


def test_metrics_are_off_by_default_and_shown_by_show_config(load_document: LoadDocument) -> None:
    """Figures of a node are nobody's business unless its operator says so."""
    assert load_document({}).document["metrics"] == {"access": False, "bind": None}
    assert load_document({"metrics": {"bind": "[::1]:9100"}}).settings.metrics.bind == "[::1]:9100"


def test_a_warning_of_the_disk_comes_before_the_end(load_document: LoadDocument) -> None:
    with pytest.raises(ConfigurationError, match="the warning would come too late"):
        load_document({"limits": {"disk_free_bytes_warn": 1, "disk_free_bytes_min": 2}})


def test_a_key_pair_must_be_a_pair(load_document: LoadDocument) -> None:
    one, other = new_keypair(), new_keypair()
    right = {"public": one.public_key, "private": one.private_key}
    assert load_document({"keypair": right}).settings.keypair.public == one.public_key
    for wrong, message in (
        ({"public": one.public_key}, "keypair: one half is set"),
        ({"private": one.private_key}, "keypair: one half is set"),
        (right | {"public": other.public_key}, "does not belong to keypair.private"),
        (right | {"private": "0OIl"}, "keypair.private: "),
        (right | {"public": "abc"}, "keypair.public: "),
    ):
        with pytest.raises(ConfigurationError, match=message) as caught:
            load_document({"keypair": wrong})
        assert one.private_key not in str(caught.value)
        assert "from `" in str(caught.value)


def test_empty_variables_leave_the_key_pair_unset(load_document: LoadDocument) -> None:
    environ = {"BIGCHAINDB_KEYPAIR_PUBLIC": "", "BIGCHAINDB_KEYPAIR_PRIVATE": ""}
    assert load_document({}, environ).settings.keypair.private is None


def test_paths_are_absolute_and_know_the_home(load_document: LoadDocument, tmp_path: Path) -> None:
    settings = load_document({"log": {"file": "~/node.log"}}, {"BIGCHAINDB_DATABASE_PATH": "data"}).settings
    assert settings.log.file == tmp_path / "node.log"
    assert settings.database.path == Path("data").absolute()


def test_what_is_written_loads_as_what_it_was(load_document: LoadDocument) -> None:
    loaded = load_document({"server": {"bind": "[::]:1"}, "events_plugins": {"a": {"options": {"x": 1}}}})
    again = load_document(to_document(loaded.settings))
    assert again.settings == loaded.settings
    assert again.settings.server.host == "::"


PEER = f"{'0a' * 20}@one.example:26656"


@pytest.mark.parametrize(
    ("section", "rule"),
    [
        ({"bind": "26656"}, r"network\.bind: must be host:port"),
        ({"bind": "0.0.0.0:0"}, r"network\.bind: the port must be 1 to 65535"),
        ({"bind": '0.0.0.0"\n[rpc]:1'}, r"network\.bind: must be host:port, the host a name"),
        ({"external_address": "a,b:1"}, r"network\.external_address: must be host:port, the host a name"),
        ({"peers": ["one.example:26656"]}, r"network\.peers: must be ID@HOST:PORT with an id of 40 hex"),
        ({"peers": [PEER.upper()]}, r"network\.peers: must be ID@HOST:PORT with an id of 40 hex"),
        ({"peers": [PEER, PEER]}, r"network\.peers: (0a){20} is named twice"),
        ({"peers": [f"{i:040x}@a:1" for i in range(1001)]}, r"network\.peers: must be at most 1000 peers, found 1001"),
    ],
)
def test_addresses_of_a_network_are_checked(section: Any, rule: str, load_document: LoadDocument) -> None:
    """They end up in CometBFT's own settings, where another line would change what the node does."""
    with pytest.raises(ConfigurationError, match=rule):
        load_document({"network": section})
