"""What may stand inside `asset.data` and `metadata` (T4, T5).

Source: docs/reference/contract/transactions.md, section 5.
"""

from collections.abc import Iterator
from typing import Any, Final

from bigchaindb.errors import ValidationError

# fmt: off
LANGUAGES: Final = frozenset({
    "danish", "dutch", "english", "finnish", "french", "german", "hungarian", "italian", "norwegian", "portuguese",
    "romanian", "russian", "spanish", "swedish", "turkish", "none",
    "da", "nl", "en", "fi", "fr", "de", "hu", "it", "nb", "pt", "ro", "ru", "es", "sv", "tr",
})
# fmt: on
"""The values of a member named `language`: the languages of the text index that 1.x and 2.x had."""

_TEXT_MAX: Final = 200
"""Most characters of untrusted text that a message repeats."""


def check_content(asset: object, metadata: object, text: bytes) -> None:
    """Refuse key names that a document store could not keep (T4) and unknown languages (T5), at any depth.

    Args:
        asset: what stands under `asset`.
        metadata: what stands under `metadata`.
        text: canonical text that holds both; if it lacks the characters in question, nothing is walked through.

    Raises:
        ValidationError: names the key or the language.
    """
    if b"." not in text and b"$" not in text and b"\\" not in text and b'"language":' not in text:
        return
    _check_keys(asset, "asset")
    _check_keys(metadata, "metadata")
    _check_languages(asset)
    _check_languages(metadata)


def _check_keys(value: object, name: str) -> None:
    for branch in _objects_of(value):
        for key in branch:
            if key.startswith("$") or "." in key or "\0" in key:
                raise ValidationError(
                    f'Invalid key name "{key[:_TEXT_MAX]}" in {name} object. The key name cannot contain characters '
                    '".", "$" or null characters'
                )


def _check_languages(value: object) -> None:
    for branch in _objects_of(value):
        language = branch.get("language", "none")
        if not isinstance(language, str) or language not in LANGUAGES:
            raise ValidationError(
                f'MongoDB does not support text search for the language "{str(language)[:_TEXT_MAX]}". If you do not '
                'understand this error message then please rename key/field "language" to something else like "lang".'
            )


def strings_of(value: object) -> Iterator[str]:
    """Yield all strings that are values at any depth, in no promised order; keys are not among them."""
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _objects_of(value: object) -> Iterator[dict[str, Any]]:
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(reversed(item.values()))
        elif isinstance(item, list):
            waiting.extend(reversed(item))
