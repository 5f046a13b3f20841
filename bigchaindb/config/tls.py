"""The settings of TLS.

Source: docs/reference/configuration.md, section `tls`.
"""

from dataclasses import dataclass
from pathlib import Path

from bigchaindb.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Tls:
    """How HTTP, WebSocket and metrics are encrypted; both files or neither."""

    certificate_file: Path | None = None
    """The certificate in PEM, followed by those that connect it with an authority; null serves without TLS."""
    private_key_file: Path | None = None
    """The certificate's private key in PEM, without a password."""
    ended_by_proxy: bool = False
    """Whether a proxy in front of the node ends TLS, so that what reaches the node in clear was encrypted before."""

    def __post_init__(self) -> None:
        if (self.certificate_file is None) == (self.private_key_file is None):
            return
        given, missing = "certificate_file", "private_key_file"
        if self.certificate_file is None:
            given, missing = missing, given
        raise ConfigurationError(f"tls.{missing}: it is null and tls.{given} is set; set both, or neither")

    @property
    def files(self) -> tuple[Path, Path] | None:
        """The certificate and its key; None where the node serves without TLS."""
        if self.certificate_file is None or self.private_key_file is None:
            return None
        return self.certificate_file, self.private_key_file
