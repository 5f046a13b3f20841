"""Validators as the consensus engine names them."""

from bigchaindb.ledger.validators import ADDRESS_BYTES, address_of, address_text


def test_an_address_is_the_beginning_of_a_hash_in_upper_case() -> None:
    """SHA-256 of 32 zero bytes begins with 66687aad; CometBFT writes addresses in upper case."""
    address = address_of(bytes(32))
    assert len(address) == ADDRESS_BYTES == 20
    assert address_text(address) == "66687AADF862BD776C8FC18B8E9F8E2008971485"
