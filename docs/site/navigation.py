"""Sphinx: the lists of docs/index.md are the site's navigation, and the records of decisions list themselves.

The lists are plain links, so that the page reads the same in the repository.
"""

import re
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx

INDEX: Final = "index"
DECISIONS: Final = "decisions/index"
CONTRACT: Final = "reference/contract/README"
HEADING: Final = re.compile(r"^## ", re.MULTILINE)
ENTRY: Final = re.compile(r"^- \[([^\]]+)\]\(([^):]+)\.md\)", re.MULTILINE)
TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)


def extend(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add what only the site needs to the text of a page."""
    text = source[0]
    if docname == INDEX:
        preface, *sections = HEADING.split(text)
        source[0] = "## ".join([preface, *(section + _navigation(section) for section in sections)])
    elif docname == DECISIONS:
        source[0] = f"{text}\n{_records(Path(app.srcdir) / 'decisions')}"
    elif docname == CONTRACT:
        source[0] = text + _toctree([":glob:"], ["*"])
    elif docname.startswith("decisions/"):
        source[0] = f"---\norphan: true\n---\n\n{text}"  # 120 more lines in the navigation of every page help nobody


def _navigation(section: str) -> str:
    """Return the entries of a section of the index under its heading."""
    caption, _, text = section.partition("\n")
    return _toctree([f":caption: {caption}"], [f"{title} <{page}>" for title, page in ENTRY.findall(text)])


def _toctree(options: list[str], pages: list[str]) -> str:
    return "\n".join(["", "```{toctree}", ":hidden:", *options, "", *pages, "```", "", ""])


def _records(folder: Path) -> str:
    """Return a list of the records, the newest first."""
    files = sorted(folder.glob("0*.md"), reverse=True)
    return "\n".join(f"- [{_title(file)}]({file.name})" for file in files)


def _title(file: Path) -> str:
    found = TITLE.search(file.read_text())
    assert found is not None, file
    return found[1]


def name_version(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Name the version in each page, for the line on the pages of older versions."""
    named = f'<meta name="bigchaindb-version" content="{app.config.version}">'
    context["metatags"] = context.get("metatags", "") + named


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("source-read", extend)
    app.connect("html-page-context", name_version)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
