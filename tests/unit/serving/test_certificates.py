"""Files of TLS fit whole or not at all, and the error names the one that does not."""

import os
import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.errors import ConfigurationError
from bigchaindb.serving.certificates import _check_certificate, load, refusal, shake_hands, stamps, trusting
from tests.support.tls import NAME, Authority, Pair

DAY_S: Final = 86_400.0


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.sign(days=30)


@pytest.fixture
def copied(pair: Pair, tmp_path: Path) -> Pair:
    return Pair(*(Path(shutil.copy(path, tmp_path)) for path in pair))


def test_a_pair_serves_whoever_trusts_its_authority(pair: Pair, authority: Authority) -> None:
    loaded = load(*pair)
    assert abs(loaded.ends_s - time.time() - 30 * DAY_S) < DAY_S
    client = shake_hands(loaded.context, authority.client(), NAME)
    assert client.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        shake_hands(loaded.context, ssl.create_default_context(), NAME)


def test_a_client_of_the_node_itself_trusts_its_file_alone(pair: Pair, authority: Authority) -> None:
    """Commands on the node's machine need no authority; another server gets nothing from them."""
    assert shake_hands(load(*pair).context, trusting(pair.certificate), None).version()
    other = authority.sign()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(load(*other).context, trusting(pair.certificate), None)


def test_an_expired_certificate_is_served_and_its_end_is_known(authority: Authority) -> None:
    """A ledger that is down helps nobody; clients refuse it, and the metric counts below 0."""
    loaded = load(*authority.sign(days=-1))
    assert -2 * DAY_S < loaded.ends_s - time.time() < 0
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(loaded.context, authority.client(), NAME)


def test_a_certificate_that_goes_amid_its_checks_is_one_that_does_not_fit(tmp_path: Path) -> None:
    """Tools that renew replace links in two steps, and any other error would end the node's watch over its files."""
    with pytest.raises(ConfigurationError, match=r"^tls\.certificate_file: cannot read `\S+gone\.crt`: No such file"):
        _check_certificate(tmp_path / "gone.crt")


def test_what_a_client_would_say(trusted: Authority) -> None:
    server = load(*trusted.sign("DNS:ledger.example")).context
    assert refusal(server, ssl.create_default_context(), "ledger.example") is None
    assert "Hostname mismatch" in str(refusal(server, ssl.create_default_context(), NAME))


def cut(path: Path, byte_count: int) -> None:
    os.truncate(path, byte_count)


UNFIT: Final[dict[str, tuple[Callable[[Pair, Authority], object], str]]] = {
    "the certificate is missing": (
        lambda pair, _: pair.certificate.unlink(),
        r"^tls\.certificate_file: cannot read `\S+\.crt`: No such file",
    ),
    "the key is missing": (
        lambda pair, _: pair.key.unlink(),
        r"^tls\.private_key_file: cannot read `\S+\.key`: No such file",
    ),
    "the certificate is empty": (
        lambda pair, _: cut(pair.certificate, 0),
        r"must be a file of 1 to \d+ bytes, found 0",
    ),
    "the certificate is cut": (
        lambda pair, _: cut(pair.certificate, 300),
        r"^tls\.certificate_file: `\S+\.crt` holds no whole certificate in PEM: it is not PEM, or cut short$",
    ),
    "the key is cut": (
        lambda pair, _: cut(pair.key, 100),
        r"^tls\.private_key_file: `\S+\.key` cannot be used with `\S+\.crt`: it is not PEM, or cut short$",
    ),
    "the chain is cut": (
        lambda pair, authority: pair.certificate.write_bytes(
            pair.certificate.read_bytes() + authority.file.read_bytes()[:300]
        ),
        r"^tls\.certificate_file: `\S+\.crt` holds no whole certificate in PEM",
    ),
    "another pair's key": (
        lambda pair, authority: shutil.copy(authority.sign().key, pair.key),
        r"`\S+\.key` is not the key of the first certificate in `\S+\.crt`; set both to files of one pair$",
    ),
    "no file at all": (
        lambda pair, _: os.system(f"rm {pair.key} && mkfifo {pair.key}"),
        r"^tls\.private_key_file: `\S+` must be a file of 1 to 1048576 bytes, found no regular file$",
    ),
    "a file without end": (
        lambda pair, _: cut(pair.certificate, 10**12),
        r"^tls\.certificate_file: `\S+` must be a file of 1 to 1048576 bytes, found 1000000000000 bytes$",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_files_that_do_not_fit_are_named(copied: Pair, authority: Authority, name: str) -> None:
    spoil, text = UNFIT[name]
    spoil(copied, authority)
    with pytest.raises(ConfigurationError, match=text):
        load(*copied)


def test_an_encrypted_key_is_refused_without_a_question(copied: Pair) -> None:
    """OpenSSL would ask on the terminal, and a node without one would wait for ever."""
    encrypted = copied.key.with_suffix(".encrypted")
    command = f"openssl pkey -in {copied.key} -aes256 -passout pass:secret -out {encrypted}"
    assert os.system(command) == 0
    with pytest.raises(ConfigurationError, match="it is encrypted, and the node asks for no password"):
        load(copied.certificate, encrypted)


def test_a_change_of_either_file_shows(copied: Pair, authority: Authority) -> None:
    """The same time and size may come back; the file is another one then."""
    before = stamps(*copied)
    assert stamps(*copied) == before
    times = copied.key.stat().st_atime_ns, copied.key.stat().st_mtime_ns
    authority.put(copied)
    os.utime(copied.key, ns=times)
    assert stamps(*copied)[1] != before[1]
    copied.certificate.unlink()
    assert stamps(*copied)[0] is None
