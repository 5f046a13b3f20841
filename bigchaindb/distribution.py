"""The distribution of this package, and the commands that install into its environment.

Messages, pages and the scaffold use these, so that a change of the name is one line.
"""

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from typing import Final

NAME: Final = "bigchaindb-node"
"""Name of the installed distribution."""
INDEX_NAME: Final[str | None] = None
"""The name on a public index; None until that name is this project's. Until then no message points to an index for the
node itself: the package of that name is other software."""

_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")


def install_command(*specs: str) -> str:
    """Return the command that installs packages for the Python that runs, by the installer that its environment has."""
    python = shlex.quote(sys.executable)
    # An environment of uv has no pip, and the pip of a shell is another Python's.
    tool = f"{python} -m pip install" if find_spec("pip") is not None else f"uv pip install --python {python}"
    return " ".join((tool, *map(shlex.quote, specs)))


def needs_extra(plugin: str, extra: str) -> str:
    """Return the error of a plugin of this distribution without the packages of its extra, with the command."""
    return f"the plugin {plugin} needs the extra {extra}, which is not installed here; run: {extra_command(extra)}"


def extra_command(extra: str) -> str:
    """Return the command that installs the packages of an extra; it needs no checkout."""
    if INDEX_NAME is not None:
        return install_command(f"{INDEX_NAME}[{extra}]")
    return install_command(*requirements_of(extra))


def requirements_of(extra: str) -> list[str]:
    """Return the packages of an extra, as the installed distribution names them."""
    try:
        lines = requires(NAME) or []
    except PackageNotFoundError:  # the package is on the path and was never installed
        return [f".[{extra}]"]
    parted = ((line.partition(";")[0].strip(), _EXTRA.search(line)) for line in lines)
    return [spec for spec, found in parted if found is not None and found[1] == extra]
