"""Options of sinks: read once, and refused by name."""

import pytest

from bigchaindb.delivery import Options, Per, read_options
from bigchaindb.errors import ConfigurationError
from bigchaindb.events import EventTypes


class Targeted(Options, frozen=True, kw_only=True):
    """A sink's."""

    url: str
    wait_s: float = 30.0

    def __post_init__(self) -> None:
        """Check."""
        super().__post_init__()
        if self.wait_s <= 0:
            raise ValueError(f"wait_s: must be above 0, found {self.wait_s!r}")


def test_options_have_defaults() -> None:
    options = read_options({"url": "x://y"}, Targeted)
    assert (options.per, options.select, options.wait_s) == (Per.BLOCK, {}, 30.0)
    assert options.event_mask == EventTypes.BLOCK_VALID | EventTypes.BLOCK_INVALID


def test_options_choose() -> None:
    options = read_options({"url": "x://y", "per": "transaction", "event_types": ["valid", "valid"]}, Targeted)
    assert (options.per, options.event_mask) == (Per.TRANSACTION, EventTypes.BLOCK_VALID)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "missing required field `url`"),
        ({"url": 5}, r"\$\.url"),
        ({"url": "x", "ulr": "y"}, "unknown field `ulr`.*the options are: .*url"),
        ({"url": "x", "per": "day"}, r"'day'.*\$\.per"),
        ({"url": "x", "event_types": ["val"]}, r"'val'.*event_types"),
        ({"url": "x", "wait_s": 0}, "wait_s: must be above 0, found 0"),
        ({"url": "x", "event_types": []}, "event_types: must name"),
    ],
)
def test_a_wrong_option_is_named(given: dict[str, object], said: str) -> None:
    """Whoever mistypes an option must not learn it from what never arrives."""
    with pytest.raises(ConfigurationError, match=said):
        read_options(given, Targeted)
