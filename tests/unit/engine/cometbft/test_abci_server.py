"""CometBFT gets the answer to what it asked, in its order; and nobody goes on after a failure."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

import pytest
import uvloop

from bigchaindb.engine.cometbft import abci_connection
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.abci_server import CONNECTION_COUNT_MAX, CONSENSUS, AbciServer
from bigchaindb.engine.cometbft.framing import FrameDecoder
from bigchaindb.errors import AbciProtocolError, EngineError, StartupError, StoreFull
from bigchaindb.ledger.protobuf import delimited
from tests.support.abci import FLUSH, Recorder, Running, check, process, serving
from tests.support.engines import WITHIN_S, until


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as running:
        yield running


UPDATE = pb.ValidatorUpdate(pub_key=pb.PublicKey(ed25519=bytes(32)), power=10)
ASKED = [
    (
        pb.Request(info=pb.RequestInfo(version="0.38")),
        pb.Response(info=pb.ResponseInfo(data="0.38", last_block_height=7)),
    ),
    (
        pb.Request(init_chain=pb.RequestInitChain(validators=[UPDATE])),
        pb.Response(init_chain=pb.ResponseInitChain(validators=[UPDATE])),
    ),
    (check("a"), pb.Response(check_tx=pb.ResponseCheckTx(data=b"a"))),
    (
        pb.Request(prepare_proposal=pb.RequestPrepareProposal(txs=[b"a", b""])),
        pb.Response(prepare_proposal=pb.ResponsePrepareProposal(txs=[b"a", b""])),
    ),
    (process(1), pb.Response(process_proposal=pb.ResponseProcessProposal(status=pb.ResponseProcessProposal.ACCEPT))),
    (
        pb.Request(extend_vote=pb.RequestExtendVote(hash=b"h")),
        pb.Response(extend_vote=pb.ResponseExtendVote(vote_extension=b"h")),
    ),
    (
        pb.Request(verify_vote_extension=pb.RequestVerifyVoteExtension()),
        pb.Response(verify_vote_extension=pb.ResponseVerifyVoteExtension(status=pb.ResponseVerifyVoteExtension.REJECT)),
    ),
    (
        pb.Request(finalize_block=pb.RequestFinalizeBlock(txs=[b"a", b"b"])),
        pb.Response(
            finalize_block=pb.ResponseFinalizeBlock(tx_results=[pb.ExecTxResult(), pb.ExecTxResult()], app_hash=b"hash")
        ),
    ),
    (pb.Request(commit=pb.RequestCommit()), pb.Response(commit=pb.ResponseCommit())),
    (pb.Request(echo=pb.RequestEcho(message="hello")), pb.Response(echo=pb.ResponseEcho(message="hello"))),
    (FLUSH, pb.Response(flush=pb.ResponseFlush())),
    (
        pb.Request(query=pb.RequestQuery(path="/store")),
        pb.Response(query=pb.ResponseQuery(code=1, log="no queries: ask the node's HTTP API")),
    ),
    (
        pb.Request(list_snapshots=pb.RequestListSnapshots()),
        pb.Response(list_snapshots=pb.ResponseListSnapshots()),
    ),
    (
        pb.Request(offer_snapshot=pb.RequestOfferSnapshot(app_hash=b"h")),
        pb.Response(offer_snapshot=pb.ResponseOfferSnapshot(result=pb.ResponseOfferSnapshot.ABORT)),
    ),
    (
        pb.Request(load_snapshot_chunk=pb.RequestLoadSnapshotChunk(height=1)),
        pb.Response(load_snapshot_chunk=pb.ResponseLoadSnapshotChunk()),
    ),
    (
        pb.Request(apply_snapshot_chunk=pb.RequestApplySnapshotChunk(chunk=b"c")),
        pb.Response(apply_snapshot_chunk=pb.ResponseApplySnapshotChunk(result=pb.ResponseApplySnapshotChunk.ABORT)),
    ),
]


async def test_every_request_gets_its_answer(running: Running) -> None:
    client = await running.client()
    assert {request.WhichOneof("value") for request, _ in ASKED} == set(pb.Request.DESCRIPTOR.fields_by_name)
    for request, answer in ASKED:
        assert await client.ask(request) == answer
    assert not running.failures


async def test_requests_of_one_write_are_answered_in_their_order(running: Running) -> None:
    client = await running.client()
    client.send(*(request for request, _ in ASKED * 3))
    assert [await client.answer() for _ in ASKED * 3] == [answer for _, answer in ASKED * 3]


async def test_a_slow_check_holds_back_the_answers_after_it_but_not_their_work(running: Running) -> None:
    """CheckTx is pipelined: otherwise the mempool would take one signature check after the other."""
    gate = running.handlers.gates["check_tx slow"] = asyncio.Event()
    client = await running.client()
    client.send(check("before"), check("slow"), check("after"), FLUSH)
    assert (await client.answer()).check_tx.data == b"before"
    await until(lambda: "check_tx after" in running.handlers.done)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await client.answer()
    gate.set()
    assert [(await client.answer()).check_tx.data for _ in range(2)] == [b"slow", b"after"]
    assert (await client.answer()).WhichOneof("value") == "flush"


async def test_what_is_known_is_answered_in_its_place_without_a_task(running: Running) -> None:
    gate = running.handlers.gates["check_tx slow"] = asyncio.Event()
    client = await running.client()
    client.send(check("known 1"), check("slow"), check("known 2"))
    assert (await client.answer()).check_tx.log == "known"
    assert len(running.server._calls) == 1
    gate.set()
    assert [(await client.answer()).check_tx for _ in range(2)] == [
        pb.ResponseCheckTx(data=b"slow"),
        pb.ResponseCheckTx(log="known"),
    ]


async def test_answers_of_one_turn_go_out_in_one_write(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write each is a system call each: at 100,000 CheckTx a second it would be most of the work."""
    client = await running.client()
    await client.ask(FLUSH)
    (connection,) = running.server._connections
    writes: list[bytes] = []
    monkeypatch.setattr(connection._transport, "write", writes.append)
    client.send(*(check(str(number)) for number in range(100)))
    await until(lambda: len(running.handlers.done) == 100)
    await until(lambda: b"".join(writes).count(b"99") == 1)
    assert len(writes) == 1


