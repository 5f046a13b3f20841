"""The engine of a network over the real store, with CometBFT played by the test: what was accepted is not forgotten."""

import asyncio
import json
from pathlib import Path

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft import accepted as accepted_module
from bigchaindb.engine.cometbft import engine as engine_module
from bigchaindb.engine.cometbft import files as files_module
from bigchaindb.engine.cometbft.handlers import LedgerHandlers
from bigchaindb.engine.engine import Mode
from bigchaindb.engine.engine import Status as Stands
from bigchaindb.errors import EngineError, Overloaded, StoreDamaged, StoreError
from bigchaindb.ledger.bundle import bundle_of, unbundled
from bigchaindb.store.own import Outbox
from tests.support.chains import BOB, CAROL, CHILD, PARENT, RIVAL, Coin, create, transfer
from tests.support.elections import election, votes
from tests.support.engines import until
from tests.support.ledgers import open_store
from tests.support.network_engines import PEERS, POWERS, Node, begin, keep, kept, rejected, running
from tests.support.networks import KEYS, raw
from tests.support.poison import poisoned


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def test_what_was_accepted_before_the_first_block_is_not_lost_at_a_start(data: Path) -> None:
    """A node follows its network, and takes transactions, before enough nodes are there to decide the first block."""
    with open_store(data) as store:
        keep(store, [PARENT, CHILD])
        async with running(store, begun=False) as node:
            await until(lambda: node.cometbft.is_served)
            await node.begin()
            await node.decide()
            await until(lambda: node.cometbft.submitted == [PARENT.body, CHILD.body])
            await node.decide(PARENT, CHILD)
        assert kept(store) == []


async def test_what_peers_bring_again_before_the_first_block_stays_promised(data: Path) -> None:
    with open_store(data) as store:
        keep(store, [PARENT])
        async with running(store, begun=False) as node:
            await until(lambda: node.cometbft.is_served)
            await node.begin()
            assert node.cometbft.handlers is not None
            await node.cometbft.handlers.check_tx(pb.RequestCheckTx(tx=PARENT.body))
            await node.decide()
            await until(lambda: node.engine.network().outbox_count == 1)
        assert kept(store) == [PARENT.id]


async def test_as_much_as_was_accepted_is_taken_at_a_start(data: Path) -> None:
    """Its bodies come all at once, and more of them than may wait to be checked."""
    many = [create(number) for number in range(10)]
    with open_store(data) as store:
        await begin(store)
        keep(store, many)
        limits = Limits(body_bytes_max=1_000, admission_bytes_max=2 * len(many[-1].body))
        async with running(store, limits) as node:
            await until(lambda: node.cometbft.submitted == [one.body for one in many])


async def test_what_the_pool_has_no_room_for_at_a_start_waits_for_it(data: Path) -> None:
    """A setting was made smaller in between: the node must start all the same."""
    many = [create(number) for number in range(20)]
    with open_store(data) as store:
        await begin(store)
        keep(store, many)
        async with running(store, Limits(pool_count_max=1)) as node:
            await until(lambda: len(node.cometbft.submitted) == len(many))
            assert node.engine.figures.pool_count < len(many)
            assert node.engine.network().outbox_count == len(many)
        assert len(kept(store)) == len(many)


