"""Generated chains are real ones: signed, judged and logged as on a node, and the same wherever they are made."""

from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.errors import ConfigurationError
from bigchaindb.events import Event, EventTypes
from bigchaindb.identity import read_chain_id
from bigchaindb.ledger.block import block_id, block_text
from bigchaindb.ledger.voting import signed_by
from bigchaindb.simulated.chain import COINS_MAX, Chain, Recipe, events, write_data
from bigchaindb.store import Store
from bigchaindb.transaction import parse, verify
from bigchaindb.transaction.canonical import canonical


def bodies(event: Event) -> list[bytes]:
    return [canonical(one, one["version"]) for one in event.data["transactions"]]


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Without it a failure found with a seed could not be looked at again."""
    recipe = Recipe(blocks=20, invalid=0.2, seed=7)
    assert [(event.id, event.body) for event in events(recipe)] == [(event.id, event.body) for event in events(recipe)]


def test_another_seed_gives_another_chain() -> None:
    first, second = (events(Recipe(blocks=1, seed=seed))[0] for seed in (1, 2))
    assert first.data["block"]["node_pubkey"] != second.data["block"]["node_pubkey"]
    assert first.id != second.id


@pytest.mark.parametrize(("invalid", "count"), [(0.0, 0), (0.25, 5), (1.0, 20)])
def test_the_share_of_invalid_blocks_is_exact(invalid: float, count: int) -> None:
    """A plugin for rejected blocks would else be tested without one, once in a while."""
    types = [event.type for event in events(Recipe(blocks=20, invalid=invalid))]
    assert types.count(EventTypes.BLOCK_INVALID) == count
    assert types.count(EventTypes.BLOCK_VALID) == 20 - count


def test_invalid_blocks_are_invalid_by_a_double_spend() -> None:
    found = [event for event in events(Recipe(blocks=6, transactions=5, invalid=0.5)) if event.type == 2]
    assert [event.data["reason"] for event in found] == ["DoubleSpend at transactions[4]"] * 3


def test_blocks_and_transactions_are_signed() -> None:
    """A plugin that verifies what it gets must not refuse what it is tested with."""
    for event in events(Recipe(blocks=12, transactions=4, invalid=0.25)):
        block, texts = event.data["block"], bodies(event)
        text = block_text(int(block["timestamp"]), texts, block["node_pubkey"], block["voters"])
        assert event.data["id"] == block_id(text)
        assert (signature := event.data["signature"]) is not None
        assert signed_by(block["node_pubkey"], text, signature)
        assert all(verify(parse(body)) for body in texts)


def test_both_operations_and_divided_outputs_occur() -> None:
    made = [one for event in events(Recipe(blocks=10)) for one in event.data["transactions"]]
    assert {one["operation"] for one in made} == {"CREATE", "TRANSFER"}
    assert {len(one["outputs"]) for one in made} == {1, 2}


def test_heights_count_valid_blocks_and_positions_all() -> None:
    made = events(Recipe(blocks=10, invalid=0.3, seed=1))
    assert [event.position for event in made] == list(range(1, 11))
    heights = [event.height for event in made if event.type == EventTypes.BLOCK_VALID]
    assert heights == list(range(1, 8))


def test_a_data_directory_holds_the_chain_and_its_id(tmp_path: Path) -> None:
    """It can be opened with the tools for a node's."""
    recipe = Recipe(blocks=5, seed=3)
    write_data(tmp_path / "data", recipe)
    assert read_chain_id(tmp_path / "data") == recipe.chain_id
    with closing(Store(tmp_path / "data")) as store:
        assert store.writer.tip().position == 5


def test_a_directory_with_a_chain_is_left_alone(tmp_path: Path) -> None:
    """A slip of the hand must not add invented blocks to a ledger."""
    write_data(tmp_path / "data", Recipe(blocks=1))
    with pytest.raises(FileExistsError):
        write_data(tmp_path / "data", Recipe(blocks=3))


def test_a_chain_grows_piece_by_piece_as_at_once(tmp_path: Path) -> None:
    """Whoever watches a plugin live sees the blocks that a replay has."""
    recipe = Recipe(blocks=7, invalid=0.3)
    with closing(Store(tmp_path / "data")) as store, closing(store.log_reader()) as log:
        chain = Chain(store, recipe)
        for _ in range(9):
            chain.grow(1)
        found = [record.body for record in log.records(0, log.head(), count_max=100, bytes_max=10**6)]
    assert found == [event.body for event in events(recipe)]


def test_a_long_chain_remembers_a_bounded_number_of_outputs(tmp_path: Path) -> None:
    """Simulating a million blocks must not fill the memory."""
    with closing(Store(tmp_path / "data")) as store:
        chain = Chain(store, Recipe(blocks=3, transactions=1000))
        chain.grow()
        assert 0 < len(chain._coins) <= COINS_MAX


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"blocks": 0}, "blocks: must be 1 to 1000000, found 0"),
        ({"transactions": 1001}, "transactions: must be 1 to 1000, found 1001"),
        ({"invalid": 1.5}, "invalid: must be a share from 0 to 1, found 1.5"),
        ({"invalid": float("nan")}, "invalid: must be a share from 0 to 1, found nan"),
        ({"seed": -1}, "seed: must be 0 to 9223372036854775807, found -1"),
    ],
)
def test_what_cannot_be_made_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Recipe(**settings)  # type: ignore[arg-type]
    assert str(caught.value) == message
