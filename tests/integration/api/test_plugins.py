"""`/api/v1/plugins`: monitoring without a shell on the node (P14)."""

from dataclasses import replace

from jsonschema import Draft202012Validator

from bigchaindb.api.openapi import document
from bigchaindb.eventlog.lane import State
from tests.integration.api.conftest import Start
from tests.support.lane_statuses import status
from tests.support.raw import ask


async def test_it_lists_every_plugin_as_described(start: Start) -> None:
    served = await start(plugins=[status("ValueError: secret"), replace(status(""), name="other")])
    answer = await ask(served.api.port, "GET", "/api/v1/plugins")
    listed = answer.json()
    assert answer.status == 200
    assert [one["error"] for one in listed] == ["ValueError", None]
    assert listed[0]["state"] == State.BACKOFF
    assert b"secret" not in answer.body
    description = document()
    schema = {**description["components"]["schemas"]["Plugin"], "components": description["components"]}
    for one in listed:
        Draft202012Validator(schema).validate(one)


async def test_without_plugins_it_is_empty(start: Start) -> None:
    served = await start()
    assert (await ask(served.api.port, "GET", "/api/v1/plugins/")).json() == []
