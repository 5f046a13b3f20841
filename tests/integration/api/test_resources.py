"""What each resource answers. Source: docs/reference/contract/http-api.md, sections 4 to 10."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode
from bigchaindb.errors import DoubleSpend
from bigchaindb.ledger.block import block_id, block_text
from bigchaindb.ledger.checking import Chosen
from bigchaindb.transaction.build import Payment, Signed, Spend, create, transfer
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import OutputRef
from tests.integration.api.conftest import Start
from tests.support.http import Answer
from tests.support.raw import ask
from tests.support.served import KEY, Served, get

ALICE = KeyPair.from_seed(32 * b"a")
BOB = KeyPair.from_seed(32 * b"b")
ASYNC = "/api/v1/transactions?mode=async"
COMMIT = "/api/v1/transactions?mode=commit"
UNKNOWN = 64 * "0"


async def post(served: Served, made: Signed, target: str = COMMIT) -> Answer:
    return await ask(served.api.port, "POST", target, made.body)


def passed_on(spent: Signed, asset: Signed, sender: KeyPair, receiver: KeyPair) -> Signed:
    spend = Spend(OutputRef(spent.id, 0), details_of([sender.public_key]), (sender,))
    return transfer(asset.id, [spend], [Payment(details_of([receiver.public_key]))])


async def committed(served: Served, *made: Signed) -> None:
    for one in made:
        answer = await post(served, one)
        assert answer.status == 202, answer


@pytest.fixture
async def history(served: Served) -> Sequence[Signed]:
    """An asset that Alice makes, gives to Bob, and gets back."""
    first = create([ALICE], data={"message": "Hello BigchainDB 1!"}, metadata={"note": "So call me maybe"})
    second = passed_on(first, first, ALICE, BOB)
    third = passed_on(second, first, BOB, ALICE)
    await committed(served, first, second, third)
    return first, second, third


class TestTransactions:
    async def test_a_committed_one_is_served_with_all_its_members(
        self, served: Served, history: Sequence[Signed]
    ) -> None:
        answer = await get(served, f"transactions/{history[1].id}")
        assert answer.json() == json.loads(history[1].body)
        assert set(answer.json()) == {"asset", "id", "inputs", "metadata", "operation", "outputs", "version"}

    @pytest.mark.parametrize("id_", ["abc", UNKNOWN, "%00", "%ff", 300 * "a"])
    async def test_anything_else_is_not_found(self, served: Served, id_: str) -> None:
        assert (await get(served, f"transactions/{id_}")).status == 404

    async def test_an_id_in_upper_case_is_not_found(self, served: Served, history: Sequence[Signed]) -> None:
        assert (await get(served, f"transactions/{history[0].id.upper()}")).status == 404

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ("", [0, 1, 2]),
            ("&operation=CREATE", [0]),
            ("&operation=transfer", [1, 2]),
            ("&last_tx=true", [2]),
            ("&last_tx=false", [0, 1, 2]),
            ("&operation=CREATE&last_tx=True", [0]),
            ("&operation=TRANSFER&last_tx=true", [2]),
            ("&foo=1", [0, 1, 2]),
        ],
    )
    async def test_those_of_an_asset_come_oldest_first(
        self, served: Served, history: Sequence[Signed], arguments: str, expected: list[int]
    ) -> None:
        answer = await get(served, f"transactions?asset_id={history[0].id.upper()}{arguments}")
        assert [one["id"] for one in answer.json()] == [history[index].id for index in expected]

    async def test_an_unknown_asset_has_none(self, served: Served) -> None:
        assert (await get(served, f"transactions?asset_id={UNKNOWN}")).body == b"[]\n"

    async def test_an_asset_is_asked_for_by_id(self, served: Served) -> None:
        assert (await get(served, "transactions")).status == 400


class TestPosting:
    @pytest.mark.parametrize("mode", ["", "?mode=async", "?mode=sync", "?mode=commit", "?mode=commit&mode=nope"])
    async def test_every_mode_answers_with_the_document(self, served: Served, mode: str) -> None:
        made = create([ALICE], data={"mode": mode, "float": 1e16, "text": "\u007f😀"}, metadata={"x": None})
        pretty = json.dumps(json.loads(made.body), indent=1).encode()
        answer = await ask(served.api.port, "POST", f"/api/v1/transactions{mode}", pretty, Content_Type="text/plain")
        assert (answer.status, answer.json()) == (202, json.loads(made.body))
        assert answer.headers["location"] == f"../statuses?transaction_id={made.id}"

    async def test_after_a_commit_every_query_shows_it(self, served: Served) -> None:
        made = create([ALICE], data={"word": "unmistakable"})
        await committed(served, made)
        for target in (
            f"transactions/{made.id}",
            f"transactions?asset_id={made.id}",
            f"blocks?transaction_id={made.id}",
            f"outputs?public_key={ALICE.public_key}",
            "assets?search=unmistakable",
        ):
            answer = await get(served, target)
            assert (answer.status, answer.json() != []) == (200, True), target

    async def test_two_equal_creates_at_once_are_one_success(self, served: Served) -> None:
        made = create([ALICE], data={"n": 1})
        answers = await asyncio.gather(post(served, made), post(served, made))
        assert sorted(answer.status for answer in answers) == [202, 400]
        assert any("DuplicateTransaction" in answer.body.decode() for answer in answers)

    async def test_a_committed_transfer_again_is_a_double_spend(
        self, served: Served, history: Sequence[Signed]
    ) -> None:
        answer = await post(served, history[1])
        text = f"Invalid transaction (DoubleSpend): input `{history[0].id}` was already spent"
        assert (answer.status, answer.json()["message"]) == (400, text)

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"nonsense", b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b'{"a":NaN}', b"\xff"]
    )
    async def test_what_is_no_json_has_no_status_in_its_answer(self, served: Served, body: bytes) -> None:
        answer = await ask(served.api.port, "POST", "/api/v1/transactions", body)
        assert answer.status == 400
        assert list(answer.json()) == ["message"]
        assert answer.json()["message"].startswith("Failed to decode JSON object: ")

    @pytest.mark.parametrize(("body", "found"), [(b"[]", "[]"), (b'"x"', "'x'"), (b"null", "None"), (b"7", "7")])
    async def test_json_that_is_no_object_is_a_schema_error(self, served: Served, body: bytes, found: str) -> None:
        answer = await ask(served.api.port, "POST", "/api/v1/transactions", body)
        text = f"Invalid transaction schema: {found} is not of type 'object'"
        assert answer.json() == {"message": text, "status": 400}

    async def test_the_mode_is_judged_before_the_body(self, served: Served) -> None:
        answer = await ask(served.api.port, "POST", "/api/v1/transactions?mode=", b"{")
        assert answer.json() == {"message": {"mode": 'Mode must be "async", "sync" or "commit"'}}

    async def test_a_form_is_parsed_as_json_too(self, served: Served) -> None:
        made = create([ALICE], data={"n": 2})
        kind = "application/x-www-form-urlencoded"
        assert (await ask(served.api.port, "POST", COMMIT, made.body, Content_Type=kind)).status == 202

    async def test_nesting_beyond_the_limit_is_a_400(self, served: Served) -> None:
        for depth in (300, 100_000):
            answer = await ask(served.api.port, "POST", COMMIT, b'{"a":' + depth * b"[" + depth * b"]" + b"}")
            assert answer.status == 400

    async def test_a_node_that_stops_says_so_and_when_to_come_again(self, served: Served) -> None:
        served.engine.stop()
        answer = await post(served, create([ALICE], data={"n": 3}))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["status"] == 503

    async def test_a_full_pool_is_a_503(self, start: Start) -> None:
        room = threading.Event()

        def later(bodies: Sequence[bytes]) -> Chosen:
            room.wait()
            return Chosen(tuple(bodies), ())

        served = await start(limits=Limits(pool_count_max=1), propose=later)
        try:
            taken = await post(served, create([ALICE], data={"n": 4}), ASYNC)
            answer = await post(served, create([ALICE], data={"n": 5}), ASYNC)
        finally:
            room.set()
        assert taken.status == 202
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")

    async def test_a_commit_that_takes_too_long_is_a_504(self, start: Start) -> None:
        """The client must be told that it may still be committed: 504 has a class of its own in the Python driver."""
        served = await start(limits=Limits(commit_wait_s_max=1e-6))
        answer = await post(served, create([ALICE], data={"n": 5}))
        assert answer.status == 504
        assert "may still be committed" in answer.json()["message"]


class TestOutputs:
    async def test_they_are_told_apart_by_id_and_index(self, served: Served) -> None:
        mine = Payment(details_of([ALICE.public_key]))
        made = create([ALICE], [mine, Payment(details_of([BOB.public_key])), mine], data={"n": 1})
        await committed(served, made)
        listed = partial(get, served)
        target = f"outputs?public_key={ALICE.public_key}"
        both = [{"transaction_id": made.id, "output_index": 0}, {"transaction_id": made.id, "output_index": 2}]
        assert [(await listed(target + spent)).json() for spent in ("", "&spent=false", "&spent=True")] == [
            both,
            both,
            [],
        ]
        spend = Spend(OutputRef(made.id, 2), details_of([ALICE.public_key]), (ALICE,))
        await committed(served, transfer(made.id, [spend], [Payment(details_of([BOB.public_key]))]))
        answers = [(await listed(target + spent)).json() for spent in ("", "&spent=False", "&spent=true")]
        assert answers == [both, both[:1], both[1:]]

    async def test_one_of_two_owners_is_listed_for_each(self, served: Served) -> None:
        made = create([ALICE], [Payment(details_of([ALICE.public_key, BOB.public_key]))], data={"n": 2})
        await committed(served, made)
        for owner in (ALICE, BOB):
            answer = await get(served, f"outputs?public_key={owner.public_key}")
            assert answer.json() == [{"transaction_id": made.id, "output_index": 0}]

    async def test_pending_ones_do_not_count(self, served: Served) -> None:
        made = create([ALICE], data={"n": 3})
        await served.engine.submit(made.body, Mode.ASYNC)
        answer = await get(served, f"outputs?public_key={ALICE.public_key}")
        assert answer.json() in ([], [{"transaction_id": made.id, "output_index": 0}])

    @pytest.mark.parametrize("target", ["outputs", "outputs?public_key=x", f"outputs?public_key={43 * '1'}&spent=1"])
    async def test_wrong_arguments_are_refused(self, served: Served, target: str) -> None:
        assert (await get(served, target)).status == 400


class TestBlocks:
    async def test_by_height_it_is_the_2x_block(self, served: Served, history: Sequence[Signed]) -> None:
        answer = await get(served, "blocks/2")
        assert answer.json() == {"height": 2, "transactions": [json.loads(history[1].body)]}

    async def test_by_id_it_is_the_1x_block_and_the_id_is_its_hash(
        self, served: Served, history: Sequence[Signed]
    ) -> None:
        [id_] = (await get(served, f"blocks?transaction_id={history[0].id}&status=VALID")).json()
        block = (await get(served, f"blocks/{id_}")).json()
        assert set(block) == {"id", "block", "signature"}
        assert block["id"] == id_
        inner = block["block"]
        assert inner["transactions"] == [json.loads(history[0].body)]
        text = block_text(int(inner["timestamp"]), [history[0].body], inner["node_pubkey"], inner["voters"])
        assert block_id(text) == id_
        assert inner["node_pubkey"] in inner["voters"]

    async def test_of_a_transaction_its_height_is_listed(self, served: Served, history: Sequence[Signed]) -> None:
        heights = [(await get(served, f"blocks?transaction_id={one.id}")).json() for one in history]
        assert heights == [[1], [2], [3]]
        assert (await get(served, f"blocks?transaction_id={history[0].id}&status=invalid")).json() == []
        assert (await get(served, f"blocks?transaction_id={history[0].id}&status=undecided")).json() == []

    @pytest.mark.parametrize(
        "target", ["blocks?transaction_id=", "blocks?transaction_id=zz", f"blocks?transaction_id={UNKNOWN}"]
    )
    async def test_what_is_in_no_block_has_none(self, served: Served, target: str) -> None:
        answer = await get(served, target)
        assert (answer.status, answer.json()) == (200, [])

    @pytest.mark.parametrize(
        "name",
        ["latest", "-1", "abc", "4", "1.0", "²", "+1", 18 * "9", 19 * "9", 5000 * "1", UNKNOWN, 64 * "g", 64 * "1"],
    )
    async def test_other_names_are_not_found(self, served: Served, history: Sequence[Signed], name: str) -> None:
        assert history
        target = "blocks/%C2%B2" if name == "²" else f"blocks/{name}"
        answer = await get(served, target)
        assert (answer.status, answer.json()) == (404, {"message": "Not found", "status": 404})

    @pytest.mark.parametrize("arguments", ["", "?status=valid"])
    async def test_the_transaction_must_be_named(self, served: Served, arguments: str) -> None:
        assert "transaction_id" in (await get(served, f"blocks{arguments}")).json()["message"]


class TestSearch:
    async def test_assets_are_found_by_their_words(self, served: Served) -> None:
        made = [create([ALICE], data={"msg": f"Hello BigchainDB {n}!"}) for n in (1, 2, 3)]
        await committed(served, *made)
        rows = (await get(served, "assets/?search=bigchaindb&limit=0")).json()
        assert sorted(row["id"] for row in rows) == sorted(one.id for one in made)
        assert all(set(row) == {"data", "id"} for row in rows)
        assert len((await get(served, "assets?limit=2&search=bigchaindb")).json()) == 2
        assert (await get(served, "assets?search=abcdef")).json() == []

    async def test_metadata_are_found_by_theirs(self, served: Served, history: Sequence[Signed]) -> None:
        answer = await get(served, "metadata/?search=call+me%20maybe&limit=0")
        assert answer.json() == [{"id": history[0].id, "metadata": {"note": "So call me maybe"}}]

    async def test_a_limit_beyond_all_numbers_is_none(self, served: Served, history: Sequence[Signed]) -> None:
        assert history
        assert len((await get(served, f"assets?search=hello&limit={10**30}")).json()) == 1

    @pytest.mark.parametrize("resource", ["assets", "metadata"])
    @pytest.mark.parametrize(
        "search", ["%22", "-", "%00", "%22+OR+(", "*", "a%00b", "NEAR(", "%ED%A0%80", "col:x", 2000 * "a+"]
    )
    async def test_no_text_is_an_error(self, served: Served, resource: str, search: str) -> None:
        answer = await get(served, f"{resource}?search={search}")
        assert answer.status == 200, answer

    @pytest.mark.parametrize("resource", ["assets", "metadata"])
    async def test_without_a_text_it_is_an_argument_error(self, served: Served, resource: str) -> None:
        assert "search" in (await get(served, resource)).json()["message"]
        assert "limit" in (await get(served, f"{resource}?search=a&limit=-1")).json()["message"]


class TestStatuses:
    async def test_from_the_202_on_it_is_never_404(self, served: Served) -> None:
        """The old JavaScript driver polls it and gives up at the first 404 (http-api.md, section 10)."""
        made = create([ALICE], data={"n": 1})
        assert (await post(served, made, "/api/v1/transactions")).status == 202
        seen: list[str] = []
        while not seen or seen[-1] != "valid":
            answer = await get(served, f"statuses?transaction_id={made.id}")
            assert answer.status == 200
            seen.append(answer.json()["status"])
        assert set(seen) <= {"backlog", "undecided", "valid"}
        assert (await get(served, f"transactions/{made.id}")).status == 200

    async def test_blocks_are_named_by_id_or_height(self, served: Served, history: Sequence[Signed]) -> None:
        [id_] = (await get(served, f"blocks?transaction_id={history[0].id}&status=valid")).json()
        for block in (id_, "1", "0"):
            assert (await get(served, f"statuses?block_id={block}")).json() == {"status": "valid"}
        for block in ("9", UNKNOWN, "x", ""):
            assert (await get(served, f"statuses?block_id={block}")).status == 404

    @pytest.mark.parametrize("arguments", ["", f"?transaction_id={UNKNOWN}&block_id={UNKNOWN}"])
    async def test_exactly_one_argument_is_due(self, served: Served, arguments: str) -> None:
        text = "Provide exactly one query parameter. Choices are: block_id, transaction_id"
        assert (await get(served, f"statuses{arguments}")).json() == {"message": text, "status": 400}

    async def test_other_arguments_are_refused(self, served: Served) -> None:
        assert (await get(served, "statuses?foo=1")).json() == {"message": "Unknown arguments: foo"}

    async def test_what_is_not_known_is_not_found(self, served: Served) -> None:
        for id_ in (UNKNOWN, "", "zz"):
            answer = await get(served, f"statuses?transaction_id={id_}")
            assert answer.json() == {"message": "Not found", "status": 404}


class TestVotes:
    async def test_there_is_one_of_this_node(self, served: Served, history: Sequence[Signed]) -> None:
        ids: list[str] = []
        for one in history:
            ids += (await get(served, f"blocks?transaction_id={one.id}&status=valid")).json()
        votes: list[list[dict[str, Any]]] = [(await get(served, f"votes?block_id={id_}")).json() for id_ in ids]
        for previous, id_, [vote] in zip([UNKNOWN, *ids], ids, votes, strict=False):
            assert set(vote) == {"node_pubkey", "vote", "signature"}
            assert vote["node_pubkey"] == KEY.public_key
            assert vote["vote"]["voting_for_block"] == id_
            assert vote["vote"]["previous_block"] == previous
            assert vote["vote"]["is_block_valid"] is True

    @pytest.mark.parametrize("block", ["", "1", UNKNOWN, "zz"])
    async def test_an_unknown_block_has_none(self, served: Served, block: str) -> None:
        answer = await get(served, f"votes?block_id={block}")
        assert (answer.status, answer.body) == (200, b"[]\n")

    async def test_it_is_strict(self, served: Served) -> None:
        assert (await get(served, "votes?block_id=x&foo=1")).json() == {"message": "Unknown arguments: foo"}
        assert "block_id" in (await get(served, "votes")).json()["message"]


class TestWhatWasDecidedAgainst:
    """A proposal that is voted down stays visible as what it was. Source: http-api.md, sections 4, 6 and 10."""

    async def test_an_invalid_block_has_a_form_a_status_and_a_vote(self, start: Start) -> None:
        served = await start(propose=lambda bodies: Chosen((*bodies, *bodies), ()))
        made = create([ALICE], data={"n": 1})
        assert (await post(served, made)).status == 202
        with contextlib.closing(served.store.log_reader()) as log:
            first, second = log.entry(1), log.entry(2)
        assert first is not None
        assert second is not None
        block = (await get(served, f"blocks/{first.block_id}")).json()
        assert block["block"]["transactions"] == 2 * [json.loads(made.body)]
        assert (await get(served, f"statuses?block_id={first.block_id}")).json() == {"status": "invalid"}
        [vote] = (await get(served, f"votes?block_id={first.block_id}")).json()
        assert vote["vote"]["is_block_valid"] is False
        assert (await get(served, f"blocks?transaction_id={made.id}&status=valid")).json() == [second.block_id]

    async def test_a_transaction_that_was_accepted_and_then_rejected_says_why(self, start: Start) -> None:
        served = await start(propose=lambda _: Chosen((), ((0, DoubleSpend("input `x` was already spent")),)))
        made = create([ALICE], data={"n": 2})
        assert (await post(served, made, "/api/v1/transactions")).status == 202
        while (answer := await get(served, f"statuses?transaction_id={made.id}")).status == 200:
            assert answer.json()["status"] in {"backlog", "undecided"}
        assert answer.json() == {"message": "rejected (DoubleSpend): input `x` was already spent", "status": 404}
        assert (await get(served, f"transactions/{made.id}")).status == 404
