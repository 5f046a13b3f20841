from time import process_time

import pytest

from bigchaindb.errors import StoreDamaged
from bigchaindb.ledger.block import event_body
from bigchaindb.store.stored import asset_row, block_of, contents_of, metadata_row, operation_of
from tests.support.decisions import Chain, made


def test_a_block_is_read_out_of_its_event_byte_for_byte() -> None:
    """Its id is a hash over these bytes."""
    block = Chain().valid(made(1, data={"n": 10**40, "f": 1e16, "s": "ü\u2028"}), made(2)).last.block
    assert block_of(event_body(block)) == block
    assert block_of(event_body(block, "InvalidHash at transactions[0]")) == block


def test_other_bytes_are_corrupt() -> None:
    with pytest.raises(StoreDamaged, match="no event's body"):
        block_of(b'{"block":{}}')


def test_contents_are_what_authors_put_into_a_transaction() -> None:
    coin = made(1, data={"a": ["x"]}, metadata={"m": None})
    assert contents_of(coin.body) == ({"a": ["x"]}, {"m": None})
    assert contents_of(made(2, data={}).body) == ({}, None)
    assert contents_of(made(3, asset_id=coin.id).body) == (None, None)


def test_no_number_takes_long_to_pass_over() -> None:
    """See the test of this name for `bigchaindb.transaction.reading`; here the writer's thread would be held up."""
    body = made(1, metadata={"numbers": 100_000 * [1e300]}).body
    before_s = process_time()
    assert contents_of(body).metadata == {"numbers": 100_000 * [1e300]}
    assert process_time() - before_s < 0.5


def test_search_rows_keep_the_text_of_numbers() -> None:
    create = b'{"asset":{"data":{"n":1.50}},"id":"ab","metadata":{"m":[1E5]}}'
    assert asset_row(create) == b'{"data":{"n":1.50},"id":"ab"}'
    assert metadata_row(create) == b'{"id":"ab","metadata":{"m":[1E5]}}'


def test_an_operation_is_read_where_it_stands() -> None:
    coin = made(1, data={"operation": "x"}, metadata={"operation": "y"})
    assert operation_of(coin.body) == "CREATE"
    assert operation_of(made(2, asset_id=coin.id).body) == "TRANSFER"
