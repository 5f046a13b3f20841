"""Who counts as one address, and whose word about it counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.access.addresses import UNKNOWN, Proxies, forwarded, group, is_loopback


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2:3::4", 1, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::", 1, 0, 0), "2001:db8:1:2::/64"),
        (("2001:db8:1:3::4", 1, 0, 0), "2001:db8:1:3::/64"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
        (("127.0.0.1", 1), "127.0.0.1"),
        (("::ffff:127.0.0.1", 1, 0, 0), "127.0.0.1"),
        (("::1", 1, 0, 0), "::1"),
        (None, UNKNOWN),
        ("", UNKNOWN),
        (("nonsense", 1), UNKNOWN),
    ],
)
def test_an_address_is_one_of_ipv4_or_a_64_of_ipv6(peer: object, address: str) -> None:
    """Whoever rents one IPv6 address has 2^64 of them."""
    assert group(peer) == address


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("127.0.0.1,192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::7]", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::7]:4711", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", None),
        ("192.0.2.7,", None),
        ("unknown", None),
        ("192.0.2.7;198.51.100.1", None),
        ("[192.0.2.7", "192.0.2.7"),
        ("[]", None),
        (4_000 * "1,", None),
    ],
)
def test_the_last_entry_of_a_proxy_is_the_client(header: str, address: str | None) -> None:
    """Clients can write the entries before it, so that they would count as somebody else."""
    assert forwarded(header) == address


@given(st.text())
def test_no_header_is_an_error(header: str) -> None:
    assert forwarded(header) is None or forwarded(header)


def test_proxies_are_addresses_and_networks() -> None:
    proxies = Proxies(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"])
    assert all(proxies.holds((peer, 1)) for peer in ("127.0.0.1", "10.200.0.1", "::ffff:10.0.0.1", "2001:db8:7::1"))
    assert not any(proxies.holds((peer, 1)) for peer in ("127.0.0.2", "11.0.0.1", "::1", "2001:db9::1", "x"))
    assert not proxies.holds(None)
    assert not Proxies().holds(("127.0.0.1", 1))


def test_loopback_is_known_by_its_text() -> None:
    assert is_loopback("::1")
    assert is_loopback("127.8.9.1")
    assert not is_loopback("128.0.0.1")
