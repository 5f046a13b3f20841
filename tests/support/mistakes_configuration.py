"""Natural mistakes with the configuration."""

import json
import os
import socket
from collections.abc import Callable
from typing import Final

from tests.support.mistakes import Mistake, Newcomer
from tests.support.ports import free_ports

PARSING: Final = "Failed to parse the JSON configuration from `node.json`, "


def _with_file(text: str, *arguments: str) -> Callable[[Newcomer], str]:
    """Return what runs a command with a configuration file of this text."""

    def make(newcomer: Newcomer) -> str:
        newcomer.write("node.json", text)
        return newcomer.run("-c", "node.json", *arguments)

    return make


def _on_a_taken_port(newcomer: Newcomer) -> str:
    with socket.create_server(("127.0.0.1", 0)) as held:
        document = {
            "server": {"bind": f"127.0.0.1:{free_ports(1)[0]}"},
            "wsserver": {"host": "127.0.0.1", "port": held.getsockname()[1]},
        }
        return _with_file(json.dumps(document), "start")(newcomer)


def _mistyped_name(newcomer: Newcomer) -> str:
    newcomer.write("node.json", "{}")
    return newcomer.run("-c", "nod.json", "start")


def _mistyped_variable(newcomer: Newcomer) -> str:
    newcomer.environment["BIGCHAINDB_SERVR_BIND"] = "0.0.0.0:80"
    return newcomer.run("show-config")


def _configured_again(newcomer: Newcomer) -> str:
    text = '{"keypair": null}'
    newcomer.write("node.json", text)
    printed = newcomer.run("-y", "-c", "node.json", "configure")
    assert (newcomer.home / "node.json").read_text() == text
    return printed


def _as_argument(newcomer: Newcomer) -> str:
    newcomer.write("node.json", "{}")
    return newcomer.run("start", "node.json")


def _behind_the_command(newcomer: Newcomer) -> str:
    """This is no mistake any more: the file is found, and the next thing that is wrong is told."""
    newcomer.write("node.json", '{"server": {"bind": "nonsense"}}')
    return newcomer.run("start", "-c", "node.json")


MISTAKES: Final = (
    Mistake(
        "started on a port that is taken",
        _on_a_taken_port,
        "cannot listen on 127.0.0.1:",
        f"(wsserver.port): Address already in use, by process {os.getpid()} (",
        "stop that process, or set another wsserver.port",
    ),
    Mistake(
        "wrote a trailing comma",
        _with_file('{"server": {"bind": "localhost:1",}}', "start"),
        PARSING,
        "Expecting property name enclosed in double quotes: line 1 column 35 (char 34): `",
        "⟶}}`; JSON has no comma behind the last member: delete the comma",
    ),
    Mistake(
        "wrote single quotes",
        _with_file("{'server': {}}", "start"),
        PARSING,
        "line 1 column 2 (char 1): `{⟶'server': {}}`; JSON has no single quotes",
        'write "',
    ),
    Mistake(
        "wrote YAML",
        _with_file("server:\n  bind: localhost:1\n", "start"),
        PARSING,
        "this looks like YAML, and the file is JSON",
        'write it as {"server": {"bind": "localhost:9984"}}',
    ),
    Mistake("wrote nothing at all", _with_file("", "start"), PARSING, "the file is empty", "write {} into it"),
    Mistake(
        "mistyped the file's name behind -c",
        _mistyped_name,
        "no such file: `nod.json`",
        "which -c names and which must exist",
        "did you mean `node.json`? `bigchaindb -y -c nod.json configure` makes a new one",
    ),
    Mistake(
        "wrote server.bnd for server.bind",
        _with_file('{"server": {"bnd": "localhost:1"}}', "show-config"),
        "server.bnd: ",
        "unknown, so ignored",
        "did you mean server.bind? (from `node.json`; in use is server.bind = 'localhost:9984')",
        code=0,
    ),
    Mistake(
        "wrote port at the top level of the file",
        _with_file('{"port": 1}', "show-config"),
        "port: ",
        "unknown, so ignored",
        "did you mean server.bind or wsserver.port? (from `node.json`; in use is server.bind = 'localhost:9984', "
        "wsserver.port = 9985)",
        code=0,
    ),
    Mistake(
        "mistyped the name of an environment variable",
        _mistyped_variable,
        "BIGCHAINDB_SERVR_BIND: ",
        "unknown, so ignored",
        "the nearest known variable is BIGCHAINDB_SERVER_BIND",
        code=0,
    ),
    Mistake(
        "named a log file in a folder that does not exist",
        _with_file('{"log": {"file": "/nowhere/node.log"}}', "start"),
        "log.file: cannot open `/nowhere/node.log`",
        "No such file or directory",
        "create the folder or set another log.file",
    ),
    Mistake(
        "ran -y configure over an existing file",
        _configured_again,
        "Configuration kept: ",
        "node.json; ",
        "--new writes a fresh one and keeps this as node.json.1",
        code=0,
    ),
    Mistake(
        "put -c behind the command",
        _behind_the_command,
        "server.bind: ",
        "must be host:port with a port of 0 to 65535, found 'nonsense'",
        "(from `node.json`)",
    ),
    Mistake(
        "put -y behind the command",
        lambda newcomer: newcomer.run("configure", "-y"),
        "No such option '-y'",
        "behind a command: it stands before it",
        "`bigchaindb -y configure`",
        code=2,
    ),
    Mistake(
        "put a log level behind a command of a group",
        lambda newcomer: newcomer.run("plugins", "list", "--log-level", "debug"),
        "No such option '--log-level'",
        "behind a command: it stands before it",
        "`bigchaindb -l LEVEL plugins list`",
        code=2,
    ),
    Mistake(
        "gave the file as an argument",
        _as_argument,
        "Got unexpected extra argument (node.json)",
        "name a configuration file with -c",
        "`-c node.json`",
        code=2,
    ),
)
