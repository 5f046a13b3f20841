"""What every store owes the API: answers of every kind, one suite for each implementation."""

import random
from typing import Literal

import pytest

from bigchaindb.ledger.effects import Effects
from bigchaindb.ledger.view import Needs
from bigchaindb.store.queries import LedgerQueries
from bigchaindb.transaction.model import OutputRef, Transaction
from tests.conformance.store.ledger_store import Reopen, Stored, commit, viewed
from tests.support import scale
from tests.support.chains import ALICE, BOB, NODE, Coin, create, transfer
from tests.support.decisions import Chain, made, random_block
from tests.support.elections import election, vote
from tests.support.lists import outputs, whole


class LedgerQueriesConformance:
    """Subclass it and define the fixtures of `LedgerStoreConformance`."""

    @pytest.mark.parametrize("text", ["", "abc", "0" * 63, "g" * 64, "AB" * 32, "0" * 64, " " + "0" * 64, "ü" * 64])
    def test_texts_that_name_nothing_find_nothing(self, stored: Stored, text: str) -> None:
        stored.writer.commit(Chain().valid(made(1)))
        queries = stored.queries()

        assert queries.transaction(text) is None
        assert queries.block_by_id(text) is None
        assert queries.vote(text) is None
        assert queries.decision(text) is None
        assert queries.blocks_of_transaction(text) == []
        assert of_asset(queries, text, None) == of_asset(queries, text, None, last_only=True) == []
        assert outputs(queries, text, None) == []

    def test_an_id_in_capitals_is_another_text(self, stored: Stored) -> None:
        """Source: http-api.md, section 5."""
        coin = made(1)
        stored.writer.commit(Chain().valid(coin))

        assert stored.queries().transaction(coin.id) == coin.body
        assert stored.queries().transaction(coin.id.upper()) is None

    def test_an_output_is_listed_for_each_of_its_owners(self, stored: Stored) -> None:
        shared = made(1, owners=[("alice", "bob"), ("bob",)])
        stored.writer.commit(Chain().valid(shared))
        queries = stored.queries()

        assert outputs(queries, "alice", None) == [OutputRef(shared.id, 0)]
        assert outputs(queries, "bob", None) == [OutputRef(shared.id, 0), OutputRef(shared.id, 1)]
        assert outputs(queries, "carol", None) == []

    def test_search_answers_with_the_rows_of_the_contract(self, stored: Stored) -> None:
        """Source: http-api.md, section 8; numbers keep their text."""
        coin = made(1, data={"msg": "Hello BigchainDB", "n": 10**40})
        spender = made(2, spends=[OutputRef(coin.id, 0)], asset_id=coin.id, metadata={"m": ["call me maybe"], "f": 1.5})
        plain = made(3)
        stored.writer.commit(Chain().valid(coin, spender, plain))
        queries = stored.queries()

        def found(table: Literal["assets", "metadata"], text: str) -> list[bytes]:
            return whole(queries, queries.search(table, text, 0))

        asset = b'{"data":{"msg":"Hello BigchainDB","n":1' + b"0" * 40 + b'},"id":"' + coin.id.encode() + b'"}'
        metadata = b'{"id":"' + spender.id.encode() + b'","metadata":{"f":1.5,"m":["call me maybe"]}}'
        assert found("assets", "bigchaindb") == found("assets", coin.id) == [asset]
        assert found("metadata", "maybe") == found("metadata", spender.id) == [metadata]
        assert found("assets", "maybe") == found("metadata", "hello") == found("assets", plain.id) == []

    def test_elections_and_votes_lie_beside_assets_and_transfers(self, stored: Stored, reopen: Reopen) -> None:
        """Source: docs/reference/contract/transactions.md, section 7."""
        proposed = election()
        first, delegated = vote(proposed, ALICE), transfer(Coin(proposed, 0, NODE), to=BOB)
        last = vote(proposed, BOB)
        chain_ = Chain()
        commit(stored, [chain_.valid(create(1), proposed, first), chain_.valid(delegated, last)])
        for now in (stored, reopen()):
            queries = now.queries()
            assert queries.transaction(proposed.id) == proposed.body
            bodies = [one.body for one in (proposed, first, delegated, last)]
            assert of_asset(queries, proposed.id, None) == bodies
            assert of_asset(queries, proposed.id, None, last_only=True) == [last.body]
            assert of_asset(queries, proposed.id, "CREATE") == []
            assert of_asset(queries, proposed.id, "CREATE", last_only=True) == []
            assert of_asset(queries, proposed.id, "TRANSFER") == [delegated.body]
            assert of_asset(queries, proposed.id, "TRANSFER", last_only=True) == [delegated.body]
            assert whole(queries, queries.search("assets", "n1", 0)) == []
            announced = [one.asset_id for one in now.log_reader().announcements(2)]
            assert announced == [proposed.id, proposed.id]
            block = queries.block(1)
            assert block is not None
            assert block.transactions[1:] == (proposed.body, first.body)

    def test_votes_alone_are_no_transfers(self, stored: Stored) -> None:
        proposed = election()
        commit(stored, [Chain().valid(proposed, vote(proposed, ALICE))])
        assert of_asset(stored.queries(), proposed.id, "TRANSFER", last_only=True) == []

    def test_what_was_just_committed_is_recent(self, stored: Stored) -> None:
        chain_ = Chain()
        commit(stored, [chain_.valid(create(1))])
        assert stored.writer.is_recent(create(1).id)
        assert not stored.writer.is_recent(create(2).id)

    def test_statistics_count(self, stored: Stored) -> None:
        chain_ = Chain()
        commit(stored, [chain_.valid(made(1, owners=[("a",), ("b",)]), made(2)), chain_.invalid(made(3))])
        statistics = stored.queries().statistics()

        assert {key: statistics[key] for key in ("height", "events", "blocks", "transactions", "outputs")} == {
            "height": 1,
            "events": 2,
            "blocks": 1,
            "transactions": 2,
            "outputs": 3,
        }
        assert statistics["ledger_bytes"] + statistics["wal_bytes"] > statistics["event_bytes"] > 0

    @pytest.mark.parametrize("seed", scale.seeds(scale.STORE_HISTORIES))
    def test_every_answer_agrees_with_a_model_at_any_age(self, stored: Stored, reopen: Reopen, seed: int) -> None:
        """Whatever is where: in memory, half moved, in tables, before and after restarts."""
        draw = random.Random(seed)
        chain_, unspent = Chain(), list[tuple[OutputRef, str]]()
        committed: list[Transaction] = []
        decisions: list[Effects] = []
        for _ in range(60):
            block = random_block(draw, unspent, draw.randint(1, 8))
            decisions.append(chain_.valid(*block))
            committed += block
            stored.writer.commit(decisions[-1])
            if draw.random() < 0.8:
                stored.writer.tidy()
            if draw.random() < 0.1:
                stored = reopen()
            if draw.random() < 0.2:
                self._compare(stored, committed, {ref for ref, _ in unspent}, decisions)
        self._compare(stored, committed, {ref for ref, _ in unspent}, decisions)

    def _compare(
        self, stored: Stored, committed: list[Transaction], unspent: set[OutputRef], decisions: list[Effects]
    ) -> None:
        queries = stored.queries()
        for owner in [f"owner-{number}" for number in range(5)]:
            all_ = [OutputRef(t.id, i) for t in committed for i, o in enumerate(t.outputs) if owner in o.owners]
            assert outputs(queries, owner, None) == all_
            assert outputs(queries, owner, spent=False) == [ref for ref in all_ if ref in unspent]
            assert outputs(queries, owner, spent=True) == [ref for ref in all_ if ref not in unspent]
        for asset_id in {t.asset_id for t in committed[::9]}:
            create, *transfers = [t.body for t in committed if t.asset_id == asset_id]
            assert of_asset(queries, asset_id, None) == [create, *transfers]
            assert of_asset(queries, asset_id, "CREATE") == [create]
            assert of_asset(queries, asset_id, "TRANSFER") == transfers
            assert of_asset(queries, asset_id, None, last_only=True) == [create, *transfers][-1:]
            assert of_asset(queries, asset_id, "CREATE", last_only=True) == [create]
            assert of_asset(queries, asset_id, "TRANSFER", last_only=True) == transfers[-1:]
        refs = {OutputRef(t.id, i) for t in committed for i in range(len(t.outputs))}
        view = viewed(stored.writer, Needs({t.id for t in committed}, refs))
        assert view.present == {t.id for t in committed}
        assert {ref for ref, held in view.outputs.items() if held.spent_by is None} == unspent
        for decision in decisions[::5]:
            assert queries.block_by_id(decision.last.event.block_id) == (decision.last.block, decision.last.event)
        assert [queries.transaction(t.id) for t in committed[::7]] == [t.body for t in committed[::7]]


def of_asset(
    queries: LedgerQueries, asset_id: str, operation: Literal["CREATE", "TRANSFER"] | None, *, last_only: bool = False
) -> list[bytes]:
    """Return the whole list of an asset's transactions."""
    if last_only:
        return [last for last in [queries.last_of_asset(asset_id, operation)] if last is not None]
    return whole(queries, queries.transactions_of_asset(asset_id, operation))
