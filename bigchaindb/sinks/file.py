"""The plugin `file`: events as lines of JSON at the end of a file, each of them once.

Lines are CloudEvents, or change events of Debezium. They are synced before their events count as done. A line that a
crash has torn is cut off at the next start, and a line that is there already is not written again when its event comes
again: the file itself says what it holds.
"""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, Self

import msgspec

from bigchaindb.delivery import Format, Message, Shape, ShapedOptions, batches, messages_of, read_options
from bigchaindb.events import EventQueue, EventTypes, Unavailable
from bigchaindb.sinks.paths import absolute, no_folder

TAIL_BYTES_MAX: Final = 64 * 1024 * 1024
TAIL_COUNT_MAX: Final = 100_000
"""So far back a line may lie that is recognized: more than can be in hand, or written in the second before a power
cut. It takes a fraction of a second to read, and 15 MB to remember."""
_BEGINNING: Final = b'{"specversion":"1.0","source":"urn:bigchaindb:'
"""Of every line of ours, unless the option `format` says otherwise."""
_BEGINNINGS: Final = {Format.CLOUDEVENTS: _BEGINNING, Format.DEBEZIUM: b'{"before":null,"after":'}
_URN: Final = "urn:bigchaindb:"
_NO_SEQUENCE: Final = "a line would not say which event it is, so that a repeat could not be known"
_PIECE_BYTES: Final = 1024 * 1024
_LINE_BYTES_SHOWN: Final = 60


class FileOptions(ShapedOptions, frozen=True, kw_only=True):
    """The options of the sink.

    Attributes:
        path: of the file; its folder must be there.
    """

    path: str

    refused_formats: ClassVar[Mapping[Format, str]] = {Format.PLAIN: _NO_SEQUENCE, Format.BINARY: _NO_SEQUENCE}

    def __post_init__(self) -> None:
        """Refuse a path that would depend on where the node was started."""
        super().__post_init__()
        absolute(self.path)


class InUse(Unavailable):
    """Another process has the file."""


class _Line(msgspec.Struct):
    """The members of a line that are read back."""

    source: str
    sequence: str


class _Source(msgspec.Struct):
    connector: Literal["bigchaindb"]
    name: str
    sequence: str


class _Change(msgspec.Struct):
    """The members of a change event that are read back."""

    source: _Source


_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_change: Final = msgspec.json.Decoder(_Change).decode


