"""The command line beside a running node."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from tests.conftest import StartNode
from tests.support.node import COMMAND, STOP_S, Node, configuration_of
from tests.support.packages import advertise
from tests.support.waiting import until
from tests.vectors.judging import read


def keys(node: Node, name: str) -> str:
    """Make a key file in the node's folder; return the public key."""
    return node.run("keys", "new", "--output", str(node.folder / name)).stdout.strip()


def test_an_asset_is_made_and_passed_on(start_node: StartNode) -> None:
    node = start_node()
    alice, bob = keys(node, "alice.json"), keys(node, "bob.json")
    alice_file, bob_file = (f"--key-file={node.folder / name}.json" for name in ("alice", "bob"))
    made = node.run("transactions", "create", alice_file, "--asset", '{"bicycle": 1}', "--amount", "10", "--json")
    assert made.returncode == 0, made.stderr
    assert "before" not in made.stderr
    asset = json.loads(made.stdout)
    shown = node.run("transactions", "show", asset["id"])
    assert json.loads(shown.stdout) == asset

    passed = node.run("transactions", "transfer", asset["id"], alice_file, "--to", bob, "--amount", "4", "--json")
    transfer = json.loads(passed.stdout)
    assert transfer["asset"] == {"id": asset["id"]}
    assert [(output["public_keys"], output["amount"]) for output in transfer["outputs"]] == [
        ([bob], "4"),
        ([alice], "6"),
    ]

    held = json.loads(node.run("owners", "show", bob, "--json").stdout)
    assert [(one["asset_id"], one["amount"]) for one in held["balances"]] == [(asset["id"], "4")]
    holders = json.loads(node.run("assets", "show", asset["id"]).stdout)["holders"]
    assert [(one["public_keys"], one["amount"]) for one in holders] == [([alice], "6"), ([bob], "4")]
    unknown = node.run("assets", "show", 64 * "0")
    assert unknown.returncode == 1
    assert "no CREATE of that node's ledger has the id" in unknown.stderr

    for command, done in (
        (("create", alice_file, "--asset", '{"bicycle": 1}', "--amount", "10"), asset),
        (("transfer", asset["id"], alice_file, "--to", bob, "--amount", "4"), transfer),
    ):  # the same bytes, as after a lost answer or a proxy's 502
        repeated = node.run("transactions", *command, "--json")
        assert (repeated.returncode, json.loads(repeated.stdout)) == (0, done), repeated.stderr
        assert "it was committed before" in repeated.stderr

    again = node.run("transactions", "transfer", asset["id"], alice_file, "--to", bob)
    assert again.returncode == 1
    assert "DoubleSpend" in again.stderr
    whole = node.run(
        "transactions", "transfer", f"{transfer['id']}:0", bob_file, "--to", alice, "--metadata", '{"m": 1}'
    )
    assert json.loads(whole.stdout)["outputs"][0]["amount"] == "4"
    stolen = node.run("transactions", "transfer", f"{transfer['id']}:1", bob_file, "--to", bob)
    assert f"belongs to {alice}" in stolen.stderr
    assert node.run("transactions", "transfer", f"{asset['id']}:9", alice_file, "--to", bob).returncode == 1


def test_an_output_that_names_no_keys_is_passed_on_by_whoever_can_spend_it(start_node: StartNode) -> None:
    """What `public_keys` says, which may be null, is an index for queries; what counts is the condition."""
    node = start_node()
    bob = keys(node, "bob.json")
    bob_file, alice_file = (f"--key-file={node.folder / name}.json" for name in ("bob", "alice"))
    (alice,) = (key for key in read("keys")["keys"] if key["name"] == "alice")
    (node.folder / "alice.json").write_text(json.dumps({"private": alice["private_key"]}))
    (held,) = (record["tx"] for record in read("quirks_v2") if record["name"] == "public-keys-null")
    assert node.post(held).status == 202

    stolen = node.run("transactions", "transfer", held["id"], bob_file, "--to", bob)
    assert stolen.returncode == 1
    assert "output 0 belongs to nobody by name" in stolen.stderr
    passed = node.run("transactions", "transfer", held["id"], alice_file, "--to", bob, "--json")
    assert passed.returncode == 0, passed.stderr
    assert json.loads(passed.stdout)["outputs"][0]["public_keys"] == [bob]


def test_health_is_an_exit_code(start_node: StartNode) -> None:
    node = start_node()
    healthy = node.run("health")
    assert (healthy.returncode, healthy.stdout) == (0, "healthy\n"), healthy.stderr
    assert json.loads(node.run("health", "--json").stdout) == {"notes": [], "status": "healthy"}
    assert node.run("health", "--node", "http://127.0.0.1:1").returncode == 1


