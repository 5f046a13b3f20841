"""Owners, assets, a search box, and the node itself over HTTP."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode
from bigchaindb.errors import StoreDamaged
from bigchaindb.eventlog.lane import State
from bigchaindb.transaction import build, parse
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.model import OutputRef
from tests.integration.api.conftest import Start
from tests.support.chains import ALICE, BOB
from tests.support.lane_statuses import status
from tests.support.raw import ask
from tests.support.served import CHAIN_ID, Served


async def committed(served: Served, made: build.Signed) -> build.Signed:
    await served.engine.submit(made.body, Mode.COMMIT)
    return made


async def bicycle(served: Served) -> tuple[build.Signed, build.Signed]:
    """Commit ten shares of Alice's, of which she passes four on to Bob."""
    pay = [build.Payment(details_of([ALICE.public_key]), 10)]
    data = {"kind": "bicycle", "serial": "abc-1"}
    create = await committed(served, build.create([ALICE], pay, data=data))
    spend = build.Spend(OutputRef(create.id, 0), pay[0].details, (ALICE,))
    parts = [
        build.Payment(details_of([ALICE.public_key, BOB.public_key]), 6),
        build.Payment(details_of([BOB.public_key]), 4),
    ]
    return create, await committed(served, build.transfer(create.id, [spend], parts, metadata={"note": "sold"}))


async def get(served: Served, path: str, code: int = 200) -> Any:
    answer = await ask(served.api.port, "GET", f"/api/v1/{path}")
    assert answer.status == code, answer.body
    return answer.json()


async def test_owners_and_assets_are_answered_as_described(served: Served) -> None:
    create, transfer = await bicycle(served)
    bob = await get(served, f"owners/{BOB.public_key}")
    assert bob["balances"] == [{"asset_id": create.id, "amount": "4", "shared_amount": "6", "output_count": 2}]
    assert (bob["unspent_count"], bob["complete"], bob["as_of"]) == (2, True, 2)
    asset = await get(served, f"assets/{create.id}")
    assert (asset["amount"], asset["transaction_count"], asset["unspent_count"]) == ("10", 2, 2)
    assert [holder["amount"] for holder in asset["holders"]] == ["6", "4"]
    assert asset["data"] == {"kind": "bicycle", "serial": "abc-1"}
    page = await get(served, f"assets/{create.id}/outputs?limit=2")
    assert [(one["transaction_id"], one["output_index"]) for one in page["outputs"]] == [
        (transfer.id, 1),
        (transfer.id, 0),
    ]
    rest = await get(served, f"assets/{create.id}/outputs?limit=2&before={page['next']}")
    assert [(one["spent_by"], one["height"]) for one in rest["outputs"]] == [(transfer.id, 1)]
    assert (page["end"], rest["end"], rest["next"]) == (False, True, None)
    only = await get(served, f"assets/{create.id}/outputs?transaction={create.id}")
    assert (only["outputs"], only["end"]) == (rest["outputs"], True)
    await get(served, f"assets/{create.id}/outputs?transaction={'0' * 64}", 404)
    mine = await get(served, f"owners/{ALICE.public_key}/outputs?spent=false&asset={create.id}")
    assert [one["amount"] for one in mine["outputs"]] == ["6"]


async def test_an_unknown_owner_holds_nothing_and_an_unknown_asset_is_not_found(served: Served) -> None:
    assert (await get(served, f"owners/{BOB.public_key}"))["balances"] == []
    assert (await get(served, f"owners/{BOB.public_key}/outputs"))["outputs"] == []
    await get(served, f"assets/{'0' * 64}", 404)
    await get(served, f"assets/{'0' * 64}/outputs", 404)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("owners/none", "public_key"),
        ("owners/" + "1" * 43, "public_key"),
        ("owners/none/outputs", "public_key"),
        ("assets/none", "id"),
        ("assets/none/outputs", "id"),
        (f"owners/{BOB.public_key}/outputs?before=x", "before"),
        (f"owners/{BOB.public_key}/outputs?before={'A' * 22}", "before"),
        (f"owners/{BOB.public_key}/outputs?limit=0", "limit"),
        (f"owners/{BOB.public_key}/outputs?limit=1000000000", "limit"),
        (f"owners/{BOB.public_key}/outputs?spent=maybe", "spent"),
        (f"owners/{BOB.public_key}/outputs?asset=1", "asset"),
        (f"owners/{BOB.public_key}/outputs?after=1", "asset, before, limit"),
        (f"owners/{BOB.public_key}?spent=true", "spent"),
        ("find", "text"),
        ("find?text=%20", "text"),
        (f"find?text={'x' * 1001}", "text"),
        ("find?text=a&limit=1", "limit"),
        ("health?a=1", "a"),
    ],
)
async def test_what_is_malformed_is_refused_by_name(served: Served, path: str, name: str) -> None:
    assert name in str((await get(served, path, 400))["message"])


