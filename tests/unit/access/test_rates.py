"""How often who may send what."""

from typing import Any

import pytest

from bigchaindb.access.rates import Rates
from bigchaindb.config import Access
from bigchaindb.config.values import build
from bigchaindb.errors import ConfigurationError


def rates(**settings: Any) -> Rates:
    access: Access = build({"rates": settings}, Access, "access")
    return Rates(access, count_max=100)


def test_without_a_rate_everything_passes() -> None:
    """Published drivers do not repeat after a 429."""
    for found in (rates(), Rates(Access(rates=None), count_max=1), rates(anonymous=None, known=None)):
        assert not any(found.take("", "192.0.2.7", "write", 1.0) for _ in range(1_000))


def test_an_address_has_its_rate_and_the_text_names_the_setting() -> None:
    found = rates(anonymous={"write": [20, 3]})
    assert [found.take("", "192.0.2.7", "write", 1.0) for _ in range(3)] == [None] * 3
    excess = found.take("", "192.0.2.7", "write", 1.0)
    assert excess is not None
    assert excess.wait_s == 1
    assert excess.text == (
        "more than 20 requests a second and 3 at once that need the scope write, from your address "
        "(access.rates.anonymous.write); try again in 1 s"
    )
    assert found.take("", "192.0.2.8", "write", 1.0) is None
    assert found.take("", "192.0.2.7", "write", 1.06) is None


@pytest.mark.parametrize("scope", ["read", "subscribe:billing", "operate", None])
def test_whatever_does_not_write_counts_as_reading(scope: str | None) -> None:
    """An unknown path and a preflight cost the node something, too."""
    found = rates(anonymous={"read": [0.1, 1]})
    assert found.take("", "a", "read", 1.0) is None
    excess = found.take("", "a", scope, 1.0)
    assert excess is not None
    assert excess.wait_s == 10
    assert found.take("", "a", "write", 1.0) is None


def test_a_key_has_one_rate_wherever_it_is_used() -> None:
    found = rates(known={"write": [1, 1]})
    assert found.take("k3fA9xx", "192.0.2.7", "write", 1.0) is None
    excess = found.take("k3fA9xx", "192.0.2.8", "write", 1.0)
    assert excess is not None
    assert "with your access key (access.rates.known.write)" in excess.text
    assert found.take("other", "192.0.2.8", "write", 1.0) is None
    assert found.take("", "192.0.2.8", "write", 1.0) is None


def test_wrong_keys_always_have_a_rate() -> None:
    found = rates()
    assert [found.fail("192.0.2.7", 1.0) for _ in range(20)] == [None] * 20
    excess = found.fail("192.0.2.7", 1.0)
    assert excess is not None
    assert excess.text.startswith("more than 1 wrong access key a second and 20 at once from your address")
    assert found.fail("192.0.2.7", 2.0) is None


def test_as_many_addresses_and_keys_are_remembered_as_are_allowed() -> None:
    """Strangers have any number of addresses, and each that is remembered takes memory."""
    found = rates(anonymous={"read": [0.001, 1], "write": [0.001, 1]}, known={"read": [0.001, 1], "write": [0.001, 1]})
    for key, scope in (("", "read"), ("", "write"), ("k3fA9xx", "read"), ("k3fA9xx", "write")):
        assert [found.take(key, "a", scope, 1.0) is None for _ in range(2)] == [True, False]
        for number in range(100):
            found.take(key and f"key {number}", f"address {number}", scope, 1.0)
        assert found.take(key, "a", scope, 1.0) is None, (key, scope)
    assert [found.fail("a", 1.0) is None for _ in range(21)] == 20 * [True] + [False]
    for number in range(100):
        found.fail(f"address {number}", 1.0)
    assert found.fail("a", 1.0) is None


@pytest.mark.parametrize("rate", [[], [1], [0, 1], [1, 0.5], [-1, 5], [1, 2, 3]])
def test_a_rate_that_lets_nothing_through_is_refused(rate: list[float]) -> None:
    with pytest.raises(ConfigurationError, match=r"^access\.rates\.known\.read: must be \[per second, at once\]"):
        rates(known={"read": rate})
