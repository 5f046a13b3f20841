"""What a copy of the log has in it is what everybody else gets. Source: promise P15."""

from contextlib import closing
from pathlib import Path

import pytest

from bigchaindb.cli.event_lines import asset_data, lines
from bigchaindb.eventlog.selection import Selection
from bigchaindb.events import EventTypes
from bigchaindb.ledger.ports import Record
from bigchaindb.simulated.chain import Recipe, write_data
from bigchaindb.store import Log
from bigchaindb.streams.cloud_events import Choice, read_piece
from bigchaindb.streams.shared_log import Place

RECIPE = Recipe(blocks=12, transactions=6, invalid=0.25)


@pytest.mark.parametrize("selection", [None, Selection(operation="TRANSFER")], ids=["all", "filtered"])
def test_p15_transactions_are_those_that_clients_over_http_get(tmp_path: Path, selection: Selection | None) -> None:
    """A block that matches also holds what does not: whoever asks for one owner's transactions wants no stranger's."""
    write_data(tmp_path / "data", RECIPE)
    with closing(Log(tmp_path / "data" / "ledger.db")) as log:
        choice = Choice(selection, each_transaction=True)
        piece = read_piece(log, RECIPE.chain_id, choice, Place(0), 12, count_max=100, bytes_max=2**30)
        records, _ = log.selected(0, 12, selection, count_max=100, bytes_max=2**30)
        copied = [line for one in records for line in lines(RECIPE.chain_id, one, "transactions", selection)]
    assert copied == [item.envelope + b"\n" for item in piece.items]
    assert 10 < len(copied) <= 72


@pytest.mark.parametrize(
    ("transactions", "data"),
    [
        (b"{}", None),
        (b'{},{"asset":5},{"asset":{"data":{"a":1}}}', '{"a":1}'),
        (b'{"asset":{"id":"0"}},{"a":[]}', None),
    ],
)
def test_an_invalid_block_may_hold_whatever_its_proposer_wrote(transactions: bytes, data: str | None) -> None:
    body = b'{"block":{"transactions":[%b]}}' % transactions
    assert asset_data(Record(1, EventTypes.BLOCK_INVALID, 1, 0, bytes(32), body)) == data
