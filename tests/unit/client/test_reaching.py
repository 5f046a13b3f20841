"""Addresses, access keys and certificates of nodes."""

import ssl
from pathlib import Path

import pytest

from bigchaindb.client.reaching import authorization, lost, tls_context, urls_of
from bigchaindb.errors import RequestFailed
from tests.support.tls import Authority

KEY = "bdb_" + "a" * 12 + "_" + "b" * 49
URL = "http://localhost:9984"
VARIABLE = "BIGCHAINDB_ACCESS_KEY_FILE"


def test_urls_of_one_node_and_of_several() -> None:
    assert urls_of("http://a:9984/") == ("http://a:9984",)
    assert urls_of(["https://a/ledger", "http://[::1]:9984"]) == ("https://a/ledger", "http://[::1]:9984")
    assert urls_of(["http://a/api/v1/", "https://a/ledger/api/v1"]) == ("http://a", "https://a/ledger"), "of a driver"


@pytest.mark.parametrize(
    "url",
    ["localhost:9984", "ftp://h", "file:///etc/passwd", "http://[::1", "", "http://", "http://h:x", "http://h?a=b"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(RequestFailed, match="is not the URL of a node"):
        urls_of(url)


def test_a_password_in_what_is_no_address_is_not_shown() -> None:
    with pytest.raises(RequestFailed, match="is not the URL of a node") as refused:
        urls_of("u:hunter22@host:9984")
    assert "hunter22" not in str(refused.value)


def test_no_node_is_refused() -> None:
    with pytest.raises(RequestFailed, match="no node is named"):
        urls_of([])


def test_a_key_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(RequestFailed, match=rf"set {VARIABLE} to a file with the key$") as refused:
        urls_of("https://key:secret@ledger.example:9984")
    assert "secret" not in str(refused.value)


def test_a_key_is_shown_over_tls_and_on_this_machine() -> None:
    for url in ("https://ledger.example", "http://localhost:1", "http://127.0.0.2", "http://[::1]:9984"):
        assert authorization(url, KEY) == {"Authorization": f"Bearer {KEY}"}
    with pytest.raises(
        RequestFailed, match=r"key: the key would travel in clear to http://ledger.example; name .* https"
    ):
        authorization("http://ledger.example", KEY)


@pytest.mark.parametrize("key", ["", "two words", "bdb_\n", "schlüssel", f"Bearer {KEY}"])
def test_a_text_that_is_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(RequestFailed, match="not the text of an access key") as refused:
        authorization("https://a", key)
    assert not key or key not in str(refused.value)


def test_the_file_of_the_environment_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is rotated while an application runs."""
    monkeypatch.delenv(VARIABLE, raising=False)
    assert authorization("https://a", None) == {}
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    with pytest.raises(RequestFailed, match=f"{VARIABLE}: cannot read .*: No such file or directory"):
        authorization("https://a", None)
    for key in ("first", "second"):
        (tmp_path / "key").write_text(f"{key}\n")
        assert authorization("https://a", None) == {"Authorization": f"Bearer {key}"}
    (tmp_path / "key").write_text("two words")
    with pytest.raises(RequestFailed, match="it must hold one and nothing else"):
        authorization("https://a", None)
    assert authorization("https://a", KEY) == {"Authorization": f"Bearer {KEY}"}, "an argument goes first"


def test_authorities_are_a_file_a_context_or_the_machines(authority: Authority, tmp_path: Path) -> None:
    given = ssl.create_default_context()
    assert tls_context(given) is given
    assert len(tls_context(authority.file).get_ca_certs()) == 1
    assert tls_context(None).verify_mode == ssl.CERT_REQUIRED
    with pytest.raises(
        RequestFailed, match=r"tls: cannot use .*: No such file or directory; name a file of authorities"
    ):
        tls_context(tmp_path / "none.pem")
    (tmp_path / "text.pem").write_text("no PEM")
    with pytest.raises(RequestFailed, match="it holds no certificate in PEM"):
        tls_context(tmp_path / "text.pem")


def test_reasons_are_short() -> None:
    assert (
        str(lost(ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9984)"), URL, 1))
        == "Connection refused"
    )
    assert str(lost(OSError("Multiple exceptions"), URL, 1)) == "Multiple exceptions"
    assert str(lost(ValueError(), URL, 1)) == "ValueError"
