"""Nothing stays open from one test to the next."""

from collections.abc import Iterator

import pytest

from tests.support import lane_pages


@pytest.fixture(autouse=True)
def _close_pages() -> Iterator[None]:
    """Close the lane pages that a test has left open, and the descriptors of their queues."""
    with lane_pages.OPEN:
        yield
