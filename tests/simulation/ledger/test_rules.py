"""The rules of a ledger over any amounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import errors
from bigchaindb.ledger.rules import validate
from tests.support.chains import Coin, Committed, create, transfer

AMOUNTS = st.lists(st.integers(1, 9 * 10**18), min_size=1, max_size=4)


@given(held=AMOUNTS, passed=AMOUNTS)
def test_l2_a_transfer_passes_on_exactly_what_it_spends(held: list[int], passed: list[int]) -> None:
    """Otherwise shares would appear from nothing, or vanish."""
    parent = create(8, amounts=held)
    committed = Committed()
    committed.add(parent)
    child = transfer(*(Coin(parent, index) for index in range(len(held))), amounts=passed)
    if sum(held) == sum(passed):
        validate(child, committed, signatures_valid=True)
    else:
        with pytest.raises(errors.AmountError):
            validate(child, committed, signatures_valid=True)
