from bigchaindb.store.keys import NAMED
from bigchaindb.store.recent import Generation, Located, Recent

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


def test_a_generation_knows_transactions_transfers_owners_and_blocks() -> None:
    generation = Generation()
    generation.add_transactions([(1, A, None), (2, B, A), (3, C, A)])
    generation.add_outputs([(10, 1, C, A + B), (11, 1, C, b""), (12, 2, A, B)])
    generation.add_named([(1, A[:8]), (3, A[:8] + B[:8])])
    generation.add_block(A, 1, is_valid=False)
    generation.add_block(A, 2, is_valid=True)

    assert generation.transactions == {A: Located(1, A), B: Located(2, A), C: Located(3, A)}
    assert generation.transfers == {A: [2, 3]}
    assert generation.outputs == {A: [10], B: [10, 12]}
    assert generation.named == {A[:8]: [NAMED | 1, NAMED | 3], B[:8]: [NAMED | 3]}
    assert generation.unspent == {10: (1, C), 11: (1, C), 12: (2, A)}
    assert generation.blocks == {A: 2}
    assert generation.row_count == 13


def test_a_rejection_takes_no_place_from_a_valid_block() -> None:
    generation = Generation()
    generation.add_block(A, 1, is_valid=True)
    generation.add_block(A, 2, is_valid=False)
    assert generation.blocks == {A: 1}


def test_lists_go_over_both_generations_in_order() -> None:
    sealed, open_ = Generation(), Generation()
    sealed.add_transactions([(1, B, A)])
    open_.add_transactions([(2, C, A)])
    sealed.add_outputs([(10, 1, C, A)])
    open_.add_outputs([(11, 2, C, A)])
    sealed.add_block(A, 1, is_valid=True)
    open_.add_block(A, 2, is_valid=False)
    recent = Recent((sealed, open_))

    assert recent.open is open_
    assert recent.transfers(A) == [1, 2]
    assert recent.outputs(A) == [10, 11]
    assert recent.blocks(A) == [1, 2]
    assert (recent.place(B), recent.place(C)) == (Located(1, A), Located(2, A))


def test_what_is_not_there_is_none() -> None:
    recent = Recent((Generation(),))
    assert (recent.place(A), recent.blocks(A), recent.transfers(A), recent.outputs(A)) == (None, [], [], [])
