"""Views: what was loaded, and what lies on top of it."""

from bigchaindb.ledger.view import HeldOutput, LoadedView, Needs, Overlay
from bigchaindb.transaction.model import OutputRef
from tests.support.chains import Coin, create, transfer

PARENT = create(1, amounts=(1, 2))
CHILD = transfer(Coin(PARENT))
FREE = HeldOutput(1, PARENT.outputs[0].fingerprint, PARENT.id, None)


def test_needs_are_the_ids_and_what_they_spend() -> None:
    assert Needs.of([PARENT, CHILD]) == ({PARENT.id, CHILD.id}, {OutputRef(PARENT.id, 0)})


def test_a_loaded_view_knows_what_was_loaded() -> None:
    view = LoadedView(1, {PARENT.id}, {OutputRef(PARENT.id, 0): FREE})
    assert view.has_transaction(PARENT.id)
    assert not view.has_transaction(CHILD.id)
    assert view.output(OutputRef(PARENT.id, 0)) == FREE
    assert view.output(OutputRef(PARENT.id, 9)) is None


def test_an_overlay_spends_what_lies_below() -> None:
    overlay = Overlay(LoadedView(1, {PARENT.id}, {OutputRef(PARENT.id, 0): FREE}))
    assert overlay.output(OutputRef(PARENT.id, 0)) == FREE
    overlay.add(CHILD)
    assert overlay.output(OutputRef(PARENT.id, 0)) == FREE._replace(spent_by=CHILD.id)
    assert overlay.has_transaction(CHILD.id)
    assert overlay.has_transaction(PARENT.id)


def test_an_overlay_keeps_the_first_spender() -> None:
    spent = FREE._replace(spent_by="f" * 64)
    overlay = Overlay(
        LoadedView(1, {PARENT.id}, {OutputRef(PARENT.id, 0): spent}), spent={OutputRef(PARENT.id, 0): "x"}
    )
    assert overlay.output(OutputRef(PARENT.id, 0)) == spent


def test_an_overlay_makes_outputs() -> None:
    overlay = Overlay(LoadedView(0, frozenset(), {}))
    overlay.add(PARENT)
    assert overlay.output(OutputRef(PARENT.id, 1)) == HeldOutput(2, PARENT.outputs[1].fingerprint, PARENT.id, None)
    assert overlay.output(OutputRef(PARENT.id, 2)) is None
    overlay.add(CHILD)
    spent = overlay.output(OutputRef(PARENT.id, 0))
    assert spent is not None
    assert spent.spent_by == CHILD.id
