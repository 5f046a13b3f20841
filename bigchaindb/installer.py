"""Install packages into the environment that this Python belongs to, by the installer that is there.

An environment of `uv tool` has no pip, and the pip of a shell is another environment's: the commonest way a plugin is
"not installed". uv is taken where it is found, as it installs into every environment, and else pip.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import invalidate_caches
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from bigchaindb import __version__
from bigchaindb.distribution import NAME, UPSTREAM, canonical, extras_in, requirements_of
from bigchaindb.errors import StartupError
from bigchaindb.owners import refusal

KEPT_LINES: Final = 200
"""Last lines of the installer's output that are searched for the cause of a failure."""
ELSEWHERE: Final = frozenset(
    {"PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "UV_PREFIX", "UV_SYSTEM_PYTHON", "UV_TARGET"}
)
"""Variables with which an installer leaves the environment that it is told."""
_SPEC: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?\s*(?:[<>=!~@;(].*)?")
SPEC_CHARACTERS_SHOWN: Final = 80
_FILE: Final = re.compile(r"[./~]|.*(?:[/\\]|\.whl$|\.tar\.gz$|\.zip$)")
_ADDRESS: Final = re.compile(r"\s*[A-Za-z][A-Za-z+]*:/")
_ARCHIVE: Final = re.compile(r"(.+?)-[0-9].*(?:\.whl|\.tar\.gz|\.zip)")
_UPSTREAM: Final = re.compile(rf"\b{UPSTREAM}\s*<\s*0")
_OURS: Final = re.compile(rf"\b{NAME}\s*==")
_OFFLINE: Final = re.compile(
    r"Failed to establish a new connection|name resolution|Max retries exceeded|NewConnectionError|ConnectTimeout"
    r"|dns error|client error \(Connect\)|error sending request|Failed to fetch"
)
_UNTRUSTED: Final = re.compile(r"invalid peer certificate|CERTIFICATE_VERIFY_FAILED")
_UNKNOWN: Final = re.compile(r"No matching distribution found for (\S+)|Because (\S+) was not found in")


class Tool(NamedTuple):
    """An installer: its name for people, how it is called, and the options that name this environment."""

    name: str
    command: tuple[str, ...]
    target: tuple[str, ...] = ()
    yes: tuple[str, ...] = ()


class Change(NamedTuple):
    """A package that an installer changed, with its versions before and after; None where there was or is none."""

    package: str
    before: str | None
    after: str | None


def find_tool() -> Tool:
    """Return the installer for this environment.

    Raises:
        StartupError: there is none.
    """
    beside = shutil.which("uv", path=Path(sys.executable).parent)
    for uv in filter(None, (beside, shutil.which("uv"))):
        if _runs(uv):
            return Tool("uv", (uv, "pip"), ("--python", sys.executable))
    if find_spec("pip") is not None:
        return Tool("pip", (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"), yes=("--yes",))
    raise StartupError(
        f"neither uv nor pip can install into the environment `{sys.prefix}`: no `uv` on the PATH runs, and the "
        "environment has no pip; install uv, or run: " + f"{sys.executable} -m ensurepip"
    )


def require_writable() -> None:
    """Require that this process may install into its environment.

    Raises:
        StartupError: it belongs to another user, or to the operating system.
    """
    if sys.prefix == sys.base_prefix and (marker := Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")).exists():
        raise StartupError(
            f"{sys.executable} belongs to the operating system, whose own packages alone may be installed for it "
            f"(`{marker}`): install the node into an environment of its own, with uv, pipx or `python3 -m venv`"
        )
    if (why := refusal(Path(sysconfig.get_path("purelib")), is_written=True)) is not None:
        raise StartupError(f"cannot install into the environment `{sys.prefix}`: {why}")


def checked(specs: Sequence[str]) -> list[str]:
    """Return what to install for specifications; the extras of the node itself become the packages that they bring.

    Raises:
        StartupError: one is the node itself, other software of its name, no file, or an option.
    """
    return [part for spec in specs for part in _checked(spec)]


def own_extras(specs: Sequence[str]) -> list[str]:
    """Return the extras of the node itself that specifications name."""
    named = (match for spec in specs if (match := _SPEC.fullmatch(spec)) and canonical(match[1]) == NAME and match[2])
    return [one for match in named for extra in match[2].split(",") for one in extras_in(canonical(extra.strip()))]


def install(
    tool: Tool, specs: Sequence[str], options: Sequence[str], say: Callable[[str], None], *, is_editable: bool = False
) -> list[Change]:
    """Install packages; return what changed.

    Args:
        tool: the installer.
        specs: what to install, as `checked` returns it: names with versions, folders, files.
        options: for the installer, before them.
        say: gets each line that the installer prints.
        is_editable: whether the folders among them stay where their packages are imported from.

    Raises:
        StartupError: it failed, or would have replaced the node.
    """
    wanted = [part for spec in specs for part in ((*("--editable",) * is_editable, spec))]
    if tool.name == "uv":  # it takes a folder for unchanged whose version is
        names = filter(None, (_name_of(Path(spec)) for spec in specs if Path(spec).is_dir()))
        wanted += [part for name in names for part in ("--reinstall-package", name)]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "constraints.txt")
        constraints.write_text(f"{NAME}=={__version__}\n{UPSTREAM}<0\n")
        command = ("install", *tool.target, "--constraint", str(constraints), *options)
        changes = _run(tool, (*command, *wanted), say)
        if tool.name == "pip":
            changed = {canonical(change.package) for change in changes}
            wheels = (spec for spec in specs if is_path(spec) and _path_of(spec).suffix == ".whl")
            if kept := [spec for spec in wheels if _name_of(_path_of(spec)) not in changed]:  # their code may be new
                changes += _run(tool, (*command, "--no-deps", "--force-reinstall", *kept), say)
    return changes


def is_path(spec: str) -> bool:
    """Whether a specification names a folder or a file; `sales @ URL` does not."""
    is_one = _FILE.match(spec) is not None and _ADDRESS.match(spec) is None
    return is_one and ("@" not in spec or _SPEC.fullmatch(spec) is None)


def uninstall(tool: Tool, packages: Sequence[str], say: Callable[[str], None]) -> list[Change]:
    """Uninstall packages; return what changed."""
    return _run(tool, ("uninstall", *tool.target, *tool.yes, *packages), say)


def packages() -> dict[str, tuple[str, int]]:
    """Return for each installed package, by its name, the version and a number that changes with its files."""
    return {found.name: (found.version, hash(found.read_text("RECORD"))) for found in distributions()}


def _run(tool: Tool, arguments: Sequence[str], say: Callable[[str], None]) -> list[Change]:
    before = packages()
    command = (*tool.command, *arguments)
    environment = {key: value for key, value in os.environ.items() if key not in ELSEWHERE}
    last: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(  # noqa: S603 - the installer's own arguments
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line)
            say(line.rstrip())
    if process.returncode:
        raise StartupError(_reason(tool, "".join(last), process.returncode))
    invalidate_caches()
    return _changes(before, packages())


def _changes(before: Mapping[str, tuple[str, int]], after: Mapping[str, tuple[str, int]]) -> list[Change]:
    changed = (name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name))
    return [Change(name, before.get(name, (None,))[0], after.get(name, (None,))[0]) for name in changed]


def _checked(spec: str) -> Sequence[str]:
    if spec.startswith("-"):
        raise StartupError(
            f"SPEC: expected a package, found the option {spec!r}; `bigchaindb plugins install --help` lists options"
        )
    extras = None
    if _ADDRESS.match(spec):
        name = _name_of(Path(re.split("[?#]", spec)[0].strip().removeprefix("file://")))
    elif is_path(spec):
        path = _path_of(spec)
        if not os.path.exists(path):  # noqa: PTH110 - false, too, for a path that is too long
            raise StartupError(
                f"SPEC: no such file or folder: `{_shown(spec)}`; correct the path, or name a package without `/`"
            )
        if not (path.is_dir() or path.is_file()):  # an installer reads a device to its end
            raise StartupError(f"SPEC: `{_shown(str(path))}` is a device or a pipe; name a folder or a file")
        name = _name_of(path)
    elif (match := _SPEC.fullmatch(spec)) is not None:
        name, extras = canonical(match[1]), match[2]
    else:
        raise StartupError(
            f"SPEC: {_shown(spec)!r} is no package, folder or file; write a name such as sales or 'sales==1.2', or a "
            "path such as ./sales"
        )
    if name == NAME and extras:
        return [part for extra in extras.split(",") for part in _packages_of(canonical(extra.strip()))]
    if name == NAME:
        raise StartupError(
            f"SPEC: {spec!r} is the node itself, which this command does not replace; upgrade it with what installed "
            "it: uv, pipx or pip"
        )
    if name == UPSTREAM:
        raise StartupError(
            f"SPEC: the package {UPSTREAM} is other software, which would overwrite this node's files; the node is "
            f"{NAME} {__version__}, and is installed"
        )
    return [spec]


def _path_of(spec: str) -> Path:
    path = Path(spec.partition("[")[0])
    with suppress(RuntimeError):  # there is no such user: a name may begin with ~
        path = path.expanduser()
    return path


def _shown(text: str) -> str:
    return text if len(text) <= SPEC_CHARACTERS_SHOWN else f"{text[:SPEC_CHARACTERS_SHOWN]}…"


def _packages_of(extra: str) -> Sequence[str]:
    found = requirements_of(extra)
    if not found:
        raise StartupError(f"SPEC: {NAME} has no extra {extra!r}; docs/how-to/install.md lists them")
    return found


def _name_of(path: Path) -> str:
    """Return the name of the package that a file or a folder holds, as far as it is written there."""
    if path.is_dir():
        with suppress(OSError, ValueError, KeyError, TypeError):
            return canonical(tomllib.loads((path / "pyproject.toml").read_text("utf-8"))["project"]["name"])
        return ""
    return canonical(found[1]) if (found := _ARCHIVE.fullmatch(path.name)) else ""


def _reason(tool: Tool, output: str, code: int) -> str:
    """Return why an installer failed, in a sentence; what it printed itself stands above."""
    if _UPSTREAM.search(output):
        return (
            f"nothing was installed: it needs the package {UPSTREAM}, which is other software and would overwrite this "
            "node's files; --no-deps installs a plugin without what it needs"
        )
    if _UNTRUSTED.search(output):
        variable = "SSL_CERT_FILE" if tool.name == "uv" else "PIP_CERT"
        return (
            f"nothing was installed: {tool.name} does not trust the certificate of the package index, which a proxy "
            f"may have replaced; set {variable} to a file with the authorities of your network, often "
            "/etc/ssl/certs/ca-certificates.crt"
        )
    if _OFFLINE.search(output):
        return (
            f"nothing was installed: {tool.name} reaches no package index; check the network, or install from a folder "
            "with `--no-index --find-links FOLDER`"
        )
    if found := _UNKNOWN.search(output):
        return (
            f"nothing was installed: {tool.name} finds no package {found[1] or found[2]}; correct the name or the "
            "version, or name a folder or a file"
        )
    if _OURS.search(output):
        return (
            f"nothing was installed: it needs another version of the node than {NAME} {__version__}; install a version "
            "of the plugin that fits"
        )
    return f"nothing was changed: {tool.name} ended with exit code {code}; its own words above give the reason"


def _runs(program: str) -> bool:
    """Whether a program does run: version managers leave commands on the PATH that refuse to."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0  # noqa: S603
    except OSError:
        return False
