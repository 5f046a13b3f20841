"""How a node is reached: its address, the access key that is shown to it, and whether its certificate is trusted.

Source: docs/how-to/serve-over-tls.md; docs/how-to/open-to-the-internet.md.
"""

import os
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bigchaindb.agreed import ACCESS_KEY_VARIABLE, is_loopback
from bigchaindb.client.answers import other_scheme
from bigchaindb.errors import RequestFailed

_NAME_AUTHORITY: Final = "set SSL_CERT_FILE to the file of the authority that signed it"
_CURES_OF_TRUST: Final = {
    9: "set the clock of this machine, if it is wrong",
    10: "the node's operator must renew it, unless the clock of this machine is wrong",
    62: "ask the node under a name that its certificate has",
    64: "ask the node under a name or address that its certificate has",
}
"""What to do, by OpenSSL's number of the failure; unknown authorities have several."""
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
"""OpenSSL's reasons, by version, for an answer that is no TLS."""


class Lost(Exception):
    """A node did not answer; the message has the reason in few words."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        """Keep how long the node asks to wait."""
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def urls_of(nodes: str | Sequence[str]) -> tuple[str, ...]:
    """Return the URLs of nodes, checked.

    Raises:
        RequestFailed: there is none, one is no URL of HTTP, or has a key in it.
    """
    given = (nodes,) if isinstance(nodes, str) else tuple(nodes)
    if not given:
        raise RequestFailed("no node is named; name at least one, such as http://localhost:9984")
    return tuple(map(_checked, given))


def authorization(url: str, key: str | None) -> dict[str, str]:
    """Return the header that shows an access key to a node; none without a key.

    Args:
        url: of the node.
        key: None reads the file of `BIGCHAINDB_ACCESS_KEY_FILE`, each time, since keys are rotated.

    Raises:
        RequestFailed: the file cannot be read, there is no key in it, or the key would travel in clear.
    """
    what = "key"
    if key is None:
        if not (path := os.environ.get(ACCESS_KEY_VARIABLE)):
            return {}
        what, key = ACCESS_KEY_VARIABLE, _read_key(path)
    elif not _is_key(key):
        raise RequestFailed("key: not the text of an access key, which begins with bdb_; it must have nothing else")
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise RequestFailed(f"{what}: the key would travel in clear to {url}; name the node by https")
    return {"Authorization": f"Bearer {key}"}


def tls_context(tls: ssl.SSLContext | str | Path | None) -> ssl.SSLContext:
    """Return how certificates are judged.

    Args:
        tls: a context; or a file of authorities, in PEM; None trusts the authorities of the machine.

    Raises:
        RequestFailed: the file holds none.
    """
    if isinstance(tls, ssl.SSLContext):
        return tls
    try:
        return ssl.create_default_context(cafile=tls)
    except OSError as error:
        why = error.strerror if not isinstance(error, ssl.SSLError) else "it holds no certificate in PEM"
        raise RequestFailed(f"tls: cannot use `{tls}`: {why}; name a file of authorities in PEM") from error


def lost(error: BaseException, url: str, answer_s: float) -> Lost:
    """Return the reason of a failed request in few words.

    Args:
        error: of the library that speaks to the node.
        url: of the node.
        answer_s: the time that the node had.

    Raises:
        RequestFailed: it will not pass: TLS is not as it must be.
    """
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLError):
        raise RequestFailed(f"cannot ask {url}: {_about_tls(cause, url)}") from error
    if isinstance(error, TimeoutError):
        return Lost(f"no answer within {answer_s:g} s")
    return Lost(_about(cause))


def seconds(text: str | None) -> float | None:
    """Return the value of `Retry-After`; None for a date or no number."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004


def _about_tls(error: ssl.SSLError, url: str) -> str:
    """Return what is wrong with TLS at a URL, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return f"its certificate is not trusted: {why}; {_CURES_OF_TRUST.get(error.verify_code, _NAME_AUTHORITY)}"
    if error.reason in _NO_TLS:
        return f"it answers without TLS; ask {other_scheme(url)}"
    return f"no agreement on TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"


def _about(error: BaseException) -> str:
    """Return in few words why a connection failed."""
    if isinstance(error, OSError):
        if isinstance(error, socket.gaierror):
            return error.strerror or str(error)
        if error.errno:
            return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_http = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket without its other one, a port that is no number
        is_http = False
    if not is_http or parts.query or parts.fragment:
        shown = f"…{url[url.rindex('@') :]}" if "@" in url else url  # a password stands before the @
        raise RequestFailed(f"{shown!r} is not the URL of a node, such as http://localhost:9984")
    if "@" in parts.netloc:  # as the JavaScript driver takes it
        raise RequestFailed(
            "the URL of a node has no user and no key in it here, as others on this machine see the arguments of a "
            f"command; set {ACCESS_KEY_VARIABLE} to a file with the key"
        )
    return url.rstrip("/").removesuffix("/api/v1").rstrip("/")  # as the JavaScript driver takes it


def _read_key(path: str) -> str:
    try:
        key = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no access key"
        raise RequestFailed(f"{ACCESS_KEY_VARIABLE}: cannot read `{path}`: {reason}") from error
    if not _is_key(key):
        raise RequestFailed(f"{ACCESS_KEY_VARIABLE}: `{path}` holds no access key: it must hold one and nothing else")
    return key


def _is_key(text: str) -> bool:
    return text.isascii() and text.replace("_", "").isalnum()
