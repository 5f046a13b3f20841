"""Options and values of options that several commands share."""

import json
from collections.abc import Callable
from typing import Any, Final

import click

from bigchaindb.cli.client import NodeClient
from bigchaindb.cli.session import Session, named, pass_session
from bigchaindb.errors import ConfigurationError

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def on_plugin(epilog: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command about the plugin NAME, with `--json`; the function gets the session first."""

    def make(function: Callable[..., None]) -> click.Command:
        made = click.command(epilog=epilog)(click.argument("name")(json_option(pass_session(function))))
        made.params.append(made.params.pop(1))  # in the help --json comes last, as everywhere
        return made

    return make


node_option: Final = click.option(
    "--node",
    metavar="URL",
    envvar="BIGCHAINDB_NODE",
    help="URL of the node; by default the address in server.bind.",
)


def node_at(session: Session, node: str | NodeClient | None) -> NodeClient:
    """Return the node of a URL, by default that of the configuration.

    Raises:
        RequestFailed: `node` is no URL.
    """
    if isinstance(node, NodeClient):
        return node
    return NodeClient(node) if node else own_node(session)


def own_node(session: Session) -> NodeClient:
    """Return the node of the configuration; one that listens on every address is reached on this machine."""
    loaded = session.load_silently()
    server = loaded.settings.server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104 - compared with
    origin = loaded.origins.get("server.bind", f"the default, as {named(loaded)} has none")
    advice = f" The address is server.bind, from {origin}: start that node, or name another with -c or --node URL"
    scheme = "http" if loaded.settings.tls.files is None else "https"
    url = f"{scheme}://[{host}]:{server.port}" if ":" in host else f"{scheme}://{host}:{server.port}"
    return NodeClient(url, origin=advice, certificate=loaded.settings.tls.certificate_file)


def read_object(text: str | None, option: str) -> dict[str, Any] | None:
    """Return the value of an option that is a JSON object, or `@FILE` with one.

    Raises:
        ConfigurationError: it is no JSON object.
    """
    if text is None:
        return None
    is_file = text.startswith("@")
    if is_file:
        try:
            with click.open_file(text[1:], encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise ConfigurationError(f"{option}: cannot read the file `{text[1:]}`: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{option}: the file `{text[1:]}` is not UTF-8") from error
    try:
        value = json.loads(text)
    except ValueError as error:
        hint = "" if is_file or text.lstrip().startswith("{") else "; pass a file as @FILE"
        raise ConfigurationError(f"{option}: not JSON: {error}{hint}") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{option}: expected an object such as '{{\"n\": 1}}', found {text[:60]!r}")
    return value
