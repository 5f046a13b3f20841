"""Wheels that a test makes of a few texts: packages with plugins, in as many versions as it wants, without a build."""

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

SEEN: Final = "seen by the plugin"
PRINTING: Final = f"""
def run(queue):
    while True:
        queue.get()
        print({SEEN!r}, flush=True)
"""


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str],
    plugins: Mapping[str, str] | None = None,
    needs: Sequence[str] = (),
) -> Path:
    """Write a wheel into `folder`; return it.

    Args:
        folder: for `--find-links`.
        name: of the package.
        version: of the package.
        files: the package's, by path.
        plugins: what it advertises, by name what each leads to.
        needs: its requirements.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {one}" for one in needs)]
    points = "".join(f"{plugin} = {target}\n" for plugin, target in (plugins or {}).items())
    content = {
        **files,
        f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/entry_points.txt": f"[bigchaindb.events]\n{points}",
    }
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in content.items()]
    content[f"{stem}.dist-info/RECORD"] = "\n".join([*record, f"{stem}.dist-info/RECORD,,"]) + "\n"
    wheel = folder / f"{stem}-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    return wheel


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
