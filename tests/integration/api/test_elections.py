"""`/api/v1/elections`, and what elections look like elsewhere. Source: transactions.md, section 7."""

from bigchaindb.ledger.elections import Elections
from tests.integration.api.conftest import Start
from tests.support.chains import ALICE, create
from tests.support.decisions import Chain
from tests.support.elections import election, validators_of, vote
from tests.support.raw import ask
from tests.support.served import Served

PROPOSED = election()
OTHER = election(1)


async def test_a_node_that_votes_alone_has_no_elections(served: Served) -> None:
    for target in ("/api/v1/elections", f"/api/v1/elections/{PROPOSED.id}"):
        answer = await ask(served.api.port, "GET", target)
        assert answer.status == 404
        assert "engine solo" in answer.json()["message"]


async def test_a_node_that_votes_alone_takes_none(served: Served) -> None:
    for transaction in (PROPOSED, vote(PROPOSED, ALICE)):
        answer = await ask(served.api.port, "POST", "/api/v1/transactions", transaction.body)
        assert (answer.status, answer.json()["message"]) == (
            400,
            f"Invalid transaction schema: '{transaction.operation}' is not one of ['CREATE', 'TRANSFER']",
        )


async def test_elections_that_are_open_are_listed(start: Start) -> None:
    elections, _ = Elections().after([PROPOSED, vote(PROPOSED, ALICE)], validators_of(), 1)
    served = await start(elections=lambda: elections)
    answer = await ask(served.api.port, "GET", "/api/v1/elections")
    assert answer.json() == [
        {
            "id": PROPOSED.id,
            "node_id": "n1",
            "power": 5,
            "proposer": PROPOSED.inputs[0].owners_before[0],
            "public_key": {"type": "ed25519-base64", "value": "yFOtDwzSthmuqSzuxP1Wok1kmdWEznklfkXP2BObYKc="},
            "votes": 10,
        }
    ]


async def test_an_election_stands_somewhere_and_other_things_do_not(start: Start) -> None:
    elections, _ = Elections().after([PROPOSED], validators_of(), 1)
    served = await start(elections=lambda: elections)
    asset = create(1)
    served.store.writer.commit(Chain().valid(PROPOSED, OTHER, asset))
    for id_, status in ((PROPOSED.id, "ongoing"), (OTHER.id, "inconclusive")):
        answer = await ask(served.api.port, "GET", f"/api/v1/elections/{id_}")
        assert answer.json() == {"id": id_, "status": status}
    for id_ in (asset.id, "a" * 64, "x"):
        assert (await ask(served.api.port, "GET", f"/api/v1/elections/{id_}")).status == 404


async def test_an_election_is_found_where_transactions_are_and_not_among_assets(start: Start) -> None:
    served = await start()
    cast = vote(PROPOSED, ALICE)
    served.store.writer.commit(Chain().valid(PROPOSED, cast))
    port = served.api.port

    async def get(target: str) -> object:
        return (await ask(port, "GET", f"/api/v1/{target}")).json()

    both = [await get(f"transactions/{one.id}") for one in (PROPOSED, cast)]
    assert await get(f"transactions?asset_id={PROPOSED.id}") == both
    assert await get(f"transactions?asset_id={PROPOSED.id}&operation=CREATE") == []
    assert await get("blocks/1") == {"height": 1, "transactions": both}
    assert await get("assets?search=n1") == []
