"""A request is found again by its name."""

import re

import pytest

from bigchaindb.access.request_ids import RequestIds


@pytest.mark.parametrize("given", ["a", "0f-9._Z", 64 * "x"])
def test_a_client_may_choose_the_id(given: str) -> None:
    assert RequestIds().of(given) == given


@pytest.mark.parametrize("given", [None, "", 65 * "x", "a b", "a\n", "é", 'a"', "a;b", "٣"])
def test_what_is_no_id_is_replaced_by_a_new_one(given: str | None) -> None:
    """It stands in the log and in a header as it is."""
    ids = RequestIds()
    first, second = ids.of(given), ids.of(given)
    assert re.fullmatch(r"[0-9a-f]{8}-1", first)
    assert second == f"{first[:-1]}2"
    assert RequestIds().of(given) != first
