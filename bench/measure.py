"""The way of measuring: alternating runs, medians, and the amount of it."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The amount to measure.

    Attributes:
        rounds: alternating runs that a median is taken of.
        share: of the full amount of documents, above 0 and at most 1.
        folder: for files of this run; removed afterwards.
        cache: for ledgers that take long to build; kept.
    """

    rounds: int
    share: float
    folder: Path
    cache: Path

    def count(self, full: int) -> int:
        """Return this run's part of a full amount."""
        return max(1, int(full * self.share))


def alternate(rounds: int, runs: Sequence[Callable[[], T]]) -> list[list[T]]:
    """Run each in turn, several times, so that a slow minute of the machine meets all of them."""
    results: list[list[T]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, found in zip(runs, results, strict=True):
            found.append(run())
    return results


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def thread_us_each(work: Callable[[], object], count: int) -> float:
    """Run `work`, which does something `count` times; return the CPU time of this thread for one of them in µs."""
    begin = time.thread_time()
    work()
    return (time.thread_time() - begin) * 1e6 / count
