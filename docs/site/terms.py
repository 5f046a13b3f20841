"""Sphinx: terms of the vocabulary have anchors, and the first use of one on a page leads to its meaning."""

import re
from collections.abc import Iterator, Sequence
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
PATTERNS: Final = {
    "-".join(words): re.compile(r"\b" + r"\s".join(words) + rf"{ENDING}\b", re.IGNORECASE)
    for words in map(str.split, TERMS)
}
"""What is a use of each term, by the anchor of the term."""


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
    prose = list(_prose(tree))
    for anchor, pattern in PATTERNS.items():
        if anchor not in linked and (first := _first(prose, pattern)) is not None:
            place, start, end = first
            text = prose[place]
            before, after = (nodes.Text(part) for part in (text[:start], text[end:]))
            shown = nodes.inline("", text[start:end], classes=["term"])
            reference = make_refnode(app.builder, docname, VOCABULARY, anchor, shown)
            text.parent.replace(text, [part for part in (before, reference, after) if part.astext()])
            prose[place : place + 1] = [part for part in (before, after) if part]


def _first(prose: Sequence[nodes.Text], pattern: re.Pattern[str]) -> tuple[int, int, int] | None:
    for place, text in enumerate(prose):
        if found := pattern.search(text):
            return place, found.start(), found.end()
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
