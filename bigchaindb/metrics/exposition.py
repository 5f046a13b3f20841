"""The figures of a node in Prometheus' text format."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, Metric, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from bigchaindb.metrics.families import families
from bigchaindb.metrics.figures import Figures

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.encode()
_PROCESS: Final = ProcessCollector(registry=None)


def expose(figures: Figures) -> bytes:
    """Return the text of one scrape."""
    return generate_latest(_Scrape(figures))


class _Scrape(Collector):
    """The metrics of one scrape, as the collector that the library requires."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from families(self._figures)
        yield from _PROCESS.collect()
