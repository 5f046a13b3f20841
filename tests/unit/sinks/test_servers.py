"""What options of sinks say of a server: refused before the first event, by name, and without a password."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from bigchaindb.sinks.amqp import AmqpOptions, AmqpSink
from bigchaindb.sinks.mqtt import MqttOptions, MqttSink
from bigchaindb.sinks.nats import NatsSink
from bigchaindb.sinks.nats_options import NatsOptions
from bigchaindb.sinks.redis import RedisOptions
from bigchaindb.sinks.servers import TlsOptions, address_of, place_of
from tests.support.tls import Authority, seal

NAMED: Final[list[tuple[Callable[..., Any], str]]] = [
    (AmqpOptions, "amqp"),
    (MqttOptions, "mqtt"),
    (NatsOptions, "nats"),
    (RedisOptions, "redis"),
]
SECURED: Final[list[tuple[Callable[[], Any], str]]] = [
    (AmqpSink, "amqps://h"),
    (MqttSink, "mqtts://h"),
    (NatsSink, "nats://h"),
]


@pytest.mark.parametrize(("options", "scheme"), NAMED)
@pytest.mark.parametrize("password", ["1234#rest", "1234?rest", "1234/rest", "p@1234#rest", "pa[ss"])
def test_a_password_that_cuts_its_address_is_not_taken_for_a_port(
    options: Callable[..., Any], scheme: str, password: str
) -> None:
    """`bob:1234` would look like host and port, and stand in each error of the connection."""
    with pytest.raises(ValueError, match=r"^url: is no address; write % / [?] # @ ") as refused:
        options(url=f"{scheme}://bob:{password}@host:1")
    assert not [part for part in ("1234", "rest", "ss@") if part in str(refused.value)]


@pytest.mark.parametrize(("options", "scheme"), NAMED)
@pytest.mark.parametrize("host", ["h" * 70, "a..b"])
def test_a_host_that_cannot_be_looked_up_is_refused(options: Callable[..., Any], scheme: str, host: str) -> None:
    """The look-up fails as a fault of an event does."""
    with pytest.raises(ValueError, match=r"^url: is no address"):
        options(url=f"{scheme}://{host}")


def test_parameters_and_a_path_are_for_servers_that_know_them() -> None:
    assert AmqpOptions(url="amqp://h/v%2Fhost?heartbeat=10").place == "h:5672"
    for url in ("x://h/path", "x://h?a=b"):
        with pytest.raises(ValueError, match=r"^url: (found x://…, which )?is no address"):
            address_of(url, {"x"}, kind="an x", form="x://HOST")


def test_a_place_is_host_and_port() -> None:
    found = [
        place_of(urlsplit(url), 5) for url in ("x://bob:secret@h:1", "x://h", "x://bob:secret@[::1]", "x://[::1]:7")
    ]
    assert found == ["h:1", "h:5", "[::1]:5", "[::1]:7"]


@pytest.mark.parametrize(("sink", "url"), SECURED)
def test_a_file_that_cannot_be_used_is_named(sink: Callable[[], Any], url: str, tmp_path: Path) -> None:
    """The error of the library says "No such file or directory", and not which."""
    empty, missing = tmp_path / "empty.pem", tmp_path / "missing.pem"
    empty.touch()
    for file in (empty, missing):
        with pytest.raises(ValueError, match=f"^ca_file: {file} cannot be used: "):
            sink().configure({"url": url, "ca_file": str(file)})
        with pytest.raises(ValueError, match=f"^cert_file, key_file: {file} and {empty} cannot be used: "):
            sink().configure({"url": url, "cert_file": str(file), "key_file": str(empty)})


def test_a_key_with_a_password_needs_that(tmp_path: Path) -> None:
    """Without it the library would ask for it at the terminal, and wait for ever."""
    certificate, key = Authority(tmp_path / "authority").sign()
    seal(key, "sesame", sealed := tmp_path / "key.pem")
    for file in (key, sealed):
        files: dict[str, Any] = {"cert_file": str(certificate), "key_file": str(file)}
        TlsOptions(**files, key_password="sesame").tls_context()
    with pytest.raises(ValueError, match=r"^key_file: is encrypted; set its password by the option key_password"):
        TlsOptions(**files).tls_context()
    with pytest.raises(ValueError, match=r"^cert_file, key_file, key_password: .* correct the password") as raised:
        TlsOptions(**files, key_password="wr0ng-s3same").tls_context()
    assert "wr0ng" not in str(raised.value)


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValueError, match=r"^cert_file, key_file: set both or neither"):
        TlsOptions(cert_file="c.pem")


def test_a_password_needs_its_key() -> None:
    with pytest.raises(ValueError, match=r"^key_password: is of the key in the option key_file, which is not set"):
        TlsOptions(key_password="sesame")
