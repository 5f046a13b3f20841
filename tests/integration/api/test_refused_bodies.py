"""What a refused document leaves in memory: an error must not keep the frames that hold it, and its bytes with them.

Python frees such a circle in its next full collection, for which a few large documents are no reason.
"""

import gc
from collections.abc import Iterator

import pytest

from bigchaindb.api.call import Call
from bigchaindb.config import Limits
from bigchaindb.engine.engine import Mode
from bigchaindb.serving.request import Body
from bigchaindb.transaction.build import create
from tests.integration.api.conftest import Start
from tests.support.raw import Wire, request, until, wire
from tests.support.served import KEY, Served

TARGET = "/api/v1/transactions?mode=async"
LARGE = create([KEY], metadata={"text": 100_000 * "x"}).body


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept() -> list[object]:
    return [one for one in gc.get_objects() if isinstance(one, Call) or (isinstance(one, Body) and one.size)]


async def refused(connection: Wire, body: bytes, status: int) -> None:
    assert (await connection.ask(request("POST", TARGET, body))).status == status


async def test_a_refused_document_goes_with_its_answer(served: Served) -> None:
    await served.engine.submit(LARGE, Mode.COMMIT)
    async with wire(served.api.port) as connection:
        for body in (LARGE, LARGE[:-1], LARGE.replace(b"xx", b"xy", 1)):
            await refused(connection, body, 400)
        await until(lambda: not kept(), "the documents to go")


async def test_a_document_without_room_goes_with_its_answer(start: Start) -> None:
    served = await start(limits=Limits(pool_bytes_max=1_000, block_bytes_max=1_000, body_bytes_max=1_000))
    async with wire(served.api.port) as connection:
        await refused(connection, LARGE[:900], 400)
    async with wire(served.api.port) as connection:
        await refused(connection, LARGE, 413)
    await until(lambda: not kept(), "the documents to go")


async def test_half_a_document_goes_with_its_client(served: Served) -> None:
    async with wire(served.api.port) as connection:
        await connection.send(request("POST", TARGET, LARGE)[:-1_000])
        await until(lambda: bool(kept()), "the document to arrive")
    await until(lambda: not kept(), "the document to go")
