"""What connections of several sinks have in common: they are watched while messages pass, and fail in the same ways."""

import asyncio
import ssl
from collections.abc import Awaitable
from typing import NamedTuple


async def first_ended(*flows: Awaitable[object]) -> int:
    """Wait until one of several ends, then cancel the others; return its place, or raise its error.

    Where several have ended, the first of them counts: name what causes the end of others before them.
    """
    tasks = [asyncio.ensure_future(one) for one in flows]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        place = next(place for place, task in enumerate(tasks) if task in done)
        await tasks[place]
        return place
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Words(NamedTuple):
    """How people call a server, for the errors of its connection.

    Attributes:
        server: what it is.
        scheme, tls_scheme: of its address, without and with TLS.
        tls_port: what is usual with TLS, if anything is.
    """

    server: str
    scheme: str
    tls_scheme: str
    tls_port: int | None = None

    def why(self, error: BaseException | None) -> str | None:
        """Return what the operating system or TLS said, and what to do; None if neither said something."""
        match error:
            case ssl.SSLCertVerificationError(verify_message=str(text)):
                return f"TLS: certificate verify failed: {text}; for an authority of your own set the option ca_file"
            case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):
                return self.no_tls
            case ssl.SSLError():
                return (
                    f"TLS fails: {error.reason or error}; check that both sides share a TLS version, and whether the "
                    f"{self.server} wants a certificate, which is set by the options cert_file and key_file"
                )
            case OSError(errno=int(), strerror=str(text)):
                return f"cannot connect: {text}; start the {self.server}, or correct host and port in the option url"
        return None

    @property
    def no_tls(self) -> str:
        """What is wrong with a port that does not speak TLS."""
        usual = "" if self.tls_port is None else f" usually {self.tls_port},"
        return (
            f"the server does not speak TLS, which {self.tls_scheme}:// requires; name the port of TLS in the option "
            f"url,{usual} or write {self.scheme}:// for none"
        )
