"""Examines the certificate and its key: whether the node can serve with them, and clients will trust it."""

import shlex
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from bigchaindb.agreed import WILDCARDS
from bigchaindb.config import Settings
from bigchaindb.config.load import exposed_mode
from bigchaindb.doctor.finding import Finding
from bigchaindb.errors import ConfigurationError
from bigchaindb.serving.certificates import load, refusal, trusting
from bigchaindb.serving.tls import SOON_S, date

RENEW = "renew it; the node takes the new files by itself, or at once by `bigchaindb access reload`"
_IN_FORCE = "a node that runs keeps the former ones in force; none starts before this is mended"


def examine_tls(settings: Settings) -> Iterator[Finding]:
    """Examine the files of `tls`; without them nothing."""
    if settings.tls.files is None:
        return
    certificate, key = settings.tls.files
    try:
        loaded = load(certificate, key)
    except ConfigurationError as error:
        yield Finding("certificate", "fix", str(error), _IN_FORCE)
        return
    yield _end(certificate, loaded.ends_s)
    if (mode := exposed_mode(key)) is not None:
        text = f"{key} has mode {mode}, and others could serve as this node with it"
        yield Finding("certificate", "fix", text, f"chmod 600 {shlex.quote(str(key))}")
    yield from _trust(settings, loaded.context, certificate)
    if settings.wsserver.advertised_scheme == "ws":
        text = "clients are told ws:// (wsserver.advertised_scheme), and the stream is served over TLS"
        yield Finding("streams", "fix", text, "delete it from the configuration: if unset, it is wss")


def _end(certificate: Path, ends_s: float) -> Finding:
    left_s = ends_s - time.time()
    text = f"{certificate}, valid until {date(ends_s)}"
    if left_s > SOON_S:
        return Finding("certificate", "ok", text)
    why = "in less than 21 days" if left_s > 0 else "which is over: clients refuse it"
    return Finding("certificate", "fix", f"{text}, {why}", RENEW)


def _trust(settings: Settings, context: ssl.SSLContext, certificate: Path) -> Iterator[Finding]:
    """Examine what clients make of it: each one of the advertised name, and those with this machine's authorities."""
    host = settings.wsserver.advertised_host or settings.server.host
    is_asked_as = host not in WILDCARDS
    if is_asked_as and (why := refusal(context, trusting(certificate), host)) is not None:
        yield Finding(
            "certificate",
            "fix",
            f"{certificate} is not for the host that clients ask: {why}",
            f"have it made for {host} as well, or set wsserver.advertised_host to a name that it has",
        )
    why = refusal(context, ssl.create_default_context())
    if why is not None and "expired" not in why:
        text = f"clients with the authorities of this machine do not trust {certificate}: {why}"
        advice = (
            "put the certificates of the authorities between behind the node's own in that file; if your own authority "
            "signed it, its clients need its file"
        )
        yield Finding("certificate", "note", text, advice)
