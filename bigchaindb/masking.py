"""Finds secrets in configurations and texts, and masks them. Pure.

`show-config`, `doctor`, errors and the log use it. Source: docs/reference/contract/configuration-and-cli.md, section 4.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

MASK: Final = "x" * 45
"""Replaces a secret; always 45 characters, so that its length reveals nothing."""

PLACEHOLDER: Final = "PASSWORD"
"""The password in examples of URLs; it is not masked, so that messages that explain the form stay readable."""

_SECRET_WORDS: Final = frozenset(
    {"password", "passphrase", "passwd", "secret", "token", "key", "private", "credentials"}
)
_SECRET_ENDINGS: Final = ("password", "passphrase", "secret")
"""Endings of a word, as in libpq's `sslpassword`; `key` is none, since harmless words end in it."""
_SECRET_CHARACTERS_MIN: Final = 6  # Masking shorter secrets, such as "a", would damage ordinary words.
# Logs hold texts of strangers, so every search here takes time linear in the text.
_WORD: Final = re.compile(r"\S+")
_ADDRESSES: Final = re.compile(r"\s+|,(?=\w+://)")  # several servers of a cluster stand in one option
_USER: Final = re.compile(r"://[^\s:/@?#]*:")
_COLON: Final = re.compile(r":(?!//)")
_ACCESS_KEY: Final = re.compile(r"(?P<id>bdb_[0-9A-Za-z]{12}_)[0-9A-Za-z]+")
_QUERY: Final = re.compile(r"(?P<before>[?&;](?P<name>[\w.-]+)=)(?P<value>[^&;#\s]+)")


def is_secret_name(name: str) -> bool:
    """Whether a member of that name holds a secret: `password`, `api_key`, `clientSecret`; not `public_key`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().replace("-", "_").split("_")
    return (words[-1] in _SECRET_WORDS or words[-1].endswith(_SECRET_ENDINGS)) and "public" not in words


def masked(value: Any, *, secret: bool = False) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value with its secrets masked, except null, true and false; `secret`: its name is a secret's."""
    if isinstance(value, Mapping):
        return {name: masked(member, secret=secret or is_secret_name(name)) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [masked(member, secret=secret) for member in value]
    if secret and value is not None and not isinstance(value, bool):  # `allow_private` is no secret
        return MASK
    return masked_text(value) if isinstance(value, str) else value


def masked_text(text: str) -> str:
    """Return `text` with access keys and the passwords of URLs masked, in user info and in query arguments."""
    if "bdb_" in text:
        text = _ACCESS_KEY.sub(lambda found: found["id"] + MASK, text)
    if "://" not in text:
        return text
    text = _WORD.sub(_without_password, text)
    return _QUERY.sub(lambda found: found["before"] + (MASK if is_secret_name(found["name"]) else found["value"]), text)


def masked_address(text: str) -> str:
    """Return what stands where an address is wanted with its password masked, whether or not it has a scheme."""
    shown = masked_text(text)
    stop = text.rfind("@")
    colon = _COLON.search(text, 0, stop) if shown == text and stop > 0 else None
    return shown if colon is None else f"{text[: colon.end()]}{MASK}{text[stop:]}"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with these secrets and the passwords of all URLs in it masked.

    Args:
        text: of any origin.
        secrets: those of `secrets_in`, in the order of `longest_first`.
    """
    text = masked_text(text)
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _without_password(word: re.Match[str]) -> str:
    place = _password(word[0])
    return word[0] if place is None else word[0][: place.start] + MASK + word[0][place.stop :]


def _password(word: str) -> slice | None:
    """Find the password of a URL; it ends at the last `@` of its word, since it may contain any character."""
    stop = word.rfind("@")
    user = _USER.search(word, 0, stop) if stop > 0 else None
    return None if user is None or word[user.end() : stop] == PLACEHOLDER else slice(user.end(), stop)


def secrets_in(value: Any, *, secret: bool = False) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield every secret text of a JSON value that is long enough to be searched for in other text.

    The escaped forms of Python and JSON are included: an error often repeats its cause in quotes.
    """
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from secrets_in(member, secret=secret or is_secret_name(name))
    elif isinstance(value, list | tuple):
        for member in value:
            yield from secrets_in(member, secret=secret)
    elif isinstance(value, str):
        written = [*_passwords(value), *_query_secrets(value)]
        # Whoever takes an address apart has its password without escapes.
        found = [value] if secret else [*written, *map(unquote, written)]
        for text in found:
            if len(text) >= _SECRET_CHARACTERS_MIN:
                yield from _spellings(text)


def longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return secrets, each once, in the order that `without_secrets` needs: one may contain another."""
    return tuple(sorted(set(secrets), key=len, reverse=True))


def _spellings(text: str) -> Iterator[str]:
    yield text
    # Behind a double quotation mark a single one is escaped, if there is one.
    written = {
        repr(text)[1:-1],
        repr(f'"{text}')[2:-1],
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
    }
    yield from written - {text}


def _passwords(text: str) -> Iterator[str]:
    words = {*_WORD.findall(text), *_ADDRESSES.split(text)}
    return (word[place] for word in words if (place := _password(word)) is not None)


def _query_secrets(text: str) -> Iterator[str]:
    return (found["value"] for found in _QUERY.finditer(text) if is_secret_name(found["name"]))
