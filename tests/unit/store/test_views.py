from concurrent.futures import ThreadPoolExecutor

from bigchaindb.ledger.view import HeldOutput, Needs
from bigchaindb.store import Store
from bigchaindb.store.recent import Generation, Located
from bigchaindb.store.tip import read_tip
from bigchaindb.store.views import load_view, locate, view_from_memory
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


def test_what_memory_may_not_know_is_loaded(store: Store) -> None:
    """Taken for a view, it would show an output that is not durable, one of another transaction, or a spent one."""
    coin, coming, spender = made(1), made(2), made(3, spends=[OutputRef(made(1).id, 0)], asset_id=made(1).id)
    store.writer.commit(Chain().valid(coin))
    kept, counts = OutputRef(coin.id, 0), store.writer._state[1]
    generations = store.writer.recent.generations
    held = view_from_memory(generations, Needs({spender.id}, {kept}), 1, counts)
    assert held == store.writer.view(Needs({spender.id}, {kept}))
    generation = generations[0]
    generation.add_transactions([(2, bytes.fromhex(coming.id), None)])
    generation.add_outputs([(2 << 20, 1, b"", b"")])

    for needs in (
        Needs({coin.id}, frozenset()),
        Needs({coming.id}, frozenset()),
        *(Needs(frozenset(), {ref}) for ref in (OutputRef(coming.id, 0), OutputRef("0" * 64, 0))),
        *(Needs(frozenset(), {OutputRef(coin.id, index)}) for index in (1, -1, 1 << 20)),
    ):
        assert view_from_memory(generations, needs, 1, counts) is None
    store.writer.recent.spend([1 << 20])
    assert view_from_memory(generations, Needs({spender.id}, {kept}), 1, counts) is None


def test_a_view_of_what_is_new_reads_nothing(store: Store) -> None:
    """The loop asks for one for each few transactions, and a read costs it the interpreter lock."""
    coin = made(1)
    store.writer.commit(Chain().valid(coin))
    spender = made(2, spends=[OutputRef(coin.id, 0)], asset_id=coin.id)
    store._readers.interrupt()
    with ThreadPoolExecutor(1) as other:
        view = other.submit(store.writer.view, Needs.of([spender])).result()
    assert view.output(OutputRef(coin.id, 0)) == HeldOutput(2, coin.outputs[0].fingerprint, coin.id, None)
