"""The forms that texts of the configuration must have: addresses, peers, and names of log levels.

Source: docs/reference/contract/configuration-and-cli.md, section 2.
"""

import re
from collections.abc import Mapping
from typing import Final

from bigchaindb.errors import ConfigurationError
from bigchaindb.masking import masked_address

LEVELS: Final[Mapping[str, int]] = {
    "critical": 50,
    "error": 40,
    "warning": 30,
    "info": 20,
    "benchmark": 15,
    "debug": 10,
    "notset": 0,
}
"""Log level names, in any case, and their numbers; `benchmark` is a name of 2.x. Source: section 2, below the table."""

PORT_MAX: Final = 65535
FOUND_CHARACTERS_MAX: Final = 200
"""Characters of a refused value in its error."""
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_NODE_ID: Final = re.compile(r"[0-9a-f]{40}")


def require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as an assert that stays
    """Require a condition. Raises ConfigurationError."""
    if not condition:
        raise ConfigurationError(message)


def found(value: object) -> str:
    """Return the end of an error about a refused value: its beginning, without the password of an address."""
    return f"found {masked_address(value)[:FOUND_CHARACTERS_MAX] if isinstance(value, str) else value!r}"


def split_bind(bind: str, key: str = "server.bind") -> tuple[str, int]:
    """Return host (without brackets) and port of `host:port`.

    Raises:
        ConfigurationError: it is a URL, or there is no host, or no port from 0 to 65535.
    """
    scheme, separator, address = bind.partition("://")
    named = address.partition("/")[0].rpartition("@")[2].rstrip(":")
    if not named.rpartition(":")[2].isdecimal():
        named = f"{named or 'localhost'}:9984"
    require(separator == "", f"{key}: must be host:port without `{scheme}://`, such as {named!r}, {found(bind)}")
    host, colon, port = bind.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ConfigurationError(f"{key}: must have an IPv6 address in brackets, such as '[::]:9984', {found(bind)}")
    is_port = re.fullmatch("0*[0-9]{1,5}", port) is not None and int(port) <= PORT_MAX
    require(
        colon == ":" and host != "" and is_port,
        f"{key}: must be host:port with a port of 0 to {PORT_MAX}, {found(bind)}",
    )
    return host, int(port)


def check_host(host: str, key: str) -> None:
    """Require a name or an address, where a port has a setting of its own.

    Raises:
        ConfigurationError: it is empty, a URL, or `host:port`.
    """
    require(host != "", f"{key}: must not be empty")
    require(
        not set("/@") & set(host) and host.count(":") != 1,
        f"{key}: must be a name or an address alone, such as 'localhost', {found(host)}",
    )


def check_address(address: str, key: str) -> None:
    """Require `host:port` of a node of a network: a name or an address, and a port that is not 0.

    Raises:
        ConfigurationError: it is none.
    """
    host, port = split_bind(address, key)
    require(
        _HOST.fullmatch(host) is not None, f"{key}: must be host:port, the host a name or an address, {found(address)}"
    )
    require(port > 0, f"{key}: the port must be 1 to {PORT_MAX}, {found(address)}")


def check_peer(peer: str, key: str) -> None:
    """Require `ID@HOST:PORT`, the id as `bigchaindb network id` prints it.

    Raises:
        ConfigurationError: it is none.
    """
    one, at, address = peer.partition("@")
    require(
        at == "@" and _NODE_ID.fullmatch(one) is not None,
        f"{key}: must be ID@HOST:PORT with an id of 40 hex digits, {found(peer)}",
    )
    check_address(address, key)


def check_level(key: str, level: object) -> None:
    """Require the name of a log level.

    Raises:
        ConfigurationError: it is no string, or no level's name.
    """
    if not isinstance(level, str):
        error = ConfigurationError("Log level must be a string!")  # the contract's text, so the key is a note
        error.add_note(f"{key}: {found(level)}")
        raise error
    require(level.lower() in LEVELS, f"{key}: unknown log level, {found(level)}; the levels are {', '.join(LEVELS)}")
