"""Keys that are encrypted, by the libraries of sinks that do not share a context of TLS."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from bigchaindb.doctor.trial import try_plugin
from tests.support.kafka_topics import Guarded, Topic
from tests.support.mosquitto import Mosquitto
from tests.support.redis import Redis
from tests.support.tls import Tls, seal

SESAME: Final = "open-s3same"
Encrypted = dict[str, str]


@pytest.fixture
def encrypted(tls: Tls, tmp_path: Path) -> Encrypted:
    """The options for a certificate whose key has a password."""
    seal(tls.key, SESAME, file := tmp_path / "key.pem")
    return {"cert_file": str(tls.certificate), "key_file": str(file)}


def require_password(sink: str, options: dict[str, Any], ended: Callable[[str], bool]) -> None:
    """Require that a sink gets in with the password, and says what is wrong without it."""
    assert ended(try_plugin(sink, {**options, "key_password": SESAME}, with_check=True).error)
    wrong = try_plugin(sink, {**options, "key_password": "wr0ng-s3same"}, with_check=True).error
    assert "cannot be used" in wrong
    assert "correct the password" in wrong
    assert "wr0ng" not in wrong
    assert "set its password by the option key_password" in try_plugin(sink, options, with_check=True).error


def test_mqtt(mosquitto_tls: Mosquitto, tls: Tls, encrypted: Encrypted) -> None:
    require_password("mqtt", {"url": mosquitto_tls.url, "ca_file": str(tls.ca), **encrypted}, lambda said: said == "")


def test_redis(redis_tls: Redis, tls: Tls, encrypted: Encrypted) -> None:
    require_password(
        "redis", {"url": redis_tls.url_with(), "ca_file": str(tls.ca), **encrypted}, lambda said: said == ""
    )


def test_kafka(guarded: Guarded, encrypted: Encrypted) -> None:
    topic = Topic(guarded.broker, guarded)
    require_password("kafka", topic.options(**encrypted), lambda said: said == "")
