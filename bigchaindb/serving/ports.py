"""Whether an address can be listened on, and the process that holds it if not."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EADDRNOTAVAIL
from typing import NamedTuple

from bigchaindb.errors import StartupError
from bigchaindb.serving.listener import bind
from bigchaindb.serving.processes import listener, name_of


class Taken(NamedTuple):
    """Why an address cannot be listened on.

    Attributes:
        reason: the system's text.
        process: the process that listens there, if known.
        is_of_host: whether the host is none of this machine, so that no port of it can be listened on.
    """

    reason: str
    process: int | None
    is_of_host: bool = False

    @property
    def who(self) -> str:
        """The process and its command, to be added to the reason."""
        return "" if self.process is None else f", by process {self.process} ({name_of(self.process)})"

    def cure(self, key: str) -> str:
        """Return what to do; `key` is the setting that names the port."""
        if self.is_of_host:
            return f"set {host_key(key)} to a name or an address of this machine"
        return f"{'' if self.process is None else 'stop that process, or '}set another {key}"


def host_key(key: str) -> str:
    """Return the setting that names the host of an address, by the one that names its port."""
    return "wsserver.host" if key == "wsserver.port" else key


def taken(host: str, port: int) -> Taken | None:
    """Bind an address as the node does and release it; return None if that succeeds."""
    try:
        for opened in bind(host, port):
            opened.close()
    except StartupError as error:
        return _taken(error, host, port)
    return None


def require_free(addresses: Mapping[str, tuple[str, int]]) -> None:
    """Require that all addresses can be listened on; call it before anything starts that would have to be stopped.

    Args:
        addresses: host and port by the setting that names them.

    Raises:
        StartupError: names every address that cannot, the process that holds it, and its setting.
    """
    complaints = [
        _complaint(key, host, port, found)
        for key, (host, port) in addresses.items()
        if (found := taken(host, port)) is not None
    ]
    if complaints:
        raise StartupError("; ".join(complaints))


@contextmanager
def naming(key: str, host: str, port: int) -> Iterator[None]:
    """Have an address that was taken since `require_free` named in the same words.

    Raises:
        StartupError: as of `require_free`, where listening on the address fails.
    """
    try:
        yield
    except StartupError as error:
        raise StartupError(_complaint(key, host, port, _taken(error, host, port))) from error


def _taken(error: StartupError, host: str, port: int) -> Taken:
    """Return why `bind` or listening failed."""
    reason = getattr(error.__cause__, "strerror", None) or str(error.__cause__ or error)
    if (
        isinstance(error.__cause__, socket.gaierror | UnicodeError)
        or getattr(error.__cause__, "errno", None) == EADDRNOTAVAIL
    ):
        return Taken(reason, None, is_of_host=True)
    return Taken(reason, next((one for at in _addresses(host) if (one := listener(at, port)) is not None), None))


def _complaint(key: str, host: str, port: int, found: Taken) -> str:
    named = host_key(key) if found.is_of_host else key
    return f"cannot listen on {host}:{port} ({named}): {found.reason}{found.who}; {found.cure(key)}"


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for *_, address in found]
