"""What the options of several sinks have in common about a server: its address, the files for TLS, and its patience."""

import ssl
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlsplit

from bigchaindb.delivery import WINDOW_COUNT_MAX, ShapedOptions, scheme_found

RESERVED: Final = "%/?#@"
"""Characters of a password that would end it, or begin an escape."""
UNCONFIRMED_MAX: Final = 65_535
"""Messages on their way, by the width of their number in MQTT; no server is faster with more."""
CONFIRM_S_MAX: Final = 3_600.0


class TlsOptions(ShapedOptions, frozen=True, kw_only=True):
    """Options of a sink that may reach its server by TLS; its own options derive from it.

    Attributes:
        ca_file: whom to trust; None is the system's authorities.
        cert_file, key_file: who we are.
        key_password: of the key, if it is encrypted.
    """

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: str | None = None

    def __post_init__(self) -> None:
        """Refuse a certificate without its key."""
        super().__post_init__()
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file, key_file: set both or neither")
        if self.key_password is not None and self.key_file is None:
            raise ValueError("key_password: is of the key in the option key_file, which is not set")

    def tls_context(self) -> ssl.SSLContext:
        """Return the context that these files make.

        Raises:
            ValueError: one of them cannot be used; names it.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise ValueError(f"ca_file: {self.ca_file} cannot be used: {error}") from error
        if self.cert_file is not None:
            files = f"{self.cert_file} and {self.key_file} cannot be used"
            try:
                context.load_cert_chain(self.cert_file, self.key_file, self.key_password or _refuse_password)
            except ssl.SSLError as error:
                if self.key_password is not None:
                    raise ValueError(
                        f"cert_file, key_file, key_password: {files}: {error}; correct the password, or the files"
                    ) from error
                raise ValueError(f"cert_file, key_file: {files}: {error}") from error
            except OSError as error:
                raise ValueError(f"cert_file, key_file: {files}: {error}") from error
        return context


class ConfirmedOptions(TlsOptions, frozen=True, kw_only=True):
    """Options of a sink whose server confirms each message by itself; its own options derive from it.

    Attributes:
        window: messages sent and not confirmed.
        confirm_s: a message without an answer for so long ends the connection.
    """

    window: int = WINDOW_COUNT_MAX
    confirm_s: float = 30.0

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be kept."""
        super().__post_init__()
        if not 1 <= self.window <= UNCONFIRMED_MAX:
            raise ValueError(f"window: must be 1 to {UNCONFIRMED_MAX}, found {self.window!r}")
        if not 0 < self.confirm_s <= CONFIRM_S_MAX:
            raise ValueError(f"confirm_s: must be above 0 and at most {CONFIRM_S_MAX:g}, found {self.confirm_s!r}")


def address_of(
    url: str,
    schemes: Collection[str],
    *,
    kind: str,
    form: str,
    reserved: str = RESERVED,
    takes_path: bool = False,
    takes_query: bool = False,
) -> SplitResult:
    """Return the parts of the address of a server. An error does not quote it: there may be a password in it.

    Args:
        url: as the option `url` has it.
        schemes: that it may have.
        kind: of the server, for errors.
        form: how to write it, for errors.
        reserved: characters that must be escaped in a password.
        takes_path: whether it may go on after the host.
        takes_query: the same for `?` and parameters.

    Raises:
        ValueError: it is no such address.
    """
    parts: SplitResult | None
    try:
        parts = urlsplit(url)
        _ = parts.port
        (parts.hostname or "").encode("idna")  # such a host fails as if an event were to blame
    except ValueError:
        parts = None
    if parts is None or parts.fragment or (parts.query and not takes_query) or _is_cut(url, parts):
        escapes = " ".join(f"%{ord(character):02X}" for character in reserved)
        raise ValueError(
            f"url: is no address; write {' '.join(reserved)} of a password as {escapes}, and all of it as {form}"
        )
    if parts.scheme not in schemes or not parts.hostname or (parts.path.strip("/") and not takes_path):
        raise ValueError(f"url: {scheme_found(url)}, which is no address of {kind}; write it as {form}")
    return parts


def place_of(parts: SplitResult, port: int) -> str:
    """Return host and port for people, without user and password.

    Args:
        parts: of the address.
        port: unless it names one.
    """
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{host}:{parts.port or port}"


def _is_cut(url: str, parts: SplitResult) -> bool:
    """Whether an address ends within its password, the head of which then counts as a port, and would be shown."""
    return parts.netloc != "" and "@" in url and "@" not in parts.netloc


def _refuse_password() -> str:
    raise ValueError("key_file: is encrypted; set its password by the option key_password")
