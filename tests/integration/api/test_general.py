"""What holds for every route. Source: docs/reference/contract/http-api.md, section 1."""

import logging

import pytest

from bigchaindb.api.routes import RESOURCES
from bigchaindb.log_lines import Formatter
from tests.support.raw import ask, request, wire
from tests.support.served import Served

PLAIN_PATHS = [path for path, resource in RESOURCES.items() if "{" not in path and "GET" in resource.routes]
SOME = {
    "/api/v1/transactions": "?asset_id=" + 64 * "a",
    "/api/v1/outputs": "?public_key=" + 43 * "1",
    "/api/v1/blocks": "?transaction_id=" + 64 * "a",
    "/api/v1/assets": "?search=nothing",
    "/api/v1/metadata": "?search=nothing",
    "/api/v1/votes": "?block_id=" + 64 * "a",
    "/api/v1/find": "?text=nothing",
}
NOT_ALONE = {"/api/v1/statuses", "/api/v1/elections", "/api/v1/streams/events"}
"""The first wants one of two arguments, the second a network, the third an upgrade."""
CHANGING = {"/api/v1/statistics"}
"""Have another body from one moment to the next."""
METHOD_REFUSED = b'{"message":"The method is not allowed for the requested URL."}\n'


@pytest.mark.parametrize("path", [path for path in PLAIN_PATHS if path not in NOT_ALONE])
async def test_one_trailing_slash_makes_no_difference(served: Served, path: str) -> None:
    without = await ask(served.api.port, "GET", path + SOME.get(path, ""))
    with_slash = await ask(served.api.port, "GET", path.rstrip("/") + "/" + SOME.get(path, ""))
    assert without.status == with_slash.status == 200
    if path not in CHANGING:
        assert without.body == with_slash.body


async def test_a_parameter_may_be_followed_by_one_slash(served: Served) -> None:
    [transaction_id] = await served.commit()
    path = f"/api/v1/transactions/{transaction_id}"
    assert (await ask(served.api.port, "GET", path + "/")).json()["id"] == transaction_id
    assert (await ask(served.api.port, "GET", path + "//")).status == 404


@pytest.mark.parametrize(
    "path", ["//", "/api", "/api/v1//", "/api/v2", "/api/v1/nope", "/api/v1/blocks/1/2", "/api/v1/streams", "/%00"]
)
async def test_what_is_no_route_is_a_plain_404_in_json(served: Served, path: str) -> None:
    answer = await ask(served.api.port, "GET", path)
    assert (answer.status, answer.body) == (404, b'{"message":"Not found","status":404}\n')


@pytest.mark.parametrize("path", PLAIN_PATHS)
async def test_bodies_are_json_that_ends_with_a_newline(served: Served, path: str) -> None:
    answer = await ask(served.api.port, "GET", path)
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.endswith(b"\n")
    answer.json()


async def test_another_method_is_a_405_that_names_the_right_ones(served: Served) -> None:
    for route in RESOURCES.values():
        path = route.path.replace("{id}", "x").replace("{height_or_id}", "1").replace("{name}", "x")
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"} - {*route.routes}:
            answer = await ask(served.api.port, method, path)
            assert (answer.status, answer.body) == (405, METHOD_REFUSED), (method, path)
            allow = ", ".join([*route.routes, "OPTIONS"])
            assert answer.headers["allow"] == allow
            if not route.path.startswith(("/api/v1/plugins/", "/api/v1/subscriptions/", "/api/v1/access/")):
                post = "POST, " if path == "/api/v1/transactions" else ""
                assert allow == f"{post}GET, HEAD, OPTIONS"


async def test_post_is_for_transactions_alone(served: Served) -> None:
    assert (await ask(served.api.port, "POST", "/api/v1/validators", b"")).status == 405


@pytest.mark.parametrize("path", [*PLAIN_PATHS, "/api/v1/blocks/7", "/nope"])
async def test_head_is_get_without_a_body(served: Served, path: str) -> None:
    target = path + SOME.get(path, "")
    async with wire(served.api.port) as opened:
        get = await opened.ask(request("GET", target))
        head = await opened.ask(request("HEAD", target))
        again = await opened.ask(request("GET", target))
    assert head.body == b""
    assert head.status == get.status
    assert int(head.headers["content-length"]) > 0
    if path not in CHANGING:
        assert head.headers["content-length"] == get.headers["content-length"]
        assert again.body == get.body


