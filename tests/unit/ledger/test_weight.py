"""Which documents are heavy: those that others must not wait behind."""

import json

from bigchaindb.ledger.weight import LIGHT_BYTES_MAX, LIGHT_VALUE_COUNT_MAX, is_heavy, weight_ms
from tests.support.chains import Coin, create, transfer
from tests.support.pools import heavy, wordy


def test_usual_documents_are_light() -> None:
    """Else all would go one by one through the thread for heavy ones."""
    parent = create(1, amounts=(2, 3))
    assert not any(is_heavy(one.body) for one in (parent, transfer(Coin(parent)), create(1, version="1.0")))


def test_a_long_document_is_heavy() -> None:
    assert not is_heavy(b"x" * LIGHT_BYTES_MAX)
    assert is_heavy(b"x" * (LIGHT_BYTES_MAX + 1))


def test_a_short_document_of_many_values_is_heavy() -> None:
    """2,000 nested lists fit into 4 KiB, and cost as much as 60 usual documents."""
    for value in ("[],", "{},", "1,"):
        body = value.encode() * (LIGHT_VALUE_COUNT_MAX + 1)
        assert len(body) < LIGHT_BYTES_MAX
        assert is_heavy(body)
    assert not is_heavy(json.dumps([1] * LIGHT_VALUE_COUNT_MAX, separators=(",", ":")).encode())


def test_new_words_weigh_most_and_then_outputs() -> None:
    """Else blocks would hold others up by what nobody counted."""
    assert 35 < weight_ms(wordy(1, 60_000)) < 60
    assert 5 < weight_ms(create(1, amounts=[1] * 1_800)) < 15
    assert 5 < weight_ms(heavy(1, 600_000)) < 10
    assert 2 < weight_ms(wordy(1, 4_000)) < 4
    assert weight_ms(create(1)) < 0.1
