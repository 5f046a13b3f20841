"""The form of access keys, and which texts prove one."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.access import keys
from bigchaindb.access.keys import AccessKey, judge, make, shown_in, without_key
from bigchaindb.access.scopes import Scopes

NOW = 1_800_000_000
ID, TEXT = make(bytes(range(41)))
KEY = AccessKey(ID, keys.digest_of(TEXT), "billing", Scopes(("read",)), NOW - 10)


def known(**changes: Any) -> Mapping[str, AccessKey]:
    return {ID: KEY._replace(**changes)}


def test_a_key_has_the_form_that_scanners_know() -> None:
    assert keys.PREFIX + ID == TEXT[:16] == "bdb_" + ID
    assert len(TEXT) == keys.CHARACTER_COUNT
    assert TEXT[16] == "_"
    assert TEXT.replace("_", "").isalnum()


@given(st.binary(min_size=41, max_size=41), st.binary(min_size=41, max_size=41))
def test_two_secrets_have_two_texts(one: bytes, other: bytes) -> None:
    assert (make(one)[1][17:60] == make(other)[1][17:60]) == (one[9:] == other[9:])


def test_a_good_key_proves_itself() -> None:
    assert judge(TEXT, known(), NOW) == KEY


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"revoked": NOW - 5}, f"the access key {ID} (billing) was revoked on 2027-01-15"),
        ({"expires": NOW}, f"the access key {ID} (billing) expired on 2027-01-15"),
        ({"held": True}, f"the access key {ID} (billing) is held since this node's data were restored"),
    ],
)
def test_a_key_that_is_over_is_refused_with_the_reason(changes: dict[str, Any], why: str) -> None:
    found = judge(TEXT, known(**changes), NOW)
    assert isinstance(found, str)
    assert found.startswith(why)


def test_a_key_is_good_until_it_expires() -> None:
    """A node whose clock is a day behind takes it a day longer, and no error tells of it."""
    assert judge(TEXT, known(expires=NOW + 1), NOW) == known(expires=NOW + 1)[ID]


@given(st.text(max_size=80) | st.integers(0, 65).map(lambda end: TEXT[:end]) | st.text(min_size=1).map(TEXT.__add__))
def test_a_text_that_is_cut_or_mistyped_is_told_apart(text: str) -> None:
    found = judge(text, known(), NOW)
    assert isinstance(found, str)
    assert found.startswith("the access key is cut or has a typing error: it")
    counted = f"it has {len(text)} characters, and one of a node has 66"
    assert found.endswith(counted if len(text) != len(TEXT) else "its checksum is not that of its other characters")


def test_a_mistyped_key_is_not_told_that_its_length_is_wrong() -> None:
    """Whoever reads that 66 characters are not 66 counts them in vain."""
    found = judge(TEXT[:-1] + ("0" if TEXT[-1] != "0" else "1"), {}, NOW)
    assert found == "the access key is cut or has a typing error: its checksum is not that of its other characters"


@given(st.integers(4, 65), st.sampled_from("0aZ"))
def test_every_character_counts(place: int, character: str) -> None:
    """A key with a wrong character must prove nothing, whichever it is."""
    text = TEXT[:place] + character + TEXT[place + 1 :]
    assert (judge(text, known(), NOW) == KEY) == (text == TEXT)


def test_bytes_that_are_no_text_prove_nothing() -> None:
    """A header may hold any bytes, and none may end in a 500."""
    assert isinstance(judge(TEXT[:-1] + "\udcff", known(), NOW), str)
    assert isinstance(judge(TEXT[:16] + "\udcff" + TEXT[17:], known(), NOW), str)
    assert isinstance(judge(TEXT[:16] + "-" + TEXT[17:], known(), NOW), str)


def test_a_key_of_another_node_or_with_another_secret_is_unknown() -> None:
    """Whoever tries secrets must not learn which ids there are."""
    other = AccessKey(ID, keys.digest_of(make(bytes(41))[1]), "other", Scopes(), NOW)
    unknown = f"this node does not know the access key {ID}: each node has keys of its own"
    assert judge(TEXT, {}, NOW) == judge(TEXT, {ID: other}, NOW) == unknown


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


def protocol(text: str) -> str:
    return keys.BEARER_PROTOCOL + urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("authorization", "protocols", "shown"),
    [
        (f"Bearer {TEXT}", "", TEXT),
        (f"bearer  {TEXT} ", "", TEXT),
        (basic(f"any:{TEXT}"), "", TEXT),
        (basic(f":{TEXT}"), "", TEXT),
        ("", f"a.v1, {protocol(TEXT)}", TEXT),
        ("", f"{protocol(TEXT)},b", TEXT),
        (basic("user:password"), protocol(TEXT), TEXT),
        ("Bearer bdb_", "", "bdb_"),
        ("", protocol("x"), "x"),
        ("", keys.BEARER_PROTOCOL, ""),
        ("", keys.BEARER_PROTOCOL + "é", ""),
        ("", "", None),
        ("Bearer eyJhbGciOi", "", None),
        ("Bearer", "", None),
        (basic(TEXT), "", None),
        (basic("user:password"), "", None),
        ("Basic !", "", None),
        ("Basic é", "", None),
        (f"Digest {TEXT}", "", None),
        (TEXT, "", None),
        ("", "a.v1, b", None),
    ],
)
def test_a_key_is_shown_in_three_ways(authorization: str, protocols: str, shown: str | None) -> None:
    """What is meant for a proxy in front is ignored, as published drivers and guides count on."""
    assert shown_in(authorization, protocols) == shown


def test_the_subprotocol_with_the_key_is_not_sent_back() -> None:
    assert without_key(f"a.v1, {protocol(TEXT)} ,b") == "a.v1, b"


@given(st.text() | st.text().map("Bearer ".__add__) | st.text().map("Basic ".__add__) | st.text().map(basic), st.text())
def test_no_header_breaks_it(authorization: str, protocols: str) -> None:
    shown = shown_in(authorization, protocols)
    assert shown is None or isinstance(judge(shown, {}, NOW), str)


def test_a_key_is_over_once_it_is_revoked_or_has_expired() -> None:
    assert [KEY.is_over(NOW), KEY._replace(expires=NOW).is_over(NOW), KEY._replace(revoked=1).is_over(NOW)] == [
        False,
        True,
        True,
    ]