async def test_options_is_an_empty_200_that_says_what_is_allowed(served: Served) -> None:
    answer = await ask(served.api.port, "OPTIONS", "/api/v1/transactions")
    assert (answer.status, answer.body, answer.headers["allow"]) == (200, b"", "POST, GET, HEAD, OPTIONS")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-methods" not in answer.headers


@pytest.mark.parametrize("target", ["/", "/nope", "/api/v1/outputs", "/api/v1/transactions/abc"])
async def test_any_origin_may_read_every_answer(served: Served, target: str) -> None:
    """A page in a browser must see errors too (driver-expectations.md, check 16)."""
    assert (await ask(served.api.port, "GET", target)).headers["access-control-allow-origin"] == "*"
    answer = await ask(served.api.port, "GET", target, Origin="https://example.com")
    assert answer.headers["access-control-allow-origin"] == "https://example.com"
    assert answer.headers["vary"] == ("Accept, Origin" if target == "/" else "Origin")


async def test_a_preflight_allows_what_was_asked_for(served: Served) -> None:
    asked = {
        "Origin": "null",
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "content-type, x",
    }
    answer = await ask(served.api.port, "OPTIONS", "/api/v1/transactions?mode=commit", None, **asked)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "null"
    assert answer.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert answer.headers["access-control-allow-headers"] == "content-type, x"
    assert not {"access-control-allow-credentials", "access-control-max-age"} & set(answer.headers)


async def test_a_get_with_a_content_type_or_foreign_headers_is_a_get(served: Served) -> None:
    headers = {"Content_Type": "application/json", "app_id": "a", "app_key": "b", "Accept_Encoding": "gzip, deflate"}
    answer = await ask(served.api.port, "GET", "/api/v1/validators", None, **headers)
    assert answer.status == 200
    assert "content-encoding" not in answer.headers


async def test_plain_errors_are_one_line_in_the_log_whatever_the_client_wrote(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await ask(served.api.port, "GET", "/api/v1/transactions/abc")
        await ask(served.api.port, "GET", "/api/v1/assets?search=")
    assert [record.getMessage() for record in caplog.records] == [
        "HTTP API error: 404 - GET:/api/v1/transactions/abc - Not found",
        "HTTP API error: 400 - GET:/api/v1/assets - text_search cannot be empty",
    ]


async def test_a_proxy_may_send_the_absolute_form(served: Served) -> None:
    answer = await ask(served.api.port, "GET", "http://node.example:9984/api/v1/blocks/0?x=1")
    assert answer.json() == {"height": 0, "transactions": []}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_localhost_is_both_loopback_addresses(served: Served, host: str) -> None:
    """Current Node resolves it to ::1 first (driver-expectations.md, 2.2)."""
    async with wire(served.api.port, host) as opened:
        assert (await opened.ask(request("GET", "/"))).status == 200


@pytest.mark.parametrize("target", ["/", "/api/v1/transactions?asset_id=" + 64 * "a", "/nope", "/api/v1/outputs"])
async def test_an_answer_has_the_id_that_its_request_had(served: Served, target: str) -> None:
    answer = await ask(served.api.port, "GET", target, X_Request_Id="mine.1")
    assert answer.headers["x-request-id"] == "mine.1"


async def test_a_request_without_an_id_gets_one_which_stands_in_its_log_lines(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reports an error names the id, and the operator finds the line."""
    logger, lines = logging.getLogger("bigchaindb.api"), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(Formatter("").format(record))  # type: ignore[method-assign]
    logger.addHandler(handler)
    with caplog.at_level(logging.INFO, "bigchaindb.api"):
        first = await ask(served.api.port, "GET", "/nope")
        second = await ask(served.api.port, "GET", "/nope", X_Request_Id="not an id")
    logger.removeHandler(handler)
    ids = [answer.headers["x-request-id"] for answer in (first, second)]
    assert len(set(ids)) == 2
    assert [line.rpartition("request=")[2] for line in lines] == ids
