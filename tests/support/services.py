"""The services that tests need from the operating system: found, installed where that is allowed, else named.

`python -m tests.support.services` prepares a machine for the whole suite; fixtures call `require` for what they use.
No test is skipped because something is missing.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.support import installed

DEBIAN_PACKAGES: Final = {
    "buildah": "buildah",
    "chromium": "chromium",
    "fish": "fish",
    "g++": "g++",  # an old driver's JSON library is source alone
    "go": "golang-go",  # CometBFT and an example of ours are published as source
    "ip": "iproute2",
    "java": "default-jre-headless",
    "mmdebstrap": "mmdebstrap",
    "mosquitto": "mosquitto",
    "mvn": "maven",  # Kafka is published as jars
    "promtool": "prometheus",
    "redis-server": "redis-server",
    "strace": "strace",
    "systemd-analyze": "systemd",
    "zsh": "zsh",
    "/usr/lib/postgresql/15/bin/postgres": "postgresql-15",
    "/usr/lib/rabbitmq/bin/rabbitmq-server": "rabbitmq-server",
}
"""Program on the PATH, or where it is, → the Debian package that brings it."""

PYTHON_ENVIRONMENTS: Final = (
    "python-driver-0.6.2",
    "python-driver-0.5.3",
    "python-driver-0.4.1",
    "browser",
    "compose",
    "datasette",
    "fastapi",
)
PYTHON_SUITES: Final = ("python-driver-0.6.2", "python-driver-0.5.3")


class MissingServiceError(RuntimeError):
    """A program is missing and may not be installed here; the message says which packages to install."""


def require(*programs: str) -> None:
    """Make sure that the programs are there.

    Args:
        programs: keys of `DEBIAN_PACKAGES`; none of them means all.

    Raises:
        MissingServiceError: some are missing, and this is no Debian or we are not its root.
    """
    wanted = programs or tuple(DEBIAN_PACKAGES)
    missing = sorted({DEBIAN_PACKAGES[program] for program in wanted if shutil.which(program) is None})
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        message = f"please install these packages, then run the tests again: {' '.join(missing)}"
        raise MissingServiceError(message)
    with installed.only_one(installed.CACHE / "apt-get"):  # another worker may want the same; then this does nothing
        print(f"==> apt-get install {' '.join(missing)}", file=sys.stderr, flush=True)
        _apt_get("update")
        _apt_get("install", "-y", "--no-install-recommends", *missing)


def require_root(what: str) -> None:
    """Require that this process may mount, own and confine what it likes.

    Raises:
        MissingServiceError: it belongs to another user than root.
    """
    if os.geteuid() != 0:
        message = f"{what} need root, and this is another user: run this test as root, as `sudo make test` does"
        raise MissingServiceError(message)


def _apt_get(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "-qq", *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Install everything at once and say so: tests then start with all they need."""
    from tests.support import cometbft, consumers, containers, interpreters, kafka, wheels  # some import this module

    require()
    for name in PYTHON_ENVIRONMENTS:
        installed.python_environment(name)
    for name in PYTHON_SUITES:
        installed.python_source(name, package="bigchaindb-driver")
    for name, pins in (("node", "base.txt"), ("docs", "docs.txt"), ("release", "release.txt")):
        installed.python_environment(name, pins=pins)
    wheels.wheels_of_the_image(containers.PYTHON)
    for version in {interpreters.HERE, containers.PYTHON}:
        wheels.wheels_of_dependencies(version)
    for version in interpreters.others():
        try:
            interpreters.environment(version)
            wheels.wheels_of_dependencies(version)
        except RuntimeError as error:  # its own layer and test fail by that; all others run
            print(f"==> python{version}: {error}", file=sys.stderr, flush=True)
    wheels.forget_unused()
    for package in sorted((Path(__file__).parents[1] / "acceptance/javascript").glob("*/package.json")):
        installed.javascript_packages(package)
    installed.javascript_packages(Path(__file__).parents[1] / "page/package.json")
    cometbft.require_cometbft()
    kafka.require()
    consumers.require()
    containers.debian_base()
    installed.forget_unused()
    print("==> every service and published driver is there", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:  # ours too, though of the module's second copy: this one is `__main__`
        sys.exit(f"error: {error}")
