"""`make docs` builds a site that needs no other host: it can be taken along, and works the same behind a firewall."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest

from bigchaindb.api.routes import ROUTES
from tests.support import site
from tests.support.pages import PAGES, ROOT

FOREIGN: Final = re.compile(r"^(?:[a-z]+:)?//", re.IGNORECASE)
LOADED: Final = ("src", "srcset", "data", "poster")
"""Attributes whose address a browser asks for by itself; `href` too, where a `link` names a style or an icon."""
CSS_ADDRESS: Final = re.compile(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)")
SVG: Final = "http://www.w3.org/2000/svg"
"""A name, which no browser asks for."""


pytestmark = pytest.mark.timeout(400)
"""A build takes 15 seconds of an idle machine, and its packages may have to be installed first."""


class Page(HTMLParser):
    """A page of the site: what a browser loads for it, where its links lead, and what links into it may name."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.loaded |= {values[name] for name in LOADED if name in values}
        if "href" in values:
            (self.loaded if tag == "link" else self.links).add(values["href"])
        self.places |= {values[name] for name in ("id", "name") if name in values}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this version; each warning of the build is an error."""
    return site.build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[Path, Page]:
    """The pages by file."""
    return {file: Page(file) for file in built.rglob("*.html")}


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES[1:] if "decisions" not in page.parts and page.name != "index.md"],
    ids=lambda page: page.stem,
)
def test_the_index_lists_each_page(page: Path) -> None:
    """The lists of the index are the site's navigation: a page that they lack is found by nobody."""
    assert f"]({page.relative_to(ROOT / 'docs')})" in (ROOT / "docs/index.md").read_text()


def test_every_page_is_built(built: Path, pages: dict[Path, Page]) -> None:
    sources = {page.relative_to(ROOT / "docs").with_suffix("") for page in (ROOT / "docs").rglob("*.md")}
    assert {file.relative_to(built).with_suffix("") for file in pages} == {*sources, Path("search")}


def test_links_lead_to_a_place(pages: dict[Path, Page]) -> None:
    lost = {
        f"{file.name}: {link}"
        for file, page in pages.items()
        for link in page.links
        if not FOREIGN.match(link) and not leads(file, link, pages)
    }
    assert not lost


def leads(file: Path, link: str, pages: dict[Path, Page]) -> bool:
    name, _, place = link.partition("#")
    target = (file.parent / name).resolve() if name else file
    return (not place or place in pages[target].places) if target in pages else target.exists()


def test_nothing_is_loaded_from_elsewhere(built: Path, pages: dict[Path, Page]) -> None:
    assert not [(file.name, one) for file, page in pages.items() for one in page.loaded if FOREIGN.match(one)]
    styles = {file: CSS_ADDRESS.findall(file.read_text()) for file in built.rglob("*.css")}
    assert not [(file.name, one) for file, found in styles.items() for one in found if FOREIGN.match("".join(one))]
    scripts = {file: re.findall(r"[\"'`](https?://[^\"'`]*)", file.read_text()) for file in built.rglob("*.js")}
    assert not [(file.name, one) for file, found in scripts.items() for one in found if one != SVG]


def test_a_search_finds_a_term(built: Path) -> None:
    """Sphinx's scripts search an index that is loaded as a script, so that a page from the disk finds it too."""
    text = (built / "searchindex.js").read_text()
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    found = index["terms"]["outbox"]
    names = {index["docnames"][one] for one in ([found] if isinstance(found, int) else found)}
    assert {"explanation/network", "reference/vocabulary"} <= names


def test_each_route_is_in_the_reference(built: Path) -> None:
    text = (built / "reference/http-api.html").read_text()
    assert not [route for route in ROUTES if f">{route.method} {route.path}<" not in re.sub(r"</?span[^>]*>", "", text)]


def test_the_first_use_of_a_term_leads_to_the_vocabulary(built: Path) -> None:
    """On pages whose text is not ours to link, too."""
    text = (built / "reference/contract/driver-expectations.html").read_text()
    assert text.count('href="../vocabulary.html#fulfillment"') == 1


def test_older_versions_stay_and_readers_get_the_newest(tmp_path: Path) -> None:
    for version in ("3.9", "3.10"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "index.html").write_text(version)
    site.offer(tmp_path)
    assert (tmp_path / "versions.js").read_text() == 'window.bigchaindbVersions = { newest: "3.10" };\n'
    assert (tmp_path / "latest/index.html").read_text() == "3.10"
    assert (tmp_path / "3.9/index.html").read_text() == "3.9"