async def test_a_sole_validator_sends_its_clients_transactions_to_nobody_until_they_are_late(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CometBFT would bring them back with each proposal, a third of what a transaction costs; it only has to begin."""
    monkeypatch.setattr(engine_module, "AGAIN_S", 0.5)
    with open_store(data) as store:
        async with running(store, begun=False) as node:
            await until(lambda: node.cometbft.is_served)
            await node.begin(1)
            await node.decide(proposer=KEYS[0])
            await node.submit(PARENT)
            await node.submit(CHILD)
            await until(lambda: bool(node.cometbft.carried))
            [wake] = node.cometbft.carried
            handlers = node.cometbft.handlers
            assert handlers is not None
            asked = pb.RequestCheckTx(tx=wake, type=pb.RECHECK)
            proposed = await handlers.prepare_proposal(pb.RequestPrepareProposal(height=2, max_tx_bytes=1 << 20))
            assert list(unbundled(proposed.txs)) == [PARENT.body, CHILD.body]
            assert answered(handlers, asked)
            await until(lambda: CHILD.body in node.cometbft.submitted)  # CometBFT may have lost the wake transaction
            await node.decide(PARENT, CHILD, proposer=KEYS[0])
            assert not answered(handlers, asked)


def answered(handlers: LedgerHandlers, request: pb.RequestCheckTx) -> bool:
    answer = handlers.check_known(request)
    return answer is not None and answer.code == 0


async def test_the_oldest_that_are_undecided_are_submitted_again_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes on the way to the validators may know them, and pass on no bundle of what they know."""
    monkeypatch.setattr(engine_module, "AGAIN_S", 0.1)
    monkeypatch.setattr(accepted_module, "ALONE_COUNT", 1)
    many = [create(number) for number in range(4)]
    with open_store(data) as store:
        await begin(store)
        keep(store, many)
        async with running(store) as node:
            first, *others = (one.body for one in many)
            await until(lambda: node.cometbft.carried[1:3] == [first, bundle_of(others)])
            assert node.cometbft.carried[0] == bundle_of(one.body for one in many)


async def test_what_is_invalid_at_a_start_is_reported(data: Path) -> None:
    """L4. Another node's block has spent the same while this one was away."""
    with open_store(data) as store:
        async with running(store) as node:
            await node.decide(PARENT, transfer(Coin(PARENT), to=CAROL))
        keep(store, [CHILD])
        async with running(store) as node:
            await until(lambda: node.cometbft.is_served)
            assert await rejected(node, CHILD) == "DoubleSpend"
        assert kept(store) == []


async def test_p21_a_rejection_that_could_not_be_recorded_is_recorded_once_after_the_next_start(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outbox holds it until its row is written."""

    def fail(*_: object) -> int:
        raise StoreError("the disk is gone")

    with open_store(data) as store:
        await begin(store)
        with monkeypatch.context() as broken:
            broken.setattr(Outbox, "reject", fail)
            node = Node(store, Limits())
            task = asyncio.create_task(node.engine.run())
            await until(lambda: node.cometbft.is_served)
            await node.submit(PARENT)
            await node.decide(PARENT)
            await node.submit(CHILD)
            await node.decide(RIVAL)
            with pytest.raises(EngineError, match="the disk is gone"):
                await task
        assert node.recorded == []
        assert CHILD.id in kept(store)
        async with running(store) as node:
            assert await rejected(node, CHILD) == "DoubleSpend"
        assert (kept(store), store.rejected_log().head()) == ([], 1)
        async with running(store) as node:
            await until(lambda: node.cometbft.is_served)
        assert store.rejected_log().head() == 1


async def test_what_other_nodes_accepted_is_no_event_of_this_one(data: Path) -> None:
    with open_store(data) as store:
        async with running(store) as node:
            await node.decide(PARENT)
            assert node.cometbft.handlers is not None
            await node.cometbft.handlers.check_tx(pb.RequestCheckTx(tx=CHILD.body))
            await node.decide(RIVAL)
            assert node.engine.figures.rejected_count == 0
        assert store.rejected_log().head() == 0


async def test_a_child_is_rejected_with_its_parent_in_their_order(data: Path) -> None:
    """Whoever reads it corrects the parent first."""
    grandchild = transfer(Coin(CHILD, owner=BOB), to=CAROL)
    with open_store(data) as store:
        async with running(store) as node:
            await node.decide(PARENT)
            for one in (CHILD, grandchild):
                await node.submit(one)
            await node.decide(RIVAL)
            await until(lambda: node.recorded[-1:] == [2])
            log = store.rejected_log()
            found = [json.loads(one.body) for one in log.records(0, 2, count_max=2, bytes_max=1 << 20)]
            assert [one["transaction"]["id"] for one in found] == [CHILD.id, grandchild.id]
            assert [one["error"] for one in found] == ["DoubleSpend", "InputDoesNotExist"]
            assert node.engine.network().outbox_count == 0
        assert kept(store) == []


async def test_what_was_turned_away_and_is_accepted_again_is_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row of before is dropped late: the promise that came since must not go with it."""
    monkeypatch.setattr(engine_module, "AGAIN_S", 0.1)
    monkeypatch.setattr(accepted_module, "OUTSIDE_ROUND_COUNT_MAX", 0)
    with open_store(data) as store:
        await begin(store)
        keep(store, [CHILD])
        async with running(store) as node:
            await until(lambda: node.engine.network().is_following)
            await until(lambda: node.engine.network().outbox_count == 0)
            await node.decide(PARENT)
            await node.submit(CHILD)
            await asyncio.sleep(0.3)
            assert kept(store) == [CHILD.id]


async def test_what_is_given_up_for_its_parent_is_reported(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L4. It was accepted: whoever asks is told what became of it."""
    monkeypatch.setattr(engine_module, "AGAIN_S", 0.1)
    monkeypatch.setattr(accepted_module, "OUTSIDE_ROUND_COUNT_MAX", 0)
    with open_store(data) as store:
        await begin(store)
        keep(store, [CHILD])
        async with running(store) as node:
            assert await rejected(node, CHILD) == "InputDoesNotExist"
        assert kept(store) == []


@pytest.mark.parametrize("has_room", [True, False], ids=["parentless", "no room"])
async def test_what_lost_before_the_pool_could_take_it_is_reported(
    data: Path, monkeypatch: pytest.MonkeyPatch, *, has_room: bool
) -> None:
    """L4. The pool did not have it when a block took what it spends: that is why it is rejected, and not for ever."""
    monkeypatch.setattr(engine_module, "AGAIN_S", 0.1)
    monkeypatch.setattr(accepted_module, "OUTSIDE_ROUND_COUNT_MAX", 1)
    many = [create(number) for number in range(2, 2 + files_module.POOL_FACTOR)]
    rival = transfer(Coin(PARENT), to=CAROL)
    with open_store(data) as store:
        async with running(store) as node:
            await node.decide(*([] if has_room else [PARENT]))
        keep(store, [*many, CHILD])
        async with running(store, Limits() if has_room else Limits(pool_count_max=1)) as node:
            await until(lambda: CHILD.body in node.cometbft.submitted)
            await node.decide(*([PARENT] if has_room else []), rival)
            assert await rejected(node, CHILD) == "DoubleSpend"
            assert node.engine.network().outbox_count == len(many)
        assert CHILD.id not in kept(store)


async def test_what_the_pool_had_no_room_for_comes_in_once_there_is_some(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "AGAIN_S", 0.1)
    monkeypatch.setattr(accepted_module, "OUTSIDE_ROUND_COUNT_MAX", 0)
    many = [create(number) for number in range(2, 2 + files_module.POOL_FACTOR)]
    with open_store(data) as store:
        await begin(store)
        keep(store, [*many, PARENT])
        async with running(store, Limits(pool_count_max=1)) as node:
            await until(lambda: PARENT.body in node.cometbft.submitted)
            await asyncio.sleep(0.3)
            assert node.engine.standing(PARENT.id) is None
            await node.decide(*many)
            await until(lambda: node.engine.standing(PARENT.id) is not None)
            standing = node.engine.standing(PARENT.id)
            assert standing is not None
            assert standing.status is Stands.BACKLOG
            assert node.engine.network().outbox_count == 1


@pytest.mark.usefixtures("poison")
async def test_what_was_accepted_and_cannot_be_checked_is_kept(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check process that ends says nothing about the document, and its sender was told that it is accepted."""
    monkeypatch.setattr(engine_module, "AGAIN_S", 0.1)
    monkeypatch.setattr(accepted_module, "OUTSIDE_ROUND_COUNT_MAX", 0)
    accepted = poisoned("die")
    with open_store(data) as store:
        await begin(store)
        Outbox(store.node).put([(accepted.id, accepted.body)])
        async with running(store) as node:
            await until(lambda: node.cometbft.submitted.count(accepted.body) >= 3)
            assert node.engine.network().outbox_count == 1
        assert kept(store) == [accepted.id]


async def test_less_is_taken_once_more_validators_share_the_mempool_than_it_was_made_for(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mempool that is full drops what clients were told is accepted."""
    monkeypatch.setattr(files_module, "POOL_FACTOR", 1)
    monkeypatch.setattr(files_module, "MEMPOOL_COUNT_MIN", 8)  # for four validators: one of each, twice
    with open_store(data) as store:
        async with running(store, Limits(pool_count_max=2)) as node:
            await node.submit(PARENT)
            with pytest.raises(Overloaded, match=r"1 transactions are in flight, .* it was made for fewer validators"):
                await node.submit(create(2))


async def test_what_is_accepted_twice_counts_once(data: Path) -> None:
    """The second time it comes from a client, when the parent that it lacked at the start is there."""
    size = len(CHILD.body)
    with open_store(data) as store:
        await begin(store)
        keep(store, [CHILD])
        async with running(store, Limits(body_bytes_max=size, block_bytes_max=size, pool_bytes_max=2 * size)) as node:
            await node.decide(PARENT)
            await node.submit(CHILD)
            await node.decide(CHILD)
            for one in (create(2), create(3)):
                await node.submit(one)


async def test_elections_that_a_change_of_validators_ended_are_turned_away(data: Path) -> None:
    """A node that has no vote never proposes: it would hold them, and submit them again, for ever."""
    first = election(1, proposer=KEYS[0], powers=POWERS, of=KEYS[4], power=10)
    late = election(2, proposer=KEYS[1], powers=POWERS, of=KEYS[5], power=10)
    with open_store(data) as store:
        async with running(store) as node:
            await node.submit(late)
            await node.submit(PARENT)
            await node.decide(first, *votes(first, KEYS[:3]))
            assert await rejected(node, late) == "UnequalValidatorSet"
            assert node.engine.network().outbox_count == 1


async def test_peers_are_called_again_and_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CometBFT gives up a peer that was away for a day, and never calls one whose name it could not look up."""
    monkeypatch.setattr(engine_module, "DIAL_S", 0.02)
    with open_store(data) as store:
        async with running(store) as node:
            node.cometbft.is_away = True
            await until(lambda: len(node.cometbft.dialled) >= 3)
            assert node.cometbft.dialled[:3] == [PEERS] * 3


async def test_the_validators_are_known_before_the_first_block(data: Path) -> None:
    with open_store(data) as store:
        async with running(store, begun=False) as node:
            assert node.engine.validators().powers == {}
            await until(lambda: node.cometbft.is_served)
            await node.begin()
            first = {raw(key): 10 for key in KEYS[:4]}
            assert node.engine.validators().powers == first
            await node.decide()
            assert node.engine.validators().powers == first


async def test_whoever_waits_for_the_outbox_hears_that_it_failed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(Outbox, "put", fail)
    with open_store(data) as store:
        await begin(store)
        node = Node(store, Limits())
        task = asyncio.create_task(node.engine.run())
        with pytest.raises(EngineError, match="the engine stopped; the transaction may be committed"):
            await asyncio.wait_for(node.submit(PARENT), 30)
        with pytest.raises(EngineError, match="the disk is gone"):
            await task


async def test_a_failure_ends_the_engine_with_its_reason(data: Path) -> None:
    with open_store(data) as store:
        node = Node(store, Limits())
        await node.cometbft.stop()
        with pytest.raises(EngineError, match="the engine stopped: CometBFT ended"):
            await node.engine.run()


async def test_a_validator_that_finds_damage_votes_no_more_and_serves_on(data: Path) -> None:
    """Its vote would rest on what it cannot read; ended as a whole it would serve nobody."""
    with open_store(data) as store:
        async with running(store) as node:
            await until(lambda: node.cometbft.run_count == 1)
            node.engine.damaged(StoreDamaged("events 1"))
            await until(lambda: node.cometbft.is_ended)
            with pytest.raises(Overloaded, match="damaged"):
                await node.engine.submit(PARENT.body, Mode.SYNC)
            assert node.engine.standing(PARENT.id) is None


async def test_a_validator_whose_disk_was_damaged_before_does_not_begin_to_vote(data: Path) -> None:
    """A restart makes no disk whole."""
    with open_store(data) as store:
        node = Node(store, Limits())
        node.engine.damaged(StoreDamaged("events 1"))
        task = asyncio.create_task(node.engine.run())
        await until(lambda: node.cometbft.is_served)
        await until(lambda: node.cometbft.is_ended)
        assert not task.done()
        node.engine.stop()
        await task
        assert node.cometbft.run_count == 0
