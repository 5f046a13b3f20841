"""CometBFT itself, on the files that the node writes for it, kept running as the node keeps it."""

import asyncio
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config import Network
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft import binary, files
from bigchaindb.engine.cometbft.abci_server import AbciServer
from bigchaindb.engine.cometbft.files import Layout, Sizes
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis
from bigchaindb.engine.cometbft.process import CometBft
from bigchaindb.errors import CometBftFailed, StartupError
from bigchaindb.transaction.keys import KeyPair, decode_key
from tests.support.cometbft import require_cometbft
from tests.support.ports import free_ports
from tests.support.waiting import until

KEY = KeyPair.from_seed(bytes(range(32)))
SIZES = Sizes(validator_count=1, pool_count_max=10_000, pool_bytes_max=1 << 26, transaction_bytes_max=1_048_576)


@pytest.fixture(scope="module")
def program() -> Path:
    return binary.find(require_cometbft())


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A network of one, whose application is one that CometBFT brings."""
    layout = Layout(tmp_path)
    validator = GenesisValidator(decode_key(KEY.public_key), 10, "one")
    genesis = NetworkGenesis("test", "2026-01-31T12:00:00Z", 1, bytes(32), (validator,), 1)
    (port,) = free_ports(1)
    files.write(layout, key=KEY, settings=Network(bind=f"127.0.0.1:{port}"), sizes=SIZES)
    files.write_genesis(layout, genesis.encode())
    with_kvstore(layout)
    return layout


def with_kvstore(layout: Layout) -> None:
    config = layout.config.read_text()
    layout.config.write_text(config.replace(f"unix://{layout.abci}", "persistent_kvstore"))


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def status(layout: Layout) -> Any:
    connection = UnixConnection(layout.rpc)
    try:
        connection.request("GET", "/status")
        return json.loads(connection.getresponse().read())["result"]
    finally:
        connection.close()


async def height_reached(layout: Layout, height: int) -> Any:
    async with asyncio.timeout(60):
        while True:
            try:
                found = await asyncio.to_thread(status, layout)
                if int(found["sync_info"]["latest_block_height"]) >= height:
                    return found
            except (OSError, http.client.HTTPException):
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(process: CometBft) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(process.run())
    try:
        yield task
    finally:
        await process.stop()
        await asyncio.gather(task, return_exceptions=True)


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cometbft-of-this-test"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_cometbft_knows_the_node_by_the_same_id(program: Path, layout: Layout) -> None:
    shown = subprocess.run(
        [program, "show-node-id", "--home", layout.home], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == files.node_id_of(KEY)


async def test_it_starts_on_our_files_and_makes_blocks(program: Path, layout: Layout) -> None:
    process = CometBft(program, layout)
    async with running(process) as task:
        found = await height_reached(layout, 1)
        assert found["node_info"]["network"] == "test"
        assert found["node_info"]["id"] == files.node_id_of(KEY)
        assert found["validator_info"]["voting_power"] == "10"
        pid = process.pid
        assert pid is not None
        await process.stop()
        await asyncio.wait_for(task, 60)
        assert not is_running(pid)
    assert process.pid is None
    state = json.loads(layout.validator_state.read_text())
    assert int(state["height"]) >= 1


async def test_two_nodes_find_each_other_and_agree(program: Path, tmp_path: Path) -> None:
    """Neither can decide without the other: ids, addresses and keys are as they know each other by."""
    keys = [KeyPair.from_seed(bytes([i]) * 32) for i in (1, 2)]
    ports = free_ports(2)
    validators = tuple(GenesisValidator(decode_key(key.public_key), 10) for key in keys)
    genesis = NetworkGenesis("test", "2026-01-31T12:00:00Z", 1, bytes(32), validators, 1).encode()
    peers = tuple(f"{files.node_id_of(key)}@127.0.0.1:{port}" for key, port in zip(keys, ports, strict=True))
    layouts = [Layout(tmp_path / key.public_key[:8]) for key in keys]
    for layout, key, port in zip(layouts, keys, ports, strict=True):
        layout.data.mkdir()
        files.write(layout, key=key, settings=Network(bind=f"127.0.0.1:{port}", peers=peers), sizes=SIZES)
        files.write_genesis(layout, genesis)
        with_kvstore(layout)
    async with running(CometBft(program, layouts[0])), running(CometBft(program, layouts[1])):
        for layout in layouts:
            await height_reached(layout, 1)


async def test_killed_it_is_started_again_and_goes_on(program: Path, layout: Layout) -> None:
    process = CometBft(program, layout)
    async with running(process) as task:
        await height_reached(layout, 1)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: process.start_count == 2, what="a second start")
        await height_reached(layout, 1)
        assert not task.done()


async def test_what_it_had_said_is_not_why_it_was_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = json.dumps({"_msg": "an old trouble", "level": "error"})
    process = CometBft(script(tmp_path, f"echo '{said}'; exec sleep 60"), Layout(tmp_path))
    async with running(process):
        await asyncio.to_thread(until, lambda: "an old trouble" in caplog.text, what="its line")
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: "CometBFT ended" in caplog.text, what="its end")
    (end,) = [vars(record) for record in caplog.records if record.message == "CometBFT ended"]
    assert (end["how"], end["reason"]) == (
        "killed by SIGKILL",
        "somebody killed it, or the system did for want of memory",
    )


async def test_a_stop_logs_no_error(program: Path, layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    process = CometBft(program, layout)
    async with running(process):
        await height_reached(layout, 1)
        await process.stop()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_after_five_ends_it_is_given_up_with_its_own_reason(tmp_path: Path) -> None:
    failing = script(tmp_path, "echo 'ERROR: failed to create node: no such day'; echo 'goroutine 1'; exit 3")
    process = CometBft(failing, Layout(tmp_path))
    with pytest.raises(CometBftFailed, match=r"ended 5 times within 120 s, .* \(exit code 3\): ERROR: .* no such day$"):
        await asyncio.wait_for(process.run(), 60)
    assert process.start_count == 5


async def test_a_start_that_cannot_work_gives_cometbfts_own_reason(program: Path, layout: Layout) -> None:
    """A person sees what is wrong in the last line that the node prints."""
    layout.genesis.write_text("{}")
    with pytest.raises(CometBftFailed, match="genesis doc must include non-empty chain_id"):
        await asyncio.wait_for(CometBft(program, layout).run(), 60)


async def test_a_consensus_failure_is_the_end_at_once(tmp_path: Path) -> None:
    """It would live on, answer, and never vote again."""
    line = json.dumps(
        {"_msg": "CONSENSUS FAILURE!!!", "err": "wrong app hash", "level": "error", "stack": "x" * 99_999}
    )
    process = CometBft(script(tmp_path, f"echo '{line}'; exec sleep 60"), Layout(tmp_path))
    with pytest.raises(CometBftFailed, match="no longer takes part in consensus: CONSENSUS FAILURE!!!: wrong app hash"):
        await asyncio.wait_for(process.run(), 60)
    assert (process.start_count, process.pid) == (1, None)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "panic: state.AppHash does not match AppHash after replay. Got\nAB, expected CD.\n\nState: x\n\ntrace",
            r"do not belong together: panic: state\.AppHash does not match .* Got AB, expected CD\.; one of the two",
        ),
        (
            "ERROR: app block height (32) is higher than core (26)",
            r"together: ERROR: .* than core \(26\); one of the two",
        ),
    ],
)
async def test_a_ledger_that_does_not_fit_the_blocks_is_told_whole_and_at_once(
    tmp_path: Path, said: str, told: str
) -> None:
    """Each further start would end the same way."""
    (tmp_path / "said").write_text(f"{said}\n")
    process = CometBft(script(tmp_path, f"cat {tmp_path / 'said'}; exit 2"), Layout(tmp_path))
    with pytest.raises(CometBftFailed, match=told):
        await asyncio.wait_for(process.run(), 60)
    assert process.start_count == 1


class WrongCount:
    """An application that breaks the one rule of FinalizeBlock: a result for each transaction."""

    def check_known(self, _: pb.RequestCheckTx) -> pb.ResponseCheckTx | None:
        return None

    async def info(self, _: pb.RequestInfo) -> pb.ResponseInfo:
        return pb.ResponseInfo(app_version=1)

    async def init_chain(self, _: pb.RequestInitChain) -> pb.ResponseInitChain:
        return pb.ResponseInitChain(app_hash=bytes(32))

    async def check_tx(self, _: pb.RequestCheckTx) -> pb.ResponseCheckTx:
        return pb.ResponseCheckTx()

    async def prepare_proposal(self, _: pb.RequestPrepareProposal) -> pb.ResponsePrepareProposal:
        return pb.ResponsePrepareProposal()

    async def process_proposal(self, _: pb.RequestProcessProposal) -> pb.ResponseProcessProposal:
        return pb.ResponseProcessProposal(status=pb.ResponseProcessProposal.ACCEPT)

    async def extend_vote(self, _: pb.RequestExtendVote) -> pb.ResponseExtendVote:
        return pb.ResponseExtendVote()

    async def verify_vote_extension(self, _: pb.RequestVerifyVoteExtension) -> pb.ResponseVerifyVoteExtension:
        return pb.ResponseVerifyVoteExtension(status=pb.ResponseVerifyVoteExtension.ACCEPT)

    async def finalize_block(self, _: pb.RequestFinalizeBlock) -> pb.ResponseFinalizeBlock:
        return pb.ResponseFinalizeBlock(tx_results=[pb.ExecTxResult()], app_hash=bytes(32))

    async def commit(self, _: pb.RequestCommit) -> pb.ResponseCommit:
        return pb.ResponseCommit()


async def test_what_cometbft_says_of_a_consensus_failure_is_understood(program: Path, layout: Layout) -> None:
    (port,) = free_ports(1)
    files.write(layout, key=KEY, settings=Network(bind=f"127.0.0.1:{port}"), sizes=SIZES)
    server = AbciServer(layout.abci, WrongCount(), lambda _: None)
    await server.start()
    try:
        with pytest.raises(CometBftFailed, match=r"no longer .* at height 1: CONSENSUS FAILURE!!!: .*results"):
            await asyncio.wait_for(CometBft(program, layout).run(), 60)
    finally:
        await server.stop()


async def test_a_stop_while_it_waits_to_start_again_is_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for bound in ("DELAY_S_MIN", "DELAY_S_MAX"):
        monkeypatch.setattr(f"bigchaindb.engine.cometbft.process.{bound}", 600.0)
    process = CometBft(script(tmp_path, "exit 1"), Layout(tmp_path))
    async with running(process) as task:
        await asyncio.to_thread(until, lambda: "CometBFT ended" in caplog.text, what="its end")
        await process.stop()
        await asyncio.wait_for(task, 60)


async def test_one_that_does_not_end_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stubborn = script(tmp_path, "trap '' TERM; echo ready; while true; do sleep 0.1; done")
    process = CometBft(stubborn, Layout(tmp_path))
    async with running(process) as task:
        await asyncio.to_thread(until, lambda: "ready" in caplog.text, what="its first line")
        await process.stop()
        await asyncio.wait_for(task, 60)
    assert "did not end in time" in caplog.text


async def test_what_it_prints_is_in_our_log(program: Path, layout: Layout, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    process = CometBft(program, layout)
    async with running(process):
        await height_reached(layout, 1)
    assert "bigchaindb.cometbft.consensus" in {record.name for record in caplog.records}
    assert KEY.private_key not in caplog.text


async def test_its_settings_come_from_its_files_alone(
    program: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CMT_RPC_LADDR", "tcp://127.0.0.1:1")
    process = CometBft(program, layout)
    async with running(process):
        await height_reached(layout, 1)


def test_it_ends_with_the_node(tmp_path: Path) -> None:
    """However that ends: a validator that runs twice signs twice."""
    sleeping = script(tmp_path, "exec sleep 600")
    program = f"""
