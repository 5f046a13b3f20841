import json
from itertools import chain

import pytest

from bigchaindb.errors import SearchTooWide
from bigchaindb.store import Store
from bigchaindb.store.keys import OUTPUT_BITS, owner_hash
from bigchaindb.store.lists import Bounds, step
from bigchaindb.store.pages import PAGE_BYTES_MAX
from bigchaindb.store.search import RANKED_COUNT_MAX
from bigchaindb.transaction.model import OutputRef
from tests.support.decisions import Chain, made
from tests.support.lists import elements, pieces, whole


def test_pages_are_bounded_by_rows_and_by_bytes(store: Store) -> None:
    """S1: a thousand bodies of 1 MiB at once would be a gigabyte."""
    create = made(1)
    decisions, spent = Chain(), create
    store.writer.commit(decisions.valid(create))
    bodies = []
    for size in (1, 1, 1, 1, 200 << 10, 200 << 10, 5 << 20, 1):
        metadata = {"text": "x" * size}
        spent = made(2, spends=[OutputRef(spent.id, 0)], asset_id=create.id, metadata=metadata)
        store.writer.commit(decisions.valid(spent))
        bodies.append(spent.body)

    queries = store.queries()
    read = list(pieces(queries, queries.transactions_of_asset(create.id, "TRANSFER")))

    assert list(chain.from_iterable(read)) == bodies
    assert [len(page) for page in read] == [3, 2, 1, 1, 1]
    assert all(len(page) == 1 or sum(map(len, page)) <= PAGE_BYTES_MAX for page in read)


def test_a_list_ends_at_the_head_of_its_beginning(store: Store) -> None:
    decisions = Chain()
    store.writer.commit(decisions.valid(*(made(serial) for serial in range(4))))
    queries = store.queries()
    read = pieces(queries, queries.outputs("alice", spent=None))
    first = next(read)
    store.writer.commit(decisions.valid(*(made(serial) for serial in range(4, 9))))

    assert len(first) == 3
    assert [len(page) for page in read] == [1]


def test_what_a_failed_commit_left_in_a_question_is_no_damage(store: Store) -> None:
    """It may wait for the reader process while another block takes the numbers of the one that failed."""
    decisions = Chain()
    store.writer.commit(decisions.valid(made(1)))
    walk = store.queries().outputs("alice", spent=None)
    store.writer.recent.open.add_outputs([(2 << OUTPUT_BITS, 1, b"", owner_hash("alice"))])  # a commit begins with this
    asked = walk.ask(3)
    store.writer._indexing.load()  # it ends with this if it fails
    store.writer.commit(decisions.valid(made(2, owners=[["bob"]])))

    with store._query_readers.connection() as connection:
        assert len(elements(step(connection, asked, Bounds(3, 20)).elements)) == 1


def test_a_search_is_cut_by_its_limit(store: Store) -> None:
    store.writer.commit(Chain().valid(*(made(serial, data={"text": "equal"}) for serial in range(8))))
    queries = store.queries()
    assert [len(page) for page in pieces(queries, queries.search("assets", "equal", 0))] == [3, 3, 2]
    assert [len(page) for page in pieces(queries, queries.search("assets", "equal", 4))] == [3, 1]
    assert whole(queries, queries.search("assets", "the", 4)) == []


def test_a_search_that_matches_too_much_is_refused_and_told_how_to_narrow_it(store: Store) -> None:
    """Else each request for a word of all rows would rank all rows."""
    words = " ".join(f"w{number}" for number in range(RANKED_COUNT_MAX))
    texts = ["equal", "equal rare", "equal rare", "apple"]
    store.writer.commit(Chain().valid(*(made(serial, data={"text": text}) for serial, text in enumerate(texts))))
    queries, two = store.queries(), Bounds(3, 2)

    for text, limit in (("equal", 1), (f"{words} equal", 0)):  # in commit order, few are found without the others
        with pytest.raises(SearchTooWide, match=r"^more than 2 .*search_match_count_max.* -word$"):
            queries.step(queries.search("assets", text, limit), two)
    for text in ("rare", "equal apple -rare", 'equal "equal rare"'):
        assert len(elements(queries.step(queries.search("assets", text, 0), two))) == 2
    assert len(elements(queries.step(queries.search("assets", f"{words} equal", 2), two))) == 2


def test_a_search_for_very_many_words_comes_in_commit_order(store: Store) -> None:
    words = [f"w{number}" for number in range(RANKED_COUNT_MAX)]
    texts = ("bicycle", "bicycle w1", "none of them", "w2 bicycle w3")
    store.writer.commit(Chain().valid(*(made(serial, data={"text": text}) for serial, text in enumerate(texts))))

    def found(search: str, limit: int = 0) -> list[str]:
        queries = store.queries()
        return [json.loads(row)["data"]["text"] for row in whole(queries, queries.search("assets", search, limit))]

    assert found(" ".join([*words[1:], "bicycle"])) == ["w2 bicycle w3", "bicycle w1", "bicycle"]
    assert found(" ".join([*words, "bicycle"])) == ["bicycle", "bicycle w1", "w2 bicycle w3"]
    assert found(" ".join([*words, "bicycle"]), 2) == ["bicycle", "bicycle w1"]
