"""Makes what a release consists of: `python -m tests.support.release FOLDER`.

The folder gets the wheel, the source distribution, a bill of materials (CycloneDX) and the licences of all that the
wheel installs, as pinned in requirements/base.txt, and `SHA256SUMS`, in place of those that are there. Other files of
the folder stay. Nothing is written where a check fails.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from tests.support import installed, wheels

UV: Final = Path(sys.executable).with_name("uv")
BILL: Final = "sbom.cdx.json"
LICENCES: Final = "LICENCES.txt"
SUMS: Final = "SHA256SUMS"
DISTRIBUTIONS: Final = "bigchaindb_node-*"


def make(folder: Path) -> list[Path]:
    """Make everything in `folder`, in place of what an earlier call made there; return the files.

    Raises:
        RuntimeError: a check refuses the wheel or the source distribution; the message holds its words.
    """
    with tempfile.TemporaryDirectory(prefix="bigchaindb-release-") as scratch:
        made = Path(scratch, "made")
        installed.run(sys.executable, wheels.BUILD, made)
        check(made)
        describe(made, Path(scratch, "environment"))
        lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(made.iterdir())]
        (made / SUMS).write_text("".join(lines))
        for old in (file for pattern in (DISTRIBUTIONS, BILL, LICENCES, SUMS) for file in folder.glob(pattern)):
            old.unlink()
        shutil.copytree(made, folder, dirs_exist_ok=True)
        return sorted(folder / file.name for file in made.iterdir())


def check(folder: Path) -> None:
    """Have the checks of an index, and those for what does not belong into a wheel, read what is in the folder."""
    distributions = sorted(folder.glob(DISTRIBUTIONS))
    installed.run(_tool("twine"), "check", "--strict", *distributions)
    installed.run(_tool("check-wheel-contents"), "--ignore", "W002", *folder.glob("*.whl"))


def describe(folder: Path, environment: Path) -> None:
    """Write the bill of materials and the licences beside the wheel, as it stands in an environment of its own."""
    python = environment / "bin/python"
    installed.run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    links = ("--no-index", "--find-links", wheels.wheels_of_dependencies())
    installed.run(UV, "pip", "install", "--quiet", "--python", python, *links, *folder.glob("*.whl"))
    bill = folder / BILL
    project = ("--pyproject", installed.CHECKOUT / "pyproject.toml", "--mc-type", "application")
    installed.run(_tool("cyclonedx-py"), "environment", *project, "--output-reproducible", "-o", bill, python)
    (site,) = environment.glob("lib/*/site-packages")
    (folder / LICENCES).write_text("".join(f"{line}\n" for line in licences(site)))


def licences(site: Path) -> list[str]:
    """Return a line for each package in a folder: its name, its version and the licence that it declares."""
    return sorted(
        (f"{one.name} {one.version}: {_licence(one)}" for one in distributions(path=[str(site)])), key=str.lower
    )


def _licence(package: Distribution) -> str:
    """Return the SPDX expression, or what older packages have in its place; some have their whole licence there."""
    for key in ("License-Expression", "License"):
        if key in package.metadata and "\n" not in (declared := package.metadata[key]):
            return declared
    classified = (one.split(" :: ") for one in package.metadata.get_all("Classifier", []))
    return " AND ".join(sorted(parts[-1] for parts in classified if parts[0] == "License")) or "not declared"


def _tool(name: str) -> Path:
    return installed.python_environment("release", pins="release.txt").with_name(name)


if __name__ == "__main__":
    try:
        for path in make(Path(sys.argv[1])):
            print(path)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
