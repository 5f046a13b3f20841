"""What CometBFT is answered about its mempool, over the real store: transactions, orphans, bundles."""

from pathlib import Path
from random import Random

import pytest

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft import mempool
from bigchaindb.engine.cometbft.mempool import ORPHAN_COUNT_MAX
from bigchaindb.ledger.bundle import BUNDLE_MARK, bundle_of, members_of, unbundled
from tests.support import scale
from tests.support.applications import ACCEPT, Application
from tests.support.chains import CAROL, CHILD, PARENT, RIVAL, Coin, create, transfer
from tests.support.engines import until
from tests.support.ledgers import open_store


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


async def test_what_lost_to_a_rival_leaves_pool_and_mempool(application: Application) -> None:
    await application.begin()
    for one in (PARENT, CHILD):
        await application.check(one.body)
    await application.decide(PARENT.body, RIVAL.body)
    assert (await application.check(CHILD.body, again=True)).code != 0
    standing = application.intake.standing(CHILD.id)
    assert standing is not None
    assert type(standing.error).__name__ == "DoubleSpend"


async def test_a_pool_that_is_full_keeps_the_mempool_small(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        application = Application(store, pool_count_max=1)
        await application.begin()
        assert (await application.check(PARENT.body)).code == 0
        assert (await application.check(create(2).body)).log.startswith("Overloaded")
        await application.close()
        assert (await application.check(create(3).body)).log.startswith("Stopping")
