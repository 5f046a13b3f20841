"""page: open the node's page in a browser, with the rights of the node's operator.

Source: docs/reference/page.md.
"""

import os
import webbrowser
from typing import Final

import click

from bigchaindb.access.exchange import CODE_S, KEY_S, SCOPES
from bigchaindb.agreed import WILDCARDS, is_loopback
from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.output import put, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.config import Settings
from bigchaindb.control.answers import NewCode, PageCode
from bigchaindb.errors import RequestFailed

DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")
"""Variables of which one is set where a browser can show a window; without one, a browser in the terminal may start."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb page
  bigchaindb page --print                       where the browser is on another machine, with a tunnel to this one"""
)
@click.option("--print", "only_prints", is_flag=True, help="Print the address, and open no browser.")
@pass_session
def page(session: Session, *, only_prints: bool) -> None:
    """Open the node's page with the rights to read and to give orders.

    The address has a code that is good once and for 60 seconds. The page exchanges it for an access key named `page`,
    which `bigchaindb access key list` shows and `access key revoke` ends; "Lock" in the page revokes it too.
    """
    settings = session.load().settings
    made = ControlClient.of(settings).change_access(NewCode(), PageCode)
    if made is None:
        raise RequestFailed("the node is not running, so it shows no page: run `bigchaindb start`, then this again")
    address = f"{_origin(settings, made.port or settings.server.port)}/#code={made.code}"
    say(
        f"this address is good once and for {CODE_S:g} s; it gives a browser {SCOPES} for {KEY_S // 3600} h:",
    )
    put(address)
    if _is_clear(settings):
        say(
            f"{settings.server.bind} is no address of this machine alone and has no TLS, so the node refuses codes and "
            "keys there: set tls.certificate_file, or bind the node to 0.0.0.0 and run this again"
        )
    elif not only_prints and any(os.environ.get(name) for name in DISPLAYS):
        webbrowser.open(address)


def _origin(settings: Settings, port: int) -> str:
    """Return the address of HTTP for a browser on this machine; browsers check signatures on `localhost` alone."""
    server, is_secure = settings.server, settings.tls.files is not None
    host = "localhost" if server.host in WILDCARDS or is_loopback(server.host) else server.host
    if is_secure and settings.wsserver.advertised_host is not None:  # the name in the certificate
        host = settings.wsserver.advertised_host
    return f"{'https' if is_secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _is_clear(settings: Settings) -> bool:
    """Whether a browser on this machine reaches the node by an address of the network, in clear."""
    tls = settings.tls
    is_on_this_machine = settings.server.host in WILDCARDS or is_loopback(settings.server.host)
    return tls.files is None and not tls.ended_by_proxy and not is_on_this_machine
