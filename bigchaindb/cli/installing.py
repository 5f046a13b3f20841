"""plugins install, uninstall: packages of plugins, in the environment of the node."""

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path

import click

from bigchaindb import installer
from bigchaindb.cli.output import printable, put, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.distribution import NAME, canonical, two_distributions
from bigchaindb.errors import BigchainDBError, ConfigurationError
from bigchaindb.installer import Change
from bigchaindb.masking import masked_text
from bigchaindb.subscribers.plugins import GROUP, find


@click.command(
    epilog="""\b
Examples:
  bigchaindb plugins install my-plugin
  bigchaindb plugins install ./my-plugin --editable
  bigchaindb plugins install my-plugin --no-index --find-links ~/wheels

Then `bigchaindb plugins enable NAME`, while the node runs or not."""
)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@click.option("--upgrade", is_flag=True, help="Take the newest version of what is installed already.")
@click.option("--editable", is_flag=True, help="Install folders so that changes of their files count at once.")
@click.option("--no-deps", is_flag=True, help="Install nothing that the packages need.")
@click.option("--no-index", is_flag=True, help="Ask no package index.")
@click.option(
    "--find-links",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Look for packages in FOLDER as well; may be repeated.",
)
@pass_session
def install(
    session: Session,
    *,
    specs: Sequence[str],
    upgrade: bool,
    editable: bool,
    no_deps: bool,
    no_index: bool,
    find_links: Sequence[Path],
) -> None:
    """Install packages of plugins into the environment of this node.

    SPEC is what pip takes: a name, with a version or not, a folder, or a file. uv installs where it is found, else pip.
    The node itself is never replaced.
    """
    for folder in find_links:
        if not folder.is_dir():
            raise ConfigurationError(f"--find-links: no such folder: `{folder}`; correct the path")
    if editable and (other := next((spec for spec in specs if not _is_folder(spec)), None)) is not None:
        raise ConfigurationError(
            f"--editable: {other[:80]!r} is no folder; only a folder with a pyproject.toml can be editable"
        )
    wanted = installer.checked([str(Path(spec).absolute()) for spec in specs] if editable else specs)
    installer.require_writable()
    tool = installer.find_tool()
    options = [
        *(["--upgrade"] if upgrade else []),
        *(["--no-deps"] if no_deps else []),
        *(["--no-index"] if no_index else []),
        *(part for folder in find_links for part in ("--find-links", str(folder.absolute()))),
    ]
    say(f"installing into `{sys.prefix}` with {tool.name}")
    changes = installer.install(tool, wanted, options, _say_line, is_editable=editable)
    put_installed(session, specs, changes, is_editable=editable)


@click.command(
    epilog="""\b
Examples:
  bigchaindb plugins disable sales
  bigchaindb plugins uninstall my-plugin

A plugin that is enabled is not uninstalled: the node could not start it again."""
)
@click.argument("packages", metavar="PACKAGE...", nargs=-1, required=True)
@pass_session
def uninstall(session: Session, *, packages: Sequence[str]) -> None:
    """Uninstall packages of plugins from the environment of this node.

    What the packages needed stays. Cursors and parked events stay, too; `plugins forget` deletes them.
    """
    brought = _brought()
    enabled = _enabled(session)
    for package in packages:
        _require_removable(package, brought, enabled)
    installer.require_writable()
    tool = installer.find_tool()
    for change in installer.uninstall(tool, packages, _say_line):
        put(f"uninstalled {change.package} {change.before}")


def _is_folder(spec: str) -> bool:
    return bool(spec) and os.path.isdir(spec)  # noqa: PTH112 - false, too, for a path that is too long


def _require_removable(package: str, brought: dict[str, list[str]], enabled: set[str]) -> None:
    """Require that a package brings plugins, and none that is enabled.

    Raises:
        ConfigurationError: it is the node, is not installed, or is in use.
    """
    name = canonical(package)
    if name == NAME:
        raise ConfigurationError(
            f"PACKAGE: {NAME} is the node itself; uninstall it with what installed it: uv, pipx or pip"
        )
    if name not in brought:
        provider = next((one for one, plugins in brought.items() if package in plugins and one != NAME), None)
        meant = "" if provider is None else f"; the plugin {package} comes from the package {provider}"
        there = ", ".join(sorted(brought.keys() - {NAME})) or "none"
        raise ConfigurationError(
            f"PACKAGE: no package {package!r} brings a plugin to `{sys.prefix}`{meant}; those that do: {there}"
        )
    if used := sorted(enabled.intersection(brought[name])):
        raise ConfigurationError(
            f"PACKAGE: the plugin {used[0]} of {name} is enabled, and the node could not start it again; run "
            f"`bigchaindb plugins disable {used[0]}` first"
        )


def unchanged(specs: Sequence[str], *, is_editable: bool) -> Iterator[str]:
    """Yield for each specification that changed nothing how it is installed; a path was installed again."""
    for spec in specs:
        how = "is installed as it is; --upgrade takes a newer one"
        if is_editable:
            how = "is editable already; a plugin gets changed files when it starts the next time"
        elif installer.is_path(spec):
            how = "was installed again, with the same files as before"
        yield f"nothing changed: {masked_text(printable(spec))} {how}"


def put_installed(session: Session, specs: Sequence[str], changes: Sequence[Change], *, is_editable: bool) -> None:
    """Print what changed, and for each plugin that can be used now the command that is next."""
    for change in changes:
        if change.after is not None:
            was = "" if change.before in {None, change.after} else f" (was {change.before})"
            put(f"installed {change.package} {change.after}{was}")
    for line in () if changes else unchanged(specs, is_editable=is_editable):
        put(line)
    brought, enabled = _brought(), _enabled(session)
    changed = {canonical(change.package) for change in changes}
    extras = installer.own_extras(specs)
    names = sorted(
        {
            *(name for package in changed for name in brought.get(package, ())),
            *(name for name in brought.get(NAME, ()) if name in extras),
        }
    )
    require_usable(names)
    for name in map(printable, names):
        next_ = "restart" if name in enabled else "enable"
        put(f"plugin {name}; next: bigchaindb plugins {next_} {name}")
    if extras and not names:
        say(f"the extra {extras[0]} serves plugins and brings none of its own; docs/how-to/install.md lists extras")
    elif changes and not names:
        say(f"none of these packages brings a plugin: none advertises the entry point group {GROUP!r}")


def require_usable(names: Sequence[str]) -> None:
    """Require that what was installed has neither files of the node nor the name of another package's plugin.

    Raises:
        ConfigurationError: it has, and the next start would refuse that; says what to uninstall.
    """
    if (found := two_distributions()) is not None:
        raise ConfigurationError(f"it is installed, and {found}, or uninstall it")
    for name in names:
        find([name])


def _brought() -> dict[str, list[str]]:
    """Return the names of the plugins that each installed package brings."""
    brought: dict[str, list[str]] = {}
    for point in entry_points(group=GROUP):
        if point.dist is not None:
            brought.setdefault(canonical(point.dist.name), []).append(point.name)
    return brought


def _enabled(session: Session) -> set[str]:
    """Return the plugins that the configuration enables; none where it cannot be read: that is `start`'s to report."""
    try:
        return set(session.load_silently().settings.events_plugins)
    except (BigchainDBError, OSError) as error:
        say(f"the configuration could not be read, so no plugin counts as enabled: {error}")
        return set()


def _say_line(line: str) -> None:
    say(f"  {printable(line)}")
