"""Finding assets and metadata by their words.

Source: docs/reference/contract/driver-expectations.md, section 3, check 8; http-api.md, section 8.
"""

import random
from collections.abc import Callable

import pytest

from tests.support.clients import Client, Document

SEARCHES = {"assets": ("search_assets", "data"), "metadata": ("search_metadata", "metadata")}


@pytest.fixture(params=SEARCHES)
def search(client: Client, request: pytest.FixtureRequest) -> Callable[..., list[Document]]:
    method: Callable[..., list[Document]] = getattr(client, SEARCHES[request.param][0])
    return method


@pytest.fixture
def word() -> str:
    """A word that nothing else in the ledger has."""
    return "".join(random.choices("bcdfghjklmnpqrstvwxz", k=12))


@pytest.fixture
def three(client: Client, word: str) -> list[str]:
    """Three transactions whose assets and metadata say the same three things; their ids."""
    owner = client.keys()
    texts = [{"msg": f"Hello {word.upper()} {number}!"} for number in (1, 2, 3)]
    return [client.commit(client.create(owner, data=text, metadata=text))["id"] for text in texts]


def test_8_a_word_finds_all_that_have_it(search: Callable[..., list[Document]], three: list[str], word: str) -> None:
    assert sorted(found["id"] for found in search(word)) == sorted(three)


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (10, 3), (0, 3)])
def test_8_a_limit_bounds_what_is_found(
    search: Callable[..., list[Document]], three: list[str], word: str, limit: int, count: int
) -> None:
    assert len({found["id"] for found in search(word, limit)} & set(three)) == count


def test_8_nothing_is_found_by_a_word_that_nothing_has(search: Callable[..., list[Document]]) -> None:
    assert search("abcdefxyzq") == []


def test_8_what_is_found_has_its_text_and_its_transaction(client: Client, word: str) -> None:
    made = client.commit(
        client.create(client.keys(), data={"deep": [{"er": word}]}, metadata={"call": f"{word} maybe"})
    )
    assert client.search_assets(word) == [{"data": {"deep": [{"er": word}]}, "id": made["id"]}]
    assert client.search_metadata(f"me {word}") == [{"id": made["id"], "metadata": {"call": f"{word} maybe"}}]


def test_8_a_fraction_as_text_is_found_right_after_the_commit(client: Client) -> None:
    """The JavaScript driver's own tests search for a random number's text."""
    number = str(random.random())
    made = client.commit(client.create(client.keys(), data={"message": number}, metadata={"message": number}))
    assert made["id"] in [found["id"] for found in client.search_assets(number)]
    assert made["id"] in [found["id"] for found in client.search_metadata(number)]
