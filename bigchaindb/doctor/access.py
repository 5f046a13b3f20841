"""Examines who may do what: the door, the keys, and what is open to other machines."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from bigchaindb.access.book import KeyBook
from bigchaindb.access.exposure import anonymous, is_local, open_door
from bigchaindb.access.keys import DAY_S, AccessKey, day
from bigchaindb.agreed import is_loopback
from bigchaindb.config import Settings
from bigchaindb.config.access import OPERATE, WRITE
from bigchaindb.config.checks import split_bind
from bigchaindb.doctor.finding import Finding
from bigchaindb.errors import StoreError
from bigchaindb.store.directory import DataDirectory
from bigchaindb.store.node_db import NodeDb

SUBJECT: Final = "access"
YEAR_S: Final = 365 * DAY_S
UNUSED_DAYS_MAX: Final = 90
ROTATE: Final = "bigchaindb access key rotate"


def examine_access(settings: Settings, directory: DataDirectory) -> Iterator[Finding]:
    """Examine the door, then the keys, which a running node may be changing."""
    yield _door(settings)
    if not is_local(settings) and settings.access.rate("anonymous", WRITE) is None:
        text = "one address may send requests as often as it likes, as access.rates has no rate for anonymous ones"
        yield Finding(
            SUBJECT, "note", text, 'add to `access`: "rates": {"anonymous": {"write": [20, 100], "read": [100, 500]}}'
        )
    if settings.metrics.bind is not None and not settings.metrics.access:
        host, _ = split_bind(settings.metrics.bind, "metrics.bind")
        if not is_loopback(host):
            text = f"everybody who reaches {settings.metrics.bind} can read the metrics (metrics.bind)"
            yield Finding(SUBJECT, "note", text, "set metrics.access to true, or bind it to an address of your own")
    for key in _keys(settings, directory):
        yield from _key(key, time.time())


def _door(settings: Settings) -> Finding:
    if (sentence := open_door(settings)) is not None:
        what, _, cure = sentence.partition("; ")
        if settings.access.anonymous is not None:
            return Finding(SUBJECT, "note", f"{what}, as access.anonymous says", "set it to none if that is not meant")
        return Finding(SUBJECT, "fix", what, cure)
    return Finding(SUBJECT, "ok", f"requests without a key may: {anonymous(settings)}")


def _keys(settings: Settings, directory: DataDirectory) -> list[AccessKey]:
    """Return the keys that are not over; none of a file that cannot be read, which others report."""
    if not directory.node.exists():
        return []
    try:
        with closing(NodeDb(directory.node, read_only=True)) as node:
            book = KeyBook(node, settings.limits.access_key_count_max)
    except StoreError:  # of an older version, perhaps, which has no keys
        return []
    now_s = time.time()
    return [key for key in book.keys.values() if not key.is_over(now_s)]


def _key(key: AccessKey, now_s: float) -> Iterator[Finding]:
    if key.exposed is not None:
        text = f"{key} came in clear from another machine, last on {day(key.exposed)}"
        yield Finding(SUBJECT, "fix", text, f"run `bigchaindb access key revoke {key.id}`, and serve over TLS")
    if key.held:
        text = f"{key} is held since the data were restored"
        yield Finding(SUBJECT, "fix", text, "revoke what may not be used, then `bigchaindb access key list --confirm`")
    if key.expires is None and now_s - key.made > YEAR_S:
        text = f"{key} has no end and was made on {day(key.made)}"
        yield Finding(SUBJECT, "note", text, f"`{ROTATE} {key.id}`, or make one with --expires")
    used_s = key.made if key.used_day is None else key.used_day * DAY_S
    if now_s - used_s > UNUSED_DAYS_MAX * DAY_S:
        text = f"{key} has not been used since {day(used_s)}"
        yield Finding(SUBJECT, "note", text, f"run `bigchaindb access key revoke {key.id}` if nobody needs it")
    if key.scopes.allows(OPERATE) and key.scopes.allows(WRITE):
        text = f"{key} may both operate and write: whoever takes it from an application operates the node"
        yield Finding(SUBJECT, "note", text, "make a key with operate alone, and another for the application")
