"""Who may create assets on this node: the owners of the public keys in a file. Admission, and no rule of the ledger."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from bigchaindb.errors import ConfigurationError, WriterNotAllowed
from bigchaindb.files import stamp
from bigchaindb.transaction.keys import decode_key
from bigchaindb.transaction.model import Transaction

WRITER_COUNT_MAX: Final = 10_000
BYTES_MAX: Final = 1024 * 1024
"""Largest file: twice what so many keys take, a line each."""
KEY: Final = "access.writers"
LOOK_S: Final = 10.0
"""Time between two looks at the file."""

_log: Final = logging.getLogger(__name__)


class Writers:
    """The list as it was last read whole."""

    def __init__(self, path: Path) -> None:
        """Read the list.

        Raises:
            ConfigurationError: the file cannot be read, or is no list of keys.
        """
        self._path = path
        self._stamp = stamp(path)
        self._keys = read_writers(path)

    def __len__(self) -> int:
        return len(self._keys)

    def require(self, transaction: Transaction) -> None:
        """Require that one of the list signed a CREATE; whether its signatures are right is the usual check's.

        `owners_before` proves nothing: it may name keys that a threshold leaves unsigned.

        Raises:
            WriterNotAllowed: none did.
        """
        if transaction.operation != "CREATE":
            return
        signers = {key for one in transaction.inputs for key, _ in one.fulfillment.signatures}
        if self._keys.isdisjoint(signers):
            raise WriterNotAllowed(
                "this node takes a CREATE only if one of its writers signed it (access.writers); the public keys that "
                "signed this one are not listed"
            )

    def reload(self) -> str | None:
        """Read the list again; return why the former one stays in force, if it does."""
        self._stamp = stamp(self._path)
        try:
            self._keys = read_writers(self._path)
        except ConfigurationError as error:
            _log.error("the former list of writers stays in force", extra={"writers": len(self), "why": str(error)})
            return str(error)
        _log.info("the list of writers was read", extra={"writers": len(self)})
        return None

    def reload_if_changed(self) -> None:
        """Read the list again if its file has changed since it was last read."""
        if stamp(self._path) != self._stamp:
            self.reload()


async def watch_writers(writers: Writers | None) -> None:
    """Read the list again whenever its file has changed, until cancelled."""
    while writers is not None:
        await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(writers.reload_if_changed)


def read_writers(path: Path) -> frozenset[bytes]:
    """Return the keys of a file: one on each line; empty lines and those that begin with `#` are passed over.

    Raises:
        ConfigurationError: it cannot be read, or is no such list; the text never has what is in it.
    """
    try:
        if path.is_fifo():  # to open one would wait for whoever writes into it
            raise ConfigurationError(f"{KEY}: `{path}` must be a regular file, found a pipe")
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise ConfigurationError(f"{KEY}: cannot read `{path}`: {error.strerror}") from error
    if len(text) > BYTES_MAX:
        raise ConfigurationError(f"{KEY}: `{path}` is larger than {BYTES_MAX} bytes")
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    keys = frozenset(_key(line, number, path) for number, line in lines if line and not line.startswith(b"#"))
    if not 1 <= len(keys) <= WRITER_COUNT_MAX:
        raise ConfigurationError(f"{KEY}: `{path}` must hold 1 to {WRITER_COUNT_MAX:,} public keys, found {len(keys)}")
    return keys


def _key(line: bytes, number: int, path: Path) -> bytes:
    try:
        return decode_key(line.decode("ascii"))
    except ValueError:
        raise ConfigurationError(
            f"{KEY}: line {number} of `{path}` must be 32 bytes in base58, a public key, found {len(line)} characters"
        ) from None  # the cause has the text, which may be a private key
