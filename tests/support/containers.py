"""Containers without a daemon: images by buildah, the base that they are made from, and processes in their files.

buildah alone runs a process without a process namespace, a read-only root or a first process that gets signals; the
`confined` ones have these by `unshare`, as a container's runtime gives them.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tests.support import installed, services
from tests.support.http import Answer, request
from tests.support.processes import children_of
from tests.support.servers import Server
from tests.support.waiting import until

SUITE: Final = "bookworm"
PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
PYTHON: Final = "3.11"
"""That of the suite, whichever Python runs the tests."""
UNNEEDED: Final = ("doc", "locale", "man")
"""Folders of /usr/share that nobody reads in a container."""
PINS: Final = " ".join((SUITE, *PACKAGES, *UNNEEDED)).encode()
BASE: Final = "debian"
STOP_S: Final = 40.0
CONFINED: Final = """\
set -eu
root=$1 flags=$2 user=$3 folder=$4 volume=$5; shift 5
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
[ -z "$volume" ] || mount --bind "$volume" "$root/data"
mount -o "remount,bind,$flags" "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --bounding-set=-all --inh-caps=-all \\
    --no-new-privs sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""
"""Runs within namespaces of its own: a root with /dev and /proc, a user without rights, the command as process 1."""


def debian_base() -> Path:
    """Return an archive of an image that holds Debian, Python and nothing of ours."""

    def make(folder: Path) -> None:
        services.require("buildah", "mmdebstrap")
        folder.mkdir(parents=True)
        less = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNNEEDED]
        tree = folder / "tree.tar"
        what = ("--quiet", "--variant=essential", f"--include={','.join(PACKAGES)}", "--skip=output/dev", *less)
        installed.run("mmdebstrap", *what, SUITE, tree)
        (folder / "Containerfile").write_text("FROM scratch\nADD tree.tar /\nRUN mkdir -p /dev /proc\n")
        storage = Storage(folder / "storage")
        storage.buildah("build", "--quiet", "--isolation", "chroot", "--tag", BASE, folder)
        storage.buildah("push", "--quiet", BASE, f"docker-archive:{folder}/image.tar:{BASE}:latest")
        tree.unlink()
        storage.remove()

    return installed.made_once("debian-base", PINS, make) / "image.tar"


