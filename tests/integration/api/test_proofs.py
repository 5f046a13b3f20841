"""Proofs of a network of one, by block and by position. Source: docs/reference/proofs.md."""

import json

import pytest

from bigchaindb.ledger.checking import Chosen
from bigchaindb.ledger.proofs.trusted import read_trust
from bigchaindb.ledger.proofs.verifying import verify
from tests.integration.api.conftest import Start
from tests.support.served import KEY, Served, get


async def test_a_valid_block_is_proven_by_height_and_by_id(served: Served) -> None:
    """With nothing but the saved answer of `/api/v1/validators`."""
    await served.commit(3)
    trust = read_trust((await get(served, "validators")).body)
    (event,) = json.loads((await get(served, "events")).body)["events"][:1]
    proof = await get(served, "blocks/1/proof")
    assert proof.status == 200
    verified = verify(proof.body, trust)
    assert (verified.kind, verified.power, verified.total, verified.reason) == ("node", 1, 1, None)
    assert json.loads(verified.body) == {key: event["data"][key] for key in json.loads(verified.body)}
    by_id = await get(served, f"blocks/{event['subject']}/proof")
    assert by_id.body == proof.body


async def test_an_invalid_block_is_proven_by_id_and_its_height_stands_for_the_valid_one(start: Start) -> None:
    served = await start(propose=lambda bodies: Chosen((*bodies, *bodies), ()))
    await served.commit()
    (event,) = json.loads((await get(served, "events?type=invalid")).body)["events"]
    trust = read_trust((await get(served, "validators")).body)
    verified = verify((await get(served, f"blocks/{event['subject']}/proof")).body, trust)
    assert verified.reason == event["data"]["reason"]
    assert verified.block.header.node_pubkey == KEY.public_key
    by_height = verify((await get(served, f"blocks/{event['data']['height']}/proof")).body, trust)
    proofs = [(await get(served, f"events/{position}/proof")).body for position in (1, 2)]
    assert [verify(one, trust).reason for one in proofs] == [event["data"]["reason"], None]
    assert (by_height.reason, by_height.block.header.height) == (None, verified.block.header.height)


@pytest.mark.parametrize("name", ["0", "2", "abc", "-1", "0" * 64, "9" * 19])
async def test_what_is_no_event_has_no_proof(served: Served, name: str) -> None:
    await served.commit()
    assert (await get(served, f"blocks/{name}/proof")).status == 404
    assert (await get(served, f"events/{name}/proof")).status == 404


async def test_who_voted_on_a_block_is_known_by_its_height(served: Served) -> None:
    await served.commit()
    now = await get(served, "validators")
    assert (await get(served, "validators?height=1")).body == now.body
    assert (await get(served, "validators?height=2")).status == 404, "it is not decided"
    assert (await get(served, "validators?other=1")).body == now.body, "as before: unknown arguments are nothing"


@pytest.mark.parametrize("text", ["", "0", "-1", "one", "9" * 19, "1.0"])
async def test_what_is_no_height_is_refused(served: Served, text: str) -> None:
    answer = await get(served, f"validators?height={text}")
    assert (answer.status, answer.json()) == (400, {"message": {"height": "must be a height of at least 1"}})
