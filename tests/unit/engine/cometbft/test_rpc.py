"""The node never hangs on CometBFT, and never takes nonsense for an answer."""

import asyncio
import json
import socket
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from bigchaindb.engine.cometbft import rpc
from bigchaindb.engine.cometbft.rpc import CONNECTION_COUNT_MAX, CometBftRpc
from bigchaindb.engine.cometbft.rpc_answers import (
    ConsensusPeer,
    ConsensusState,
    OwnRoundState,
    PeerState,
    RoundState,
    SyncInfo,
)
from bigchaindb.errors import CometBftUnavailable

KEY = {"type": "tendermint/PubKeyEd25519", "value": b64encode(bytes(32)).decode()}
NODE: dict[str, Any] = {
    "protocol_version": {"p2p": "8", "block": "11", "app": "0"},
    "id": "7f" * 20,
    "listen_addr": "tcp://0.0.0.0:26656",
    "network": "chain",
    "version": "0.38.26",
    "channels": "40",
    "moniker": "one",
    "other": {"tx_index": "off"},
}
STATUS: dict[str, Any] = {
    "node_info": NODE,
    "sync_info": {
        "latest_block_hash": "AB12",
        "latest_app_hash": "",
        "latest_block_height": "12",
        "latest_block_time": "2026-08-01T00:00:00.000000007Z",
        "catching_up": False,
    },
    "validator_info": {"address": "00" * 20, "pub_key": KEY, "voting_power": "10"},
}

Answer = Callable[[Any], Any]
"""Makes a result of JSON-RPC, or a whole web.Response, from the request."""


@dataclass
class Fake:
    """A server of JSON-RPC: what it was asked, and what it says."""

    client: CometBftRpc
    answer: Answer = lambda _: STATUS
    asked: list[Any] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.Response:
        content = json.loads(await request.text())
        self.asked.append(content)
        self.connections.add(id(request.transport))
        answer = self.answer(content)
        if isinstance(answer, web.Response):
            return answer
        return web.json_response({"jsonrpc": "2.0", "id": content["id"], "result": answer})


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[Fake]:
    client = CometBftRpc(tmp_path / "rpc.sock", answer_s_max=5)
    fake = Fake(client)
    application = web.Application()
    application.router.add_post("/", fake.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "rpc.sock")).start()
    yield fake
    await client.close()
    await runner.cleanup()


async def test_what_is_answered_has_its_types(fake: Fake) -> None:
    status = await fake.client.status()
    assert status.sync == SyncInfo(
        height=12,
        time=datetime(2026, 8, 1, tzinfo=UTC),
        is_catching_up=False,
    )
    assert status.node.version == "0.38.26"
    assert fake.asked == [{"jsonrpc": "2.0", "id": 1, "method": "status", "params": {}}]


async def test_one_connection_is_kept(fake: Fake) -> None:
    """A connection each is a third of the transactions a second."""
    for _ in range(3):
        await fake.client.status()
    assert len(fake.connections) == 1


async def test_peers_are_called_at_once(fake: Fake) -> None:
    fake.answer = lambda _: {"log": "Dialing peers in progress. See /net_info for details"}
    peers = [f"{'7f' * 20}@one.example:26656", f"{'8e' * 20}@two.example:26656"]
    await fake.client.dial_peers(peers)
    assert fake.asked == [{"jsonrpc": "2.0", "id": 1, "method": "dial_peers", "params": {"peers": peers}}]


async def test_all_pages_of_validators_are_read(fake: Fake) -> None:
    everybody = [
        {"address": f"{number:040x}", "pub_key": KEY, "voting_power": f"{number}", "proposer_priority": "-1"}
        for number in range(250)
    ]

    def page(request: Any) -> Any:
        number = int(request["params"]["page"])
        part = everybody[(number - 1) * 100 : number * 100]
        return {"block_height": "5", "validators": part, "count": str(len(part)), "total": "250"}

    fake.answer = page
    found = await fake.client.validators(5)
    assert [one.power for one in found] == list(range(250))
    assert [request["params"]["height"] for request in fake.asked] == ["5"] * 3


@pytest.mark.parametrize("total", [1, 3, 20_000])
async def test_validators_that_do_not_add_up_are_no_answer(fake: Fake, total: int) -> None:
    fake.answer = lambda request: {
        "block_height": "5",
        "validators": [] if request["params"]["page"] == "2" else [STATUS["validator_info"]] * 2,
        "total": str(total),
    }
    with pytest.raises(CometBftUnavailable, match=rf"^validators: CometBFT returned 2 of {total}$"):
        await fake.client.validators(5)


