"""Certificates of our own, and a client that can close its side of TLS alone, as asyncio's cannot."""

import asyncio
import ctypes
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from bigchaindb.serving.secured import Secured

NAME: Final = "localhost"
_ADDRESSES: Final = f"DNS:{NAME},IP:127.0.0.1,IP:::1"


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.file = folder / "authority.pem"
        self._key = folder / "authority.key"
        self._count = 0
        _openssl(
            *("req", "-x509", *_NEW_KEY, "-keyout", self._key, "-out", self.file, "-days", "3650"),
            *("-subj", "/CN=authority of a test", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    def sign(self, names: str = _ADDRESSES, days: int = 365) -> Pair:
        """Return a new certificate for these names; with -1 day it has expired."""
        self._count += 1
        request, extensions = self._folder / "request.pem", self._folder / "extensions"
        pair = Pair(self._folder / f"{self._count}.crt", self._folder / f"{self._count}.key")
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n")
        _openssl("req", *_NEW_KEY, "-keyout", pair.key, "-out", request, "-subj", "/CN=node")
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-out", pair.certificate),
            *("-days", str(days), "-extfile", extensions),
        )
        pair.key.chmod(0o600)
        return pair

    def put(self, place: Pair, signed: Pair | None = None) -> Pair:
        """Put a pair, by default a new one, where a node reads it, each file at once; return it."""
        signed = signed or self.sign()
        for source, target in zip(signed, place, strict=True):
            shutil.copy2(source, beside := target.with_suffix(".new"))
            beside.replace(target)
        return signed

    def client(self) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority alone."""
        return ssl.create_default_context(cafile=self.file)


def seal(key: Path, password: str, sealed: Path) -> None:
    """Write a key to `sealed`, encrypted with a password."""
    _openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", key, "-out", sealed, "-passout", f"pass:{password}")


_NEW_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@contextmanager
def trust(authority: Authority) -> Iterator[None]:
    """Have this process and what it starts trust an authority; Python, `requests` and Node read a variable each."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
            patch.setenv(name, str(authority.file))
        yield


def settings_of(pair: Pair) -> dict[str, Any]:
    """Return the settings of a node that serves with a certificate."""
    return {"tls": {"certificate_file": str(pair.certificate), "private_key_file": str(pair.key)}}


def server_context(pair: Pair) -> ssl.SSLContext:
    """Return the context of a server with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


class _NoBounds:
    """What handshakes ask for, at once."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.done = asyncio.get_running_loop().create_future()

    def arrived(self, connection: Secured, peer: object) -> None:
        assert peer
        connection.begin(self.context)
        connection.shake()

    def work(self, connection: Secured) -> None:
        connection.shake()

    def left(self, connection: Secured) -> None:
        if not self.done.done():
            self.done.set_result(None if connection.get_extra_info("sslcontext") else ConnectionError("no handshake"))

    def failed(self, connection: Secured, reason: str) -> None:
        assert connection
        if not self.done.done():
            self.done.set_result(ConnectionError(reason))


class _ClientEnd(Secured):
    """The other end of a connection."""

    def begin(self, context: ssl.SSLContext) -> None:
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=NAME)
        self._hold_back(is_busy=False)

    def write_eof(self) -> None:
        self._bid_farewell()

    def _read(self, tls: ssl.SSLObject, pieces: list[bytes]) -> None:
        try:
            super()._read(tls, pieces)
        except ssl.SSLZeroReturnError:  # the answer to the farewell of this side
            self._has_ended = True


async def open_connection(
    context: ssl.SSLContext, *address: object, limit: int = 2**16, **options: object
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection as `asyncio.open_connection` does, with TLS on it."""
    loop, guard = asyncio.get_running_loop(), _NoBounds(context)
    reader = asyncio.StreamReader(limit=limit)
    protocol = asyncio.StreamReaderProtocol(reader)
    end = _ClientEnd(protocol, guard)
    await loop.create_connection(lambda: end, *address, **options)  # type: ignore[call-overload]
    if (error := await guard.done) is not None:
        raise error
    return reader, asyncio.StreamWriter(end, protocol, reader, loop)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def change_keys(port: int, count: int) -> int:
    """Change the keys of a connection and ask the server for the same; return how often that went.

    Python's `ssl` cannot, so this is OpenSSL itself, in calls that block.
    """
    name = find_library("ssl")
    assert name is not None, "this machine has no OpenSSL"
    openssl = ctypes.CDLL(name)
    for made in (openssl.TLS_client_method, openssl.SSL_CTX_new, openssl.SSL_new):
        made.restype = ctypes.c_void_p
    context = ctypes.c_void_p(openssl.SSL_CTX_new(ctypes.c_void_p(openssl.TLS_client_method())))
    connection = ctypes.c_void_p(openssl.SSL_new(context))
    with socket.create_connection((NAME, port)) as raw:
        raw.settimeout(None)
        openssl.SSL_set_fd(connection, raw.fileno())
        assert openssl.SSL_connect(connection) == 1
        for number in range(count):
            if openssl.SSL_key_update(connection, 1) != 1 or openssl.SSL_do_handshake(connection) != 1:
                return number
    return count


@dataclass(frozen=True)
class Tls:
    """A certificate for this machine's own address, who signed it, and another authority that signed nothing."""

    authority: Authority
    certificate: Path
    key: Path
    other: Authority

    @property
    def ca(self) -> Path:
        return self.authority.file

    @property
    def other_ca(self) -> Path:
        return self.other.file

    @property
    def own(self) -> dict[str, Any]:
        """The options of a sink for a server that asks who it is."""
        return {"ca_file": str(self.ca), "cert_file": str(self.certificate), "key_file": str(self.key)}
