"""What anonymous requests may do by default."""

import pytest

from bigchaindb.access.exposure import anonymous, is_local, open_door
from bigchaindb.agreed import is_loopback
from bigchaindb.config import Access, Server, Settings, WebSocketServer


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("node.example", False),
        ("", False),
    ],
)
def test_which_addresses_are_of_this_machine_alone(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (Settings(), None),
        (Settings(access=Access(proxies=("::1",))), "a proxy in access.proxies"),
        (Settings(access=Access(proxies=("::1",), anonymous="read")), None),
        (Settings(server=Server(bind="0.0.0.0:9984"), access=Access(proxies=("::1",))), "0.0.0.0:9984"),
    ],
)
def test_a_door_that_a_proxy_holds_open_is_open(settings: Settings, what: str | None) -> None:
    """The node listens on loopback then, and strangers write nevertheless."""
    sentence = f"everybody who reaches {what} can write; bigchaindb access key new closes it"
    assert open_door(settings) == (sentence if what else None)
    assert is_local(settings) == (settings == Settings())


@pytest.mark.parametrize(
    ("bind", "host", "text", "expected"),
    [
        ("localhost:9984", "localhost", None, "read write subscribe:*"),
        ("0.0.0.0:9984", "localhost", None, "read write"),
        ("localhost:9984", "0.0.0.0", None, "read write"),
        ("[::]:9984", "::", None, "read write"),
        ("localhost:9984", "localhost", "none", "none"),
        ("0.0.0.0:9984", "0.0.0.0", "read", "read"),
    ],
)
def test_strangers_get_what_they_had_and_nothing_new(bind: str, host: str, text: str | None, expected: str) -> None:
    settings = Settings(server=Server(bind=bind), wsserver=WebSocketServer(host=host), access=Access(anonymous=text))
    assert str(anonymous(settings)) == expected
