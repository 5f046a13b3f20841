"""How a node ends and comes back: soon, with exit code 0, and with all that it had accepted.

Source: docs/reference/promises.md, L5, P3, P8; docs/reference/command-line.md, `start`.
"""

import asyncio
import json
import random
import re
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bigchaindb.transaction.build import create
from bigchaindb.transaction.keys import KeyPair
from tests.conftest import StartNode
from tests.integration.node.audit import audit
from tests.integration.node.conftest import LongLedger
from tests.integration.node.owners import Owner, until_broken
from tests.integration.node.stalled import slow_list, unread_stream
from tests.support import scale
from tests.support.node import COMMAND, START_S, STOP_S, Node, configuration_of
from tests.support.raw import until

STOP_S_MAX: Final = 30.0
"""The pages promise two seconds; whatever waits for a client or a plugin takes a minute, on a busy machine as well."""
ALICE: Final = KeyPair.from_seed(b"a" * 32)


async def until_ended(node: Node, signum: signal.Signals = signal.SIGTERM) -> float:
    """Send a signal; return the seconds after which the process has ended with exit code 0."""
    assert node.process is not None
    begun = time.monotonic()
    node.process.send_signal(signum)
    await until(lambda: node.process is not None and node.process.poll() is not None, "the end of the node")
    taken_s = time.monotonic() - begun
    assert node.process.returncode == 0, node.tail()
    assert not re.search("Traceback|critical", node.log), node.tail()
    return taken_s


@asynccontextmanager
async def trading(node: Node) -> AsyncIterator[None]:
    """Keep clients busy before the body and all through it, which ends the node; then compare what is kept."""
    owners = [Owner(f"owner {number}", random.Random(number)) for number in range(4)]
    tasks = [asyncio.create_task(owner.trade(node.port)) for owner in owners]
    await until(lambda: all(len(owner.promised) > 10 for owner in owners), "each client to have commits")
    yield
    await until_broken(tasks)
    bodies = audit(node.data / "ledger.db").bodies
    for owner in owners:
        owner.stopped_cleanly()
        owner.require_kept(bodies)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_either_signal_ends_a_node_at_rest(start_node: StartNode, signum: signal.Signals) -> None:
    node = start_node()
    assert await until_ended(node, signum) < STOP_S_MAX


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
async def test_nothing_that_was_accepted_is_lost_by_a_stop(start_node: StartNode, signum: signal.Signals) -> None:
    node = start_node()
    async with trading(node):
        assert await until_ended(node, signum) < STOP_S_MAX


async def test_a_client_that_does_not_take_its_list_holds_up_nothing(start_node: StartNode) -> None:
    node = start_node()
    async with slow_list(node), trading(node):
        assert await until_ended(node) < STOP_S_MAX


async def test_a_stream_client_that_does_not_read_holds_up_nothing(
    start_node: StartNode, long_ledger: LongLedger
) -> None:
    node = start_node(settings=long_ledger())
    async with unread_stream(node), trading(node):
        assert await until_ended(node) < STOP_S_MAX


async def test_a_plugin_that_hangs_holds_up_nothing(start_node: StartNode, plugins: Mapping[str, str]) -> None:
    node = start_node(settings={"events_plugins": ["sleeper"]}, environment=plugins)
    async with trading(node):
        assert await until_ended(node) < STOP_S_MAX


async def test_all_of_them_together_hold_up_nothing(
    start_node: StartNode, plugins: Mapping[str, str], long_ledger: LongLedger
) -> None:
    node = start_node(settings={"events_plugins": ["sleeper", "console_print"], **long_ledger()}, environment=plugins)
    async with slow_list(node), unread_stream(node), trading(node):
        assert await until_ended(node) < STOP_S_MAX


