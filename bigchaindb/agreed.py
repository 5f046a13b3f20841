"""What a node and its clients must agree on, and neither may import from the other. Pure."""

from ipaddress import ip_address
from typing import Final

ACCESS_KEY_VARIABLE: Final = "BIGCHAINDB_ACCESS_KEY_FILE"
"""The environment variable that names the file with a client's access key. A node does not read it."""
ASK_OVER_TLS: Final = "this address is served over TLS; ask it with https:// or wss://"
"""The answer of a node that serves over TLS to a request in clear."""
PAGE_COUNT: Final = 1_000
"""Rows that a client may ask for in one page, whatever the limits of the node: it does not know them."""
WILDCARDS: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, nothing is bound here
"""Addresses that a server can listen on and no client can connect to."""


def is_loopback(host: str) -> bool:
    """Whether an address, or a name that a server listens on, is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