def refusing(texts: list[str | None]) -> Answer:
    def answer(requests: Any) -> web.Response:
        replies = [
            {"jsonrpc": "2.0", "id": request["id"]}
            | ({"result": {"code": 0}} if text is None else {"error": {"code": -1, "message": "no", "data": text}})
            for request, text in zip(requests, texts, strict=True)
        ]
        return web.json_response(replies[::-1])

    return answer


async def test_each_transaction_of_a_batch_has_its_own_answer(fake: Fake) -> None:
    """JSON-RPC may answer in any order; whoever takes the order for granted blames another transaction."""
    fake.answer = refusing([None, "mempool is full", None])
    assert await fake.client.broadcast_many([b"a", b"\x00b", b"c"]) == [None, "no: mempool is full", None]
    (batch,) = fake.asked
    assert [b64decode(request["params"]["tx"]) for request in batch] == [b"a", b"\x00b", b"c"]
    assert {request["method"] for request in batch} == {"broadcast_tx_async"}


async def test_the_mempool_is_emptied(fake: Fake) -> None:
    fake.answer = lambda _: {}
    await fake.client.flush_mempool()
    assert fake.asked == [{"jsonrpc": "2.0", "id": 1, "method": "unsafe_flush_mempool", "params": {}}]


async def test_a_batch_of_one_and_of_none(fake: Fake) -> None:
    fake.answer = lambda _: {"code": 0}
    assert await fake.client.broadcast_many([b"a"]) == [None]
    assert await fake.client.broadcast_many([]) == []
    assert len(fake.asked) == 1


async def test_what_a_refusal_says_is_cut(fake: Fake) -> None:
    fake.answer = refusing(["x" * 10_000, None])
    first, _ = await fake.client.broadcast_many([b"a", b"b"])
    assert first is not None
    assert len(first) == rpc.REFUSAL_CHARS_MAX


@pytest.mark.parametrize("count", [1, 2])
async def test_a_batch_whose_answers_are_for_others_is_no_answer(fake: Fake, count: int) -> None:
    reply = {"jsonrpc": "2.0", "id": 99, "result": {"code": 0}}
    fake.answer = lambda _: web.json_response(reply if count == 1 else [reply] * 2)
    with pytest.raises(CometBftUnavailable, match=rf"^broadcast_tx_async: 1 replies, which do not match the {count} "):
        await fake.client.broadcast_many([b"a"] * count)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"id": 1, "error": {"code": -1, "message": "Internal error", "data": "height 9"}}', "refuses: .* error: h"),
        ('{"id": 1, "error": {"code": -1, "message": "gone"}}', "CometBFT refuses: gone$"),
        ('{"id": 2, "result": {"listening": true, "peers": []}}', "reply has no result or another id$"),
        ('{"id": 1}', "reply has no result or another id$"),
        ('{"id": 1, "result": {"listening": true}}', r"cannot be parsed: .*`peers` - at `\$.result`"),
        ("<html>", "cannot be parsed: JSON is malformed"),
        ("", "cannot be parsed: "),
        ('{"id": 1, "result": "\\udc00"}', "cannot be parsed: "),
    ],
)
async def test_whatever_else_it_says_is_an_error(fake: Fake, text: str, error: str) -> None:
    fake.answer = lambda _: web.Response(text=text, status=500)
    with pytest.raises(CometBftUnavailable, match=f"^net_info: .*{error}"):
        await fake.client.net_info()


@pytest.mark.parametrize(
    ("member", "value", "error"),
    [
        ("latest_block_time", "yesterday", "Invalid RFC3339 encoded datetime"),
        ("latest_block_height", "high", "int"),
    ],
)
async def test_a_member_of_the_wrong_form_is_named(fake: Fake, member: str, value: object, error: str) -> None:
    fake.answer = lambda _: {**STATUS, "sync_info": {**STATUS["sync_info"], member: value}}
    with pytest.raises(CometBftUnavailable, match=rf"{error}.* - at `\$\.result\.sync_info\.{member}`$"):
        await fake.client.status()


async def test_an_answer_without_end_is_cut_off(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "ANSWER_BYTES_MAX", 1000)
    fake.answer = lambda _: web.Response(text="x" * 1001)
    with pytest.raises(CometBftUnavailable, match=r"^status: a reply of more than 1000 bytes$"):
        await fake.client.status()


async def test_where_nobody_listens_the_socket_is_named_and_later_questions_work(fake: Fake, tmp_path: Path) -> None:
    gone = CometBftRpc(tmp_path / "gone.sock")
    for _ in range(2):
        with pytest.raises(CometBftUnavailable, match=r"^status: cannot reach CometBFT at `.*gone\.sock`: "):
            await gone.status()
    (tmp_path / "gone.sock").symlink_to(tmp_path / "rpc.sock")
    assert (await gone.status()).node.id == fake.answer(None)["node_info"]["id"]
    await gone.close()
    await gone.close()


