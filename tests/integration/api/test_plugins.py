"""`/api/v1/plugins`: monitoring without a shell on the node (P14)."""

from dataclasses import replace

from jsonschema import Draft202012Validator

from bigchaindb.api.openapi import document
from bigchaindb.api.routes import ROUTES
from bigchaindb.config import Access
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
    description = document(ROUTES)
    schema = {**description["components"]["schemas"]["Plugin"], "components": description["components"]}
    for one in listed:
        Draft202012Validator(schema).validate(one)


async def test_without_plugins_it_is_empty(start: Start) -> None:
    served = await start()
    assert (await ask(served.api.port, "GET", "/api/v1/plugins/")).json() == []


async def test_one_lane_is_answered_to_who_may_see_it(start: Start) -> None:
    """The text of an error is for the operator alone; who may not see a subscription does not learn of it."""
    served = await start(access=Access(anonymous="none"), plugins=[status("ValueError: at 10.0.0.7")])
    keys = {scopes: served.new_key(scopes)[1] for scopes in ("read", "read subscribe:billing", "operate")}
    made = await ask(
        served.api.port, "PUT", "/api/v1/subscriptions/billing", b"{}", Authorization=f"Bearer {keys['operate']}"
    )
    assert made.status == 201
    for scopes, name, code in (
        ("read", "audit", 200),
        ("operate", "audit", 200),
        ("read", "billing", 403),
        ("read", "nobody", 403),
        ("read subscribe:billing", "billing", 200),
        ("operate", "billing", 200),
        ("operate", "nobody", 404),
    ):
        answer = await ask(served.api.port, "GET", f"/api/v1/plugins/{name}", Authorization=f"Bearer {keys[scopes]}")
        assert answer.status == code, (scopes, name, answer.body)
        assert (b"10.0.0.7" in answer.body) is ((scopes, name) == ("operate", "audit"))
    odd = await ask(served.api.port, "GET", "/api/v1/plugins/audit?x=1", Authorization=f"Bearer {keys['operate']}")
    assert odd.status == 400
