"""The node that commands ask over HTTP, with `bigchaindb.client` as applications have it.

It imports an HTTP client, which takes a moment: commands that ask no node leave it alone.
"""

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from bigchaindb.cli.session import Session, named
from bigchaindb.client import Client
from bigchaindb.serving.certificates import trusting

BUSY_S_MAX: Final = 5.0
"""Time in which a request is repeated that a starting or busy node answers with 503. Nobody there is said at once."""

node_option: Final = click.option(
    "--node",
    metavar="URL",
    envvar="BIGCHAINDB_NODE",
    help="URL of the node; by default the address in server.bind.",
)


def node_at(session: Session, node: str | None) -> Client:
    """Return the node of a URL, by default that of the configuration. It is closed with the command.

    Raises:
        RequestFailed: `node` is no URL.
    """
    client = Client(node, deadline_s=BUSY_S_MAX, unreachable_s=0) if node else _own_node(session)
    click.get_current_context().call_on_close(client.close)
    return client


def _own_node(session: Session) -> Client:
    """Return the node of the configuration; one that listens on every address is reached on this machine."""
    loaded = session.load_silently()
    server = loaded.settings.server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104 - compared with
    origin = loaded.origins.get("server.bind", f"the default, as {named(loaded)} has none")
    advice = f" The address is server.bind, from {origin}: start that node, or name another with -c or --node URL"
    scheme = "http" if loaded.settings.tls.files is None else "https"
    url = f"{scheme}://[{host}]:{server.port}" if ":" in host else f"{scheme}://{host}:{server.port}"
    tls = _own(loaded.settings.tls.certificate_file)
    return Client(url, deadline_s=BUSY_S_MAX, unreachable_s=0, tls=tls, advice=advice)


def _own(certificate: Path | None) -> ssl.SSLContext | None:
    """Return what trusts the node's own certificate, whatever it says; None: the machine's authorities do."""
    if certificate is None:
        return None
    with suppress(OSError):  # whoever may not read it is a client like any other
        return trusting(certificate)
    return None
