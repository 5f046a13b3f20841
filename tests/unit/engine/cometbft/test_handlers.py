"""What CometBFT is answered, over the real store: each call by itself, in the orders that crashes make of them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from bigchaindb.config import Limits
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft import mempool
from bigchaindb.engine.cometbft.handlers import LedgerHandlers, Parts
from bigchaindb.engine.cometbft.mempool import ORPHAN_COUNT_MAX
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.engine import Mode
from bigchaindb.engine.intake import Intake, accept
from bigchaindb.engine.room import Room, Usage
from bigchaindb.errors import CheckFailed, EngineError
from bigchaindb.ledger.bundle import BUNDLE_MARK, bundle_of, members_of, unbundled
from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.network_ledger import NetworkLedger
from bigchaindb.ledger.pool import Pool
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.rejections import (
    BLOCK_COUNT_MAX,
    BODY_COUNT_MAX,
    VOTES_MARK,
    WAKE_MARK,
    body_digest,
    decode_extension,
    decode_votes,
)
from bigchaindb.store import Store
from bigchaindb.store.own import Outbox, Rejections
from bigchaindb.transaction import Transaction
from tests.support import scale
from tests.support.chains import CAROL, Coin, create, transfer
from tests.support.ledgers import open_store
from tests.support.networks import CHAIN, KEYS, TIME, address, raw, signed
from tests.support.poison import poisoned

ACCEPT, REJECT = pb.ResponseProcessProposal.ACCEPT, pb.ResponseProcessProposal.REJECT
PARENT = create(1, amounts=(2, 3))
CHILD = transfer(Coin(PARENT))
RIVAL = transfer(Coin(PARENT), to=CAROL)
BLOCK_BYTES = 4_000_000


@dataclass
class Application:
    """The handlers of the first of four validators, and what they told the engine."""

    store: Store
    pool_count_max: int = 100
    committed: list[Effects] = field(default_factory=list)
    woken: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = Limits()
        proven = Proven(count_max=100, bytes_max=1_000_000)
        self.own = Rejections(self.store.node)
        self.ledger = NetworkLedger(
            self.store.writer, chain_id=CHAIN, key=KEYS[0], body_bytes_max=1_000_000, proven=proven, own=self.own
        )
        room = Room(lambda: Usage(1 << 40, 0), limits, itertools.count().__next__)
        parts = Parts(self.ledger, self.store.writer, self.own, Outbox(self.store.node), room)
        self.intake = Intake(
            self.ledger,
            self.store.writer,
            limits=limits,
            pool=Pool(count_max=self.pool_count_max, bytes_max=1_000_000),
            refusal=lambda _: None,
            accepted=accept,
            elected=lambda: self.ledger.state.elected,
        )
        self.handlers = LedgerHandlers(
            parts,
            chain_id=CHAIN,
            intake=self.intake,
            committed=self._note,
            wake=self.woken.append,
            is_own=self.sent.__contains__,
        )
        self.admitting = asyncio.create_task(self.intake.run())

    def _note(self, effects: Effects) -> None:
        self.committed.append(effects)
        self.intake.committed(effects.transactions, effects.tip.height)

    async def close(self) -> None:
        self.intake.close()
        await self.admitting
        self.intake.end()
        self.handlers.close()

    async def begin(self) -> pb.ResponseInitChain:
        return await self.handlers.init_chain(init_chain())

    async def check(self, tx: bytes, *, again: bool = False) -> pb.ResponseCheckTx:
        request = pb.RequestCheckTx(tx=tx, type=pb.RECHECK if again else pb.NEW)
        known = self.handlers.check_known(request)
        return await self.handlers.check_tx(request) if known is None else known

    async def until_checked(self) -> None:
        await asyncio.gather(*self.handlers._mempool._late.values())

    async def judge(self, *txs: bytes, name: str = "block", time: int = TIME) -> int:
        about = request_of(self.store.writer.tip().height + 1, txs, name, time)
        answer = await self.handlers.process_proposal(pb.RequestProcessProposal(**about))
        return answer.status

    async def decide(self, *txs: bytes, name: str = "block", time: int = TIME) -> pb.ResponseFinalizeBlock:
        about = request_of(self.store.writer.tip().height + 1, txs, name, time)
        answer = await self.handlers.finalize_block(pb.RequestFinalizeBlock(**about))
        await self.handlers.commit(pb.RequestCommit())
        return answer

    def propose(self, votes: Sequence[pb.ExtendedVoteInfo] = ()) -> pb.RequestPrepareProposal:
        last = pb.ExtendedCommitInfo(round=0, votes=votes)
        return pb.RequestPrepareProposal(
            max_tx_bytes=BLOCK_BYTES, height=self.store.writer.tip().height + 1, local_last_commit=last
        )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for says nothing
            await asyncio.sleep(0.001)


def request_of(height: int, txs: Sequence[bytes], name: str, time: int) -> dict[str, Any]:
    return {
        "height": height,
        "txs": txs,
        "hash": name.encode().ljust(32, b"."),
        "time": pb.Timestamp(seconds=time, nanos=5),
        "proposer_address": bytes.fromhex(address(KEYS[1])),
    }


def init_chain(chain_id: str = CHAIN, initial_height: int = 1) -> pb.RequestInitChain:
    validators = [pb.ValidatorUpdate(pub_key=pb.PublicKey(ed25519=raw(key)), power=10) for key in KEYS[:4]]
    return pb.RequestInitChain(chain_id=chain_id, initial_height=initial_height, validators=validators)


@pytest_asyncio.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    with open_store(tmp_path / "data") as store:
        found = Application(store)
        yield found
        await found.close()


async def test_before_the_first_block_the_application_is_at_height_0(application: Application) -> None:
    info = await application.handlers.info(pb.RequestInfo(version="0.38.26"))
    assert (info.last_block_height, info.last_block_app_hash, info.app_version) == (0, b"", RULES_VERSION)
    await application.begin()
    assert (await application.handlers.info(pb.RequestInfo())).last_block_height == 0, "nothing is durable yet"


async def test_a_start_finds_the_last_block_that_is_durable(application: Application) -> None:
    """A block that was only executed is not there: CometBFT says it again."""
    await application.begin()
    decided = await application.decide(PARENT.body)
    about = request_of(2, (CHILD.body,), "next", TIME)
    await application.handlers.finalize_block(pb.RequestFinalizeBlock(**about))
    info = await application.handlers.info(pb.RequestInfo())
    assert (info.last_block_height, info.last_block_app_hash) == (1, decided.app_hash)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (init_chain(chain_id="another"), r"genesis\.json is of chain 'another', and this ledger is 'a-chain'"),
        (init_chain(initial_height=5), r"genesis\.json begins at 5, and this ledger ends at 0"),
    ],
)
async def test_a_genesis_that_does_not_fit_stops_the_node(
    application: Application, request_: pb.RequestInitChain, error: str
) -> None:
    with pytest.raises(EngineError, match=error):
        await application.handlers.init_chain(request_)


async def test_the_mempool_holds_what_the_pool_holds(application: Application) -> None:
    await application.begin()
    assert (await application.check(PARENT.body)).code == 0
    assert PARENT.id in application.intake.pool
    assert (await application.check(PARENT.body)).code == 0, "its submission comes back through CometBFT"
    assert (await application.check(PARENT.body, again=True)).code == 0
    assert (await application.check(b"{}")).log.startswith("InvalidHash")
    await application.decide(PARENT.body)
    assert (await application.check(PARENT.body, again=True)).code != 0
    assert (await application.check(PARENT.body)).log.startswith("DuplicateTransaction")


async def test_the_mempool_keeps_what_the_pool_holds_whatever_else_was_verified(application: Application) -> None:
    """Anybody can let a node verify more than it remembers; on an idle chain nobody would propose what it dropped."""
    await application.begin()
    await application.check(PARENT.body)
    for number in range(120):  # the memory of what was verified has room for 100
        await application.check(transfer(Coin(PARENT, owner=CAROL), note=number).body)
    assert (await application.check(PARENT.body, again=True)).code == 0


async def test_a_child_that_comes_before_its_parent_waits_for_the_next_block(application: Application) -> None:
    await application.begin()
    assert (await application.check(CHILD.body)).code == 0
    assert CHILD.id not in application.intake.pool
    await application.decide(PARENT.body)
    assert (await application.check(CHILD.body, again=True)).code == 0
    await until(lambda: CHILD.id in application.intake.pool)
    await application.decide()
    assert (await application.check(CHILD.body, again=True)).code == 0


async def test_no_block_waits_for_the_check_of_orphans(application: Application) -> None:
    """CometBFT decides nothing until all of its questions after a block are answered."""
    await application.begin()
    await application.check(CHILD.body)
    await application.decide(PARENT.body)
    for _ in range(2):  # it may be checked still when the next block comes
        known = application.handlers.check_known(pb.RequestCheckTx(tx=CHILD.body, type=pb.RECHECK))
        assert known == pb.ResponseCheckTx()
        application.handlers._mempool.committed()
    assert CHILD.id not in application.intake.pool
    await until(lambda: CHILD.id in application.intake.pool)


async def test_an_orphan_whose_parent_does_not_come_is_dropped(application: Application) -> None:
    await application.begin()
    await application.check(CHILD.body)
    await application.decide()
    assert (await application.check(CHILD.body, again=True)).code == 0
    await application.until_checked()
    await application.decide()
    assert (await application.check(CHILD.body, again=True)).log == "it is decided, or was turned away"


async def test_orphans_that_a_block_decided_make_room_for_others(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mempool drops them without a word; remembered for ever, they would in the end let no other orphan in."""
    monkeypatch.setattr(mempool, "ORPHAN_COUNT_MAX", 1)
    await application.begin()
    assert (await application.check(CHILD.body)).code == 0
    await application.decide(PARENT.body, CHILD.body)
    assert (await application.check(transfer(Coin(create(99))).body)).code == 0


