"""Builds the site of the documentation: `python -m tests.support.site FOLDER`.

The folder gets one folder of static files for the minor version, a copy `latest` if no newer version is beside it, and
`versions.js`, by which the pages of older versions name the newest. Versions that are there stay.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bigchaindb import __version__
from bigchaindb.api.openapi import document
from bigchaindb.api.routes import ROUTES
from tests.support import installed

DOCS: Final = installed.CHECKOUT / "docs"
VERSION: Final = ".".join(__version__.split(".")[:2])
TO_LATEST: Final = '<!doctype html><meta http-equiv="refresh" content="0; url=latest/index.html">\n'


def build(folder: Path) -> Path:
    """Build the pages of this version below `folder`; return their folder.

    Raises:
        RuntimeError: Sphinx printed a warning or an error; the message holds them.
    """
    python = installed.python_environment("docs", pins="docs.txt")
    pages = folder / VERSION
    shutil.rmtree(pages, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="bigchaindb-site-") as scratch:
        openapi = Path(scratch) / "openapi.json"
        openapi.write_text(json.dumps(document(ROUTES)))
        command = [str(python), "-m", "sphinx", "--nitpicky", "--fail-on-warning", "--quiet"]
        settings = [f"-Dopenapi={openapi}", f"-Dversion={VERSION}", f"-Dhtml_title=BigchainDB {VERSION}"]
        folders = ["-c", str(DOCS / "site"), "-d", f"{scratch}/doctrees", str(DOCS), str(pages)]
        done = subprocess.run([*command, *settings, *folders], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    (pages / ".buildinfo").unlink()
    offer(folder)
    return pages


def offer(folder: Path) -> None:
    """Make the newest version the one that readers get without naming one."""
    newest = max((one.name for one in folder.glob("*.*/")), key=lambda name: [int(part) for part in name.split(".")])
    (folder / "versions.js").write_text(f'window.bigchaindbVersions = {{ newest: "{newest}" }};\n')
    (folder / "index.html").write_text(TO_LATEST)
    shutil.rmtree(folder / "latest", ignore_errors=True)
    shutil.copytree(folder / newest, folder / "latest")


if __name__ == "__main__":
    try:
        print(f"==> the site is at {build(Path(sys.argv[1])).parent / 'index.html'}")
    except RuntimeError as error:
        sys.exit(f"error: {error}")
