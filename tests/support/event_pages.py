"""The event log over HTTP, page by page, for tests."""

import itertools
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from bigchaindb.engine.engine import Mode
from bigchaindb.ledger.checking import Chosen as Candidates
from bigchaindb.transaction.build import create
from tests.support.http import Answer
from tests.support.raw import ask
from tests.support.served import KEY, Served

SERIAL = itertools.count()


async def asked(served: Served, **arguments: object) -> Answer:
    named = {name.replace("__", "."): value for name, value in arguments.items()}
    return await ask(served.api.port, "GET", f"/api/v1/events?{urlencode(named)}")


async def page(served: Served, **arguments: object) -> dict[str, Any]:
    answer = await asked(served, **arguments)
    assert answer.status == 200, answer
    document: dict[str, Any] = answer.json()
    assert set(document) == {"events", "head", "next"}
    return document


async def newest(served: Served, **arguments: object) -> dict[str, Any]:
    answer = await asked(served, **arguments)
    assert answer.status == 200, answer
    document: dict[str, Any] = answer.json()
    assert set(document) == {"events", "end", "next", "live"}
    return document


async def everything(served: Served, **arguments: object) -> list[dict[str, Any]]:
    """Follow `next` from the beginning to the head."""
    taken: list[dict[str, Any]] = []
    while True:
        one = await page(served, **arguments)
        taken += one["events"]
        if one["head"]:
            return taken
        assert one["next"] != arguments.get("after")
        arguments["after"] = one["next"]


async def commit(served: Served, metadata: Mapping[str, Any] | None = None, **data: object) -> str:
    made = create([KEY], data={**data, "serial": next(SERIAL)}, metadata=metadata)
    await served.engine.submit(made.body, Mode.COMMIT)
    return made.id


def twice(bodies: Any) -> Candidates:
    """Be a proposer whose blocks are voted invalid, so that a rejected block precedes each valid one."""
    return Candidates((*bodies, *bodies), ())


async def one(served: Served, path: str) -> dict[str, Any]:
    answer = await ask(served.api.port, "GET", f"/api/v1/{path}")
    assert answer.status == 200, answer
    document: dict[str, Any] = answer.json()
    return document
