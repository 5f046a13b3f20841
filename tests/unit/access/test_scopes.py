"""What scopes allow, and which texts are scopes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.access.scopes import Scopes
from bigchaindb.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "allowed", "refused"),
    [
        ("read", ["read"], ["write", "operate", "subscribe:x"]),
        ("read write", ["read", "write"], ["operate", "subscribe:x"]),
        ("subscribe:billing", ["subscribe:billing"], ["subscribe:billing-2", "subscribe:bill", "read"]),
        ("subscribe:billing-*", ["subscribe:billing-", "subscribe:billing-2"], ["subscribe:billing", "subscribe:x"]),
        ("subscribe:*", ["subscribe:x", "subscribe:billing"], ["read", "operate"]),
        ("none", [], ["read", "write", "operate", "subscribe:x"]),
    ],
)
def test_a_scope_allows_what_it_names_and_nothing_else(text: str, allowed: list[str], refused: list[str]) -> None:
    scopes = Scopes.parse(text, "scopes")
    assert [scope for scope in (*allowed, *refused) if scopes.allows(scope)] == allowed
    assert str(scopes) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "scopes: must be 1 to 32 scopes separated by blanks, or `none`, found 0"),
        ("reed", "scopes: unknown scope 'reed'; the scopes are read, write"),
        ("read none", "scopes: unknown scope 'none'"),
        ("subscribe:", "scopes: unknown scope 'subscribe:'"),
        ("subscribe:a*b", "scopes: unknown scope 'subscribe:a*b'"),
        ("subscribe:a/b", "scopes: unknown scope 'subscribe:a/b'"),
        ("subscribe:.a", "scopes: unknown scope 'subscribe:.a'"),
        (" ".join(f"subscribe:{n}" for n in range(33)), "scopes: must be 1 to 32 scopes separated by blanks"),
    ],
)
def test_another_text_is_refused_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Scopes.parse(text, "scopes")
    assert str(refused.value).startswith(why)


@given(st.text())
def test_a_text_is_scopes_that_are_written_as_they_were_or_an_error(text: str) -> None:
    try:
        scopes = Scopes.parse(text, "scopes")
    except ConfigurationError:
        return
    assert Scopes.parse(str(scopes), "scopes") == scopes


@given(
    st.lists(st.sampled_from(["read", "write", "subscribe:a", "subscribe:a*", "subscribe:*", "operate"]), min_size=1)
)
def test_more_scopes_allow_no_less(texts: list[str]) -> None:
    """A key that gets one scope more must not lose another."""
    fewer, more = Scopes.parse(" ".join(texts[:-1]) or "none", "fewer"), Scopes.parse(" ".join(texts), "more")
    for scope in ("read", "write", "operate", "subscribe:a", "subscribe:b"):
        assert more.allows(scope) or not fewer.allows(scope)
