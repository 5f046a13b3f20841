"""T4 and T5: key names and languages, and the strings that search sees."""

from typing import Any

import pytest

from bigchaindb.errors import ValidationError
from bigchaindb.transaction.canonical import canonical
from bigchaindb.transaction.content import LANGUAGES, check_content, strings_of


def check(asset: Any, metadata: Any = None) -> None:
    check_content(asset, metadata, canonical([asset, metadata], "2.0"))


@pytest.mark.parametrize("key", ["$a", "$", "a.b", ".", "a\0", "\0"])
def test_key_names_are_checked_at_any_depth(key: str) -> None:
    for document in ({key: 1}, {"a": {key: 1}}, {"a": [{"b": [[{key: 1}]]}]}):
        with pytest.raises(ValidationError) as caught:
            check(document)
        assert str(caught.value) == (
            f'Invalid key name "{key}" in asset object. '
            'The key name cannot contain characters ".", "$" or null characters'
        )
        with pytest.raises(ValidationError, match="in metadata object"):
            check({}, document)


@pytest.mark.parametrize(
    "document", [{"a$b": "$x.y\0"}, {"": 1}, {"a": ["$", "."]}, {"\\u0000": 1}, {"language": "none"}]
)
def test_what_is_allowed(document: dict[str, Any]) -> None:
    check(document, document)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_languages(language: str) -> None:
    check({"language": language}, {"a": [{"language": language}]})


@pytest.mark.parametrize(
    ("language", "shown"),
    [("klingon", "klingon"), (5, "5"), (None, "None"), ({"b": 1}, "{'b': 1}"), (["en"], "['en']")],
)
def test_other_languages_are_refused_at_any_depth(language: object, shown: str) -> None:
    for asset, metadata in ({"language": language}, 0), ({}, {"a": [{"language": language}]}):
        with pytest.raises(ValidationError) as caught:
            check(asset, metadata)
        assert str(caught.value).startswith(f'MongoDB does not support text search for the language "{shown}". If')


def test_keys_come_before_languages_and_the_asset_before_metadata() -> None:
    with pytest.raises(ValidationError, match=r'"\$b" in metadata'):
        check({"language": 1}, {"$b": 1})
    with pytest.raises(ValidationError, match=r'"\$a" in asset'):
        check({"$a": 1}, {"$b": 1})


def test_messages_do_not_repeat_megabytes() -> None:
    with pytest.raises(ValidationError) as caught:
        check({"." * 10_000: 1})
    assert len(str(caught.value)) < 400


def test_depth_does_not_matter_to_strings() -> None:
    value: Any = "x"
    for _ in range(5000):
        value = [value]
    assert list(strings_of(value)) == ["x"]
