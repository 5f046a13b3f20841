"""Consumers in other languages: the examples as they stand, each in a process of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support import golang, installed

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
LANGUAGES: Final = ("node", "go")


def command(language: str, folder: Path, source: Path | None = None) -> list[str]:
    """Return the command of a program in a language, whose argument is yet missing.

    Args:
        language: one of `LANGUAGES`.
        folder: for what belongs beside it while it runs.
        source: the program's only file, which uses what the example uses; the example itself if there is none.
    """
    example = EXAMPLES / language
    if language == "go":
        return [str(_built(source or example / "consumer.go"))]
    packages = installed.javascript_packages(example / "package.json")
    folder.mkdir(exist_ok=True)
    program = Path(shutil.copy(source or example / "consumer.js", folder))
    shutil.copy(example / "package.json", folder)
    if not (link := folder / "node_modules").exists():
        link.symlink_to(packages / "node_modules")
    return [str(installed.node()), str(program)]


def require() -> None:
    """Have all packages and programs in the cache."""
    installed.javascript_packages(EXAMPLES / "node/package.json")
    _built(EXAMPLES / "go/consumer.go")


def _built(source: Path) -> Path:
    """Return a program in Go, built with the versions and checksums of the example."""
    files = [EXAMPLES / "go/go.mod", EXAMPLES / "go/go.sum", source]

    def build(folder: Path) -> None:
        (sources := folder / "source").mkdir(parents=True)
        for file in files:
            shutil.copy(file, sources)
        golang.build("build", "-o", str(folder / source.stem), ".", folder=sources)

    return (
        installed.made_once(f"go-{source.stem}", b"\0".join(file.read_bytes() for file in files), build) / source.stem
    )


@contextmanager
def consuming(
    line: list[str], url: str, output: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a consumer that adds a line to `output` for each event that it works on; kill it at the end."""
    with (
        output.open("ab") as work,
        output.with_suffix(".errors").open("ab") as errors,
        subprocess.Popen(
            [*line, url],
            stdin=subprocess.DEVNULL,
            stdout=work,
            stderr=errors,
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()
