"""The files of the page that browsers get, read once from `bigchaindb/page` and held in memory."""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, Self

from bigchaindb.errors import ConfigurationError

OWN_FOLDER: Final = Path(__file__).parents[1] / "page"
INDEX: Final = "index.html"
PREFIX: Final = "/page/"
PLACE: Final = b"page/DIGEST/"
"""How `index.html` begins the relative addresses of the other files."""
BYTES_MAX: Final = 4 * 1024 * 1024
"""Of all files, uncompressed: the page is held in memory, and a wrong folder may hold anything."""
TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""By the end of a file's name; files with another are not of the page."""

_DIGEST_CHARACTERS: Final = 16


class File(NamedTuple):
    """A file of the page.

    Attributes:
        content_type: the header line of that name.
        packed: its bytes as gzip. The plain ones are not held too: all browsers take these.
    """

    content_type: bytes
    packed: bytes


@dataclass(frozen=True)
class Page:
    """The files of the page.

    Attributes:
        digest: of all files; a part of their addresses, so that files of two versions never meet.
        index: `index.html`, with the digest in its addresses.
        files: the others, by their path within the folder.
    """

    digest: str
    index: bytes
    files: Mapping[str, File]

    @classmethod
    def read(cls, folder: Path = OWN_FOLDER) -> Self:
        """Return the page of a folder.

        Raises:
            ConfigurationError: the folder holds no page, or too much.
        """
        try:
            contents = dict(_contents(folder))
        except OSError as error:
            raise ConfigurationError(f"page.folder: cannot read {folder}: {error}") from error
        if INDEX not in contents:
            raise ConfigurationError(f"page.folder: {folder} has no {INDEX}; name the folder of a page, or null")
        hashed = sha256()
        for name, content in contents.items():
            hashed.update(b"%b\0%d\0%b" % (name.encode("utf-8", "surrogateescape"), len(content), content))
        digest = hashed.hexdigest()[:_DIGEST_CHARACTERS]
        index = contents.pop(INDEX).replace(PLACE, PLACE.replace(b"DIGEST", digest.encode()))
        return cls(digest, index, {name: _packed(name, content) for name, content in contents.items()})


def content_type(name: str) -> bytes:
    """Return the header line of that name for a file."""
    return f"Content-Type: {TYPES[Path(name).suffix]}\r\n".encode()


def _packed(name: str, content: bytes) -> File:
    return File(content_type(name), gzip.compress(content, mtime=0))


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a page, by name."""
    size = 0
    for path in sorted(folder.rglob("*")):
        if path.suffix not in TYPES or not path.is_file():
            continue
        size += path.stat().st_size
        if size > BYTES_MAX:
            raise ConfigurationError(
                f"page.folder: the files below {folder} have more than {BYTES_MAX} bytes; name the folder of a page"
            )
        yield path.relative_to(folder).as_posix(), path.read_bytes()
