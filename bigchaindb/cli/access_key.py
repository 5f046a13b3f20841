"""The access key that commands send which ask a node over HTTP: it stands in a file, for arguments are no secret."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bigchaindb.access.exposure import is_loopback
from bigchaindb.config.load import ACCESS_KEY_VARIABLE
from bigchaindb.errors import RequestFailed

CURE: Final = (
    f"set {ACCESS_KEY_VARIABLE} to a file with an access key of that node; its operator makes one with `bigchaindb "
    'access key new NAME --scopes "read write" --output FILE`'
)


def header_for(url: str) -> dict[str, str]:
    """Return the header that shows the key of `BIGCHAINDB_ACCESS_KEY_FILE` to a node; none without that variable.

    Raises:
        RequestFailed: the file cannot be read, or the key would travel in clear to another machine.
    """
    if not (path := os.environ.get(ACCESS_KEY_VARIABLE)):
        return {}
    try:
        key = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no access key"
        raise RequestFailed(f"{ACCESS_KEY_VARIABLE}: cannot read `{path}`: {reason}") from error
    if not key.replace("_", "").isalnum():
        raise RequestFailed(f"{ACCESS_KEY_VARIABLE}: `{path}` holds no access key: it must hold one and nothing else")
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise RequestFailed(f"{ACCESS_KEY_VARIABLE}: the key would travel in clear to {url}; name the node by https")
    return {"Authorization": f"Bearer {key}"}
