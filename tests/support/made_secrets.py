"""Every secret that the tests of this process made: none of them may stand in a log, in any spelling."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator

_MADE: list[str] = []


def remember(key: str) -> str:
    """Search for an access key from now on; return it."""
    _MADE.append(key.strip())
    return key.strip()


def require_absent(text: str, where: str) -> None:
    """Require that none of the secrets stands in a text."""
    for key in _MADE:
        for spelling in _spellings(key):
            assert spelling not in text, f"the secret of {key[:16]} stands in {where}"


def _spellings(key: str) -> Iterator[str]:
    """Yield how a secret may look: as it is, and within base64 of a key, whose beginning depends on what is before."""
    yield key[17:] or key
    for before in ("", ".", ".."):
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(f"{before}{key}".encode())[4:-4].decode()