async def test_consensus_calls_run_one_at_a_time_over_all_connections(running: Running) -> None:
    """The last call of a CometBFT that was killed may still be writing when the next one's first call comes."""
    gate = running.handlers.gates["commit"] = asyncio.Event()
    killed, client = await running.client(), await running.client()
    killed.send(pb.Request(commit=pb.RequestCommit()))
    await until(lambda: running.handlers.begun == ["commit"])
    killed.writer.transport.abort()
    client.send(process(1), check("beside"), process(2))
    await until(lambda: "check_tx beside" in running.handlers.done)
    assert running.handlers.begun == ["commit", "check_tx beside"]
    gate.set()
    for _ in range(3):
        await client.answer()
    assert running.handlers.done[1:] == ["commit", "process_proposal 1", "process_proposal 2"]


async def test_a_start_is_told_no_height_that_a_commit_is_about_to_overtake(running: Running) -> None:
    """CometBFT would say the block again that becomes durable meanwhile, and the node would have to stop."""
    gate = running.handlers.gates["commit"] = asyncio.Event()
    killed, client = await running.client(), await running.client()
    killed.send(pb.Request(commit=pb.RequestCommit()))
    await until(lambda: running.handlers.begun == ["commit"])
    killed.writer.transport.abort()
    client.send(pb.Request(info=pb.RequestInfo()), check("beside"))
    await until(lambda: "check_tx beside" in running.handlers.done)
    assert "info" not in running.handlers.begun
    gate.set()
    assert (await client.answer()).info.last_block_height == 7
    assert running.handlers.done[1:] == ["commit", "info"]


def test_all_calls_that_change_or_judge_are_consensus_calls() -> None:
    assert set(pb.Request.DESCRIPTOR.fields_by_name) >= CONSENSUS


