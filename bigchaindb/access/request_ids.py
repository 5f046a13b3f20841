"""A name for each request, by which its answer and its log lines are found again."""

import re
import secrets
from itertools import count
from typing import Final

_FORM: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a client may choose: it stands in the log as it is, and in a header of the answer."""
_BOOT_BYTES: Final = 4


class RequestIds:
    """Names requests, each of a server's life with another name."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(_BOOT_BYTES)
        self._numbers = count(1)

    def of(self, given: str | None) -> str:
        """Return the id that a client gave in `X-Request-Id`, if it has the form of one, else a new one."""
        if given is not None and _FORM.fullmatch(given) is not None:
            return given
        return f"{self._boot}-{next(self._numbers)}"
