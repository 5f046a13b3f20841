"""Sphinx: terms of the vocabulary have anchors, and the first use of one on a page leads to its meaning."""

import re
from collections.abc import Iterator
from typing import Final

from docutils import nodes
from docutils.transforms import Transform
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

VOCABULARY: Final = "reference/vocabulary"
ANCHOR: Final = re.compile(r'<a id="([\w-]+)">')
LINKED: Final = re.compile(r"\bvocabulary\.html#(.+)")
TERMS: Final = (
    "access key",
    "check process",
    "crash test",
    "cursor",
    "desk",
    "election",
    "epoch",
    "fulfillment",
    "full node",
    "genesis",
    "in hand",
    "keeper",
    "lane",
    "metadata",
    "nack",
    "outbox",
    "park",
    "pool",
    "position",
    "principal",
    "proposal",
    "reader process",
    "rejected transaction",
    "rejection",
    "settled",
    "sink",
    "token",
    "validator",
    "verdict",
    "votes transaction",
)
"""Terms that a newcomer cannot guess and that mean nothing else in these pages."""
ENDING: Final = "(?:s|ed|ing)?"


class Anchors(Transform):
    """Turn `<a id="…"></a>` into a target that links find."""

    default_priority = 500  # before MyST collects what links may name

    def apply(self) -> None:
        """Replace the raw elements of a page."""
        for raw in list(self.document.findall(nodes.raw)):
            if found := ANCHOR.fullmatch(raw.astext()):
                name = found[1]
                target = nodes.target("", "", ids=[name], names=[name])
                self.document.note_explicit_target(target)
                raw.replace_self(target)
            elif raw.astext() == "</a>":
                raw.parent.remove(raw)


def link(app: Sphinx, tree: nodes.document, docname: str) -> None:
    """Link the first use of each term in the prose of a page, unless the page links that term already."""
    if docname == VOCABULARY:
        return
    uris = [reference.get("refuri", "") for reference in tree.findall(nodes.reference)]
    linked = {found[1] for uri in uris if (found := LINKED.search(uri))}
    for term in TERMS:
        anchor = term.replace(" ", "-")
        if anchor not in linked and (found := _first(tree, term)) is not None:
            text, start, end = found
            shown = nodes.inline("", text[start:end], classes=["term"])
            reference = make_refnode(app.builder, docname, VOCABULARY, anchor, shown)
            parts = [nodes.Text(text[:start]), reference, nodes.Text(text[end:])]
            text.parent.replace(text, [part for part in parts if part.astext()])


def _first(tree: nodes.document, term: str) -> tuple[nodes.Text, int, int] | None:
    words = r"\s".join(term.split())
    pattern = re.compile(rf"\b{words}{ENDING}\b", re.IGNORECASE)
    for text in _prose(tree):
        if found := pattern.search(text):
            return text, found.start(), found.end()
    return None


def _prose(tree: nodes.document) -> Iterator[nodes.Text]:
    """Yield the texts of paragraphs, without code, links and headings."""
    for paragraph in tree.findall(nodes.paragraph):
        for text in paragraph.findall(nodes.Text):
            if not isinstance(text.parent, nodes.literal | nodes.reference | nodes.raw) and not isinstance(
                text.parent.parent, nodes.reference
            ):
                yield text


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.add_transform(Anchors)
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
