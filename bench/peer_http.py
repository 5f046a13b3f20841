"""The peer for HTTP: aiohttp's server on the same loop, with a handler that reads the body and does nothing with it.

Until the node had an HTTP server of its own this was the floor, so older figures compare with it.

Run as `python -m bench.peer_http PORT`.
"""

import asyncio
import sys

import uvloop
from aiohttp import web


async def _accept(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=202, body=b"{}\n", content_type="application/json")


async def _serve(port: int) -> None:
    application = web.Application()
    application.router.add_post("/api/v1/transactions", _accept)
    application.router.add_get("/", lambda _: _ready())
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


async def _ready() -> web.Response:
    return web.Response(text="{}\n")


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
