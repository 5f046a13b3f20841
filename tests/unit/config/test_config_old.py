"""What files of 1.x and 2.x hold. Source: docs/reference/contract/configuration-and-cli.md, sections 2 and 3."""

import json
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config.load import Loaded, load_all, variable_name
from bigchaindb.config.old import IGNORED, NOTICED, OLD_BACKENDS, OLD_KEYS, UNSUPPORTED
from bigchaindb.config.unknown import GUNICORN
from bigchaindb.errors import ConfigurationError


def load_it(folder: Path, document: Any, **environ: str) -> Loaded:
    path = folder / "node.json"
    path.write_text(json.dumps(document))
    return load_all(path, {"HOME": str(folder), **environ})


def test_a_file_of_1_3_loads(tmp_path: Path) -> None:
    document = {
        "server": {"bind": "localhost:9984", "loglevel": "info", "workers": None},
        "wsserver": {
            "scheme": "ws",
            "host": "localhost",
            "port": 9985,
            "advertised_scheme": "ws",
            "advertised_host": "localhost",
            "advertised_port": 9985,
        },
        "keypair": {"public": None, "private": None},
        "keyring": [],
        "backlog_reassign_delay": 120,
        "log": {"level_console": "info", "granular_levels": {}},
        "graphite": {"host": "localhost"},
        "events_plugins": ["console_print"],
        "CONFIGURED": True,
    }
    loaded = load_it(tmp_path, document)
    assert list(loaded.settings.events_plugins) == ["console_print"]
    assert {notice.level for notice in loaded.notices} == {"info"}  # nobody chose these: no warning


@pytest.mark.parametrize("backend", [*OLD_BACKENDS, "RethinkDB"])
@pytest.mark.parametrize("by_environment", [False, True])
def test_old_backends_are_refused_before_anything_else(tmp_path: Path, backend: str, by_environment: bool) -> None:  # noqa: FBT001
    document: dict[str, Any] = {"server": {"bind": 5}}  # wrong as well
    environ = {"BIGCHAINDB_DATABASE_BACKEND": backend} if by_environment else {}
    if not by_environment:
        document["database"] = {"backend": backend}
    with pytest.raises(ConfigurationError) as caught:
        load_it(tmp_path, document, **environ)
    text = str(caught.value)
    origin = "the environment variable BIGCHAINDB_DATABASE_BACKEND" if by_environment else f"`{tmp_path}/node.json`"
    assert text.startswith(f"database.backend is '{backend}' (from {origin})")
    for said in (
        "keeps its data itself",
        "MongoDB",
        "RethinkDB",
        "Tendermint",
        "'sqlite'",
        "delete the key",
        "not imported",
    ):
        assert said in text
    assert "\n" not in text  # one paragraph


@pytest.mark.parametrize("key", UNSUPPORTED)
def test_plugins_that_would_replace_the_rules_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{key}: not supported") as caught:
        load_it(tmp_path, {key: "mine"})
    assert f"{tmp_path}/node.json" in str(caught.value)
    with pytest.raises(ConfigurationError, match=variable_name(key)):
        load_it(tmp_path, {}, **{variable_name(key): "mine"})
    load_it(tmp_path, {key: None})


@pytest.mark.parametrize("key", [*IGNORED, *NOTICED])
def test_old_keys_are_ignored_with_a_word(tmp_path: Path, key: str) -> None:
    document: dict[str, Any] = {}
    section, _, name = key.partition(".")
    document[section] = {name: "old-value"} if name else "old-value"
    (_, notice) = load_it(tmp_path, document).notices
    assert notice.level == ("warning" if key in IGNORED else "info")
    assert notice.text.startswith(f"{key}: ignored, ")
    assert "old-value" not in notice.text  # some are passwords


@pytest.mark.parametrize("key", [key for key in OLD_KEYS if key not in UNSUPPORTED])
def test_old_keys_in_the_environment_get_the_same_word(tmp_path: Path, key: str) -> None:
    (_, notice) = load_it(tmp_path, {}, **{variable_name(key): "old-value"}).notices
    assert notice.text.startswith(f"{key}: ignored, ")
    assert variable_name(key) in notice.text


def test_keys_with_one_reason_share_a_line(tmp_path: Path) -> None:
    (_, notice) = load_it(tmp_path, {"database": {"host": "h", "port": 1, "ssl": False}}).notices
    assert notice.text.startswith("database.host, database.port, database.ssl: ignored")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"server": {"threads": 1}}, "server.threads: ignored: no Gunicorn (from"),
        (
            {"access": {"rates": {"anonymus": {"write": [1, 1]}}}},
            "access.rates.anonymus.write: unknown, so ignored; did you mean access.rates.anonymous.write? (from",
        ),
        (
            {"access": {"rates": {"anonymous": None, "anonymus": {"write": [1, 1]}}}},
            "access.rates.anonymus.write: unknown, so ignored; did you mean access.rates.anonymous.write? (from",
        ),
        ({"server": {"bnid": "x"}}, "server.bnid: unknown, so ignored; did you mean server.bind? (from"),
        ({"databse": {"path": "x"}}, "databse.path: unknown, so ignored; did you mean database.path? (from"),
        ({"event_plugins": ["a"]}, "event_plugins: unknown, so ignored; did you mean events_plugins? (from"),
        ({"port": 1}, "port: unknown, so ignored; did you mean server.bind or wsserver.port? (from"),
        ({"zzz": 1}, "zzz: unknown, so ignored; the nearest known key is "),
    ],
)
def test_unknown_keys_are_warned_about_and_never_fatal(tmp_path: Path, document: Any, text: str) -> None:
    (_, notice) = load_it(tmp_path, document).notices
    assert notice.level == "warning"
    assert notice.text.startswith(text)


def test_the_value_that_is_used_instead_is_told(tmp_path: Path) -> None:
    """A typo must not let the node run silently on another port, or on another ledger."""
    (_, notice) = load_it(tmp_path, {"server": {"bnd": "x:1", "bind": "y:2"}}).notices
    assert notice.text.endswith("in use is server.bind = 'y:2')")
    (_, notice) = load_it(tmp_path, {"database": {"pth": "x"}}).notices
    assert notice.text.endswith(f"in use is database.path = '{tmp_path}/.local/share/bigchaindb')")
    (_, notice) = load_it(tmp_path, {"keypair": {"privte": "x"}}).notices
    assert "in use is keypair.private = a value that is not shown" in notice.text


def test_gunicorns_names_are_no_typos(tmp_path: Path) -> None:
    (_, notice) = load_it(tmp_path, {"server": dict.fromkeys(GUNICORN, 1)}).notices
    assert notice.text.count("server.") == len(GUNICORN) > 60
    assert ": ignored: no Gunicorn (from" in notice.text


@pytest.mark.parametrize("rates", [None, {}, {"anonymous": None}])
def test_a_section_that_is_null_where_it_may_be_is_known(tmp_path: Path, rates: Any) -> None:
    path = tmp_path / "node.json"
    path.write_text(json.dumps({"access": {"rates": rates}}))
    assert [notice for notice in load_all(path, {}).notices if notice.level == "warning"] == []