@pytest.mark.parametrize("bound", ["IN_HAND_COUNT_MAX", "IN_HAND_BYTES_MAX"])
async def test_no_more_than_the_bound_is_in_hand_and_all_is_answered(
    bound: str, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CometBFT waits with its mempool until the node has looked at what it was sent."""
    size = len(check("000").SerializeToString())
    monkeypatch.setattr(abci_connection, bound, 10 if bound == "IN_HAND_COUNT_MAX" else 10 * size)
    gate = asyncio.Event()
    texts = [f"{number:03}" for number in range(1, 101)]
    running.handlers.gates = {f"check_tx {text}": gate for text in texts}
    client = await running.client()
    client.send(*map(check, texts))
    await until(lambda: len(running.handlers.begun) == 10)
    await asyncio.sleep(0.02)
    assert len(running.handlers.begun) == 10
    gate.set()
    assert [(await client.answer()).check_tx.data.decode() for _ in texts] == texts


async def fill(running: Running, client: socket.socket, request: bytes) -> int:
    """Send a request until the server reads no more and the socket is full; return how often it was sent whole."""
    sent, rest = 0, request
    async with asyncio.timeout(WITHIN_S):
        while sent < 1000:
            try:
                rest = rest[client.send(rest) :]
            except BlockingIOError:
                if not all(one._is_reading for one in running.server._connections):
                    break
                await asyncio.sleep(0.001)
            if not rest:
                sent, rest = sent + 1, request
    return sent


async def drain(client: socket.socket, count: int) -> None:
    """Wait for so many answers."""
    answers = FrameDecoder(2**17)
    async with asyncio.timeout(WITHIN_S):
        while count > 0:
            answers.feed(await asyncio.get_running_loop().sock_recv(client, 2**17))
            count -= len(list(iter(answers.next_frame, None)))


async def test_the_socket_is_emptied_though_no_more_is_taken(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full socket makes CometBFT's client take a core for itself; only the bound on what waits may fill it."""
    monkeypatch.setattr(abci_connection, "IN_HAND_COUNT_MAX", 1)
    monkeypatch.setattr(abci_connection, "WAITING_BYTES_MAX", 10_000_000)
    gate = running.handlers.gates[f"check_tx {'x' * 50_000}"] = asyncio.Event()
    request = delimited(check("x" * 50_000).SerializeToString())
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)  # noqa: FBT003 - the standard library's signature
        client.connect(str(running.path))
        sent = await fill(running, client, request)
        assert 200 <= sent < 250
        gate.set()
        await drain(client, sent)


