import json
from itertools import chain

from bigchaindb.store import Store
from bigchaindb.store.pages import PAGE_BYTES_MAX
from bigchaindb.store.search import RANKED_COUNT_MAX
from bigchaindb.transaction.model import OutputRef
from tests.support.decisions import Chain, made


def test_pages_are_bounded_by_rows_and_by_bytes(store: Store) -> None:
    """S1: a thousand bodies of 1 MiB at once would be a gigabyte."""
    create = made(1)
    decisions, spent = Chain(), create
    store.writer.commit(decisions.valid(create))
    bodies = []
    for size in (1, 1, 1, 1, 3 << 20, 3 << 20, 5 << 20, 1):
        metadata = {"text": "x" * size}
        spent = made(2, spends=[OutputRef(spent.id, 0)], asset_id=create.id, metadata=metadata)
        store.writer.commit(decisions.valid(spent))
        bodies.append(spent.body)

    pages = list(store.queries().transactions_of_asset(create.id, "TRANSFER", last_only=False))

    assert list(chain.from_iterable(pages)) == bodies
    assert [len(page) for page in pages] == [3, 2, 1, 1, 1]
    assert all(len(page) == 1 or sum(map(len, page)) <= PAGE_BYTES_MAX for page in pages)


def test_a_list_ends_at_the_head_of_its_beginning(store: Store) -> None:
    decisions = Chain()
    store.writer.commit(decisions.valid(*(made(serial) for serial in range(4))))
    pages = store.queries().outputs("alice", spent=None)
    first = next(iter(pages))
    store.writer.commit(decisions.valid(*(made(serial) for serial in range(4, 9))))

    assert len(first) == 3
    assert [len(page) for page in pages] == [1]


def test_a_search_is_cut_by_its_limit(store: Store) -> None:
    store.writer.commit(Chain().valid(*(made(serial, data={"text": "equal"}) for serial in range(8))))
    queries = store.queries()
    assert [len(page) for page in queries.search("assets", "equal", 0)] == [3, 3, 2]
    assert [len(page) for page in queries.search("assets", "equal", 4)] == [3, 1]
    assert list(queries.search("assets", "the", 4)) == []


def test_a_search_for_very_many_words_comes_in_commit_order(store: Store) -> None:
    words = [f"w{number}" for number in range(RANKED_COUNT_MAX)]
    texts = ("bicycle", "bicycle w1", "none of them", "w2 bicycle w3")
    store.writer.commit(Chain().valid(*(made(serial, data={"text": text}) for serial, text in enumerate(texts))))

    def found(search: str, limit: int = 0) -> list[str]:
        pages = store.queries().search("assets", search, limit)
        return [json.loads(row)["data"]["text"] for row in chain.from_iterable(pages)]

    assert found(" ".join([*words[1:], "bicycle"])) == ["w2 bicycle w3", "bicycle w1", "bicycle"]
    assert found(" ".join([*words, "bicycle"])) == ["bicycle", "bicycle w1", "w2 bicycle w3"]
    assert found(" ".join([*words, "bicycle"]), 2) == ["bicycle", "bicycle w1"]
