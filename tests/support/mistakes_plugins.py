"""Natural mistakes with plugins and sinks."""

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from bigchaindb.distribution import NAME
from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair
from tests.support.mistakes import Mistake, Newcomer
from tests.support.node import running_node
from tests.support.ports import free_ports
from tests.support.waiting import until

ALICE: Final = KeyPair.from_seed(b"m" * 32)
LIST_S_MAX: Final = 60.0
NOTHING: Final = "def run(queue): ...\n"
WITHOUT_EXTRA: Final = """
import sys


class Missing:
    def find_spec(name, path=None, target=None):
        if name == "aiormq":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing)
"""
"""As an environment into which the extra was not installed."""


def _with_plugin(source: str, *arguments: str) -> Callable[[Newcomer], str]:
    """Return what runs a command about a plugin `own` with this source."""

    def make(newcomer: Newcomer) -> str:
        newcomer.write("node.json", json.dumps({"database": {"path": str(newcomer.home / "data")}}))
        newcomer.plugin("own", source)
        return newcomer.run("-c", "node.json", "plugins", *arguments)

    return make


def _sink(name: str, options: dict[str, Any], command: str = "enable") -> Callable[[Newcomer], str]:
    """Return what runs a command about a sink with these options; the file of the configuration must stay as it is."""

    def make(newcomer: Newcomer) -> str:
        text = json.dumps({"database": {"path": str(newcomer.home / "data")}})
        newcomer.write("node.json", text)
        printed = newcomer.run("-c", "node.json", "plugins", command, name, "--options", json.dumps(options))
        assert (newcomer.home / "node.json").read_text() == text
        return printed

    return make