@dataclass(frozen=True)
class Storage:
    """A folder of buildah's: images, and containers made from them."""

    folder: Path

    def command(self, *arguments: str | Path) -> list[str | Path]:
        """Return a command of buildah over this storage."""
        where = ("--storage-driver", self.driver, "--root", self.folder / "root", "--runroot", self.folder / "run")
        return ["buildah", *where, *arguments]

    @cached_property
    def driver(self) -> str:
        """The driver: overlay where the machine mounts one over this folder, else vfs, which copies all files."""
        services.require("buildah")
        where = ("--root", self.folder / "root", "--runroot", self.folder / "run")
        tried = subprocess.run(
            ["buildah", "--storage-driver", "overlay", *where, "images"], capture_output=True, check=False
        )
        return "vfs" if tried.returncode else "overlay"

    def remove(self) -> None:
        """Delete all of it."""
        places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        # buildah counts who has mounted a container, and leaves those mounted in which a process was killed.
        for place in reversed([place for place in places if place.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", place], check=True)
        shutil.rmtree(self.folder)

    def buildah(self, *arguments: str | Path) -> str:
        """Run a command of buildah; return what it prints."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def pull_base(self) -> str:
        """Put the base into this storage; return its name."""
        self.buildah("pull", "--quiet", f"docker-archive:{debian_base()}")
        return f"localhost/{BASE}"

    def container(self, image: str) -> "Container":
        """Make a container from an image; it is gone with the storage."""
        name = self.buildah("from", "--quiet", "--pull-never", image)
        configuration = json.loads(self.buildah("inspect", "--type", "image", image))["Docker"]["config"]
        # buildah would mount a folder of its own over the volume, in front of the one that a test has.
        for volume in configuration.get("Volumes") or {}:
            self.buildah("config", "--volume", f"{volume}-", name)
        return Container(self, name, Path(self.buildah("mount", name)), configuration)


@dataclass(frozen=True)
class Container:
    """The files of a container, and what its image has said about running it."""

    storage: Storage
    name: str
    root: Path
    configuration: Mapping[str, Any]

    @property
    def entry_point(self) -> list[str]:
        """What a runtime puts before a command."""
        return list(self.configuration.get("Entrypoint") or [])

    @property
    def default(self) -> list[str]:
        """The command that a runtime runs if no other is given, whole."""
        return [*self.entry_point, *self.configuration["Cmd"]]

    def plain(self, command: Sequence[str], volume: Path, variables: Mapping[str, str] | None = None) -> list[str]:
        """Return a command line that runs a command as buildah does."""
        options = [part for name, value in (variables or {}).items() for part in ("--env", f"{name}={value}")]
        mounted = ["--network", "host", "--volume", f"{volume}:/data", *options]
        line = self.storage.command("run", "--isolation", "chroot", "--cap-drop", "all", *mounted, self.name, "--")
        return [*map(str, line), *command]

    def confined(
        self,
        command: Sequence[str],
        volume: Path | None = None,
        variables: Mapping[str, str] | None = None,
        *,
        user: str | None = None,
        folder: str | None = None,
        flags: str = "ro",
    ) -> list[str]:
        """Return a command line that runs a command as process 1, without any capability, its root read-only."""
        set_by_image = dict(one.split("=", 1) for one in self.configuration.get("Env") or [])
        environment = [f"{name}={value}" for name, value in {**set_by_image, **(variables or {})}.items()]
        user = user or str(self.configuration["User"]).partition(":")[0]
        where = folder or str(self.configuration.get("WorkingDir") or "/")
        namespaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
        script = ("sh", "-c", CONFINED, "confined", str(self.root), flags, user, where, str(volume or ""))
        return [*namespaces, *script, "env", "-i", *environment, *command]


class ContainedNode(Server):
    """A node in a container.

    Attributes:
        container: its files.
        volume: the folder that is /data.
        port: where the test reaches it.
    """

    def __init__(self, container: Container, volume: Path, folder: Path, ports: Sequence[int]) -> None:
        """Start nothing; `folder` takes its log."""
        self.container, self.volume, self.folder, self.process = container, volume, folder, None
        self.port = ports[0]
        # The test shares the machine's ports with others.
        self.variables = {"BIGCHAINDB_SERVER_BIND": f"0.0.0.0:{ports[0]}", "BIGCHAINDB_WSSERVER_PORT": str(ports[1])}

    def start(self, *, is_confined: bool = False, variables: Mapping[str, str] | None = None) -> None:
        """Run the image's default command, and wait until the node is healthy."""
        how = self.container.confined if is_confined else self.container.plain
        self.launch(*how(self.container.default, self.volume, {**self.variables, **(variables or {})}))
        until(self.is_healthy, what="the health check to pass")

    def is_healthy(self) -> bool:
        """Whether the image's own health check passes."""
        self.require_alive()
        return self.run(*self.container.configuration["Healthcheck"]["Test"][1:]).returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the node, as `docker exec` does."""
        line = self.container.plain(command, self.volume, self.variables)
        return subprocess.run(line, capture_output=True, text=True, timeout=STOP_S, check=False)

    def stop(self) -> int:
        """SIGTERM process 1 of a confined node, as a runtime does; return the exit code."""
        assert self.process is not None
        (first,) = children_of(self.process.pid)
        os.kill(first, signal.SIGTERM)
        code = self.process.wait(STOP_S)
        self.process = None
        return code

    def ask(self, method: str, path: str, body: object = None, *, accept: str = "application/json") -> Answer:
        """Send a request from outside."""
        return request(method, f"http://127.0.0.1:{self.port}{path}", body, headers={"Accept": accept})
