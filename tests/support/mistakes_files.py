"""Natural mistakes with users and files."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.installed import CHECKOUT
from tests.support.mistakes import Mistake, Newcomer
from tests.support.ports import free_ports

NOBODY: Final = 65534
NO_RIGHTS: Final = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all")
"""Root without what makes it more than other users: file modes hold for it."""


def _over(newcomer: Newcomer, data: Path) -> None:
    http, stream = free_ports(2)
    document = {
        "server": {"bind": f"127.0.0.1:{http}"},
        "wsserver": {"host": "127.0.0.1", "port": stream},
        "database": {"path": str(data)},
    }
    newcomer.write("node.json", json.dumps(document))


def _in_the_folder_of_another(mode: int, command: str) -> Callable[[Newcomer], str]:
    """Return what runs a command over a data directory of another user."""

    def make(newcomer: Newcomer) -> str:
        if os.geteuid():
            _over(newcomer, Path("/root" if mode == 0o700 else "/etc"))  # somebody else's on every machine
            return newcomer.run("-c", "node.json", command)
        data = newcomer.home / "data"
        data.mkdir()
        data.chmod(mode)
        shutil.chown(data, NOBODY)
        _over(newcomer, data)
        newcomer.prefix = NO_RIGHTS
        return newcomer.run("-c", "node.json", command)

    return make


def _with_a_file_of_another(name: str, command: str) -> Callable[[Newcomer], str]:
    """Return what runs a command over a data directory in which one file is another user's."""

    def make(newcomer: Newcomer) -> str:
        data = newcomer.home / "data"
        _over(newcomer, data)
        newcomer.run("-c", "node.json", "init")
        if os.geteuid():
            (data / name).unlink()
            (data / name).symlink_to("/etc/shadow")
        else:
            shutil.chown(data / name, NOBODY)
            (data / name).chmod(0o600)
            newcomer.prefix = NO_RIGHTS
        return newcomer.run("-c", "node.json", command)

    return make


def _into_a_folder_to_read(*command: str) -> Callable[[Newcomer], str]:
    """Return what runs a command in a folder that its user may not write."""

    def make(newcomer: Newcomer) -> str:
        newcomer.prefix = NO_RIGHTS if os.geteuid() == 0 else ()
        newcomer.home.chmod(0o500)
        try:
            return newcomer.run(*command)
        finally:
            newcomer.home.chmod(0o700)

    return make


def _without_a_python_that_fits(newcomer: Newcomer) -> str:
    """Ask `make` for an environment where the only commands are an old Python and one that refuses to run."""
    for name, text in (("python3", "echo 3.10.13; exit 1"), ("python3.11", "exit 127")):
        Path(newcomer.write(f"bin/{name}", f"#!/bin/sh\n{text}\n")).chmod(0o755)
    newcomer.environment["PATH"] = str(newcomer.home / "bin")
    return newcomer.call("/bin/sh", str(CHECKOUT / ".ci" / "find-python"))


def _as_root_over_the_folder_of_another(newcomer: Newcomer) -> str:
    """Root may use all of it, and leaves files that its owner may not use. A port that is taken ends the start."""
    data = newcomer.home / "data"
    data.mkdir(mode=0o700)
    shutil.chown(data, NOBODY)
    with socket.create_server(("127.0.0.1", 0)) as held:
        http, taken = free_ports(1)[0], held.getsockname()[1]
        document = {
            "server": {"bind": f"127.0.0.1:{http}"},
            "wsserver": {"host": "127.0.0.1", "port": taken},
            "database": {"path": str(data)},
        }
        newcomer.write("node.json", json.dumps(document))
        return newcomer.run("-c", "node.json", "start")


OF_ROOT: Final = (
    Mistake(
        "started as root over a data directory of another user",
        _as_root_over_the_folder_of_another,
        "/data` belongs to user 65534",
        "files that this process makes in it will belong to user 0",
        "run it as that user",
    ),
)
"""Other users cannot make this mistake: they are refused."""

MISTAKES: Final = (
    *(OF_ROOT if os.geteuid() == 0 else ()),
    Mistake(
        "had no Python that fits and ran make",
        _without_a_python_that_fits,
        "make: needs Python 3.11 or newer",
        "found 3.10.13 (python3)",
        "set PYTHON=/path/to/python",
    ),
    Mistake(
        "wrote a key into a folder that may not be written",
        _into_a_folder_to_read("keys", "new", "--output", "alice.json"),
        "cannot write `alice.json`",
        "Permission denied",
        "name a file in a folder that this user may write",
    ),
    Mistake(
        "made a plugin in a folder that may not be written",
        _into_a_folder_to_read("plugins", "new", "hello"),
        "cannot open `hello`",
        "Permission denied",
        "name a place that this user may use, or run this as another user",
    ),
    *(
        Mistake(
            f"ran {command} over a data directory of another user, mode {mode:04o}",
            _in_the_folder_of_another(mode, command),
            "database.path: the node cannot use all of `" if command == "start" else "data directory",
            "belongs to user ",
            "run it as user ",
        )
        for mode in (0o755, 0o700)
        for command in ("start", "doctor")
    ),
    *(
        Mistake(
            f"ran {command} over a data directory whose {name} is another user's",
            _with_a_file_of_another(name, command),
            f"/{name}` belongs to user ",
            "and this process is of user ",
            "or as root: chown -R ",
        )
        for name in ("keypair.json", "ledger.db")
        for command in ("start", "doctor")
    ),
)
