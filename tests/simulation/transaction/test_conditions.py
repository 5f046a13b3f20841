"""Conditions of any structure."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.transaction import KeyPair
from bigchaindb.transaction.conditions import (
    Details,
    Ed25519Details,
    ThresholdDetails,
    condition_of,
    keys_of,
    to_json,
)

KEYS = [KeyPair.from_seed(bytes([index]) * 32).public_key for index in range(1, 9)]
LOCKS: st.SearchStrategy[Details] = st.recursive(
    st.sampled_from(KEYS).map(Ed25519Details),
    lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(
        lambda members: st.integers(1, len(members)).map(lambda n: ThresholdDetails(n, tuple(members)))
    ),
    max_leaves=12,
)


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
