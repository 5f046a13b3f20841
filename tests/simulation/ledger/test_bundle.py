"""Whatever honest nodes put together comes apart as it was, and no other bytes mean the same."""

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.ledger.bundle import (
    BUNDLE_MARK,
    bundle_of,
    bundled,
    carried_in,
    members_of,
    order_of,
    unbundled,
)

documents = st.lists(st.binary(max_size=60).map(lambda rest: b"{" + rest), max_size=30)
carried_things = st.lists(
    st.one_of(
        documents.map(bundle_of),
        st.binary(max_size=60).map(lambda rest: b"{" + rest),
        st.binary(max_size=60),
        st.binary(max_size=60).map(lambda rest: BUNDLE_MARK + rest),
    ),
    max_size=10,
)


@given(documents, st.integers(1, 200))
def test_what_is_bundled_comes_out_in_its_order_within_the_bytes(transactions: list[bytes], bytes_max: int) -> None:
    made = bundled(transactions, bytes_max)
    assert unbundled(made) == tuple(transactions)
    assert all(len(one) <= bytes_max for one in made if members_of(one))
    assert carried_in(order_of(made), transactions) == made


@given(carried_things)
def test_whatever_is_carried_is_made_again_from_what_it_holds(carried: list[bytes]) -> None:
    """Proofs rest on it: what validators have signed follows from the event and the order."""
    assert carried_in(order_of(carried), unbundled(carried)) == carried


@given(st.binary(max_size=200).map(lambda rest: BUNDLE_MARK + rest))
def test_a_bundle_has_one_form(carried: bytes) -> None:
    members = members_of(carried)
    assert not members or bundle_of(members) == carried


@given(documents.filter(bool), st.data())
def test_what_a_stranger_changes_is_another_bundle_or_none(transactions: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(bundle_of(transactions))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    members = members_of(bytes(whole))
    assert members != tuple(transactions)
    assert not members or bundle_of(members) == whole
