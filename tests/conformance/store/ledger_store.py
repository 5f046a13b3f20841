"""What every store owes the ledger and the readers of its log: one suite for each implementation."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

import pytest

from bigchaindb.errors import StoreDamaged
from bigchaindb.ledger.block import event_body
from bigchaindb.ledger.effects import Effects, Tip
from bigchaindb.ledger.ports import Decision, LedgerStore, LogReader
from bigchaindb.ledger.view import HeldOutput, LoadedView, Needs
from bigchaindb.store.queries import LedgerQueries
from bigchaindb.transaction.model import OutputRef
from tests.support.decisions import Chain, made


class Stored(Protocol):
    """A store and its readers."""

    @property
    def writer(self) -> LedgerStore: ...

    def queries(self) -> LedgerQueries: ...

    def log_reader(self) -> LogReader: ...


Reopen = Callable[[], Stored]
ALL = 1 << 40


def viewed(store: LedgerStore, needs: Needs) -> LoadedView:
    """Load a view in the thread that commits; another thread's is the same."""
    with ThreadPoolExecutor(1) as other:
        elsewhere = other.submit(store.view, needs).result()
    here = store.view(needs)
    assert here == elsewhere
    return here


class LedgerStoreConformance:
    """Subclass it and define two fixtures: `stored`, an empty store, and `reopen`, which closes and opens it again."""

    def test_an_empty_store_continues_from_nothing(self, stored: Stored) -> None:
        assert stored.writer.tip() == Tip()
        assert stored.queries().height() == 0
        assert stored.log_reader().head() == 0
        assert stored.log_reader().records(0, ALL, count_max=10, bytes_max=ALL) == []

    def test_the_tip_is_the_last_decision_also_after_a_restart(self, stored: Stored, reopen: Reopen) -> None:
        chain_ = Chain()
        for effects in (chain_.valid(made(1)), chain_.invalid(made(2)), chain_.valid(made(2))):
            stored.writer.commit(effects)
            assert stored.writer.tip() == effects.tip
        assert reopen().writer.tip() == chain_.tip

    def test_a_view_has_what_is_committed_and_says_who_spent_it(self, stored: Stored) -> None:
        """Without it a double spend would pass (L1)."""
        coin = made(1, owners=[("alice",), ("bob",)])
        spender = made(2, spends=[OutputRef(coin.id, 1)], asset_id=coin.id)
        chain_ = Chain()
        stored.writer.commit(chain_.valid(coin))
        stored.writer.commit(chain_.valid(spender))
        absent = made(3)
        kept, spent = OutputRef(coin.id, 0), OutputRef(coin.id, 1)

        view = viewed(stored.writer, Needs({coin.id, absent.id}, {kept, spent}))

        assert view.height == 2
        assert view.has_transaction(coin.id)
        assert not view.has_transaction(absent.id)
        assert view.output(kept) == HeldOutput(2, coin.outputs[0].fingerprint, coin.id, None)
        assert view.output(spent) == HeldOutput(2, coin.outputs[1].fingerprint, coin.id, spender.id)

    def test_a_view_does_not_have_outputs_that_do_not_exist(self, stored: Stored) -> None:
        coin = made(1)
        following = made(2)
        stored.writer.commit(Chain().valid(coin, following))
        refs = {OutputRef(coin.id, index) for index in (1, 1 << 20, 1 << 64, -1)} | {OutputRef("0" * 64, 0)}

        assert viewed(stored.writer, Needs(set(), refs)).outputs == {}

    def test_a_block_may_spend_what_it_creates(self, stored: Stored) -> None:
        coin = made(1)
        spender = made(2, spends=[OutputRef(coin.id, 0)], asset_id=coin.id)
        stored.writer.commit(Chain().valid(coin, spender))

        held = viewed(stored.writer, Needs.of([spender])).output(OutputRef(coin.id, 0))

        assert held is not None
        assert held.spent_by == spender.id

    def test_an_output_is_never_spent_twice(self, stored: Stored) -> None:
        """The last guard of L1: the process stops, and nothing of the block is there. A file may be at fault for it."""
        coin = made(1)
        chain_ = Chain()
        stored.writer.commit(chain_.valid(coin))
        before = stored.writer.tip()
        both = [made(serial, spends=[OutputRef(coin.id, 0)], asset_id=coin.id) for serial in (2, 3)]

        with pytest.raises((AssertionError, StoreDamaged)):
            stored.writer.commit(chain_.valid(*both))

        assert stored.writer.tip() == before
        assert stored.log_reader().head() == 1
        stored.writer.commit(Chain(before).valid(made(4), made(5)))
        assert viewed(stored.writer, Needs.of(both)).present == set()

    def test_a_position_is_never_left_out(self, stored: Stored) -> None:
        chain_ = Chain()
        chain_.valid(made(1))
        with pytest.raises(AssertionError):
            stored.writer.commit(chain_.valid(made(2)))

    def test_the_log_gives_the_bodies_that_were_decided(self, stored: Stored) -> None:
        """Equal bytes at every retry and on every node (E5), rejected proposals included."""
        chain_ = Chain()
        decisions = [
            chain_.valid(made(1), made(2, data={"text": "ü\u2028\x7f", "big": 1e300})),
            chain_.invalid(made(3), reason='SchemaValidationError at transactions[0] "quoted"'),
            chain_.invalid(reason="ValidationError at transactions[0]"),
            chain_.valid(made(3)),
        ]
        commit(stored, decisions)

        records = stored.log_reader().records(0, ALL, count_max=10, bytes_max=ALL)

        assert [r.body for r in records] == [event_body(d.last.block, d.last.event.reason) for d in decisions]
        assert [(r.position, r.type, r.height, r.time, r.digest) for r in records] == [
            (
                d.last.event.position,
                d.last.event.type,
                d.last.event.height,
                d.last.block.header.timestamp,
                d.last.event.digest,
            )
            for d in decisions
        ]

    def test_records_keep_to_both_bounds_but_give_one_at_least(self, stored: Stored) -> None:
        """P10, and that a large event is not stuck for ever."""
        chain_ = Chain()
        commit(stored, [chain_.valid(made(serial)) for serial in range(6)])
        reader = stored.log_reader()
        sizes = [len(r.body) for r in reader.records(0, ALL, count_max=9, bytes_max=ALL)]

        def positions(after: int, through: int, count_max: int, bytes_max: int) -> list[int]:
            return [r.position for r in reader.records(after, through, count_max=count_max, bytes_max=bytes_max)]

        assert positions(0, ALL, 2, ALL) == [1, 2]
        assert positions(2, 4, 9, ALL) == [3, 4]
        assert positions(1, ALL, 9, sizes[1] + sizes[2]) == [2, 3]
        assert positions(1, ALL, 9, sizes[1] + sizes[2] - 1) == [2]
        assert positions(1, ALL, 9, 1) == [2]
        assert positions(6, ALL, 9, ALL) == []

    def test_announcements_name_each_transaction_of_a_valid_block(self, stored: Stored) -> None:
        coin = made(1)
        spender = made(2, spends=[OutputRef(coin.id, 0)], asset_id=coin.id)
        chain_ = Chain()
        block = chain_.valid(coin, spender)
        commit(stored, [block, chain_.invalid(made(3))])
        reader = stored.log_reader()

        assert [tuple(a) for a in reader.announcements(1)] == [
            (coin.id, coin.id, 1, block.last.event.block_id),
            (spender.id, coin.id, 1, block.last.event.block_id),
        ]
        assert reader.announcements(2) == []
        assert reader.announcements(3) == []

    def test_entries_are_the_rows_of_the_log(self, stored: Stored) -> None:
        chain_ = Chain()
        decisions = [chain_.valid(made(1)), chain_.invalid(made(2))]
        commit(stored, decisions)
        reader = stored.log_reader()

        assert [reader.entry(1), reader.entry(2), reader.entry(3)] == [d.last.event for d in decisions] + [None]

    def test_of_a_rejected_and_a_valid_block_with_one_id_the_valid_one_is_found(self, stored: Stored) -> None:
        """Equal content, proposer and second: on a network the rejection may be logged later."""
        chain_ = Chain()
        valid, rejected = chain_.valid(made(1)), chain_.invalid(made(1))
        event = replace(rejected.last.event, block_id=valid.last.event.block_id)
        commit(stored, [valid, replace(rejected, logged=(replace(rejected.last, event=event),))])
        found = stored.queries().block_by_id(event.block_id)
        assert found is not None
        assert found[1] == valid.last.event
        assert stored.queries().vote(event.block_id) == valid.last.vote

    def test_blocks_are_found_by_height_id_and_transaction(self, stored: Stored) -> None:
        chain_ = Chain()
        first, rejected, second = chain_.valid(made(1)), chain_.invalid(made(2)), chain_.valid(made(3), made(4))
        commit(stored, [first, rejected, second])
        queries = stored.queries()

        assert [queries.block(1), queries.block(2), queries.block(3)] == [first.last.block, second.last.block, None]
        for decision in (first, rejected, second):
            assert queries.block_by_id(decision.last.event.block_id) == (decision.last.block, decision.last.event)
            assert queries.vote(decision.last.event.block_id) == decision.last.vote
            assert queries.decision(decision.last.event.block_id) == decided(decision)
        assert [queries.decision(1), queries.decision(2)] == [decided(first), decided(second)]
        assert [queries.decision(0), queries.decision(3)] == [None, None]
        assert queries.blocks_of_transaction(made(4).id) == [second.last.event]
        assert queries.blocks_of_transaction(made(2).id) == []
        assert queries.height() == second.tip.height

    def test_a_rejected_proposal_that_comes_again_is_the_valid_block(self, stored: Stored) -> None:
        """Two proposals of equal content have equal ids (blocks-and-votes.md, section 5.1)."""
        chain_ = Chain()
        rejected, valid = chain_.invalid(made(1)), chain_.valid(made(1))
        assert rejected.last.event.block_id == valid.last.event.block_id
        commit(stored, [rejected, valid])

        assert stored.queries().block_by_id(valid.last.event.block_id) == (valid.last.block, valid.last.event)
        assert stored.queries().vote(valid.last.event.block_id) == valid.last.vote
        assert stored.queries().decision(valid.last.event.block_id) == decided(valid)


def commit(stored: Stored, decisions: list[Effects]) -> None:
    """Commit one decision after the other."""
    for effects in decisions:
        stored.writer.commit(effects)


def decided(effects: Effects) -> Decision:
    logged = effects.last
    return Decision(logged.event, event_body(logged.block, logged.event.reason), logged.vote, logged.proof)