import asyncio, pathlib, sys, uvloop
from bigchaindb.engine.cometbft.process import CometBft
from bigchaindb.engine.cometbft.files import Layout

async def main():
    process = CometBft(pathlib.Path({str(sleeping)!r}), Layout(pathlib.Path({str(tmp_path)!r})))
    task = asyncio.create_task(process.run())
    while process.pid is None:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    print(process.pid, flush=True)
    await task

uvloop.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        pid = int(node.stdout.readline())
        assert is_running(pid)
        node.kill()
    until(lambda: not is_running(pid), what="CometBFT to end")


def test_the_right_version_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get = r"go install github\.com/cometbft/cometbft/cmd/cometbft@v0\.38\."
    with pytest.raises(StartupError, match=rf"network\.cometbft: there is no file .*{get}"):
        binary.find(tmp_path / "nothing")
    with pytest.raises(StartupError, match=rf"is CometBFT '1\.0\.1', and 0\.38 is needed.*{get}"):
        binary.find(script(tmp_path, "echo 1.0.1"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StartupError, match=rf"CometBFT is not on the PATH.*{get}"):
        binary.find(None)
    script(tmp_path, "echo 0.38.26").rename(tmp_path / "cometbft")
    assert binary.find(None) == tmp_path / "cometbft"
    (tmp_path / "cometbft").chmod(0o600)
    with pytest.raises(StartupError, match="cannot run"):
        binary.find(tmp_path / "cometbft")
