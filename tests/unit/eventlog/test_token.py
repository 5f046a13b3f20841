"""A token names one place of one log, or is refused."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.errors import EventError, HistoryLost, MalformedToken
from bigchaindb.eventlog.token import PREFIX, WHOLE, decode, encode, known

CHAIN = "solo-0123456789abcdef0123456789abcdef"
DIGEST = sha256(b"a log").digest()
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

positions = st.integers(1, 2**63 - 1)
indexes = st.integers(0, WHOLE)
digests = st.binary(min_size=32, max_size=32)


@dataclass(frozen=True)
class Log:
    """A log with the same digest at every position, or without rows."""

    digest: bytes | None = DIGEST

    def entry(self, position: int) -> Any:
        assert position
        return self.digest and self


@given(position=positions, index=indexes, digest=digests)
def test_a_token_leads_back_to_its_place(position: int, index: int, digest: bytes) -> None:
    token = known(encode(CHAIN, position, index, digest), Log(digest), CHAIN, head=position)
    assert (token.position, token.index) == (position, index)
    assert token.place == ((position, 0) if index == WHOLE else (position - 1, index + 1))


@given(index=indexes)
def test_before_the_first_event_nothing_was_seen(index: int) -> None:
    assert known(encode(CHAIN, 0, index, bytes(32)), Log(), CHAIN, head=9).place == (0, 0)


def test_a_token_is_forty_characters_that_fit_a_url_and_a_close_reason() -> None:
    text = encode(CHAIN, 2**63 - 1, WHOLE, DIGEST)
    assert len(text) == 40
    assert set(text.removeprefix(PREFIX)) <= set(CHARACTERS)


def test_the_format_does_not_change() -> None:
    """Clients keep tokens for years."""
    assert encode("solo-1", 7, 2, bytes(range(32))) == "1.xKg0U8FB5vsAAAAAAAAABwAAAAIAAQIDBAUGBw"


def test_another_chain_is_a_lost_history() -> None:
    text = encode("solo-other", 5, WHOLE, DIGEST)
    with pytest.raises(HistoryLost) as caught:
        decode(text, CHAIN, head=9)
    assert (caught.value.position, caught.value.head) == (5, 9)


def test_a_position_beyond_the_head_is_a_lost_history() -> None:
    """A log restored from an older backup must not resume elsewhere (P8)."""
    with pytest.raises(HistoryLost):
        decode(encode(CHAIN, 10, WHOLE, DIGEST), CHAIN, head=9)


@pytest.mark.parametrize("digest", [None, sha256(b"another log").digest()])
def test_another_log_on_the_same_chain_is_a_lost_history(digest: bytes | None) -> None:
    with pytest.raises(HistoryLost):
        known(encode(CHAIN, 3, WHOLE, DIGEST), Log(digest), CHAIN, head=9)


@given(
    st.one_of(st.text(), st.text(alphabet=CHARACTERS).map(lambda text: PREFIX + text), st.text().map(PREFIX.__add__))
)
def test_any_other_text_is_malformed_or_foreign(text: str) -> None:
    with pytest.raises((MalformedToken, HistoryLost)):
        decode(text, CHAIN, head=9)


@given(at=st.integers(0, 39), character=st.characters())
def test_a_changed_character_is_never_another_place(at: int, character: str) -> None:
    text = encode(CHAIN, 3, WHOLE, DIGEST)
    changed = text[:at] + character + text[at + 1 :]
    try:
        token = known(changed, Log(), CHAIN, head=3)
    except EventError:
        return
    assert changed == text or (token.position, token.index) != (3, WHOLE)


def test_another_spelling_of_the_same_bits_is_refused() -> None:
    text = encode(CHAIN, 3, WHOLE, DIGEST)
    last = CHARACTERS[CHARACTERS.index(text[-1]) ^ 1]
    for other in (text[:-1] + last, text + "=", text + "==", text + "A"):
        with pytest.raises(MalformedToken):
            decode(other, CHAIN, head=3)


def test_a_malformed_token_is_a_value_error_too() -> None:
    assert issubclass(MalformedToken, ValueError)
