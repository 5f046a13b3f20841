"""A list of writers before the pool of a single node."""

import json
from pathlib import Path

import pytest

from bigchaindb.access.writers import Writers
from bigchaindb.config import Access, Database, Settings
from bigchaindb.engine.cometbft.files import Layout
from bigchaindb.engine.engine import Mode
from bigchaindb.engines import engine_of
from bigchaindb.errors import ConfigurationError, InvalidSignature, WriterNotAllowed
from bigchaindb.streams.hub import Hub
from bigchaindb.wired import Hubs
from tests.support.chains import ALICE, BOB, NODE, Coin, create, transfer
from tests.support.engines import engine_over, running
from tests.support.ledgers import open_store
from tests.support.signed_documents import rehashed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "writers"
    path.write_text(f"{ALICE.public_key}\n")
    return path


async def test_a_create_of_another_is_refused_and_a_transfer_taken(path: Path, tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        async with running(engine_over(store.writer, require_writer=Writers(path).require)) as engine:
            ours = create(1, ALICE)
            await engine.submit(ours.body, Mode.COMMIT)
            moved = transfer(Coin(ours))
            await engine.submit(moved.body, Mode.COMMIT)
            await engine.submit(transfer(Coin(moved, owner=BOB), to=ALICE).body, Mode.COMMIT)
            for mode in Mode:
                with pytest.raises(WriterNotAllowed):
                    await engine.submit(create(2, BOB).body, mode)


async def test_a_forged_signature_of_a_writer_is_refused_by_the_usual_check(path: Path, tmp_path: Path) -> None:
    document = json.loads(create(1, ALICE).body)
    document["metadata"] = {"forged": True}
    with open_store(tmp_path / "data") as store:
        async with running(engine_over(store.writer, require_writer=Writers(path).require)) as engine:
            with pytest.raises(InvalidSignature):
                await engine.submit(rehashed(document), Mode.COMMIT)


def test_a_node_of_a_network_does_not_start_with_a_list(path: Path, tmp_path: Path) -> None:
    """Its other nodes would take what it refuses."""
    data = tmp_path / "data"
    settings = Settings(database=Database(path=data), access=Access(writers=path))
    with open_store(data) as store:
        Layout(data).genesis.parent.mkdir(parents=True)
        Layout(data).genesis.write_text("{}")
        with pytest.raises(ConfigurationError, match=r"^access\.writers: this node is part of a network"):
            engine_of(settings, store, NODE, Hubs(Hub(0), Hub(0)), "chain")
