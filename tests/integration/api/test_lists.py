"""Long lists go out in pieces, as they are read. Source: docs/decisions/0011-http-server.md."""

import asyncio
import socket
import struct

import pytest

from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode
from bigchaindb.errors import StoreError
from bigchaindb.transaction.build import Payment, Spend, create, transfer
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KeyPair
from bigchaindb.transaction.model import OutputRef
from tests.integration.api.conftest import Start
from tests.support.raw import request, until, wire
from tests.support.served import KEY, Served

OTHER = KeyPair.from_seed(bytes(32))
OUTPUTS = f"/api/v1/outputs?public_key={KEY.public_key}"
OUTPUTS_OF_ONE = 1_800  # of a document, within the bound on values
"""A transaction of so many has not quite a megabyte."""
PAGE = Limits(page_count_max=10)


async def own(served: Served, count: int) -> list[dict[str, object]]:
    """Commit CREATEs with so many outputs together; return them as they are listed."""
    owned: list[dict[str, object]] = []
    while len(owned) < count:
        outputs = min(count - len(owned), OUTPUTS_OF_ONE)
        payments = outputs * [Payment(details_of([KEY.public_key]))]
        made = create([KEY], payments, data={"before": len(owned)})
        await served.engine.submit(made.body, Mode.COMMIT)
        owned += [{"transaction_id": made.id, "output_index": index} for index in range(outputs)]
    return owned


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 21, 95])
async def test_every_length_is_one_array(start: Start, count: int) -> None:
    served = await start(limits=PAGE)
    expected = await own(served, count) if count else []
    async with wire(served.api.port) as opened:
        for _ in range(2):  # the connection goes on behind a list
            answer = await opened.ask(request("GET", OUTPUTS))
            assert (answer.status, answer.json()) == (200, expected)
            assert ("transfer-encoding" in answer.headers) == (count > 10)
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.body.endswith(b"]\n")


async def test_a_list_is_whole_where_most_of_what_is_read_is_not_asked_for(start: Start) -> None:
    served = await start(limits=PAGE)
    owned = await own(served, 95)
    spent = Spend(OutputRef(str(owned[57]["transaction_id"]), 57), details_of([KEY.public_key]), (KEY,))
    async with wire(served.api.port) as opened:
        assert (await opened.ask(request("GET", OUTPUTS + "&spent=true"))).json() == []
        moved = transfer(spent.output.transaction_id, [spent], [Payment(details_of([OTHER.public_key]))])
        await served.engine.submit(moved.body, Mode.COMMIT)
        assert (await opened.ask(request("GET", OUTPUTS + "&spent=true"))).json() == [owned[57]]
        assert (await opened.ask(request("GET", OUTPUTS + "&spent=false"))).json() == owned[:57] + owned[58:]


async def test_head_of_a_long_list_has_no_body(start: Start) -> None:
    served = await start(limits=PAGE)
    await own(served, 50)
    async with wire(served.api.port) as opened:
        assert (await opened.ask(request("HEAD", OUTPUTS))).status == 200
        assert (await opened.ask(request("GET", "/api/v1"))).status == 200


async def test_an_http_1_0_client_gets_a_long_list_up_to_the_end_of_the_connection(start: Start) -> None:
    served = await start(limits=PAGE)
    expected = await own(served, 50)
    async with wire(served.api.port) as opened:
        answer = await opened.ask(f"GET {OUTPUTS} HTTP/1.0\r\n\r\n".encode())
        assert "transfer-encoding" not in answer.headers
        assert answer.json() == expected


async def test_a_list_that_breaks_off_cannot_be_taken_for_whole(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    served = await start(limits=Limits(page_count_max=1))
    await own(served, 20_000)
    async with wire(served.api.port) as opened:
        await opened.send(request("GET", OUTPUTS))
        assert await opened.reader.readuntil(b"\r\n\r\n")
        await served.api._reads.close()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError, ValueError)):
            await opened._chunks()
    assert "a list was cut off by an error" in caplog.text
    with pytest.raises(StoreError, match="interrupted"):  # what ran in the store, too
        served.store.queries().height()


async def test_nothing_more_is_read_for_a_client_that_is_gone(start: Start) -> None:
    served = await start(limits=Limits(page_count_max=1))
    await own(served, 20_000)
    async with wire(served.api.port) as opened:
        await opened.send(request("GET", OUTPUTS))
        assert await opened.reader.readuntil(b"\r\n\r\n")
    await until(lambda: served.api.connection_count == 0, "the connection to end")
    await until(lambda: not served.api._reads._reader._others.asked, "the reading to end")


async def test_nothing_more_is_looked_for_for_a_client_that_is_gone(start: Start) -> None:
    served = await start(limits=Limits(page_count_max=1))
    await own(served, 20_000)
    async with wire(served.api.port) as opened:
        await opened.send(request("GET", OUTPUTS + "&spent=true"))
        assert await opened.reader.readuntil(b"\r\n\r\n")
        at_once = struct.pack("ii", 1, 0)
        opened.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    await until(lambda: served.api.connection_count == 0, "the connection to end")
    await until(lambda: not served.api._reads._reader._others.asked, "the reading to end")


async def test_a_client_that_takes_nothing_is_let_go_and_holds_a_piece_at_most(start: Start) -> None:
    served = await start(limits=Limits(page_count_max=10, stream_stall_s_max=0.4))
    await own(served, 20_000)
    async with wire(served.api.port, is_narrow=True) as opened:
        await opened.ask(request("GET", "/api/v1"))
        for connection in served.api._listener._places:
            connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        opened.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await opened.send(request("GET", OUTPUTS))
        await until(lambda: served.api.connection_count == 0, "the connection to be given up")
