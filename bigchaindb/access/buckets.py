"""Token buckets: how often someone may do something. Pure: the time is an argument.

A bucket is one number, the time at which it will be full again. That time moves by the same step for each token that is
taken, so a bucket needs no work while nobody takes from it.
"""

from typing import Final

from bigchaindb.config.access import Rate

_ROUNDING: Final = 1e-3
"""Part of a token that may be missing: sums of floating-point times are not exact."""


class Buckets:
    """A bucket for each name, all of one rate. Those that were not used for longest are forgotten, which fills them.

    Names are kept in two generations: a name that is used moves to the young one, and once that is large the old one
    is dropped. That costs a third of a list in the order of use.
    """

    def __init__(self, rate: Rate, *, count_max: int) -> None:
        """Begin with full buckets.

        Args:
            rate: of each bucket.
            count_max: buckets that are remembered, and half of them at least: strangers can have any number of names.
        """
        self._step_s = 1.0 / rate.per_s
        self._ahead_s_max = (rate.burst - 1.0 + _ROUNDING) * self._step_s
        self._young_count_max = max(1, count_max // 2)
        self._young: dict[str, float] = {}
        self._old: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def take(self, name: str, now_s: float) -> float:
        """Take a token; return 0, or the time until there is one if the bucket is empty.

        Args:
            name: of the bucket.
            now_s: a time that never goes back, above 0.
        """
        young = self._young
        full_s = young.get(name)
        if full_s is None:
            full_s = self._old.get(name, 0.0)
        if full_s < now_s:  # noqa: PLR1730 - the call of `max` would take as long as the rest
            full_s = now_s
        wait_s = full_s - now_s - self._ahead_s_max
        if wait_s > 0.0:
            young[name] = full_s  # Whoever is refused must not be forgotten while asking.
        else:
            young[name] = full_s + self._step_s
            wait_s = 0.0
        if len(young) >= self._young_count_max:
            self._old, self._young = young, {}
        return wait_s
