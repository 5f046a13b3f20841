"""Plugins as packages that are installed in a folder of their own, which belongs on a node's `PYTHONPATH`."""

from collections.abc import Mapping
from pathlib import Path


def advertise(site: Path, package: str, plugins: Mapping[str, str]) -> None:
    """Write the metadata of a package into `site`: it advertises plugins, by name what each leads to."""
    information = site / f"{package}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    names = "".join(f"{name} = {target}\n" for name, target in plugins.items())
    (information / "entry_points.txt").write_text(f"[bigchaindb.events]\n{names}", encoding="utf-8")


def install(site: Path, name: str, source: str) -> dict[str, str]:
    """Write a package `name` with one plugin of that name and source; return the environment that has it."""
    advertise(site, name, {name: f"{name}_plugin"})
    (site / f"{name}_plugin.py").write_text(source)
    return {"PYTHONPATH": str(site)}
