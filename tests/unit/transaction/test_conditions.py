"""Conditions: the same lock for the same owners, in time that grows with its size alone."""

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.transaction.conditions import (
    Details,
    Ed25519Details,
    ThresholdDetails,
    condition_of,
    details_of,
    is_too_deep,
    keys_of,
    to_json,
)
from bigchaindb.transaction.keys import KeyPair

KEYS = [KeyPair.from_seed(bytes([index]) * 32).public_key for index in range(1, 9)]
A, B, C = KEYS[:3]
LOCKS: st.SearchStrategy[Details] = st.recursive(
    st.sampled_from(KEYS).map(Ed25519Details),
    lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(
        lambda members: st.integers(1, len(members)).map(lambda n: ThresholdDetails(n, tuple(members)))
    ),
    max_leaves=12,
)


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


@given(LOCKS, st.randoms())
def test_the_order_of_subconditions_does_not_matter(details: Details, random: Any) -> None:
    def shuffled(lock: Details) -> Details:
        if isinstance(lock, Ed25519Details):
            return lock
        members = [shuffled(member) for member in lock.subconditions]
        random.shuffle(members)
        return ThresholdDetails(lock.threshold, tuple(members))

    assert condition_of(shuffled(details)) == condition_of(details)


@given(LOCKS)
def test_details_survive_json(details: Details) -> None:
    assert msgspec.convert(to_json(details), Details) == details
    assert set(keys_of(details)) <= set(KEYS)


def test_a_threshold_beyond_its_subconditions_is_impossible() -> None:
    with pytest.raises(ValueError, match="threshold 3 exceeds its 2 subconditions"):
        condition_of(details_of([A, B], threshold=3))


def test_depth() -> None:
    assert not is_too_deep(tower(99))
    assert is_too_deep(tower(100))
    assert is_too_deep(tower(101))


def test_the_work_is_linear_in_the_depth() -> None:
    """Upstream's work doubled with every level: 99 levels would have taken longer than the universe is old."""
    start = time.perf_counter()
    condition_of(tower(99))
    assert time.perf_counter() - start < 1