def test_another_node_at_the_same_address_is_no_answer_about_health(start_node: StartNode, tmp_path: Path) -> None:
    """Of two nodes with one server.bind the second does not start, and the first would vouch for it."""
    node = start_node()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/ledger.db").write_bytes(b"a ledger")
    (tmp_path / "other.json").write_text(json.dumps({**node.settings, "database": {"path": str(tmp_path / "other")}}))

    def asked() -> str:
        line = [*COMMAND, "-c", "other.json", "health"]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    said = asked()
    chain = node.get("network").json()["chain_id"]
    assert f"the node of `{tmp_path}/other` does not run; another node, of the chain {chain}, answers" in said
    assert f"at {node.url}, which is this node's address (server.bind): set another server.bind" in said
    node.new_key("billing", "--scopes", "read")
    assert f"the node of `{tmp_path}/other` does not run; another node answers at {node.url}, which is" in asked()


def test_health_names_what_ails_the_node(start_node: StartNode) -> None:
    node = start_node(settings={"limits": {"disk_free_bytes_min": 2**60, "disk_free_bytes_warn": 2**61}})
    full = node.run("health")
    assert full.returncode == 3
    assert full.stdout.startswith("unhealthy (full): the disk is nearly full")
    assert json.loads(node.run("health", "--json").stdout)["kind"] == "full"


def test_a_nodes_own_user_needs_no_access_key_for_its_health(start_node: StartNode) -> None:
    """Else the first key makes each container unhealthy, and what watches over it ends the node."""
    node = start_node()
    node.new_key("billing", "--scopes", "read")
    assert node.get("health").status == 401
    asked = node.run("health")
    assert (asked.returncode, asked.stdout) == (0, "healthy\n"), asked.stderr
    assert "needs the scope read; an anonymous request has none" in node.run("health", "--node", node.url).stderr


def test_a_running_node_is_found_out_about_and_left_alone(start_node: StartNode) -> None:
    node = start_node()
    assert node.process is not None
    report = json.loads(node.run("doctor", "--json").stdout)
    assert report["ok"], report
    assert f"running, process {node.process.pid}" in [finding["text"] for finding in report["findings"]]
    assert node.run("plugins", "list", "--json").returncode == 0
    for command in (("start",), ("-y", "drop")):
        result = node.run(*command)
        assert result.returncode == 1
        assert f"is in use by process {node.process.pid}" in result.stderr
    assert node.get("").status == 200


def test_start_says_when_it_is_ready_and_stops_cleanly(start_node: StartNode) -> None:
    node = start_node()
    node.until_logged(f"Listening to client connections on: {node.settings['server']['bind']}\n")
    assert node.console == ""
    assert node.process is not None
    node.process.send_signal(signal.SIGINT)
    assert node.process.wait(STOP_S) == 0
    assert "Traceback" not in node.log


