"""Pulls of a subscription over HTTP, for tests."""

import json
from typing import Any

from tests.support.http import Answer
from tests.support.raw import ask
from tests.support.served import Served

PATH = "/api/v1/subscriptions/a/pull"


async def asked(served: Served, path: str = PATH, **body: Any) -> Answer:
    return await ask(served.api.port, "POST", path, json.dumps(body).encode())


async def pull(served: Served, **body: Any) -> dict[str, Any]:
    answer = await asked(served, **body)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    assert list(found) == ["events", "stale", "level", "token"]
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [one["event"]["id"] for one in found["events"]]
