"""TLS of a node: its handshakes, and its certificate, which is replaced while clients come and go.

A handshake takes the context of its moment, so a new certificate needs no new socket, and open connections go on.
"""

import asyncio
import logging
import time
from pathlib import Path
from typing import Final, Self

from bigchaindb.config import Settings
from bigchaindb.errors import ConfigurationError
from bigchaindb.serving.certificates import Certificate, load, stamps
from bigchaindb.serving.handshakes import Handshakes

LOOK_S: Final = 10.0
"""Time between two looks at the files."""
SOON_S: Final = 21 * 86_400.0
"""How long before its end a certificate is warned of: tools that renew do so 30 days before."""
WARN_S: Final = 86_400.0
"""Time between two warnings."""

_log: Final = logging.getLogger(__name__)


class Tls:
    """The certificate in force. Belongs to the event loop."""

    def __init__(self, certificate: Path, key: Path, handshake_count_max: int) -> None:
        """Load both files.

        Raises:
            ConfigurationError: they do not fit; names the setting, the file and why.
        """
        self._files = certificate, key
        self._stamps = stamps(*self._files)
        self._certificate = load(*self._files)
        self._refusal: str | None = None
        self._reloading = asyncio.Lock()
        self._warned_s = float("-inf")
        self.handshakes = Handshakes(self._certificate.context, handshake_count_max)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Load what the settings name; None where the node serves without TLS.

        Raises:
            ConfigurationError: see `Tls`.
        """
        return None if (files := settings.tls.files) is None else cls(*files, settings.limits.handshake_count_max)

    @property
    def ends_s(self) -> float:
        """Unix time up to which the certificate in force is valid."""
        return self._certificate.ends_s

    async def renew(self, settings: Settings) -> list[str]:
        """Reload the files that the settings name now; see `reload`."""
        return [await self.reload(settings.tls.files)]

    async def reload(self, files: tuple[Path, Path] | None = None) -> str:
        """Load the files anew and use them for all handshakes that begin; return what is in force then, in words.

        Args:
            files: the certificate and its key; None are the former ones.

        Raises:
            ConfigurationError: they do not fit, so the former ones stay in force.
        """
        async with self._reloading:
            files = files or self._files
            found = await asyncio.to_thread(stamps, *files)  # before they are read: what changes then is seen
            try:
                loaded = await asyncio.to_thread(load, *files)
            except ConfigurationError as error:
                self._refuse(str(error))
                raise
            self._files, self._stamps, self._refusal = files, found, None
            self._take(loaded)
        return f"`{self._files[0]}`, valid until {date(self.ends_s)}"

    async def watch(self) -> None:
        """Reload the files whenever one has changed, and warn of a certificate that ends soon."""
        while True:
            self._warn_of_end()
            await asyncio.sleep(LOOK_S)
            if self._refusal is not None or await asyncio.to_thread(stamps, *self._files) != self._stamps:
                try:
                    await self.reload()
                except ConfigurationError:
                    continue  # it is logged

    def close(self) -> None:
        """Write the counts that are not logged yet."""
        self.handshakes.close()

    def _take(self, loaded: Certificate) -> None:
        self._certificate = loaded
        self.handshakes.context = loaded.context
        _log.info("certificate loaded", extra={"file": str(self._files[0]), "until": date(self.ends_s)})
        self._warned_s = float("-inf")
        self._warn_of_end()

    def _refuse(self, why: str) -> None:
        """Log a reason once, however often the files are tried."""
        if why != self._refusal:
            _log.error("the certificate is not replaced, the former one stays in force", extra={"why": why})
        self._refusal = why

    def _warn_of_end(self) -> None:
        left_s, now_s = self.ends_s - time.time(), time.monotonic()
        if left_s > SOON_S or now_s - self._warned_s < WARN_S:
            return
        self._warned_s = now_s
        what = "ends soon" if left_s > 0 else "has ended, so clients refuse it"
        _log.warning("the certificate %s", what, extra={"file": str(self._files[0]), "until": date(self.ends_s)})


def date(unix_s: float) -> str:
    """Return a time for people."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(unix_s))
