"""Pages are read in editors and diffs too: lines and paragraphs are short, and terms lead to their meaning."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.pages import FENCE, LINKED, PAGES, ROOT

VOCABULARY: Final = ROOT / "docs/reference/vocabulary.md"
CHARACTERS_MAX: Final = 100
LINES_MAX: Final = 6
READ: Final = [page for page in PAGES if "decisions" not in page.parts]
"""Without the records of decisions, which stay as they were written."""
LIST_ITEM: Final = re.compile(r"\s*([-*]|\d+\.) ")
LINK: Final = re.compile(r"\]\([^)]*\)")
TECHNICAL: Final[Mapping[str, str]] = {
    "attempt": r"attempts?",
    "cursor": r"cursors?",
    "election": r"elections?",
    "engine": r"engines?",
    "epoch": r"epochs?",
    "evidence": r"evidence",
    "fulfillment": r"fulfillments?",
    "full-node": r"full\snodes?",
    "genesis": r"genesis",
    "in-hand": r"in\shand",
    "keeper": r"keepers?",
    "lane": r"lanes?",
    "nack": r"nack(?:s|ed)?",
    "outbox": r"outbox",
    "park": r"park(?:s|ed|ing)?",
    "pool": r"pools?",
    "position": r"positions?",
    "proposal": r"proposals?",
    "rejection": r"rejections?",
    "settled": r"settle[sd]?",
    "sink": r"sinks?",
    "token": r"tokens?",
    "validator": r"validators?",
    "votes-transaction": r"votes\stransactions?",
}
"""Terms that a newcomer cannot guess: the anchor of each, and how it occurs in a sentence."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> Iterator[list[str]]:
    """Yield the paragraphs and list items of a page, each as its lines: no code, headings or tables."""
    paragraph: list[str] = []
    for line in [*FENCE.sub("", page.read_text()).splitlines(), ""]:
        is_prose = bool(line.strip()) and not line.startswith(("|", "#"))
        if paragraph and (not is_prose or LIST_ITEM.match(line)):
            yield paragraph
            paragraph = []
        if is_prose:
            paragraph.append(line)


def anchors() -> list[str]:
    return re.findall(r'<a id="([\w-]+)"></a>', VOCABULARY.read_text())


def unlinked(page: Path) -> Iterator[str]:
    """Yield the technical terms that a page uses before it links to them."""
    text = "\n\n".join(re.sub(r"`[^`]*`", "", "\n".join(lines)) for lines in prose(page))
    text = re.sub(r"\[[^\]]*\]\([^)]*vocabulary\.md#([\w-]+)\)", r"<\1>", text)
    text = re.sub(r"\[[^\]]*\]\([^)]*\)", "", text)
    for anchor, pattern in TECHNICAL.items():
        before, _, _ = text.partition(f"<{anchor}>")
        if found := re.search(rf"\b{pattern}\b", re.sub(r"<[\w-]+>", "", before), re.IGNORECASE):
            yield found[0]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_are_short(page: Path) -> None:
    lines = [LINK.sub("]", line) for lines in prose(page) for line in lines]
    assert not [line for line in lines if len(line) > CHARACTERS_MAX and " " in line.strip(" -")]


@pytest.mark.parametrize("page", READ, ids=name_of)
def test_paragraphs_are_short(page: Path) -> None:
    assert not [lines[0] for lines in prose(page) if len(lines) > LINES_MAX]


def test_no_sentence_of_the_changelog_stands_twice() -> None:
    """Two branches that both rewrite it leave what each of them kept."""
    paragraphs = (" ".join(" ".join(lines).split()) for lines in prose(ROOT / "CHANGELOG.md"))
    sentences = [one for paragraph in paragraphs for one in re.split(r"(?<=[.:]) ", paragraph.removeprefix("- "))]
    counts = Counter(one.strip(".:") for one in sentences)
    assert not [one for one, count in counts.items() if count > 1]


def test_each_term_is_defined_once() -> None:
    assert len(anchors()) == len(set(anchors())) > 70
    assert TECHNICAL.keys() <= set(anchors())


@pytest.mark.parametrize("page", [page for page in READ if page != VOCABULARY], ids=name_of)
def test_the_first_use_of_a_term_leads_to_the_vocabulary(page: Path) -> None:
    assert not list(unlinked(page))


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_to_a_heading_or_a_term(page: Path) -> None:
    """A section that is renamed leaves its readers at the top of a page otherwise."""
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text())
    assert not [(name, place) for name, place in links if place not in places(page.parent / name if name else page)]


def places(page: Path) -> set[str]:
    """Return what a link into a page may name: its headings, as they become anchors, its own anchors, or its tests."""
    text = page.read_text()
    if page.suffix == ".py":
        return set(re.findall(r"def (test\w+)\(", text))
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([\w-]+)"', text))
