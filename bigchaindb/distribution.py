"""The distribution of this package, and the commands that install into its environment.

Messages, pages and the scaffold use these, so that a change of the name is one line.
"""

import re
import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distributions, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bigchaindb import __version__

NAME: Final = "bigchaindb-node"
"""Name of the installed distribution."""
INDEX_NAME: Final[str | None] = None
"""The name on a public index; None until that name is this project's. Until then no message points to an index for the
node itself: the package of that name is other software."""
UPSTREAM: Final = "bigchaindb"
"""The distribution of the original software, whose package has the same name and lies in the same folder."""

_COUNTS: Final = {2: "two", 3: "three"}
_OWN_EXTRAS: Final = re.compile(rf"{NAME}\[([\w.,-]+)\]")
_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")


def canonical(name: str) -> str:
    """Return the name of a distribution as indexes compare it. Source: the specification of name normalization."""
    return re.sub(r"[-_.]+", "-", name).lower()


def install_command(*specs: str) -> str:
    """Return the command that installs packages for this Python, by the installer that made its environment."""
    python = shlex.quote(sys.executable)
    if Path(sys.prefix, "pipx_metadata.json").exists():  # pipx keeps what it injected when it upgrades
        tool = f"pipx inject {Path(sys.prefix).name}"
    elif Path(sys.prefix, "uv-receipt.toml").exists() or find_spec("pip") is None:
        # An environment of uv has no pip, and the pip of a shell is another Python's.
        tool = f"uv pip install --python {python}"
    else:
        tool = f"{python} -m pip install"
    return " ".join((tool, *map(shlex.quote, specs)))


def two_distributions() -> str | None:
    """Return a sentence if a second distribution has files of this package; None if none has.

    Each installs over the files of the other, and the installers do not notice: old drivers bring upstream's.
    """
    found = {canonical(one.name): one.version for one in filter(_has_this_package, distributions())}
    if found.keys() <= {NAME}:
        return None
    listed = sorted((found | {NAME: __version__}).items())
    names = " and ".join(f"{name} {version}" for name, version in listed)
    count = _COUNTS.get(len(listed), "several")
    return f"the package bigchaindb comes from {count} distributions, {names}: use an environment of its own"


def _has_this_package(distribution: Distribution) -> bool:
    files = f"\n{distribution.read_text('RECORD')}"
    return UPSTREAM in (distribution.read_text("top_level.txt") or "").split() or f"\n{UPSTREAM}/" in files


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
    specs = [spec for one in extras_in(extra) for spec in _specs_of(one)]
    return [spec for spec in specs if _OWN_EXTRAS.match(spec) is None]


def extras_in(extra: str) -> list[str]:
    """Return an extra and those of this distribution that it consists of, as `all` does."""
    consists_of = (match[1].split(",") for spec in _specs_of(extra) if (match := _OWN_EXTRAS.match(spec)))
    return [extra, *(one for names in consists_of for name in names for one in extras_in(name))]


def _specs_of(extra: str) -> list[str]:
    try:
        lines = requires(NAME) or []
    except PackageNotFoundError:  # the package is on the path and was never installed
        return [f".[{extra}]"]
    parted = ((line.partition(";")[0].strip(), _EXTRA.search(line)) for line in lines)
    return [spec for spec, found in parted if found is not None and found[1] == extra]
