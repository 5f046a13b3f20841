"""What a node publishes about itself: the addresses that clients find in `streams` and `docs`, too. Pure.

Source: docs/reference/contract/configuration-and-cli.md, section 2, `wsserver.advertised_*`.
"""

import re
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Final

from bigchaindb import __version__
from bigchaindb.agreed import WILDCARDS
from bigchaindb.api.call import NodeInfo
from bigchaindb.config import Settings, WebSocketServer
from bigchaindb.streams.websocket import PATH

_HOST_HEADER: Final = re.compile(
    r"(?:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,252})|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])(?::[0-9]{1,5})?"
)


def node_info(
    settings: Settings, public_key: str | None, stream_port: Callable[[], int], port: Callable[[], int]
) -> NodeInfo:
    """Return what a node with these settings publishes about itself; the ports are those of WebSocket and of HTTP."""
    is_secure = settings.tls.files is not None
    return NodeInfo(
        version=__version__,
        public_key=public_key,
        keyring=settings.keyring,
        stream_url=stream_url(settings.wsserver, stream_port, PATH, is_secure=is_secure),
        docs_url=docs_url(settings, port),
    )


def stream_url(
    settings: WebSocketServer, port: Callable[[], int], path: str, *, is_secure: bool = False
) -> Callable[[str], str]:
    """Return a function from a request's header `Host` to the stream's URL.

    Args:
        settings: values that are set take precedence; the others follow from the request and the port.
        is_secure: whether the stream is served over TLS.
        port: returns the port that is listened on.
        path: of the stream.
    """

    def url(host_header: str) -> str:
        scheme = settings.advertised_scheme or ("wss" if is_secure else settings.scheme)
        host = settings.advertised_host or host_of(host_header) or _named(settings.host)
        number = port() if settings.advertised_port is None else settings.advertised_port
        return f"{scheme}://{host}:{number}{path}"

    return url


def docs_url(settings: Settings, port: Callable[[], int]) -> Callable[[str], str]:
    """Return a function from a request's header `Host` to the address of the documentation.

    Args:
        settings: `server.docs_url` takes precedence; else it is the node's own description of its API.
        port: returns the port of HTTP.
    """
    tls, server, websocket = settings.tls, settings.server, settings.wsserver
    is_secure = tls.files is not None or tls.ended_by_proxy or websocket.advertised_scheme == "wss"
    path = "/docs" if settings.page.enabled else "/api/v1/openapi.json"

    def url(host_header: str) -> str:
        if server.docs_url is not None:
            return server.docs_url
        authority = host_header if host_of(host_header) else f"{_named(server.host)}:{port()}"
        return f"{'https' if is_secure else 'http'}://{authority}{path}"

    return url


def host_of(header: str) -> str | None:
    """Return the host of a header `Host`; None if it is no host:port, which must not be reflected."""
    found = _HOST_HEADER.fullmatch(header)
    if found is None:
        return None
    if (text := found["v6"]) is None:
        return found["name"]
    try:
        return f"[{IPv6Address(text)}]"
    except ValueError:
        return None


def _named(configured: str) -> str:
    """Return the host of an address that is listened on, as it stands in a URL."""
    host = "localhost" if configured in WILDCARDS else configured
    return f"[{host}]" if ":" in host else host
