import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.store.keys import OUTPUT_COUNT_MAX, id_bytes, key_of, output_number, owner_hash, owner_hashes

IDS = st.binary(min_size=32, max_size=32)


@given(IDS)
def test_an_id_is_64_lower_case_digits(id_: bytes) -> None:
    assert id_bytes(id_.hex()) == id_


@given(st.text() | st.binary(max_size=40).map(bytes.hex) | IDS.map(lambda id_: id_.hex().upper()))
def test_any_other_text_is_none(text: str) -> None:
    id_ = id_bytes(text)
    assert (id_ is None) == (len(text) != 64 or not set(text) <= set("0123456789abcdef"))


@given(IDS, IDS)
def test_keys_are_integers_of_a_database_and_follow_the_first_8_bytes(one: bytes, other: bytes) -> None:
    assert -(2**63) <= key_of(one) < 2**63
    assert (key_of(one) == key_of(other)) == (one[:8] == other[:8])


@given(st.lists(st.text()))
def test_owners_are_cut_as_they_were_joined(keys: list[str]) -> None:
    hashes = [owner_hash(key) for key in keys]
    assert owner_hashes(b"".join(hashes)) == hashes


def test_output_numbers_follow_the_chain() -> None:
    assert output_number(1, OUTPUT_COUNT_MAX - 1) + 1 == output_number(2, 0)
    for index in (-1, OUTPUT_COUNT_MAX):
        with pytest.raises(AssertionError):
            output_number(1, index)
