"""A certificate and its key as files: loaded whole or not at all, and tried before anything is served with them."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final, NamedTuple, NoReturn

from bigchaindb.config.limits import MIB
from bigchaindb.errors import ConfigurationError
from bigchaindb.files import Stamp, stamp

FILE_BYTES_MAX: Final = 1 * MIB
"""Chains of certificates have some KiB; a wrong path may name anything."""
CERTIFICATE: Final = "tls.certificate_file"
KEY: Final = "tls.private_key_file"
_OF_ANOTHER_PAIR: Final = frozenset({"KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
STEP_COUNT_MAX: Final = 8
"""Turns of a handshake between two ends in memory; it takes three."""
_WHATEVER_THE_TIME: Final = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which Python has no name."""


class Certificate(NamedTuple):
    """What a server needs to speak TLS.

    Attributes:
        context: for handshakes.
        ends_s: Unix time up to which the certificate is valid.
    """

    context: ssl.SSLContext
    ends_s: float


def stamps(certificate: Path, key: Path) -> tuple[Stamp | None, Stamp | None]:
    """Return the present stamps; None for a file that cannot be found."""
    return stamp(certificate), stamp(key)


def load(certificate: Path, key: Path) -> Certificate:
    """Load a pair of files and try them: both ends of a handshake are this process.

    Args:
        certificate: PEM, the node's own first, then those that connect it with an authority.
        key: PEM, without a password.

    Raises:
        ConfigurationError: names the setting, the file and what is wrong with it.
    """
    for setting, path in ((CERTIFICATE, certificate), (KEY, key)):
        _check_file(setting, path)
    _check_certificate(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key, _refuse_password)
        about = _tried(context, certificate)
    except ssl.SSLError as error:
        if error.reason in _OF_ANOTHER_PAIR:
            why = f"is not the key of the first certificate in `{certificate}`; set both to files of one pair"
        else:
            why = f"cannot be used with `{certificate}`: {reason_of(error)}"
        raise ConfigurationError(f"{KEY}: `{key}` {why}") from error
    except OSError as error:
        raise ConfigurationError(f"{KEY}: cannot read `{key}`: {error.strerror}") from error
    return Certificate(context, ssl.cert_time_to_seconds(about["notAfter"]))


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return the context of a client that trusts the certificate in a file, whatever its name, its signer and its end.

    Raises:
        OSError: the file cannot be read, or holds none; SSLError is one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _WHATEVER_THE_TIME
    return context


def refusal(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None = None) -> str | None:
    """Return why a client refuses the certificate of a server that it asks as `host`; None: it trusts it."""
    client.check_hostname = host is not None
    try:
        shake_hands(server, client, host)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message.rstrip(".")
    return None


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None) -> ssl.SSLObject:
    """Do a handshake in memory; return the client's end.

    Raises:
        SSLError: one end refuses the other.
    """
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(back, there, server_hostname=host), server.wrap_bio(there, back, server_side=True)
    for _ in range(STEP_COUNT_MAX):
        is_done = True
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                is_done = False
        if is_done:
            break
    return ends[0]


def reason_of(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in words; it has none for a file that is no PEM."""
    return "it is not PEM, or cut short" if error.reason is None else error.reason.replace("_", " ").lower()


def _tried(context: ssl.SSLContext, certificate: Path) -> Mapping[str, Any]:
    """Return what a client reads in the certificate, whoever signed it and whenever it ends."""
    about = shake_hands(context, trusting(certificate), None).getpeercert()
    assert about, "the handshake is over"
    return about


def _check_file(setting: str, path: Path) -> None:
    try:
        about = path.stat()
        is_file = S_ISREG(about.st_mode)  # to open a pipe would wait for whoever writes into it
        if is_file and 0 < about.st_size <= FILE_BYTES_MAX:
            path.open("rb").close()
            return
    except OSError as error:
        raise ConfigurationError(f"{setting}: cannot read `{path}`: {error.strerror}") from error
    found = f"{about.st_size} bytes" if is_file else "no regular file"
    raise ConfigurationError(f"{setting}: `{path}` must be a file of 1 to {FILE_BYTES_MAX} bytes, found {found}")


def _check_certificate(path: Path) -> None:
    """Require certificates in a file, so that an error can name the file."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"{CERTIFICATE}: `{path}` holds no whole certificate in PEM: {reason_of(error)}"
        ) from error
    except OSError as error:  # it was there just now: a tool replaces it by a new one
        raise ConfigurationError(f"{CERTIFICATE}: cannot read `{path}`: {error.strerror}") from error


def _refuse_password() -> NoReturn:
    raise PermissionError(0, "it is encrypted, and the node asks for no password; remove it with `openssl pkey`")
