"""The commands `election …` beside nodes. Source: docs/reference/contract/configuration-and-cli.md, section 4.

The network is one process here: it decides each transaction at once, by the rules of elections, over a real store.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bigchaindb.access.exposure import LOCAL
from bigchaindb.access.gate import Gate
from bigchaindb.api.call import NodeInfo
from bigchaindb.api.reads import Reads
from bigchaindb.api.server import HttpApi
from bigchaindb.api.standing import NodeState
from bigchaindb.cli import commands
from bigchaindb.config import Limits
from bigchaindb.engine.engine import EngineFigures, Mode, Standing
from bigchaindb.errors import ConfigurationError
from bigchaindb.key_files import write_keypair
from bigchaindb.ledger.elections import Elections
from bigchaindb.ledger.rules import validate
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.ledger.view import Needs
from bigchaindb.reader.reader import Reader
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.shared_log import LogSource
from bigchaindb.subscribers.supervisor import Supervisor
from bigchaindb.transaction import KeyPair, Transaction, parse, verify
from tests.conftest import StartNode
from tests.support.chains import ALICE, BOB, CAROL, NODE
from tests.support.decisions import Chain
from tests.support.elections import NEWCOMER, key_of, validators_of
from tests.support.ledgers import open_store

NEW_KEY = b64encode(key_of(NEWCOMER)).decode()


class OneProcess:
    """An engine that decides what it is given, as several nodes would."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._chain = Chain()
        self._validators = validators_of()
        self.elections = Elections()

    async def submit(self, body: bytes, mode: Mode) -> Transaction:
        assert mode is Mode.COMMIT
        transaction = parse(body, elections=True)
        view = self._store.writer.view(Needs.of([transaction]))
        validate(transaction, view, signatures_valid=verify(transaction), validators=self._validators)
        self._store.writer.commit(self._chain.valid(transaction))
        height = self._chain.tip.height
        self.elections, updates = self.elections.after([transaction], self._validators, height)
        self._validators = self._validators.changed(updates)
        return transaction

    def validators(self) -> ValidatorSet:
        return self._validators

    @property
    def figures(self) -> EngineFigures:
        return EngineFigures(0, 0, 0, 0, 0, 0)

    def standing(self, _: str) -> Standing | None:
        return None

    async def run(self) -> None:
        pass

    def stop(self) -> None:
        pass


def write_validator_key(path: Path, pair: KeyPair, seed: bytes) -> None:
    """Write the file in which CometBFT keeps a validator's key."""
    secret = b64encode(seed + key_of(pair)).decode()
    path.write_text(json.dumps({"address": "00", "priv_key": {"type": "tendermint/PrivKeyEd25519", "value": secret}}))


@asynccontextmanager
async def network(folder: Path) -> AsyncIterator[tuple[OneProcess, int]]:
    """Serve the network's HTTP API; yield its engine and the port."""
    with open_store(folder / "ledger") as store:
        engine = OneProcess(store)
        info = NodeInfo(version="3", public_key=None, keyring=(), stream_url=str, docs_url=str)
        hub = Hub(0)
        supervisor = Supervisor(hub=hub, store=store, chain_id="chain", plugins={})
        log = LogSource(hub, store.log_reader, "chain")
        api = HttpApi(
            engine,
            Reads(Limits(), store.queries(), Reader(store.directory.ledger, store.damages, Limits(), "chain")),
            info,
            NodeState(chain_id="chain", ledger=store.directory.ledger, disk_free_bytes_min=0),
            Limits(),
            Gate(LOCAL),
            log=log,
            lanes=supervisor,
            desks=supervisor,
            rejected=LogSource(Hub(0), store.rejected_log, "chain:node:1"),
            rejected_log=store.rejected_log(),
            elections=lambda: engine.elections,
        )
        await api.start("127.0.0.1", 0)
        try:
            yield engine, api.port
        finally:
            await api.stop()


@pytest.fixture
async def engine_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[OneProcess, Callable[..., "asyncio.Future[Result]"]]]:
    """A network of four, and the command line beside it."""
    for name, pair in (("alice", ALICE), ("bob", BOB), ("newcomer", NEWCOMER)):
        write_keypair(tmp_path / f"{name}.json", pair)
    write_validator_key(tmp_path / "carol.json", CAROL, b"c" * 32)
    own = {"private": NODE.private_key, "public": NODE.public_key}
    (tmp_path / "node.json").write_text(json.dumps({"keypair": own}))
    monkeypatch.chdir(tmp_path)
    async with network(tmp_path) as (engine, port):
        monkeypatch.setenv("BIGCHAINDB_NODE", f"http://127.0.0.1:{port}")

        async def run(*arguments: str) -> Result:
            line = ["-c", "node.json", "election", *arguments]
            return await asyncio.to_thread(CliRunner().invoke, commands, line)

        yield engine, lambda *arguments: asyncio.ensure_future(run(*arguments))


EngineAndRun = tuple[OneProcess, Callable[..., "asyncio.Future[Result]"]]