async def test_silence_ends_at_the_deadline(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "rpc.sock"))
        silent.listen()
        client = CometBftRpc(tmp_path / "rpc.sock", answer_s_max=0.05)
        with pytest.raises(CometBftUnavailable, match=r"^status: no reply from CometBFT within 0\.05 s$"):
            await client.status()
        await client.close()


async def test_transactions_wait_for_no_other_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs that clients ask for would hold back what others have posted, and one slow answer all of it."""
    monkeypatch.setattr(rpc, "SUBMIT_S_MAX", 0.05)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "rpc.sock"))
        silent.listen()
        client = CometBftRpc(tmp_path / "rpc.sock", answer_s_max=60)
        questions = [asyncio.create_task(client.status()) for _ in range(CONNECTION_COUNT_MAX + 1)]
        accepted = [await asyncio.to_thread(silent.accept) for _ in range(CONNECTION_COUNT_MAX)]
        with pytest.raises(CometBftUnavailable, match=r"^broadcast_tx_async: no reply from CometBFT within 0\.05 s$"):
            await client.broadcast_many([b"x"])
        silent.settimeout(0)
        accepted.append(silent.accept())
        for task in questions:
            task.cancel()
        await client.close()
        for connection, _ in accepted:
            connection.close()


async def test_how_far_the_peers_are(fake: Fake) -> None:
    """A peer that has just connected has not said it, and CometBFT leaves it empty."""
    said = {
        "node_address": f"{'8f' * 20}@one.example:26656",
        "peer_state": {"round_state": {"height": "9", "round": 1}},
    }
    fake.answer = lambda _: {
        "round_state": {"height": "7", "round": 2, "step": 3},
        "peers": [said, {"node_address": "", "peer_state": None}],
    }
    state = await fake.client.consensus_state()
    assert (state.round_state.height, state.round_state.round) == (7, 2)
    assert [peer.address for peer in state.peers] == [said["node_address"], ""]
    assert (state.blocks_ahead(6), state.blocks_ahead(8), state.blocks_ahead(12)) == (2, 0, 0)


async def test_a_commit_and_a_block(fake: Fake) -> None:
    """Of the first height: the votes before it are absent, and CometBFT writes the year 1 for no time."""
    block_id = {"hash": "AA" * 32, "parts": {"total": 1, "hash": "BB" * 32}}
    hashes = dict.fromkeys(
        [
            "last_commit_hash",
            "data_hash",
            "validators_hash",
            "next_validators_hash",
            "consensus_hash",
            "app_hash",
            "last_results_hash",
            "evidence_hash",
        ],
        "CC" * 32,
    )
    header = {
        **hashes,
        "version": {"block": "11"},
        "chain_id": "chain",
        "height": "1",
        "time": "2026-08-01T00:00:00Z",
        "last_block_id": {"hash": "", "parts": {"total": 0, "hash": ""}},
        "proposer_address": "DD" * 20,
    }
    absent = {
        "block_id_flag": 1,
        "validator_address": "",
        "timestamp": "0001-01-01T00:00:00Z",
        "signature": None,
    }
    signed = {"height": "1", "round": 2, "block_id": block_id, "signatures": (absent,)}
    answers = {
        "commit": {"signed_header": {"header": header, "commit": signed}, "canonical": True},
        "block": {"block_id": block_id, "block": {"header": header, "data": {"txs": ["YQ==", ""]}}},
    }
    fake.answer = lambda request: answers[request["method"]]

    commit = await fake.client.commit(1)
    assert msgspec.to_builtins(commit.signed_header.commit) == signed, "what a proof carries is what came"
    assert commit.signed_header.header.height == "1"
    block = await fake.client.block(1)
    assert block.block.data.transactions == (b"a", b"")


@pytest.mark.parametrize(
    ("heights", "ahead"),
    [([], 0), ([9], 2), ([9, 7], 2), ([9, 7, 7], 0), ([10**18, 9, 7], 2), ([99, 99, 9, 9, 7, 7], 2)],
)
def test_fewer_than_a_third_of_the_peers_may_say_what_they_like(heights: list[int], ahead: int) -> None:
    peers = tuple(
        ConsensusPeer(address="", state=PeerState(round_state=RoundState(height=height + 1, round=0)))
        for height in heights
    )
    assert ConsensusState(round_state=OwnRoundState(height=8, round=0), peers=peers).blocks_ahead(7) == ahead
