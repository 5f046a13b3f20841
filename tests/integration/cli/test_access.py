"""Access keys by command, beside a node that runs and without one. Source: docs/reference/command-line.md, Access."""

import json
import shlex
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.conftest import StartNode
from tests.support import made_secrets
from tests.support.http import request
from tests.support.node import COMMAND, Node
from tests.support.ports import free_ports
from tests.support.tls import Authority, settings_of


def key_list(node: Node) -> list[dict[str, Any]]:
    """Return what `access key list` prints."""
    listed = node.run("access", "key", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return found


def with_input(node: Node, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that reads standard input."""
    line = [*node.command, "-c", str(node.configuration), *arguments]
    return subprocess.run(
        line, env=node._environment(), input=text, capture_output=True, text=True, timeout=60, check=False
    )


def configured(node: Node) -> object:
    return json.loads(node.configuration.read_text()).get("access")


def test_the_first_key_closes_the_door_of_a_running_node_and_revocation_ends_streams(start_node: StartNode) -> None:
    """The way of an operator from an open node to a closed one, without a restart."""
    node = start_node()
    assert node.get("").status == 200
    refused = with_input(node, "n\n", "access", "key", "new", "billing", "--scopes", "read")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].endswith(
        "no key was made; --keep-anonymous makes one and leaves other requests as they are"
    )
    assert (node.get("").status, key_list(node), configured(node)) == (200, [], None)
    with connect(node.stream_url) as anonymous:
        key = node.new_key("billing", "--scopes", "read", "--expires", "90d")
        with pytest.raises(ConnectionClosed) as closed:
            anonymous.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert configured(node) == {"anonymous": "none"}
    assert (node.get("").status, node.get("", key=key).status) == (401, 200)

    checked = with_input(node, f"{key}\n", "access", "check")
    (listed,) = key_list(node)
    assert checked.stdout.splitlines()[0] == f"{listed['id']} (billing) may: read"
    assert (listed["state"], listed["expires"] - listed["made"]) == ("good", 90 * 86_400)
    assert listed["used"] is not None, "a use that is not written yet is listed"

    file = node.folder / "heir.key"
    rotated = node.run("access", "key", "rotate", listed["id"], "--output", str(file))
    assert (rotated.returncode, rotated.stdout) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    heir = made_secrets.remember(file.read_text())
    assert {node.get("", key=one).status for one in (key, heir)} == {200}
    headers = {"Authorization": f"Bearer {key}"}
    with connect(node.stream_url, additional_headers=headers) as stream:
        assert node.run("access", "key", "revoke", listed["id"]).returncode == 0
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
    assert [node.get("", key=one).status for one in (key, heir)] == [401, 200]
    refused = with_input(node, key, "access", "check")
    assert (refused.returncode, "was revoked on" in refused.stderr) == (1, True)

    shown = ("transactions", "show", "ab" * 32)
    assert "answered 401: needs the scope read" in node.run(*shown).stderr
    node.environment = {"BIGCHAINDB_ACCESS_KEY_FILE": str(file)}
    assert "answered 404: Not found" in node.run(*shown).stderr
    assert "would travel in clear" in node.run(*shown, "--node", "http://192.0.2.7:9984").stderr
    node.environment = {"BIGCHAINDB_ACCESS_KEY_FILE": str(node.folder)}
    assert f"cannot read `{node.folder}`: Is a directory" in node.run(*shown).stderr
    node.environment = {}

    node.stop()
    assert {one["id"] == listed["id"]: one["state"] for one in key_list(node)} == {True: "revoked", False: "good"}
    assert [one["used"] is None for one in key_list(node)] == [False, False]


def test_a_node_that_does_not_run_has_the_same_commands(start_node: StartNode) -> None:
    node = start_node(settings={"access": {"anonymous": "read"}})
    node.stop()
    key = node.new_key("billing", "--scopes", "read write subscribe:billing-*")
    assert configured(node) == {"anonymous": "read"}  # a person has decided
    (listed,) = key_list(node)
    assert with_input(node, key, "access", "check").returncode == 0
    assert node.run("access", "key", "rotate", listed["id"], "--overlap", "1h").returncode == 0
    assert node.run("access", "key", "revoke", listed["id"]).returncode == 0
    assert node.run("access", "reload").returncode == 0
    assert {one["id"] == listed["id"]: one["state"] for one in key_list(node)} == {True: "revoked", False: "good"}


def test_without_a_file_that_can_be_written_no_key_is_made(start_node: StartNode) -> None:
    """A key that leaves the door open at the next start would be worse than none."""
    node = start_node()
    for environment in ({"BIGCHAINDB_ACCESS_ANONYMOUS": ""}, {"BIGCHAINDB_SERVER_BIND": node.url[7:]}):
        node.environment = environment
        if "BIGCHAINDB_SERVER_BIND" in environment:  # by its environment alone
            node.environment = environment | {
                "BIGCHAINDB_DATABASE_PATH": str(node.data),
                "BIGCHAINDB_CONFIG_PATH": str(node.folder / "missing.json"),
            }
            line = [*node.command, "-y", "access", "key", "new", "x", "--scopes", "read"]
            made = subprocess.run(line, env=node._environment(), capture_output=True, text=True, check=False)
        else:
            made = node.run("-y", "access", "key", "new", "x", "--scopes", "read")
        assert (made.returncode, made.stdout) == (1, "BIGCHAINDB_ACCESS_ANONYMOUS=none\n"), made.stderr
    node.environment = {}
    assert (key_list(node), configured(node)) == ([], None)


def test_a_node_that_runs_by_its_environment_alone_gets_a_file(start_node: StartNode, tmp_path: Path) -> None:
    """As in a container: a variable names a file that need not exist."""
    http, stream = free_ports(2)
    made = tmp_path / "made.json"
    environment = {
        "BIGCHAINDB_CONFIG_PATH": str(made),
        "BIGCHAINDB_DATABASE_PATH": str(tmp_path / "data"),
        "BIGCHAINDB_SERVER_BIND": f"127.0.0.1:{http}",
        "BIGCHAINDB_WSSERVER_PORT": str(stream),
    }
    without_c = ("sh", "-c", f'shift 2; exec {shlex.join(COMMAND)} "$@"', "sh")
    settings = {"server": {"bind": f"127.0.0.1:{http}"}, "wsserver": {"port": stream}}
    node = start_node(settings=settings, environment=environment, command=without_c)
    key = node.new_key("billing", "--scopes", "read")
    assert json.loads(made.read_text()) == {"access": {"anonymous": "none"}}
    assert (node.get("").status, node.get("", key=key).status) == (401, 200)
    assert node.stop() == 0
    node.launch()
    node.until_logged("[info] ready ", count=2)
    assert node.get("").status == 401


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("key", "new", "x", "--scopes", "reed"), 1, "--scopes: unknown scope 'reed'"),
        (("key", "new", "page", "--scopes", "read"), 1, "name: 'page' is kept for keys of the node's page"),
        (("key", "new", "", "--scopes", "read"), 1, "name: must be 1 to 100 printable characters, found ''"),
        (("key", "new", "x", "--scopes", "read", "--expires", "soon"), 2, "expected a duration such as 90d"),
        (("key", "new", "x", "--scopes", "read", "--output", "/"), 1, "--output: `/` exists already"),
        (("key", "new", "x", "--scopes", "read", "--output", "/none/x"), 1, "--output: no file can be made in `/none`"),
        (("key", "revoke", "\udcff"), 1, "an access key and its id are ASCII letters and digits"),
        (("key", "revoke", "nobody"), 1, "there is no access key 'nobody'; `bigchaindb access key list` lists them"),
        (("key", "rotate", "nobody"), 1, "there is no access key 'nobody'"),
        (("check",), 1, "there is no access key on standard input; one has 66 characters"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(node: Node, arguments: tuple[str, ...], code: int, why: str) -> None:
    ended = node.run("access", *arguments)
    assert ended.returncode == code, ended.stderr
    assert why in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_command_that_was_cut_short_leaves_a_node_that_speaks_of_it(start_node: StartNode, tmp_path: Path) -> None:
    """Killed behind its change of the file: by the file the door is closed, and the running node has it open."""
    node = start_node()
    node.configuration.write_text(json.dumps({**node.settings, "access": {"anonymous": "none"}}))
    unread = "the configuration has none, which the running node has not read: run `bigchaindb access reload`"
    assert unread in node.run("access", "key", "list").stderr
    examined = node.run("doctor")
    assert examined.returncode == 1
    assert "read write subscribe:*, in the running node; by the configuration: none" in examined.stdout
    (link := tmp_path / "link").symlink_to(tmp_path / "none" / "file")
    refused = node.run("access", "key", "new", "x", "--scopes", "read", "--output", str(link))
    assert "exists already" in refused.stderr
    assert key_list(node) == []
    made = node.run("access", "key", "new", "x", "--scopes", "read")
    assert unread in made.stderr
    made_secrets.remember(made.stdout)
    assert node.run("access", "reload").returncode == 0
    assert node.get("").status == 401
    assert unread not in node.run("access", "key", "list").stderr


def test_no_key_is_made_and_lost_by_a_node_that_cannot_read_its_certificate_again(
    start_node: StartNode, trusted: Authority
) -> None:
    pair = trusted.sign()
    node = start_node(settings=settings_of(pair))
    whole = pair.certificate.read_text()
    pair.certificate.write_text(whole[:300])
    refused = node.run("-y", "access", "key", "new", "x", "--scopes", "read")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "holds no whole certificate" in refused.stderr
    assert "no key was made: mend this, and try again" in refused.stderr
    assert (key_list(node), node.get("").status) == ([], 401), "the door is closed"
    assert node.get("", key=node.new_key("x", "--scopes", "read")).status == 200


def test_keys_of_restored_data_are_held_until_a_person_confirms_them(start_node: StartNode, tmp_path: Path) -> None:
    """A key that was revoked after the backup must not come back with it."""
    node = start_node(settings={"access": {"anonymous": "read"}})
    key = node.new_key("billing", "--scopes", "read")
    backup = tmp_path / "backup"
    assert node.run("backup", str(backup)).returncode == 0
    (listed,) = key_list(node)
    assert node.run("access", "key", "revoke", listed["id"]).returncode == 0
    node.stop()
    shutil.rmtree(node.data)
    restored = node.run("restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    assert "Access keys are held" in restored.stdout + restored.stderr
    node.start()
    answer = node.get("", key=key)
    assert (answer.status, "is held since this node's data were restored" in answer.json()["message"]) == (401, True)
    confirmed = with_input(node, "y\n", "access", "key", "list", "--confirm")
    assert confirmed.returncode == 0, confirmed.stderr
    assert node.get("", key=key).status == 200
    node.stop()
    node.start()
    assert node.get("", key=key).status == 200


def test_a_node_that_others_reach_warns_of_it_until_the_door_is_closed(start_node: StartNode) -> None:
    """Nobody reads a page before a node faces the internet, but many read its first lines."""
    port, metrics_port = free_ports(2)
    metrics = {"bind": f"127.0.0.1:{metrics_port}", "access": True}
    node = start_node(settings={"server": {"bind": f"0.0.0.0:{port}"}, "metrics": metrics})
    sentence = f"everybody who reaches 0.0.0.0:{port} can write"
    node.until_logged(f"[warning] {sentence}; bigchaindb access key new closes it")
    examined = node.run("doctor")
    assert f"FIX   access            {sentence}\n" in examined.stdout

    writer = node.new_key("application", "--scopes", "read write")
    reader = node.new_key("prometheus", "--scopes", "operate")
    url = f"http://{metrics['bind']}/metrics"
    statuses = [
        request("GET", url, headers=headers).status
        for headers in ({}, {"Authorization": f"Bearer {writer}"}, {"Authorization": f"Bearer {reader}"})
    ]
    assert statuses == [401, 403, 200]
    assert "FIX   access" not in node.run("doctor").stdout

    told = node.log.count(sentence)
    node.stop()
    node.settings = json.loads(node.configuration.read_text())
    node.launch()
    node.until_logged("[info] ready ", count=2)
    assert node.log.count(sentence) == told