async def test_a_validator_is_proposed_agreed_to_and_there(engine_and_run: EngineAndRun) -> None:
    engine, run = engine_and_run
    made = await run("new", "upsert-validator", NEW_KEY, "5", "n5")
    assert made.exception is None, made.exception
    said, _, election_id = made.stdout.strip().rpartition(" ")
    assert said == "[SUCCESS] Submitted proposal with id:"
    shown = await run("show", election_id)
    assert shown.stdout == (
        f"node_id=n5\npower=5\npublic_key={NEW_KEY}\npublic_key_base58={NEWCOMER.public_key}\nstatus=ongoing\n"
    )
    for signs in ((), ("--private-key", "alice.json"), ("--private-key", "carol.json")):
        agreed = await run("approve", election_id, *signs)
        assert agreed.stdout == "[SUCCESS] Your vote has been submitted\n", agreed.exception
    assert engine.validators().powers[key_of(NEWCOMER)] == 5
    assert (await run("show", election_id)).stdout.endswith("status=concluded\n")
    late = await run("approve", election_id, "--private-key", "bob.json")
    assert "the election is concluded" in str(late.exception)


async def test_the_open_elections_are_listed_with_what_they_propose_and_have(engine_and_run: EngineAndRun) -> None:
    engine, run = engine_and_run
    heads = ["ELECTION", "PUBLIC", "KEY", "POWER", "NODE", "VOTES"]
    assert (await run("list")).stdout.split() == heads
    await run("new", "upsert-validator", NEW_KEY, "5", "a node of n5\x1b[J")
    await run("approve", engine.elections.open[0].id)
    listed = await run("list")
    head, one = listed.stdout.splitlines()
    total = sum(engine.validators().powers.values())
    assert one.split() == [
        *(engine.elections.open[0].id, NEWCOMER.public_key, "5"),
        *("a", "node", "of", "n5?[J"),
        *("10", "of", str(total)),
    ]
    assert [head.index(name) for name in ("PUBLIC KEY", "VOTES")] == [
        one.index(text) for text in (NEWCOMER.public_key, f"10 of {total}")
    ]
    assert json.loads((await run("list", "--json")).stdout) == [
        {
            "id": engine.elections.open[0].id,
            "public_key": NEWCOMER.public_key,
            "power": 5,
            "node_id": "a node of n5\x1b[J",
            "votes": 10,
            "votes_total": total,
        }
    ]


async def test_two_proposals_can_be_alike(engine_and_run: EngineAndRun) -> None:
    engine, run = engine_and_run
    for _ in range(2):
        assert (await run("new", "upsert-validator", NEW_KEY, "5", "n5")).exception is None
    assert len(engine.elections.open) == 2


async def test_the_key_may_be_the_one_that_network_id_prints(engine_and_run: EngineAndRun) -> None:
    engine, run = engine_and_run
    assert (await run("new", "upsert-validator", NEWCOMER.public_key, "5", "n5")).exception is None
    assert engine.elections.open[0].public_key == key_of(NEWCOMER).hex()


async def test_one_votes_once(engine_and_run: EngineAndRun) -> None:
    engine, run = engine_and_run
    await run("new", "upsert-validator", NEW_KEY, "5", "n5")
    election_id = engine.elections.open[0].id
    await run("approve", election_id)
    again = await run("approve", election_id)  # the same bytes: they are there, and count once
    assert again.exception is None
    assert engine.elections.open[0].votes == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new", "upsert-validator", NEW_KEY, "14", "n"), "`power` change must be less than 1/3 of total power"),
        (("new", "upsert-validator", NEW_KEY, "5", "n", "--private-key", "newcomer.json"), "InvalidProposer"),
        (("new", "upsert-validator", NEW_KEY, "5", "n", "--private-key", "none.json"), "cannot read the key file"),
        (("new", "upsert-validator", NEW_KEY, "5", "n", "--private-key", "node.json"), "is no key file"),
        (("new", "upsert-validator", "short", "5", "n"), "PUBLIC_KEY: expected 32 bytes in base64 or base58"),
        (("new", "chain-migration"), "not supported"),
        (("show", "a" * 64), f"No election found with election_id {'a' * 64}"),
        (("approve", "a/b"), "No election found with election_id a/b"),
    ],
)
async def test_what_cannot_be_done_says_why(
    engine_and_run: EngineAndRun, arguments: tuple[str, ...], said: str
) -> None:
    result = await engine_and_run[1](*arguments)
    assert result.exit_code == 1
    assert said in str(result.exception)
    assert NODE.private_key not in result.output


async def test_whoever_has_no_votes_is_told(engine_and_run: EngineAndRun) -> None:
    engine, run = engine_and_run
    await run("new", "upsert-validator", NEW_KEY, "5", "n5")
    result = await run("approve", engine.elections.open[0].id, "--private-key", "newcomer.json")
    assert isinstance(result.exception, ConfigurationError)
    assert f"{NEWCOMER.public_key} has no votes" in str(result.exception)


async def test_without_any_key_one_is_asked_for(engine_and_run: EngineAndRun, tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text(json.dumps({"database": {"path": str(tmp_path / "empty")}}))
    result = await engine_and_run[1]("new", "upsert-validator", NEW_KEY, "5", "n5")
    assert "pass --private-key" in str(result.exception)


def test_a_node_that_votes_alone_says_that_there_is_nobody_to_elect(start_node: StartNode) -> None:
    node = start_node()
    for arguments in (
        ("new", "upsert-validator", NEW_KEY, "5", "n5"),
        ("approve", "a" * 64),
        ("show", "a" * 64),
        ("list",),
    ):
        result = node.run("election", *arguments)
        assert (result.returncode, result.stdout) == (1, "")
        assert "engine solo" in result.stderr
        assert "has no elections" in result.stderr
