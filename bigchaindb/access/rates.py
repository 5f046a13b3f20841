"""How often requests may come, by who sends them and what they need. Pure: the time is an argument.

Source: docs/reference/configuration.md, section "Access".
"""

from typing import Final, NamedTuple

from bigchaindb.access.buckets import Buckets
from bigchaindb.config.access import READ, WRITE, Access, Rate

ANONYMOUS: Final = "anonymous"
KNOWN: Final = "known"
FAILED: Final = Rate(1, 20)
"""Wrong access keys of one address: people mistype, and nobody guesses 256 bits; this bounds work and log lines."""
_FAILED_TEXT: Final = f"{FAILED.per_s:g} wrong access key a second and {FAILED.burst:g} at once from your address"


class Excess(NamedTuple):
    """A request that comes too soon.

    Attributes:
        text: names what is exceeded.
        wait_s: time until it may come, in whole seconds.
    """

    text: str
    wait_s: int


class _Limit(NamedTuple):
    buckets: Buckets
    text: str


class Rates:
    """The buckets of everybody. Each kind remembers `count_max` of them."""

    def __init__(self, settings: Access, count_max: int) -> None:
        self._anonymous = tuple(_limit(settings, ANONYMOUS, scope, count_max) for scope in (READ, WRITE))
        self._known = tuple(_limit(settings, KNOWN, scope, count_max) for scope in (READ, WRITE))
        self._failed = _Limit(Buckets(FAILED, count_max=count_max), _FAILED_TEXT)

    def take(self, key_id: str, address: str, scope: str | None, now_s: float) -> Excess | None:
        """Count a request; return why it comes too soon, if it does.

        Args:
            key_id: of its access key; empty for anonymous ones, which count by their address.
            address: as `addresses.group` returns it.
            scope: what it needs; whatever is not `write` counts as reading.
            now_s: a time that never goes back.
        """
        limit = (self._known if key_id else self._anonymous)[scope == WRITE]
        return None if limit is None else _take(limit, key_id or address, now_s)

    def fail(self, address: str, now_s: float) -> Excess | None:
        """Count a wrong access key; return why it comes too soon, if it does."""
        return _take(self._failed, address, now_s)


def _limit(settings: Access, who: str, scope: str, count_max: int) -> _Limit | None:
    if (rate := settings.rate(who, scope)) is None:
        return None
    return _Limit(Buckets(rate, count_max=count_max), _text(rate, who, scope))


def _take(limit: _Limit, name: str, now_s: float) -> Excess | None:
    wait_s = limit.buckets.take(name, now_s)
    if wait_s == 0.0:
        return None
    whole_s = int(wait_s) + 1
    return Excess(f"more than {limit.text}; try again in {whole_s} s", whole_s)


def _text(rate: Rate, who: str, scope: str) -> str:
    source = "from your address" if who == ANONYMOUS else "with your access key"
    return (
        f"{rate.per_s:g} requests a second and {rate.burst:g} at once that need the scope {scope}, {source} "
        f"(access.rates.{who}.{scope})"
    )
