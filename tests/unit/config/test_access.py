"""What the settings of access may be. Source: docs/reference/configuration.md, "Access"."""

import pytest

from bigchaindb.config import Access
from bigchaindb.errors import ConfigurationError


@pytest.mark.parametrize("origin", ["*", "https://app.example", "http://localhost:3000", "http://[::1]:80"])
def test_an_origin_is_as_browsers_send_it(origin: str) -> None:
    assert Access(origins=(origin,)).origins == (origin,)


@pytest.mark.parametrize("origin", ["", "app.example", "https://app.example/", "https://App.example", "**", "null"])
def test_a_text_that_no_browser_sends_is_refused(origin: str) -> None:
    """Else the page that it is meant for would be refused, and nobody would see why."""
    with pytest.raises(ConfigurationError, match=r"^access\.origins: must be"):
        Access(origins=(origin,))


@pytest.mark.parametrize("proxy", ["", "proxy.example", "10.0.0.1/8", "192.0.2.1:80", "300.0.0.1"])
def test_a_proxy_is_an_address_or_a_network(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^access\.proxies: must be"):
        Access(proxies=(proxy,))
    assert Access(proxies=("10.0.0.0/8", "::1")).proxies


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0"])
def test_not_everybody_is_a_proxy(everybody: str) -> None:
    """Whoever is one has any address that he likes."""
    with pytest.raises(ConfigurationError, match=r"^access\.proxies: .* is everybody"):
        Access(proxies=(everybody,))