async def test_whoever_reads_no_answers_is_not_served_until_it_does(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that nobody reads must not fill the memory."""
    monkeypatch.setattr(abci_connection, "WAITING_BYTES_MAX", 100_000)
    request = delimited(pb.Request(echo=pb.RequestEcho(message="x" * 60_000)).SerializeToString())
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)  # noqa: FBT003 - the standard library's signature
        client.connect(str(running.path))
        sent = await fill(running, client, request)
        assert sent < 100
        await drain(client, sent)


async def test_a_large_request_comes_whole(running: Running) -> None:
    client = await running.client()
    transactions = [bytes([number]) * 1_000_000 for number in range(5)]
    answer = await client.ask(pb.Request(prepare_proposal=pb.RequestPrepareProposal(txs=transactions)))
    assert list(answer.prepare_proposal.txs) == transactions


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\xff" * 20, "^frame: the length has more than 5 bytes, which no message of at most 536870912 bytes needs$"),
        (b"\x81\x80\x80\x80\x02", "^frame: 536870913 bytes, and a message has at most 536870912$"),
        (b"\x03\xff\xff\xff", "^request: 3 bytes that are no message of ABCI 2.0$"),
        (delimited(b""), "^request: a kind that ABCI 2.0 does not have, or none$"),
        (delimited(b"\x22\x00"), "^request: a kind that ABCI 2.0 does not have, or none$"),
    ],
)
async def test_what_is_no_abci_ends_everything_and_is_told_once(running: Running, sent: bytes, error: str) -> None:
    client, other = await running.client(), await running.client()
    assert (await other.ask(FLUSH)).WhichOneof("value") == "flush"
    client.writer.write(delimited(FLUSH.SerializeToString()) + sent + sent)
    assert await other.is_closed()
    (failure,) = running.failures
    assert isinstance(failure, AbciProtocolError)
    with pytest.raises(AbciProtocolError, match=error):
        raise failure


async def test_a_handler_that_fails_gets_no_answer_and_all_connections_close(running: Running) -> None:
    """CometBFT stops itself then. An answer instead would let it go on with what was not done."""
    running.handlers.error = StoreFull("no room")
    client, other = await running.client(), await running.client()
    assert (await other.ask(FLUSH)).WhichOneof("value") == "flush"
    client.send(check("a"), check("b"), pb.Request(commit=pb.RequestCommit()), pb.Request(commit=pb.RequestCommit()))
    assert await client.is_closed()
    assert await other.is_closed()
    assert running.failures == [running.handlers.error]
    assert running.handlers.begun == ["check_tx a", "check_tx b", "commit"], "nothing is begun after a failure"
    with pytest.raises(OSError, match=r"No such file|refused"):
        await running.client()


async def test_a_handler_that_is_cancelled_is_a_failure_too(running: Running) -> None:
    running.handlers.error = asyncio.CancelledError()
    client = await running.client()
    client.send(process(1))
    assert await client.is_closed()
    (failure,) = running.failures
    assert isinstance(failure, EngineError)


async def test_a_client_that_leaves_is_no_failure(running: Running) -> None:
    gate = running.handlers.gates["check_tx a"] = asyncio.Event()
    client = await running.client()
    client.send(check("a"))
    await until(lambda: running.handlers.begun == ["check_tx a"])
    client.writer.transport.abort()
    gate.set()
    await until(lambda: running.handlers.done == ["check_tx a"])
    assert (await (await running.client()).ask(FLUSH)).WhichOneof("value") == "flush"
    assert not running.failures


async def test_a_stop_lets_the_consensus_call_finish_and_begins_nothing(running: Running) -> None:
    """Half a commit would be half a block."""
    gate = running.handlers.gates["commit"] = asyncio.Event()
    running.handlers.gates["check_tx a"] = asyncio.Event()
    client = await running.client()
    client.send(pb.Request(commit=pb.RequestCommit()), check("a"), process(2))
    await until(lambda: len(running.handlers.begun) == 2)
    stopping = asyncio.create_task(running.server.stop())
    assert await client.is_closed()
    assert not stopping.done()
    gate.set()
    await stopping
    assert running.handlers.done == ["commit"]
    assert running.handlers.begun == ["commit", "check_tx a"]
    assert not running.failures
    assert not running.path.exists()


async def test_a_commit_that_fails_during_the_stop_is_told(running: Running) -> None:
    gate = running.handlers.gates["commit"] = asyncio.Event()

    async def failing(request: pb.RequestCommit) -> pb.ResponseCommit:
        await Recorder.commit(running.handlers, request)
        raise StoreFull("no room")

    running.handlers.commit = failing  # type: ignore[method-assign]
    client = await running.client()
    client.send(pb.Request(commit=pb.RequestCommit()))
    await until(lambda: running.handlers.begun == ["commit"])
    stopping = asyncio.create_task(running.server.stop())
    assert await client.is_closed()
    gate.set()
    await stopping
    assert [str(error) for error in running.failures] == ["no room"]


async def test_more_connections_than_the_bound_are_closed(running: Running) -> None:
    clients = [await running.client() for _ in range(CONNECTION_COUNT_MAX)]
    for client in clients:
        assert (await client.ask(FLUSH)).WhichOneof("value") == "flush"
    assert await (await running.client()).is_closed()
    clients[0].writer.transport.abort()
    await until(lambda: len(running.server._connections) < CONNECTION_COUNT_MAX)
    assert (await (await running.client()).ask(FLUSH)).WhichOneof("value") == "flush"


async def test_the_socket_is_the_owners_alone_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "abci.sock"))  # of a node that was killed
    async with serving(tmp_path) as running:
        assert stat.S_IMODE(running.path.stat().st_mode) == 0o600
        assert (await (await running.client()).ask(FLUSH)).WhichOneof("value") == "flush"


async def test_a_path_that_no_socket_has_is_said_before_the_node_starts(tmp_path: Path) -> None:
    handlers = Recorder()
    with pytest.raises(StartupError, match=r"^database.path: .* allows 107; set database.path to a shorter path$"):
        await AbciServer(tmp_path / ("x" * 108), handlers, print).start()
    with pytest.raises(StartupError, match=r"^cannot listen on .*: No such file or directory$"):
        await AbciServer(tmp_path / "no" / "abci.sock", handlers, print).start()
    await AbciServer(tmp_path / "abci.sock", handlers, print).stop()  # was never started


def test_it_runs_on_the_loop_of_the_node(tmp_path: Path) -> None:
    async def main() -> list[pb.Response]:
        async with serving(tmp_path) as running:
            client = await running.client()
            client.send(*(request for request, _ in ASKED))
            return [await client.answer() for _ in ASKED]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        work: Coroutine[None, None, list[pb.Response]] = main()
        assert runner.run(work) == [answer for _, answer in ASKED]
