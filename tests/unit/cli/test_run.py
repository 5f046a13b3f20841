"""What a start tells the person at the terminal."""

from bigchaindb.cli.run import _banner
from bigchaindb.config.settings import Settings, WebSocketServer


def test_the_banner_s_url_of_an_ipv6_address_can_be_copied() -> None:
    """Without brackets no client can tell the address from the port."""
    settings = Settings(wsserver=WebSocketServer(host="::1", port=9985))
    assert "ws://[::1]:9985/" in _banner(settings)
