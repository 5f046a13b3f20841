"""Transactions sent by a client: there once, whatever is lost on the way."""

import asyncio
import json

import pytest

from bigchaindb.client import AsyncClient, CannotSpend, RequestFailed, TransactionRefused, answers, new_keypair
from bigchaindb.config import Access, Limits
from bigchaindb.transaction import build
from tests.integration.client.conftest import Start
from tests.support.hungry_links import hungry_link
from tests.support.odd_nodes import answer, odd_node, refusal
from tests.support.served import Served

ALICE, BOB = new_keypair(), new_keypair()
NOT_FOUND = refusal(404, "Not found")
DUPLICATE = refusal(400, "Invalid transaction (DuplicateTransaction): transaction `x` already exists")
SPENT = refusal(400, "Invalid transaction (DoubleSpend): input `x` was already spent")
SIGNED = build.create([ALICE], data={"n": 1})
SENT = answer(202, SIGNED.body)
THERE = answer(200, SIGNED.body)


async def test_an_asset_is_made_and_passed_on(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        bicycle = await client.create(ALICE, {"bicycle": "a"}, metadata={"color": "red"}, amount=10)
        assert await client.transaction(bicycle["id"]) == bicycle
        sold = await client.transfer(bicycle, ALICE, to=BOB.public_key, amount=3)
        rest = await client.transfer(sold, ALICE, to=BOB.public_key, metadata={"n": 2})
        assert await client.transactions(bicycle["id"]) == [bicycle, sold, rest]
        assert await client.transactions(bicycle["id"], "TRANSFER", is_last=True) == [rest]
        owned = await client.outputs(BOB.public_key, spent=False)
        assert owned == [
            {"transaction_id": sold["id"], "output_index": 0},
            {"transaction_id": rest["id"], "output_index": 0},
        ]
        together = await client.transfer([sold, rest], BOB, to=[ALICE.public_key, BOB.public_key])
        assert together["outputs"][0]["amount"] == "10"
        with pytest.raises(CannotSpend, match="none of the outputs belongs to"):
            await client.transfer(together, BOB, to=BOB.public_key)
        await client.transfer(together, [BOB, ALICE], to=BOB.public_key)
        assert (await client.status(together["id"])).name == "valid"
        assert (await client.status("0" * 64)).name == "unknown"
        assert [one["id"] for one in await client.search("assets", "bicycle")] == []
        height = (await client.ask(answers.Call(f"/api/v1/blocks?transaction_id={sold['id']}", json.loads)))[0]
        assert (await client.block(height))["transactions"] == [sold]


async def test_the_same_again_is_the_same_transaction(served: Served) -> None:
    """Whoever runs his script again makes nothing twice."""
    async with AsyncClient(served.url) as client:
        made = [await client.create(ALICE, {"serial": 1}, mode=mode) for mode in ("commit", "commit", "async", "sync")]
        passed = [await client.transfer(made[0], ALICE, to=BOB.public_key) for _ in range(2)]
        assert made == made[:1] * 4
        assert passed[0] == passed[1]
        assert await client.transactions(made[0]["id"]) == [made[0], passed[0]]


async def test_an_output_that_another_transaction_has_spent(served: Served) -> None:
    async with AsyncClient(served.url) as client:
        made = await client.create(ALICE, {"serial": 2})
        await client.transfer(made, ALICE, to=BOB.public_key)
        with pytest.raises(TransactionRefused, match="was already spent") as refused:
            await client.transfer(made, ALICE, to=ALICE.public_key)
        assert (refused.value.rule, refused.value.status) == ("DoubleSpend", 400)
        with pytest.raises(TransactionRefused) as malformed:
            await client.create(ALICE, {"language": 7})
        assert malformed.value.rule == "ValidationError"


async def test_an_answer_lost_after_the_commit_makes_nothing_twice(served: Served) -> None:
    async with hungry_link(served.api.port) as link, AsyncClient(link.url) as client:
        link.swallow_count = 1
        made = await client.create(ALICE, {"serial": 3})
        link.swallow_count = 2
        passed = await client.transfer(made, ALICE, to=BOB.public_key)
        assert link.swallow_count == 0
        assert await client.transactions(made["id"]) == [made, passed]


async def test_a_link_that_breaks_again_and_again(served: Served) -> None:
    async with hungry_link(served.api.port) as link, AsyncClient(link.url) as client:

        async def disturb() -> None:
            for _ in range(8):
                link.swallow_count = 1
                link.cut("refused")
                await asyncio.sleep(0.03)
                link.mend()
                await asyncio.sleep(0.1)

        disturbing = asyncio.create_task(disturb())
        made = await asyncio.gather(*(client.create(ALICE, {"serial": 100 + number}) for number in range(30)))
        await disturbing
        assert len({one["id"] for one in made}) == 30
    async with AsyncClient(served.url) as client:
        logged = [one["id"] async for event in client.events(until="head") for one in event.transactions]
    assert sorted(logged) == sorted(one["id"] for one in made)


async def test_a_node_without_room_is_waited_for(start: Start) -> None:
    """503 beyond the pool: all of a crowd get in, one after the other."""
    served = await start(limits=Limits(pool_count_max=2))
    async with AsyncClient(served.url) as client:
        made = await asyncio.gather(*(client.create(ALICE, {"serial": 200 + number}) for number in range(20)))
        assert len({one["id"] for one in made}) == 20


async def test_a_key_without_the_scope_is_refused_with_what_helps(start: Start) -> None:
    served = await start(access=Access(anonymous="none"))
    _, reading = served.new_key("read")
    _, writing = served.new_key("read write")
    for key, status in ((reading, 403), (None, 401)):
        async with AsyncClient(served.url, key=key) as client:
            with pytest.raises(RequestFailed, match=f"answered {status}: needs the scope write") as refused:
                await client.create(ALICE, {"serial": 5})
            assert "BIGCHAINDB_ACCESS_KEY_FILE" in refused.value.__notes__[0]
    async with AsyncClient(served.url, key=writing) as client:
        await client.create(ALICE, {"serial": 5})


async def test_a_rate_is_kept_by_waiting(start: Start) -> None:
    """429 with Retry-After."""
    served = await start(access=Access(rates={"anonymous": {"write": [20, 2], "read": [100, 500]}}))  # type: ignore[arg-type]
    async with AsyncClient(served.url) as client:
        made = await asyncio.gather(*(client.create(ALICE, {"serial": 300 + number}) for number in range(8)))
        assert len({one["id"] for one in made}) == 8


@pytest.mark.parametrize(
    "answers",
    [
        (b"", DUPLICATE, THERE),
        (refusal(504, "may still be committed"), DUPLICATE, NOT_FOUND, answer(200, {"status": "backlog"}), THERE),
        (DUPLICATE, NOT_FOUND, NOT_FOUND, SENT),
        (SPENT, THERE),
    ],
)
async def test_what_a_node_has_already_is_waited_for(answers: tuple[bytes, ...]) -> None:
    """Sent twice: by this client, or by whoever made the same. A node that has lost it gets it again."""
    async with odd_node(*answers) as node, AsyncClient(node.url) as client:
        assert (await client.send(SIGNED))["id"] == SIGNED.id
        assert len(node.asked) == len(answers)
        assert {body for what, body in node.asked if what.startswith("POST")} == {SIGNED.body}


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        ((DUPLICATE, NOT_FOUND, refusal(404, "rejected (DoubleSpend): it lost the race")), "DoubleSpend"),
        ((SPENT, NOT_FOUND), "DoubleSpend"),
        ((refusal(400, "Invalid transaction (AmountError): x"),), "AmountError"),
    ],
)
async def test_what_the_ledger_does_not_take_is_refused(answers: tuple[bytes, ...], rule: str) -> None:
    async with odd_node(*answers) as node, AsyncClient(node.url) as client:
        with pytest.raises(TransactionRefused) as refused:
            await client.send(SIGNED)
        assert (refused.value.rule, len(node.asked)) == (rule, len(answers))


@pytest.mark.parametrize(
    "again",
    [
        (NOT_FOUND, answer(200, {"status": "backlog"})),
        (NOT_FOUND, answer(404, b"<html>")),
        (NOT_FOUND, NOT_FOUND, DUPLICATE),
    ],
)
async def test_a_transaction_that_stays_undecided_is_named(again: tuple[bytes, ...]) -> None:
    """Also by a server of 2.x, which has no statuses, and by one that contradicts itself."""
    waiting = (DUPLICATE, *again * 50)
    async with odd_node(*waiting) as node, AsyncClient(node.url, deadline_s=0.5) as client:
        with pytest.raises(RequestFailed, match=f"the transaction {SIGNED.id} waits for its block, and may still be"):
            await client.send(SIGNED)


async def test_known_is_enough_for_who_does_not_wait_for_the_block() -> None:
    async with odd_node(DUPLICATE, NOT_FOUND) as node, AsyncClient(node.url) as client:
        assert (await client.send(SIGNED, mode="async"))["id"] == SIGNED.id