class FileSink:
    """What the entry point names."""

    acknowledge = "next_get"
    event_types = EventTypes.ALL
    select: Mapping[str, Any] = {}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the options."""
        self._options = read_options(options, FileOptions)
        self.event_types, self.select = self._options.event_mask, self._options.select

    def check(self) -> str:
        """Return how far the file is, without making or changing it."""
        path = self._path
        if not path.exists():
            if not path.parent.is_dir():
                raise Unavailable(no_folder(path))
            if not os.access(path.parent, os.W_OK):
                raise Unavailable(
                    f"{path}: cannot be made: its folder may not be written; change its mode, or give another path"
                )
            return f"{path} will be made"
        try:
            with Journal(path, self._options.shape, is_looked_at=True) as journal:
                return f"{path} holds events up to {journal.highest}" if journal.highest else f"{path} is empty"
        except InUse:
            return f"{path} is being written: the plugin may be running"

    def run(self, queue: EventQueue) -> None:
        """Append events until the queue has ended."""
        per = self._options.per
        with Journal(self._path, self._options.shape) as journal:
            for events in batches(queue):
                journal.append(message for event in events for message in messages_of(event, per))

    @property
    def _path(self) -> Path:
        return absolute(self._options.path)


class Journal:
    """The file: locked, whole lines, each message once.

    Attributes:
        highest: the sequence of the latest message among those it ends with; "" if it is empty.
    """

    def __init__(self, path: Path, shape: Shape | None = None, *, is_looked_at: bool = False) -> None:
        """Open or create the file, and cut off a torn line.

        Args:
            path: of the file.
            shape: of its lines; None is that of a CloudEvent.
            is_looked_at: change nothing; `append` is not called.

        Raises:
            InUse: another process writes it.
            Unavailable: it cannot be written, or it holds something else.
        """
        self._path = path
        self._shape = shape or Shape()
        self._is_looked_at = is_looked_at
        self._fd = self._open()
        try:
            self._size = self._find_end()
            lines = [self._read(text) for text in islice(self._lines_from_the_end(), TAIL_COUNT_MAX)]
            self._cut()
        except OSError as error:
            os.close(self._fd)
            raise self._unavailable(error) from error
        except BaseException:
            os.close(self._fd)
            raise
        self._source = lines[0].source if lines else ""
        self._tail = dict.fromkeys(line.sequence for line in reversed(lines))
        self.highest = max(self._tail, default="")

    def append(self, messages: Iterable[Message]) -> None:
        """Write and sync those that are not there yet.

        Raises:
            Unavailable: the disk is full, or has failed; the file was deleted, or holds another ledger's events.
        """
        fresh = [message for message in messages if not self._holds(message)]
        if not fresh:
            return
        try:
            if os.fstat(self._fd).st_nlink == 0:
                raise Unavailable(f"{self._path}: was deleted while it was written")
            self._write(b"".join(self._shape.body(message) + b"\n" for message in fresh))
        except OSError as error:
            with suppress(OSError):  # what may not have reached the disk must not be taken for written
                os.ftruncate(self._fd, self._size)
            raise self._unavailable(error) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _open(self) -> int:
        flags, lock = os.O_RDWR | os.O_CREAT | os.O_APPEND, fcntl.LOCK_EX
        if self._is_looked_at:
            flags, lock = os.O_RDONLY, fcntl.LOCK_SH
        try:
            fd = os.open(self._path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            fcntl.flock(fd, lock | fcntl.LOCK_NB)
            _sync_folder(self._path.parent)  # the file may be new
        except OSError as error:
            os.close(fd)
            if error.errno == errno.EWOULDBLOCK:
                raise InUse(f"{self._path}: another process writes this file; give each its own") from error
            raise self._unavailable(error) from error
        return fd

    def _find_end(self) -> int:
        """Return where the last whole line ends.

        Raises:
            Unavailable: what stands behind it is not the beginning of a line of ours.
        """
        size = stop = os.fstat(self._fd).st_size
        while stop > 0:
            start = max(0, stop - _PIECE_BYTES)
            found = os.pread(self._fd, stop - start, start).rfind(b"\n")
            if found >= 0:
                stop = start + found + 1
                break
            stop = start
        beginning = _BEGINNINGS[self._shape.format]
        torn = os.pread(self._fd, min(size - stop, len(beginning)), stop)
        if stop:  # behind whole lines a power cut leaves zeros where the data had not reached the disk, on some disks
            torn = torn.rstrip(b"\0")
        if not beginning.startswith(torn):
            raise self._foreign(torn)
        return stop

    def _cut(self) -> None:
        """Cut off a torn line; and sync, as lines that a crash has left were never said to be done."""
        if not self._is_looked_at:
            os.ftruncate(self._fd, self._size)
            os.fsync(self._fd)

    def _holds(self, message: Message) -> bool:
        """Whether a message is there; remembers it."""
        if message.source != self._source:
            if self._source:
                raise Unavailable(
                    f"{self._path}: holds events of {self._source}, these are of {message.source}: give another path"
                )
            self._source = message.source
        if message.sequence in self._tail:
            return True
        self._tail[message.sequence] = None
        if len(self._tail) > TAIL_COUNT_MAX:
            del self._tail[next(iter(self._tail))]
        return False

    def _read(self, text: bytes) -> _Line:
        try:
            if self._shape.format is Format.DEBEZIUM:
                source = _decode_change(text).source
                return _Line(f"{_URN}{source.name}", source.sequence)
            return _decode(text)
        except msgspec.DecodeError as error:
            raise self._foreign(text) from error

    def _foreign(self, text: bytes) -> Unavailable:
        return Unavailable(
            f"{self._path}: holds {text[:_LINE_BYTES_SHOWN]!r}, which is no line of this plugin: "
            "move the file away, or give another path"
        )

    def _lines_from_the_end(self) -> Iterator[bytes]:
        stop, rest = self._size, b""
        while stop > 0 and self._size - stop < TAIL_BYTES_MAX:
            start = max(0, stop - _PIECE_BYTES)
            first, *lines = (os.pread(self._fd, stop - start, start) + rest).split(b"\n")
            yield from (line for line in reversed(lines) if line)
            stop, rest = start, first
        if stop == 0 and rest:
            yield rest

    def _write(self, text: bytes) -> None:
        view = memoryview(text)
        while view:
            view = view[os.write(self._fd, view) :]
        os.fdatasync(self._fd)
        self._size += len(text)

    def _unavailable(self, error: OSError) -> Unavailable:
        if error.errno == errno.ENOENT:
            return Unavailable(no_folder(self._path))
        return Unavailable(f"{self._path}: {os.strerror(error.errno or 0)}")


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


plugin = FileSink()
"""Reads its options in `configure`."""
