from bigchaindb.ledger.view import Needs
from bigchaindb.store import Store
from bigchaindb.store.recent import Generation, Located
from bigchaindb.store.tip import read_tip
from bigchaindb.store.views import load_view, locate
from bigchaindb.transaction.model import OutputRef
from tests.support.decisions import Chain, made


def test_nothing_is_asked_when_nothing_is_needed(store: Store) -> None:
    store.writer.commit(Chain().valid(made(1)))
    view = store.writer.view(Needs(set(), set()))
    assert (view.height, view.present, view.outputs) == (1, set(), {})


def test_an_output_beyond_the_last_possible_one_is_not_looked_for(store: Store) -> None:
    """By its number it would be an output of a later transaction."""
    coin = made(1)
    store.writer.commit(Chain().valid(coin, made(2)))
    assert store.writer.view(Needs(set(), {OutputRef(coin.id, 1 << 20)})).outputs == {}


def test_rows_of_a_commit_under_way_are_no_part_of_a_view(store: Store) -> None:
    """They are in memory before they are durable (P4)."""
    coin, coming = made(1), made(2)
    store.writer.commit(Chain().valid(coin))
    generation = Generation()
    generation.add_transactions([(1, bytes.fromhex(coin.id), None), (2, bytes.fromhex(coming.id), None)])
    with store._readers.connection() as connection:
        needs = Needs({coin.id, coming.id}, {OutputRef(coming.id, 0)})
        view = load_view(connection, (generation,), needs, 1, read_tip(connection)[1])
        assert locate(connection, (generation,), [coming.id]) == {coming.id: Located(2, bytes.fromhex(coming.id))}
    assert view.present == {coin.id}
    assert view.outputs == {}
