"""Conditions: the same lock for the same owners, in time that grows with its size alone."""

import time

import pytest

from bigchaindb.transaction.conditions import (
    Details,
    Ed25519Details,
    ThresholdDetails,
    condition_of,
    details_of,
    is_too_deep,
)
from bigchaindb.transaction.keys import KeyPair

KEYS = [KeyPair.from_seed(bytes([index]) * 32).public_key for index in range(1, 9)]
A, B, C = KEYS[:3]


def tower(levels: int) -> Details:
    details: Details = Ed25519Details(A)
    for _ in range(levels):
        details = ThresholdDetails(1, (details, Ed25519Details(B)))
    return details


@pytest.mark.parametrize(
    ("details", "uri"),
    [
        (details_of([A]), "SPn_lVGhY_CiWpYTTUoocHC9LPKQFUGnPr-yGK3vPHM?fpt=ed25519-sha-256&cost=131072"),
        (
            details_of([A, B, C], threshold=2),
            "6xbVvXwInJtSg9YIxRt_FbDIavXYCXtJ1L7t42-xVus?fpt=threshold-sha-256&cost=265216&subtypes=ed25519-sha-256",
        ),
        (
            ThresholdDetails(1, (details_of([A]), details_of([B, C]))),
            "RAXnXiBi8mYYabKnXDDlMyhTvQjWwIB0JktwxCacg8s?fpt=threshold-sha-256&cost=266240&subtypes=ed25519-sha-256",
        ),
        (
            details_of([A, A]),
            "0JomW9BznZSQVUFjhDz8pZ6rmboTauSNv6Lf0HvaqRo?fpt=threshold-sha-256&cost=264192&subtypes=ed25519-sha-256",
        ),
    ],
)
def test_uris_of_the_contract(details: Details, uri: str) -> None:
    assert condition_of(details).uri == f"ni:///sha-256;{uri}"


def test_a_threshold_beyond_its_subconditions_is_impossible() -> None:
    with pytest.raises(ValueError, match="threshold 3 exceeds its 2 subconditions"):
        condition_of(details_of([A, B], threshold=3))


def test_depth() -> None:
    assert not is_too_deep(tower(99))
    assert is_too_deep(tower(100))
    assert is_too_deep(tower(101))


def test_the_work_is_linear_in_the_depth() -> None:
    """Upstream's work doubled with every level: 99 levels would have taken longer than the universe is old."""
    before_s = time.process_time()
    condition_of(tower(99))
    assert time.process_time() - before_s < 10
