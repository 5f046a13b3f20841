"""What `doctor` finds about a certificate names the file, the time and what to do."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config import Server, Settings, Tls, WebSocketServer
from bigchaindb.doctor.finding import Finding
from bigchaindb.doctor.tls import examine_tls
from tests.support.tls import Authority, Pair


@pytest.fixture
def pair(trusted: Authority, tmp_path: Path) -> Pair:
    signed = trusted.sign(days=90)
    return Pair(*(Path(shutil.copy2(path, tmp_path)) for path in signed))


def findings(pair: Pair, **stream: Any) -> list[Finding]:
    tls = Tls(certificate_file=pair.certificate, private_key_file=pair.key)
    server = Server(bind="localhost:9984")
    return list(examine_tls(Settings(server=server, wsserver=WebSocketServer(**stream), tls=tls)))


def wrong(pair: Pair, **stream: Any) -> Mapping[str, str]:
    return {one.text: one.advice for one in findings(pair, **stream) if one.status != "ok"}


def test_without_tls_there_is_nothing_to_examine() -> None:
    assert not list(examine_tls(Settings()))


def test_a_good_pair(pair: Pair) -> None:
    [one] = findings(pair)
    assert one.status == "ok"
    assert one.text.startswith(f"{pair.certificate}, valid until 20")


def test_a_key_that_others_read(pair: Pair) -> None:
    pair.key.chmod(0o640)
    text = f"{pair.key} has mode 0640, and others could serve as this node with it"
    assert wrong(pair) == {text: f"chmod 600 {pair.key}"}


def test_a_name_that_clients_are_told_and_the_certificate_lacks(pair: Pair) -> None:
    [(text, advice)] = wrong(pair, advertised_host="ledger.example").items()
    assert "is not for the host that clients ask: Hostname mismatch" in text
    assert "have it made for ledger.example as well" in advice


def test_an_authority_that_clients_do_not_know(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    [one] = [one for one in findings(pair) if one.status != "ok"]
    assert (one.status, "unable to get local issuer certificate" in one.text) == ("note", True)


@pytest.mark.parametrize(("days", "text"), [(20, "in less than 21 days"), (-1, "which is over: clients refuse it")])
def test_an_end_that_is_near_or_over(trusted: Authority, days: int, text: str) -> None:
    pair = trusted.sign(days=days)
    [(found, advice)] = wrong(pair).items()
    assert found.startswith(f"{pair.certificate}, valid until 20")
    assert found.endswith(text)
    assert "bigchaindb access reload" in advice


def test_files_that_do_not_fit(pair: Pair) -> None:
    pair.key.write_text("")
    [(text, advice)] = wrong(pair).items()
    assert text.startswith(f"tls.private_key_file: `{pair.key}` must be a file")
    assert "keeps the former ones in force" in advice


def test_a_stream_that_is_advertised_without_tls(pair: Pair) -> None:
    """Old releases' `configure` wrote this default."""
    assert any("clients are told ws://" in text for text in wrong(pair, advertised_scheme="ws"))