async def test_a_place_belongs_to_its_list(served: Served) -> None:
    create, _ = await bicycle(served)
    place = (await get(served, f"assets/{create.id}/outputs?limit=1"))["next"]
    refused = await get(served, f"owners/{BOB.public_key}/outputs?before={place}", 400)
    assert "no place in this list" in refused["message"]["before"]


async def test_a_search_box_finds_what_a_text_names_and_what_its_words_say(served: Served) -> None:
    create, transfer = await bicycle(served)
    block = await get(served, "blocks?transaction_id=" + transfer.id + "&status=valid")
    for text, found in (
        (create.id.upper(), [("asset", create.id)]),
        (f"+{transfer.id}+", [("transaction", transfer.id)]),
        (block[0], [("block", block[0])]),
        (BOB.public_key, [("owner", BOB.public_key)]),
        ("2", [("block", "2")]),
        ("3", []),
        ("%231", [("position", "1")]),
        ("%23999", []),
        ("bicycle", [("asset", create.id)]),
        ("SOLD", [("transaction", transfer.id)]),
        ("0" * 64, []),
        ("the", []),
    ):
        hits = (await get(served, f"find?text={text}"))["hits"]
        assert [(hit["kind"], hit["id"]) for hit in hits] == found, text
    assert (await get(served, "find?text=bicycle"))["hits"][0]["label"] == "bicycle abc-1"


async def test_a_rejected_transaction_is_found_by_its_id(served: Served) -> None:
    lost = parse(build.create([ALICE], None, data={"n": 1}).body)
    await served.reject(lost)
    [hit] = (await get(served, f"find?text={lost.id}"))["hits"]
    assert hit == {
        "kind": "transaction",
        "id": lost.id,
        "label": "rejected (DoubleSpend): input `x` was already spent",
    }


async def test_words_that_match_too_much_are_left_out_and_it_says_so(start: Start) -> None:
    served = await start(limits=Limits(search_match_count_max=1))
    await served.commit(2, text="equal")
    found = await get(served, "find?text=equal")
    assert found["hits"] == []
    assert "more than 1 rows match" in found["note"]


async def test_the_node_tells_its_counts_and_its_network(served: Served) -> None:
    assert (await get(served, "statistics"))["last_block_at"] is None
    await served.commit(3)
    counted = await get(served, "statistics")
    assert (counted["transactions"], counted["invalid_blocks"]) == (3, 0)
    assert counted["bytes"] > 0
    network = await get(served, "network")
    assert (network["kind"], network["chain_id"], network["standing"]) == ("solo", CHAIN_ID, "deciding")
    assert [one["is_this_node"] for one in network["validators"]] == [True]


async def test_health_is_200_or_503_with_the_reason(start: Start) -> None:
    failed = status("ValueError: secret")
    served = await start(plugins=[type(failed)(**{**vars(failed), "state": State.FAILED})], failed=["reserve of disk"])
    healthy = await get(served, "health")
    work = "the work `reserve of disk` has failed: see the log, and restart the node"
    assert healthy == {"status": "healthy", "notes": [work, f"plugin `{failed.name}` is FAILED"]}
    served.store.damages.note(StoreDamaged("ledger.db: outputs 1 is missing", table="outputs", row="1"))
    damaged = await get(served, "health", 503)
    assert (damaged["status"], damaged["kind"]) == ("unhealthy", "damaged")


async def test_a_full_disk_is_not_healthy(start: Start) -> None:
    served = await start(limits=Limits(disk_free_bytes_min=2**60, disk_free_bytes_warn=2**61))
    assert (await get(served, "health", 503))["kind"] == "full"


async def test_damage_is_an_error_that_the_node_notes(served: Served) -> None:
    await bicycle(served)
    with closing(sqlite3.connect(served.store.directory.ledger, isolation_level=None)) as connection:
        connection.execute("UPDATE outputs SET amount = 9 WHERE amount = 4")
    for path in (f"owners/{BOB.public_key}", f"owners/{BOB.public_key}/outputs"):
        assert "StoreDamaged" in (await get(served, path, 500))["message"]
    assert (await get(served, "health", 503))["kind"] == "damaged"