async def test_a_node_without_standard_error_runs_until_it_is_stopped(start_node: StartNode) -> None:
    """Whoever starts it so wants no log there, and has perhaps one in a file."""
    node = start_node(command=("sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND))
    assert await until_ended(node) < STOP_S_MAX


@pytest.mark.parametrize("attempt", range(scale.STOPS))
async def test_further_signals_do_no_harm(start_node: StartNode, plugins: Mapping[str, str], attempt: int) -> None:
    """Whoever is impatient, or a shell that tells the whole process group, must not break a stop off."""
    node = start_node(settings={"events_plugins": ["sleeper"]}, environment=plugins)
    process, moments = node.process, random.Random(scale.seed() + attempt)
    assert process is not None
    async with trading(node):
        begun = time.monotonic()
        while process.poll() is None:
            process.send_signal(moments.choice((signal.SIGINT, signal.SIGTERM)))
            await asyncio.sleep(moments.uniform(0, 0.005))
        assert time.monotonic() - begun < STOP_S_MAX
        assert process.returncode == 0, node.tail()
    assert "Traceback" not in node.log
    assert node.log.count("still stopping: ") == 1, "a person hears that the order was understood"


async def test_a_start_can_be_broken_off(tmp_path: Path, plugins: Mapping[str, str]) -> None:
    """A plugin that takes its time must not keep the node from being stopped."""
    slow = {"sleeper": {"options": {"configure_s": 60}}}
    node = Node(tmp_path, configuration_of(tmp_path, {"events_plugins": slow}), plugins, COMMAND)
    node.launch()
    await asyncio.to_thread(node.until_logged, "Loading events plugin sleeper")
    assert await until_ended(node) < STOP_S_MAX


async def test_a_start_that_was_broken_off_at_any_moment_is_no_obstacle_to_the_next(tmp_path: Path) -> None:
    """Before Python has come to our code the signal ends it at once; from then on it is a stop."""
    node = Node(tmp_path, configuration_of(tmp_path, {}), {}, COMMAND)
    begun = time.monotonic()
    node.start()
    start_s = time.monotonic() - begun
    assert node.stop() == 0
    codes = set()
    for number in range(12):
        node.launch()
        assert node.process is not None
        if number < 11:
            await asyncio.sleep(number * start_s / 10)
        else:  # on a busy machine none of those before may have come so far
            await until(node.answers, "the node to have started")
        node.process.send_signal(signal.SIGTERM)
        codes.add(node.process.wait(STOP_S))
    assert codes <= {0, -signal.SIGTERM}
    assert 0 in codes
    assert "Traceback" not in node.log
    try:
        node.start()
        assert await until_ended(node) < STOP_S_MAX
    finally:
        node.kill()


def refused(node: Node) -> str:
    """Run a `start` that must fail; return its error, which is one line."""
    result = node.run("start")
    assert result.returncode == 1
    assert result.stdout == ""
    header, *lines = result.stderr.splitlines()
    assert header.startswith("BigchainDB ")
    said = [line for line in lines if not re.search(r" \[(info|warning)\] ", line)]
    assert len(said) == 1, result.stderr
    assert said[0].startswith("bigchaindb: ")
    return said[0]


def test_a_second_node_on_the_same_directory_is_refused(start_node: StartNode) -> None:
    node = start_node()
    assert node.process is not None
    said = refused(node)
    assert f"'{node.data}' is in use by process {node.process.pid}" in said
    assert "database.path" in said
    assert node.get("").status == 200


@pytest.mark.parametrize("key", ["server.bind", "wsserver.port"])
def test_a_port_that_is_taken_is_named_with_its_setting(
    start_node: StartNode, tmp_path: Path, plugins: dict[str, str], key: str
) -> None:
    """And no plugin is started first: each such attempt would cost it a run."""
    first = start_node()
    settings = configuration_of(tmp_path, {"events_plugins": ["recorder"]})
    part, name = key.split(".")
    settings[part][name] = first.settings[part][name]
    second = Node(tmp_path, settings, plugins, COMMAND)
    second.configuration.write_text("")
    second.launch()
    assert second.process is not None
    assert second.process.wait(START_S) == 1
    assert "Loading events plugin" not in second.log
    port = str(first.settings[part][name]).rpartition(":")[2]
    assert f"127.0.0.1:{port}" in second.log
    assert "address already in use" in second.log.lower()
    assert first.process is not None
    assert f"({key}): Address already in use, by process {first.process.pid} (" in second.log
    assert f"stop that process, or set another {key}" in second.log
    assert "Traceback" not in second.log
    assert "Listening" not in second.log


async def test_a_node_goes_on_where_it_was(start_node: StartNode) -> None:
    """Heights, positions, votes' chain and a client's place in the stream are those of one long run."""
    node = start_node()
    sent = [create([ALICE], data={"serial": serial}) for serial in range(6)]
    seen: list[str] = []
    after = ""
    for run in range(3):
        if run:
            node.start()
        async with connect(f"{node.stream_url}{after}") as client:
            for signed in sent[2 * run : 2 * run + 2]:
                assert (await asyncio.to_thread(node.post, signed.body)).status == 202
            seen += [await received(client) for _ in range(2)]
            assert await until_ended(node) < STOP_S_MAX
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        after = f"?after={closed.value.rcvd.reason}"
    assert seen == [signed.id for signed in sent]
    audited = audit(node.data / "ledger.db")
    assert list(audited.bodies) == seen
    assert len(audited.block_ids) == 6


async def received(client: ClientConnection) -> str:
    """Take one message of the stream; return the transaction's id."""
    async with asyncio.timeout(60):
        return str(json.loads(await client.recv())["transaction_id"])