def test_a_temporary_key_pair_is_kept_nowhere(tmp_path: Path) -> None:
    settings = configuration_of(tmp_path, {})
    (tmp_path / "node.json").write_text(json.dumps(settings))
    line = [*COMMAND, "-c", "node.json", "start", "--dev-allow-temp-keypair", "--experimental-parallel-validation"]
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = list(
            iter(process.stderr.readline, f"Listening to client connections on: {settings['server']['bind']}\n")
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0
    assert [line for line in said if line.startswith("this run signs with a temporary key pair")]
    assert [line for line in said if line.startswith("--experimental-parallel-validation: ignored")]
    assert not (tmp_path / "data" / "keypair.json").exists()


def test_plugins_are_listed_with_how_far_they_got(start_node: StartNode, tmp_path: Path) -> None:
    """Two plugins: one follows, one is installed and not enabled."""
    installed = tmp_path / "installed"
    advertise(installed, "demo", {"follows": "demo_plugin", "idle": "demo_plugin"})
    (installed / "demo_plugin.py").write_text("def run(queue):\n    while True:\n        queue.get()\n")
    node = start_node(settings={"events_plugins": ["follows"]}, environment={"PYTHONPATH": str(installed)})
    keys(node, "alice.json")
    node.run("transactions", "create", f"--key-file={node.folder / 'alice.json'}", "--asset", '{"a": 1}')

    def listed() -> dict[str, dict[str, object]]:
        return {row["name"]: row for row in json.loads(node.run("plugins", "list", "--json").stdout)}

    def is_done(row: dict[str, object]) -> bool:
        return (row["state"], row["lag"], row["parked"], row["last_error"]) == ("LIVE", 0, 0, None)

    until(lambda: is_done(listed()["follows"]), what="the plugin to deal with the event")
    rows = listed()
    assert (rows["follows"]["package"], rows["follows"]["enabled"]) == ("demo 1.0", True)
    assert (rows["idle"]["enabled"], rows["idle"]["state"], rows["idle"]["lag"]) == (False, "DISABLED", None)
    assert json.loads(node.run("doctor", "--json").stdout)["ok"]
    node.stop()
    assert listed()["follows"]["state"] == "STOPPED"


def test_a_node_with_another_key_than_that_of_its_last_block_says_so(start_node: StartNode) -> None:
    node = start_node()
    assert node.run("keys", "new", "--output", str(node.folder / "alice.json")).returncode == 0
    alice = f"--key-file={node.folder / 'alice.json'}"
    assert node.run("transactions", "create", alice, "--asset", "{}").returncode == 0
    first = node.run("export-my-pubkey").stdout.strip()
    for another in (False, True):
        assert node.stop() == 0
        if another:
            pair = json.loads(node.run("keys", "new").stdout)
            node.settings = {**node.settings, "keypair": pair}
        node.start()
        if not another:
            assert "another key than that of its last block" not in node.log
    said = re.compile(r"\[warning\] .*another key than that of its last block.*")
    (line,) = said.findall(node.until_logged(said))
    assert f"last_public={first} height=1" in line


def test_the_event_of_a_transaction_is_shown(start_node: StartNode) -> None:
    """It is found while its row is in the node's memory alone, and once it is in the index."""
    node = start_node()
    keys(node, "alice.json")
    alice = f"--key-file={node.folder / 'alice.json'}"
    ids = [
        json.loads(node.run("transactions", "create", alice, "--asset", f'{{"n": {n}}}', "--json").stdout)["id"]
        for n in range(3)
    ]

    def position(transaction_id: str) -> int:
        shown = node.run("events", "show", transaction_id, "--json")
        assert transaction_id in [one["id"] for one in json.loads(shown.stdout)["block"]["transactions"]], shown.stderr
        return int(json.loads(node.run("events", "tail", "-n", "3", "--json").stdout.splitlines()[-1])["position"])

    assert [position(one) for one in ids] == [3, 3, 3]
    assert node.stop() == 0
    assert [position(one) for one in ids] == [3, 3, 3]
    lost = node.run("events", "show", "f" * 64)
    assert (lost.returncode, lost.stdout) == (1, "")
    assert f"no block of the ledger in `{node.data / 'ledger.db'}` holds the transaction" in lost.stderr


def test_the_public_key_of_a_file_is_shown(start_node: StartNode) -> None:
    node = start_node()
    public = keys(node, "alice.json")
    file = str(node.folder / "alice.json")
    assert node.run("keys", "show", file).stdout == f"{public}\n"
    assert json.loads(node.run("keys", "show", file, "--json").stdout) == {"public": public}


def test_a_start_at_a_terminal_ends_with_what_to_do_next(tmp_path: Path) -> None:
    """What it prints is what a newcomer runs: the page's address, a key, a first transaction.

    The configuration and the ledger stand above all lines of the log, which are short.
    """
    settings = configuration_of(tmp_path, {})
    (tmp_path / "node.json").write_text(json.dumps(settings))
    terminal, end = os.openpty()
    line = [*COMMAND, "-c", "node.json", "start"]
    with os.fdopen(terminal, "rb", 0) as screen, subprocess.Popen(line, cwd=tmp_path, stderr=end) as process:
        os.close(end)
        said = b""
        while b"Ctrl-C stops the node." not in said:
            said += screen.read(4096)
        first, *lines = re.sub(r"\x1b\[[\d;]*m", "", said.decode()).replace("\r", "").splitlines()
        assert re.fullmatch(r"BigchainDB \S+ starts: configuration `node\.json`; ledger in `.*/data`", first)
        assert any(re.match(r"\d\d:\d\d:\d\d info    ready  chain=\S+ head=0 ", line) for line in lines), lines
        steps = said.decode().replace("\r", "").partition("In another terminal:\n")[2].splitlines()[:3]
        environment = {**os.environ, "PATH": f"{Path(COMMAND[0]).parent}:{os.environ['PATH']}"}
        ran = [
            subprocess.run(step, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            for step in steps
        ]
        process.send_signal(signal.SIGINT)
        process.wait(STOP_S)
    assert [done.returncode for done in ran] == [0, 0, 0], ran
    assert f"{settings['server']['bind'].rpartition(':')[2]}/#code=" in ran[0].stdout
    assert '"operation": "CREATE"' in ran[2].stdout or "committed" in ran[2].stdout + ran[2].stderr
