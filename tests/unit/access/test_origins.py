"""Which pages may borrow what a client's address allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.access.origins import ALL, HOSTS_CACHED_MAX, Origins
from bigchaindb.config import Access, Server, Settings, WebSocketServer

NODE = Origins.of(Settings(wsserver=WebSocketServer(advertised_host="ledger.example")))
LISTED = Origins(["https://app.example"], ports=[9984, 9985])


@pytest.mark.parametrize(
    "host",
    [
        "localhost:9984",
        "LOCALHOST",
        "127.0.0.1:9984",
        "192.0.2.7",
        "[::1]:9984",
        "ledger.example:443",
        "Ledger.Example.",
    ],
)
def test_an_address_and_the_nodes_own_names_are_no_others(host: str) -> None:
    assert not NODE.are_foreign({"host": host})


@pytest.mark.parametrize("host", ["attacker.example:9984", "localhost.attacker.example", "[x]", ":", "a b", "1.2.3"])
def test_a_name_that_was_made_to_lead_here_is_foreign(host: str) -> None:
    """DNS rebinding: the page's own name, for which a browser lets it read everything."""
    assert NODE.are_foreign({"host": host})
    assert NODE.are_foreign({"host": host, "origin": f"http://{host}"})


def test_who_names_no_host_is_no_browser() -> None:
    assert not NODE.are_foreign({})


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:9984", "http://localhost:9984"),
        ("localhost:9985", "http://localhost:9984"),
        ("ledger.example", "https://ledger.example"),
        ("[::1]:9984", "http://[::1]:9984"),
        ("192.0.2.7:8443", "https://192.0.2.7:8443"),
    ],
)
def test_the_nodes_own_pages_are_not_foreign(host: str, origin: str) -> None:
    assert not NODE.are_foreign({"host": host, "origin": origin})


@pytest.mark.parametrize(
    "origin", ["null", "", "https://attacker.example", "http://localhost:3000", "http://127.0.0.1:9984", "http://", "x"]
)
def test_other_pages_are_foreign(origin: str) -> None:
    """A page of another port of this machine is another page."""
    assert NODE.are_foreign({"host": "localhost:9984", "origin": origin})


def test_a_list_names_the_pages_that_may_use_the_node() -> None:
    assert LISTED.may_use({"host": "localhost:9984"})
    assert LISTED.may_use({"host": "localhost:9984", "origin": "https://app.example"})
    assert LISTED.may_use({"host": "localhost:9984", "origin": "http://localhost:9984"})
    assert not LISTED.may_use({"host": "localhost:9984", "origin": "https://app.example:444"})
    assert ALL.may_use({"host": "attacker.example", "origin": "https://attacker.example"})


@given(st.text(), st.text())
def test_no_header_is_an_error(host: str, origin: str) -> None:
    NODE.are_foreign({"host": host, "origin": origin})
    LISTED.may_use({"host": host, "origin": origin})


def test_the_settings_name_the_node() -> None:
    settings = Settings(server=Server(bind="node.example:80"), access=Access(origins=("https://app.example",)))
    origins = Origins.of(settings)
    assert not origins.are_foreign({"host": "node.example", "origin": "http://node.example:80"})
    assert not origins.takes_any


def test_the_names_of_strangers_are_not_all_remembered() -> None:
    """Each request has a `Host` of its client's choice, of up to 8 KB."""
    origins = Origins()
    for number in range(2 * HOSTS_CACHED_MAX):
        assert origins.are_foreign({"host": f"{number}.example"})
    assert origins._is_own_name.cache_info().currsize <= HOSTS_CACHED_MAX