async def test_orphans_are_bounded(application: Application) -> None:
    await application.begin()
    for number in range(ORPHAN_COUNT_MAX // 100):
        orphans = (transfer(Coin(PARENT), note=100 * number + one).body for one in range(100))
        assert (await application.check(bundle_of(orphans))).code == 0
    assert (await application.check(CHILD.body)).log.startswith("InputDoesNotExist")


async def test_orphans_are_bounded_by_their_bytes(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the pool the mempool has room for few; a thousand large ones would fill it."""
    monkeypatch.setattr(mempool, "ORPHAN_BYTES_MAX", len(CHILD.body) + len(RIVAL.body) - 1)
    await application.begin()
    assert (await application.check(CHILD.body)).code == 0
    assert (await application.check(RIVAL.body)).log.startswith("InputDoesNotExist")
    await application.decide()
    assert (await application.check(RIVAL.body)).code == 0


MANY = [create(number).body for number in range(10, 20)]
FORGED = MANY[0].replace(b'"fulfillment":"pGSAI', b'"fulfillment":"pGSAJ', 1)


async def test_a_bundle_fills_the_pool_and_is_held_while_any_of_it_waits(application: Application) -> None:
    """CometBFT makes no block while its mempool is empty: what a block has left would wait for other traffic."""
    await application.begin()
    bundle = bundle_of(MANY)
    assert (await application.check(bundle)).code == 0
    assert [one.body for one in application.intake.pool] == MANY
    assert (await application.check(bundle, again=True)).code == 0
    await application.decide(bundle_of(MANY[:9]))
    assert (await application.check(bundle, again=True)).code == 0
    await application.decide(MANY[9])
    assert (await application.check(bundle, again=True)).code != 0


async def test_a_bundle_of_what_waits_here_is_held_for_this_node_alone(application: Application) -> None:
    """Peers can put the same transactions together in as many ways as would fill any mempool."""
    await application.begin()
    bundle = bundle_of(MANY)
    await application.check(bundle)
    assert (await application.check(bundle_of(MANY[::-1]))).log == "all of it waits here"
    application.sent.append(bundle)
    assert (await application.check(bundle)).code == 0


async def test_an_empty_mempool_takes_what_waits(application: Application) -> None:
    """A node whose mempool is empty does not propose, though its pool is full."""
    await application.begin()
    assert (await application.check(bundle_of([*MANY[:4], b"{"]))).log.startswith("MalformedJson")
    assert (await application.check(bundle_of(MANY[:4]))).code == 0
    assert (await application.check(bundle_of(MANY[:4][::-1]))).log == "all of it waits here"
    await application.decide(bundle_of(MANY[:2]))
    assert (await application.check(bundle_of([*MANY[2:4], MANY[5]]))).code == 0
    await application.handlers.info(pb.RequestInfo())
    assert (await application.check(bundle_of(MANY[2:4]))).code == 0, "CometBFT has started anew"


async def test_what_is_new_in_a_bundle_is_taken_though_the_rest_is_known(application: Application) -> None:
    """Two nodes may be sent the same by clients: neither bundle costs anybody a transaction."""
    await application.begin()
    await application.check(bundle_of(MANY[:8]))
    assert (await application.check(bundle_of(MANY))).log == "little of it is new"
    assert [one.body for one in application.intake.pool] == MANY
    others = [create(number).body for number in range(20, 30)]
    application.sent.append(mine := bundle_of([*MANY, *others[:2]]))
    assert (await application.check(mine)).code == 0
    assert (await application.check(bundle_of([*MANY[:4], *others[2:]]))).code == 0


async def test_a_rival_in_a_bundle_costs_the_rest_nothing(application: Application) -> None:
    await application.begin()
    await application.check(bundle_of([PARENT.body, CHILD.body]))
    assert (await application.check(bundle_of([*MANY, RIVAL.body]))).code == 0
    assert len(application.intake.pool) == 2 + len(MANY)


@pytest.mark.parametrize(
    ("bundle", "error"),
    [
        (BUNDLE_MARK, "it begins as a bundle"),
        (bundle_of([bundle_of(MANY)]), "it begins as a bundle"),
        (bundle_of([PARENT.body])[:-1], "it begins as a bundle"),
        (bundle_of([*MANY[1:], FORGED]), "Invalid"),
        (bundle_of([*MANY, b'{"a":1}']), "InvalidHash"),
        (bundle_of([*MANY, b"{"]), "MalformedJson"),
    ],
)
async def test_a_bundle_that_no_honest_node_sends_is_not_held(
    application: Application, bundle: bytes, error: str
) -> None:
    await application.begin()
    assert (await application.check(bundle)).log.startswith(error)


async def test_children_stand_behind_their_parents_in_a_bundle(application: Application) -> None:
    await application.begin()
    assert (await application.check(bundle_of([CHILD.body, PARENT.body]))).code == 0
    assert [one.body for one in application.intake.pool] == [PARENT.body, CHILD.body]


async def test_orphans_of_a_bundle_wait_for_the_next_block(application: Application) -> None:
    await application.begin()
    bundle = bundle_of([MANY[0], CHILD.body])
    assert (await application.check(bundle)).code == 0
    await application.decide(bundle_of([PARENT.body, MANY[0]]))
    assert (await application.check(bundle, again=True)).code == 0
    await until(lambda: [one.body for one in application.intake.pool] == [CHILD.body])


async def test_orphans_of_a_bundle_whose_parents_do_not_come_are_dropped(application: Application) -> None:
    await application.begin()
    bundle = bundle_of([CHILD.body, RIVAL.body])
    assert (await application.check(bundle)).code == 0
    await application.decide()
    assert (await application.check(bundle, again=True)).code == 0
    await application.until_checked()
    await application.decide()
    assert (await application.check(bundle, again=True)).log == "it is decided, or was turned away"


@pytest.mark.parametrize("seed", scale.seeds(6))
async def test_whatever_peers_put_together_costs_no_transaction_and_little_room(
    application: Application, seed: int
) -> None:
    """What is new comes in, decided or not; what the mempool holds is bounded by that, and waits for a block."""
    print(f"seed {seed}; to repeat: SEED={seed} python -m pytest {__file__}")
    draw = Random(seed)
    await application.begin()
    bodies = [create(number).body for number in range(40)]
    new: set[bytes] = set()
    decided: set[bytes] = set()
    held: set[bytes] = set()
    for _ in range(60):
        if draw.random() < 0.25:
            request = application.propose()
            request.max_tx_bytes = draw.choice([5_000, 20_000])
            proposed = list((await application.handlers.prepare_proposal(request)).txs)
            assert await application.judge(*proposed, name=f"block {len(decided)}") == ACCEPT
            await application.decide(*proposed, name=f"block {len(decided)}")
            decided.update(unbundled(proposed))
            held = {one for one in held if (await application.check(one, again=True)).code == 0}
            assert all(any(map(application.intake.pool.holds, members_of(one))) for one in held)
        else:
            members = draw.sample(bodies[: draw.randint(12, 40)], draw.randint(1, 12))
            bundle = bundle_of(members)
            if (await application.check(bundle)).code == 0:
                held.add(bundle)
            new.update(members)
        assert {one.body for one in application.intake.pool} == new - decided
        assert sum(map(len, held)) <= 2 * sum(map(len, new))


async def test_a_block_of_bundles_is_one_of_their_transactions(application: Application) -> None:
    await application.begin()
    carried = [bundle_of([PARENT.body, CHILD.body]), MANY[0], bundle_of(MANY[1:3])]
    assert await application.judge(*carried) == ACCEPT
    answer = await application.decide(*carried)
    assert len(answer.tx_results) == len(carried), "CometBFT counts what it carries"
    [logged] = application.committed[0].logged
    assert logged.block.transactions == (PARENT.body, CHILD.body, *MANY[:3])


async def test_what_a_rejected_bundle_holds_is_what_is_reported(application: Application) -> None:
    """The index counts the transactions inside, and so does the digest: a bundle has no part in the report."""
    await application.begin()
    assert await application.judge(bundle_of([PARENT.body, CHILD.body]), bundle_of([RIVAL.body])) == REJECT
    [rejection] = application.own.all()
    assert rejection.reason == "DoubleSpend at transactions[2]"
    assert application.own.body_of(rejection) == (PARENT.body, CHILD.body, RIVAL.body)
    assert rejection.body == body_digest((PARENT.body, CHILD.body, RIVAL.body))


async def test_what_lost_to_a_rival_leaves_pool_and_mempool(application: Application) -> None:
    await application.begin()
    for one in (PARENT, CHILD):
        await application.check(one.body)
    await application.decide(PARENT.body, RIVAL.body)
    assert (await application.check(CHILD.body, again=True)).code != 0
    standing = application.intake.standing(CHILD.id)
    assert standing is not None
    assert type(standing.error).__name__ == "DoubleSpend"


async def test_a_block_is_proposed_from_the_pool_whatever_the_mempool_says(application: Application) -> None:
    """A mempool drops silently when it is full."""
    await application.begin()
    for one in (PARENT, CHILD):
        await application.intake.submit(one.body, Mode.SYNC)
    answer = await application.handlers.prepare_proposal(application.propose())
    assert list(answer.txs) == [bundle_of([PARENT.body, CHILD.body])]
    assert application.intake.proposed == {PARENT.id, CHILD.id}
    assert await application.judge(*answer.txs) == ACCEPT


async def test_a_proposal_is_within_the_bytes_that_it_may_have(application: Application) -> None:
    await application.begin()
    for one in (PARENT, CHILD):
        await application.intake.submit(one.body, Mode.SYNC)
    request = application.propose()
    request.max_tx_bytes = len(PARENT.body) + len(CHILD.body) + 15
    answer = await application.handlers.prepare_proposal(request)
    assert list(answer.txs) == [PARENT.body]


async def test_a_rejected_proposal_stays_rejected_over_a_restart(application: Application) -> None:
    await application.begin()
    assert await application.judge(PARENT.body, PARENT.body) == REJECT
    assert await application.judge(PARENT.body, PARENT.body) == REJECT
    [said] = Rejections(application.store.node).all()
    assert (said.height, said.reason) == (1, "DuplicateTransaction at transactions[1]")
    assert (said.proposer, said.time) == (address(KEYS[1]), TIME)
    again = Application(application.store)
    await again.begin()
    assert await again.judge(PARENT.body, PARENT.body) == REJECT
    await again.close()


async def test_a_rejection_is_said_with_the_next_vote_and_wakes_an_idle_chain(application: Application) -> None:
    await application.begin()
    assert (await application.check(WAKE_MARK + b"1")).code != 0
    await application.judge(b"no transaction", name="bad")
    extension = (await application.handlers.extend_vote(pb.RequestExtendVote())).vote_extension
    assert [one.reason for one in decode_extension(extension)] == ["MalformedJson at transactions[0]"]
    await application.decide(PARENT.body)
    [wake] = application.woken
    assert (await application.check(wake)).code == 0
    assert (await application.check(WAKE_MARK + b"of another")).code != 0, "it could fill the mempool"
    assert (await application.check(VOTES_MARK + b"{}")).code != 0, "nobody submits votes"


async def test_what_three_of_four_have_rejected_becomes_an_event(application: Application) -> None:
    await application.begin()
    await application.judge(b"no transaction", name="bad")
    [said] = application.own.all()
    await application.decide()
    extensions = [signed(key, said, height=1) for key in KEYS[:3]]
    votes = [
        pb.ExtendedVoteInfo(
            validator=pb.Validator(address=bytes.fromhex(one.validator), power=10),
            vote_extension=one.extension,
            extension_signature=one.signature,
            block_id_flag=pb.BLOCK_ID_FLAG_COMMIT,
        )
        for one in extensions
    ]
    nil = pb.ExtendedVoteInfo(
        validator=pb.Validator(address=bytes.fromhex(address(KEYS[3])), power=10),
        vote_extension=b"",
        block_id_flag=pb.BLOCK_ID_FLAG_NIL,
    )
    proposed = await application.handlers.prepare_proposal(application.propose([*votes, nil]))
    assert [one.validator for one in decode_votes(proposed.txs[0]).extensions] == sorted(
        one.validator for one in extensions
    )
    assert await application.judge(*proposed.txs) == ACCEPT
    decided = await application.decide(*proposed.txs)
    assert len(decided.tx_results) == len(proposed.txs)
    [logged] = application.committed[-1].logged
    assert (logged.event.type, logged.event.height, logged.event.reason) == (2, 1, "MalformedJson at transactions[0]")
    assert not application.ledger.has_fresh()


async def test_an_extension_that_is_none_is_refused(application: Application) -> None:
    await application.begin()
    statuses = [
        (
            await application.handlers.verify_vote_extension(
                pb.RequestVerifyVoteExtension(vote_extension=extension, validator_address=bytes(20), height=1)
            )
        ).status
        for extension in (b"", b"garbage")
    ]
    assert statuses == [pb.ResponseVerifyVoteExtension.ACCEPT, pb.ResponseVerifyVoteExtension.REJECT]


async def test_a_block_that_this_node_rejected_is_never_executed(application: Application) -> None:
    await application.begin()
    await application.judge(b"no transaction")
    with pytest.raises(EngineError, match="which this node rejected: MalformedJson at"):
        await application.decide(b"no transaction")
    assert application.store.writer.tip().height == 0


async def test_a_block_that_breaks_a_rule_is_never_executed(application: Application) -> None:
    """In block sync nobody asks for a verdict before."""
    await application.begin()
    with pytest.raises(EngineError, match=r"which breaks a rule: InputDoesNotExist at transactions\[0\]"):
        await application.decide(CHILD.body)


async def test_a_block_that_is_said_twice_is_written_once(application: Application) -> None:
    """CometBFT died between the two calls."""
    await application.begin()
    about = request_of(1, (PARENT.body,), "block", TIME)
    first = await application.handlers.finalize_block(pb.RequestFinalizeBlock(**about))
    assert await application.decide(PARENT.body) == first
    assert application.store.writer.tip().position == 1


async def test_an_empty_block_changes_the_height_alone(application: Application) -> None:
    await application.begin()
    before = (await application.decide(PARENT.body)).app_hash
    assert (await application.decide()).app_hash == before
    tip = application.store.writer.tip()
    assert (tip.height, tip.position) == (2, 1)


async def test_more_transactions_than_a_block_may_have_are_voted_down(application: Application) -> None:
    await application.begin()
    assert await application.judge(*[b"{}"] * (BLOCK_COUNT_MAX + 1)) == REJECT
    assert application.own.all()[0].reason == "ValidationError at transactions"


@pytest.mark.usefixtures("poison")
async def test_a_proposal_that_cannot_be_checked_is_not_voted_on(application: Application) -> None:
    """No answer is no reason to reject: it is as if this node had crashed, and nothing is on record."""
    await application.begin()
    with pytest.raises(CheckFailed):
        await application.judge(PARENT.body, poisoned("die").body)
    assert not application.own.all()
    assert await application.judge(PARENT.body, name="another") == ACCEPT


async def test_too_many_transactions_are_not_even_read(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block has room for two million empty ones: reading them would stop each validator for a minute."""
    await application.begin()
    monkeypatch.delattr(Intake, "judge")
    assert await application.judge(*[b""] * (BODY_COUNT_MAX + 1)) == REJECT


async def test_a_pool_that_is_full_keeps_the_mempool_small(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        application = Application(store, pool_count_max=1)
        await application.begin()
        assert (await application.check(PARENT.body)).code == 0
        assert (await application.check(create(2).body)).log.startswith("Overloaded")
        await application.close()
        assert (await application.check(create(3).body)).log.startswith("Stopping")


async def test_a_candidate_that_became_invalid_is_reported_not_proposed(application: Application) -> None:
    """A rival was committed while nobody told the pool."""
    await application.begin()
    await application.decide(PARENT.body)
    stale: list[Transaction] = [CHILD]
    for one in stale:
        await application.intake.submit(one.body, Mode.SYNC)
    application.intake.pool._spent.clear()  # as if it had not been seen
    await application.decide(RIVAL.body)
    application.intake.pool._spent.update({Coin(PARENT).ref: CHILD.id})
    answer = await application.handlers.prepare_proposal(application.propose())
    assert list(answer.txs) == []
    assert CHILD.id not in application.intake.pool
    assert application.intake.figures.rejected_count == 1
