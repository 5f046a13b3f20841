"""The floor for HTTP: the node's own server with a handler that reads the body and does nothing with it.

Run as `python -m bench.floor_http PORT`.
"""

import asyncio
import sys

import uvloop

from bigchaindb.api.answers import Answer
from bigchaindb.api.bodies import Bodies
from bigchaindb.api.wire import write_answer
from bigchaindb.config import Limits
from bigchaindb.serving.answering import last_text
from bigchaindb.serving.connection import Connection, ConnectionLimits, Texts
from bigchaindb.serving.listener import Listener
from bigchaindb.serving.request import Request

LIMITS = Limits()


async def _serve(port: int) -> None:
    bodies = Bodies(LIMITS)

    async def accept(connection: Connection, request: Request) -> None:
        if request.method == "GET":
            write_answer(connection, request, Answer(200, b"{}\n"))
            return
        await bodies.read(connection, request)
        write_answer(connection, request, Answer(202, b"{}\n"))

    refusal = last_text(503, "refused")
    texts = Texts(refusal, refusal, refusal)
    connections = ConnectionLimits.of(LIMITS, LIMITS.connection_count_max)
    await Listener(accept, connections, texts, Connection.answer_text, name="floor").start("127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
