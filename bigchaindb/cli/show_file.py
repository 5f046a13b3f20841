"""show-file: prints the files that this package brings for other programs, such as a systemd unit."""

from importlib.resources import files
from pathlib import Path

import click

from bigchaindb.cli.output import put
from bigchaindb.errors import ConfigurationError


def _names(_context: click.Context, _parameter: click.Parameter, start: str) -> list[str]:
    return [name for name in packaged() if name.startswith(start)]


@click.command(
    epilog="""\b
Examples:
  bigchaindb show-file
  bigchaindb show-file bigchaindb.service > /etc/systemd/system/bigchaindb.service"""
)
@click.argument("name", required=False, shell_complete=_names)
def show_file(name: str | None) -> None:
    """Print a file for other programs that this package brings, or their names."""
    found = packaged()
    if name is None:
        for each in found:
            put(each)
    elif name in found:
        click.echo(found[name].read_text("utf-8"), nl=False)
    else:
        raise ConfigurationError(
            f"NAME: no file {name[:80]!r} comes with this package; those that do: {', '.join(found)}"
        )


def packaged() -> dict[str, Path]:
    """Return the files by name, in order."""
    folder = Path(str(files("bigchaindb"))) / "operating"
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
