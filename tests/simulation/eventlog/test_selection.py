"""Selections over any document and any selection made of another."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.eventlog.members import Scalar
from bigchaindb.eventlog.selection import Selection, from_data, from_query
from bigchaindb.transaction.canonical import canonical
from tests.support.chains import ALICE
from tests.support.drawn_documents import Document, documents, values


def members_in(document: Document) -> Document:
    """Return every member of a selection that matches a document."""
    owners = [key for part in document["outputs"] for key in part["public_keys"]]
    owners += [key for part in document["inputs"] for key in part["owners_before"]]
    members: Document = {"operation": document["operation"], "asset": document["asset"].get("id", document["id"])}
    if owners:
        members["owner"] = owners[-1]

    def walk(place: str, value: object) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(f"{place}.{name}", inner)
        elif not isinstance(value, list):
            members[place] = value

    for name, inner in (document["metadata"] or {}).items():
        walk(f"metadata.{name}", inner)
    return members


@given(document=documents(), data=st.data())
def test_every_document_is_found_by_what_is_in_it_and_its_needles_occur(
    document: Document, data: st.DataObject
) -> None:
    """A needle that a matching transaction does not hold would make its event vanish for good (P2, P15)."""
    members = members_in(document)
    chosen = data.draw(st.lists(st.sampled_from(sorted(members)), unique=True, max_size=16))
    selection = from_data({name: members[name] for name in chosen}, "select")

    assert selection.matches(document)
    text = canonical(document, document["version"])
    assert all(any(needle in text for needle in group) for group in selection.needles)
    assert selection.matches(msgspec.json.decode(text))


@given(document=documents(), other=documents(), data=st.data())
def test_needles_occur_wherever_a_selection_made_of_another_document_matches(
    document: Document, other: Document, data: st.DataObject
) -> None:
    members = members_in(other)
    chosen = data.draw(st.lists(st.sampled_from(sorted(members)), unique=True, max_size=2))
    selection = from_data({name: members[name] for name in chosen}, "select")
    found = members_in(document)
    owners = {key for one in (*document["outputs"], *document["inputs"]) for key in [*one.values()][-1]}
    expected = all(
        members[name] in owners if name == "owner" else name in found and same(found[name], members[name])
        for name in chosen
    )

    assert selection.matches(document) == expected
    text = canonical(document, document["version"])
    if expected:
        assert all(any(needle in text for needle in group) for group in selection.needles)


def same(one: Scalar, other: Scalar) -> bool:
    return type(one) is type(other) and one == other


@given(document=documents())
def test_a_query_finds_what_its_text_spells(document: Document) -> None:
    """An address has no types, so the text of a number stands for the number and for itself."""
    for name, value in members_in(document).items():
        if name.startswith("metadata."):
            text = value if isinstance(value, str) else canonical(value, "2.0").decode()
            if len(text) <= 1_024:
                selection = from_query({name: text})
                assert selection is not None
                assert selection.matches(document)


@given(st.dictionaries(st.sampled_from(["operation", "asset", "id", "inputs", "outputs", "metadata"]), values))
def test_any_object_can_be_judged(document: Document) -> None:
    """A rejected block may hold anything; it must not stop whoever reads past it."""
    selection = Selection(owner=ALICE.public_key)
    assert selection.matches(document) in (True, False)
    assert Selection(asset="a" * 64).matches(document) in (True, False)
    assert not from_data({"metadata.no-such-name": 1}, "select").matches(document)
    assert not selection.matches({"inputs": [None, 5, {"owners_before": None}], "outputs": [{"public_keys": {}}]})
