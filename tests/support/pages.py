"""The pages of README.md and docs/, and the examples in them."""

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if "contract" not in p.parts)]
LINKED: Final = [
    *PAGES,
    *sorted((ROOT / "docs/reference/contract").glob("*.md")),
    *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")),
]
"""Pages whose links are tested: those without examples too."""
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME: Final = re.compile(r"# ([\w/.-]+\.(?:py|toml))\n")


class Example(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str
    output: str | None = None
    """What the page shows behind a block of commands as their output."""

    @property
    def file(self) -> str | None:
        """The name of the file that the reader writes it to; None if there is none."""
        match = FILE_NAME.match(self.text)
        return match[1] if match else None

    @property
    def script(self) -> str:
        """The reader's step: runs a command, or writes a file."""
        if self.file is None:
            return self.text if self.language == "sh" else ""
        return f"mkdir -p $(dirname {self.file})\ncat > {self.file} <<'END OF FILE'\n{self.text}END OF FILE\n"

    @property
    def is_plugin(self) -> bool:
        """Whether it is a module with `run`."""
        return self.language == "python" and "def run(" in self.text


def examples(page: Path) -> list[Example]:
    """Return the fenced blocks of a page; an `output` block belongs to the `sh` block before it."""
    found: list[Example] = []
    for language, text in FENCE.findall(page.read_text()):
        if language == "output":
            assert found, f"{page}: an output before any command"
            assert found[-1].language == "sh", f"{page}: an output that is not behind commands: {text}"
            found[-1] = found[-1]._replace(output=text)
        else:
            found.append(Example(language, text))
    return found
