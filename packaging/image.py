"""Build the node's image without a daemon: `python packaging/image.py`, with `make setup`'s Python. It needs buildah.

The image lies in the storage of buildah, or with `--output FILE` in a file that `docker load` and `podman load` read.
Its wheels are the checkout's own and those that `requirements/image.txt` pins, for the Python of the base.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[1]
CONTAINERFILE: Final = CHECKOUT / "packaging/Containerfile"
WITH_COMETBFT: Final = CHECKOUT / "packaging/Containerfile.network"
DISTRIBUTIONS: Final = CHECKOUT / "packaging/distributions.py"
PINS: Final = CHECKOUT / "requirements/image.txt"
TAG: Final = "bigchaindb-node"
BASE: Final = "docker.io/library/python:3.13-slim"
GLIBC: Final = range(5, 42)
"""Minor versions of the C library whose wheels are taken; pip takes the newest that there is."""

Buildah = Callable[..., str]


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description="Build the node's image.")
    parser.add_argument("--base", default=BASE, help="the image that it is made from; by default %(default)s")
    parser.add_argument("--tag", default=TAG, help="its name; by default %(default)s")
    parser.add_argument("--cometbft", type=Path, help="the program that a network needs: build TAG-network too")
    parser.add_argument("--wheels", type=Path, help="a folder with all wheels; nothing is built or downloaded then")
    parser.add_argument("--storage", type=Path, help="a folder for buildah's storage; by default the user's own")
    parser.add_argument("--output", type=Path, help="a file to write TAG to")
    given = parser.parse_args()
    buildah = buildah_in(given.storage)
    with tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch)
        gather(context, given.wheels, lambda: python_of(buildah, given.base))
        build(buildah, CONTAINERFILE, context, given.tag, f"BASE={given.base}")
        if given.cometbft is not None:
            shutil.copy(given.cometbft, context / "cometbft")
            build(buildah, WITH_COMETBFT, context, f"{given.tag}-network", f"NODE={given.tag}")
    if given.output is not None:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.unlink(missing_ok=True)  # buildah does not change an archive
        buildah("push", "--quiet", given.tag, f"docker-archive:{given.output}:{given.tag}:latest")
        print(f"==> {given.output}: `docker load --input {given.output}` or `podman load` takes it")


def buildah_in(storage: Path | None) -> Buildah:
    """Return what runs buildah over a storage and returns its output."""
    if (program := shutil.which("buildah")) is None:
        sys.exit("image.py: there is no buildah on the PATH; install it (Debian: apt-get install buildah)")
    where: list[str | Path] = [program]
    if storage is not None:
        driver = os.environ.get("STORAGE_DRIVER", "vfs")  # vfs needs no rights of its own
        where += ["--storage-driver", driver, "--root", storage / "root", "--runroot", storage / "run"]

    def buildah(*arguments: str | Path, advice: str = "") -> str:
        done = subprocess.run([*where, *arguments], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            code = done.returncode
            sys.exit(f"image.py: `buildah {arguments[0]}` failed with exit code {code}; its reason is above{advice}")
        return done.stdout.strip()

    return buildah


def python_of(buildah: Buildah, base: str) -> str:
    """Return the version of Python in an image, such as 3.13."""
    container = buildah("from", "--quiet", base, advice=f"; --base (BASE=) names another base than {base}")
    try:
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        return buildah("run", "--isolation", "chroot", container, "--", "python3", "-c", code)
    finally:
        buildah("rm", container)


def gather(context: Path, wheels: Path | None, python: Callable[[], str]) -> None:
    """Put into a folder what the Containerfile copies: the wheels, and their names with hashes."""
    target = context / "wheels"
    if wheels is not None:
        shutil.copytree(wheels, target)
    else:
        built = context / "distributions"
        subprocess.run([sys.executable, str(DISTRIBUTIONS), str(built)], stdout=subprocess.DEVNULL, check=True)
        target.mkdir()
        for wheel in built.glob("*.whl"):
            shutil.copy(wheel, target)
        download(target, python())
    (node,) = target.glob("bigchaindb_node-*.whl")
    name, version = node.name.split("-")[:2]
    own = f"{name}=={version} --hash=sha256:{hashlib.sha256(node.read_bytes()).hexdigest()}\n"
    (context / "requirements.txt").write_text(PINS.read_text() + own)


def download(target: Path, python: str) -> None:
    """Download the wheels of what the node depends on, for a Python of this machine's kind."""
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in reversed(GLIBC)]
    kinds: Sequence[str] = [part for one in (*platforms, f"manylinux2014_{machine}") for part in ("--platform", one)]
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps")
    wanted = ("--require-hashes", "--only-binary", ":all:", "--python-version", python, "--implementation", "cp")
    subprocess.run([*pip, *wanted, *kinds, "--dest", str(target), "-r", str(PINS)], check=True)


def build(buildah: Buildah, file: Path, context: Path, tag: str, argument: str) -> None:
    """Build an image. Format docker: OCI's has no health check."""
    how = ("--quiet", "--isolation", "chroot", "--format", "docker", "--network", "host", "--pull=false")
    buildah("build", *how, "--build-arg", argument, "--file", file, "--tag", tag, context)
    print(f"==> {tag}: made with {argument}")


if __name__ == "__main__":
    main()