@contextmanager
def _http_server() -> Iterator[int]:
    """Answer whatever comes as a server of HTTP does that cannot read it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with listening.accept()[0] as connection:
                        connection.recv(1024)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def _at_an_http_server(scheme: str) -> Callable[[Newcomer], str]:
    def make(newcomer: Newcomer) -> str:
        with _http_server() as port:
            return _sink("amqp", {"url": f"{scheme}://guest:guest@127.0.0.1:{port}/"})(newcomer)

    return make


def _at_nobodys_port(command: str) -> Callable[[Newcomer], str]:
    def make(newcomer: Newcomer) -> str:
        return _sink("amqp", {"url": f"amqp://guest:guest@127.0.0.1:{free_ports(1)[0]}/"}, command)(newcomer)

    return make


def _without_extra(newcomer: Newcomer) -> str:
    newcomer.write("path/sitecustomize.py", WITHOUT_EXTRA)
    newcomer.environment["PYTHONPATH"] = str(newcomer.home / "path")
    return _sink("amqp", {"url": "amqp://localhost"})(newcomer)


def _into_no_folder(newcomer: Newcomer) -> str:
    return _sink("file", {"path": str(newcomer.home / "none" / "events.jsonl")})(newcomer)


def _running(source: str, *, until_said: str, count: int = 1) -> Callable[[Newcomer], str]:
    """Return a mistake: a plugin with this source over `count` blocks, watched until the node reports it."""

    def make(newcomer: Newcomer) -> str:
        newcomer.plugin("own", source)
        settings = {"events_plugins": {"own": {"retry": {"attempts": 100}}}}
        with running_node(newcomer.home / "node", settings=settings, environment=newcomer.environment) as node:
            for number in range(count):
                assert node.post(create([ALICE], data={"number": number}).body).status == 202

            def listed() -> str | None:
                said = newcomer.run("-c", str(node.configuration), "plugins", "status", "own")
                return said if until_said in said else None

            return until(listed, what=until_said, within_s=LIST_S_MAX)

    return make


def _started_without_extra(newcomer: Newcomer) -> str:
    newcomer.write("path/sitecustomize.py", WITHOUT_EXTRA)
    newcomer.environment["PYTHONPATH"] = str(newcomer.home / "path")
    http, stream = free_ports(2)
    document = {
        "server": {"bind": f"127.0.0.1:{http}"},
        "wsserver": {"host": "127.0.0.1", "port": stream},
        "database": {"path": str(newcomer.home / "data")},
        "events_plugins": {"amqp": {"options": {"url": "amqp://localhost"}}},
    }
    newcomer.write("node.json", json.dumps(document))
    return newcomer.run("-c", "node.json", "start")


def _without_configuration(newcomer: Newcomer) -> str:
    newcomer.plugin("own", NOTHING)
    return newcomer.run("plugins", "enable", "own")


PLUGINS: Final = (
    Mistake(
        "enabled a plugin before there was a node",
        _without_configuration,
        "there is no configuration file `",
        "` that runs without one",
        "name a node's configuration with -c, or make one with `bigchaindb configure`",
    ),
    Mistake(
        "mistyped a plugin's name",
        _with_plugin(NOTHING, "enable", "owm"),
        "no installed package provides 'owm'",
        f"installed for {sys.executable} are: ",
        "did you mean 'own'? Else install its package into that environment: `bigchaindb plugins install PACKAGE`",
    ),
    Mistake(
        "enabled a plugin with an import error",
        _with_plugin("import nothere\n" + NOTHING, "enable", "own"),
        "events plugin 'own': cannot import 'own_plugin'",
        "ModuleNotFoundError: No module named 'nothere'",
        "install what it needs, or take it out of events_plugins; nothing was changed",
    ),
    Mistake(
        "enabled a plugin with a SyntaxError",
        _with_plugin("def run(queue)\n", "enable", "own"),
        "events plugin 'own': cannot import 'own_plugin'",
        "SyntaxError: expected ':' (own_plugin.py, line 1)",
        "correct line 1 of `",
    ),
    Mistake(
        "enabled a plugin with sys.exit in it",
        _with_plugin("import sys\n\nsys.exit('not today')\n", "enable", "own"),
        "events plugin 'own': cannot import 'own_plugin'",
        "SystemExit: not today",
        "move what ends the process out of the import, into run",
    ),
    Mistake(
        "wrote run() without an argument",
        _with_plugin("def run(): ...\n", "enable", "own"),
        "events plugin 'own': run() cannot be called",
        "with the queue alone",
        "write it as run(queue)",
    ),
    Mistake(
        "wrote async def run(queue) with a get that blocks",
        _running("async def run(queue):\n    while True:\n        queue.get()\n", until_said="would block"),
        "queue.get: it would block the event loop",
        "that `async def run` is on, and all its tasks with it",
        "take events with `async for event in queue`",
        code=0,
    ),
    Mistake(
        "wrote a run that returns after one event",
        _running("def run(queue):\n    queue.get()\n", until_said="times in a row", count=6),
        "run returned ",
        "times in a row after one event or none; each return ends its process",
        "loop over the queue within run, until that raises Closed",
        code=0,
    ),
    Mistake(
        "ran plugins new file",
        lambda newcomer: newcomer.run("plugins", "new", "file"),
        f"NAME: a plugin 'file' is already installed, by {NAME} ",
        "of two with one name neither can be enabled",
        "choose another name, or uninstall that package first",
    ),
)
HANGS: Final = Mistake(
    "wrote a plugin that hangs while it is imported",
    _with_plugin("import time\n\ntime.sleep(600)\n", "enable", "own"),
    "events plugin 'own': not ready within 30 s",
    "it hangs while it is imported",
    "move what waits there into run",
)
"""One for itself: the command waits for half a minute."""

SINKS: Final = (
    Mistake(
        "enabled amqp without its extra",
        _without_extra,
        "the plugin amqp needs the extra amqp",
        "which is not installed here",
        f"run: {sys.executable} -m pip install 'aiormq>=7.2'",
    ),
    Mistake(
        "started with amqp in the file without its extra",
        _started_without_extra,
        "events plugin 'amqp': cannot import ",
        "the plugin amqp needs the extra amqp, which is not installed here",
        f"run: {sys.executable} -m pip install 'aiormq>=7.2'",
    ),
    Mistake(
        "gave PostgreSQL the URL mysql://x",
        _sink("postgres", {"url": "mysql://me:secret77@x"}),
        "events_plugins.postgres.options: ",
        "url: found mysql://…, which is no address of PostgreSQL",
        "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
    ),
    Mistake(
        "gave AMQP a URL of another kind",
        _sink("amqp", {"url": "localhost:5672"}),
        "events_plugins.amqp.options: ",
        "url: found no scheme, which is no address of a broker",
        "write it as amqp://USER:PASSWORD@HOST:PORT/VHOST",
    ),
    *(
        Mistake(
            f"ran {command} for a sink whose broker is down",
            _at_nobodys_port(command),
            "events plugin 'amqp': its target is not usable",
            "cannot connect: Connect call failed",
            "start the broker, or correct host and port in the option url" + way_on,
        )
        for command, way_on in (
            ("check", ""),
            ("enable", "; nothing was changed; --no-check enables the plugin all the same"),
        )
    ),
    Mistake(
        "gave AMQP the port of an HTTP server",
        _at_an_http_server("amqp"),
        "its target is not usable",
        "the server does not speak AMQP: it may be an HTTP server",
        "name the port of AMQP in the option url, usually 5672",
    ),
    Mistake(
        "used amqps:// with a port without TLS",
        _at_an_http_server("amqps"),
        "its target is not usable",
        "the server does not speak TLS, which amqps:// requires",
        "name the port of TLS in the option url, usually 5671",
    ),
    Mistake(
        "let the file sink write into a folder that does not exist",
        _into_no_folder,
        "events.jsonl: cannot be made",
        "there is no folder ",
        "make it, or give another path; nothing was changed",
    ),
)

INSTALLING: Final = (
    Mistake(
        "ran plugins install with an empty name",
        lambda newcomer: newcomer.run("plugins", "install", ""),
        "SPEC: ''",
        "is no package, folder or file",
        "write a name such as sales or 'sales==1.2', or a path such as ./sales",
    ),
    Mistake(
        "ran plugins install in another folder than the plugin's",
        lambda newcomer: newcomer.run("plugins", "install", "./sales"),
        "SPEC: no such file or folder",
        "`./sales`",
        "correct the path, or name a package without `/`",
    ),
)

MISTAKES: Final = (*PLUGINS, *SINKS, *INSTALLING)
