"""What a client reads in answers, and when it asks again. Source: docs/reference/contract/http-api.md."""

import json

import pytest

from bigchaindb.client import answers, calls
from bigchaindb.client.answers import Answer, Call
from bigchaindb.client.calls import Status
from bigchaindb.errors import HistoryLost, RequestFailed, TransactionRefused

URL = "http://node:9984"
KEY = "4K9sWUMFwTgaDGPfdynrbxWqWS6sWmKbZoTjxLtVUibD"


def refused(call: Call[object], status: int, message: object) -> RequestFailed:
    with pytest.raises(RequestFailed) as error:
        answers.result(call, Answer(status, json.dumps({"message": message, "status": status}).encode()), URL)
    return error.value


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        ("Invalid transaction (DoubleSpend): input `x` was already spent", "DoubleSpend"),
        ("Invalid transaction schema: outputs: too short", "SchemaValidationError"),
        ("Failed to decode JSON object: invalid character", "MalformedJson"),
    ],
)
def test_a_refusal_names_the_rule(message: str, rule: str) -> None:
    error = refused(calls.post(b"{}", "commit"), 400, message)
    assert isinstance(error, TransactionRefused)
    assert (error.rule, error.status, str(error)) == (rule, 400, f"{URL} answered 400: {message}")


@pytest.mark.parametrize("message", ["Not found", {"asset_id": "Invalid hash"}, 7, None])
def test_another_refusal_is_quoted(message: object) -> None:
    error = refused(calls.validators(), 404, message)
    assert type(error) is RequestFailed
    assert str(error) == f"{URL} answered 404: {message}"


def test_what_would_help_stands_with_the_error() -> None:
    spent = refused(calls.post(b"{}", "commit"), 400, "Invalid transaction (DoubleSpend): x")
    assert spent.__notes__ == [
        f"an output can be spent once; {URL}/api/v1/outputs?public_key=KEY&spent=false lists what is left"
    ]
    unknown = refused(calls.transaction("abc"), 404, "Not found")
    assert unknown.__notes__[1] == f"its status: {URL}/api/v1/statuses?transaction_id=abc"
    assert "BIGCHAINDB_ACCESS_KEY_FILE" in refused(calls.validators(), 401, "who are you").__notes__[0]
    assert "no event for '7'" in refused(calls.proof("7"), 404, "Not found").__notes__[0]
    for call in (calls.transaction("abc"), calls.proof("7")):
        assert not hasattr(refused(call, 400, "x"), "__notes__")


def test_a_place_that_the_log_does_not_have_is_history_lost() -> None:
    body = {"message": "the log does not hold it", "status": 410, "position": 7, "head": 3}
    with pytest.raises(HistoryLost) as lost:
        answers.result(calls.validators(), Answer(410, json.dumps(body).encode()), URL)
    assert (lost.value.position, lost.value.head) == (7, 3)
    assert "410: gone" in str(refused(calls.validators(), 410, "gone"))


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 5000, b'"text"', b"\xff"])
def test_something_else_than_a_node_is_noticed(body: bytes) -> None:
    for status in (200, 502):
        with pytest.raises(RequestFailed, match=r"/api/v1/transactions/abc answered \d+ without JSON: is it a node"):
            answers.result(calls.transaction("abc"), Answer(status, body if status == 200 else b"<html>"), URL)


@pytest.mark.parametrize(
    "call",
    [calls.validators(), calls.elections(), calls.status("a"), calls.proof("7"), calls.block(7), calls.outputs(KEY)],
)
def test_json_of_another_form_is_no_answer_of_a_node(call: Call[object]) -> None:
    with pytest.raises(RequestFailed, match="is it a node"):
        answers.result(call, Answer(200, b"7"), URL)


def test_a_node_that_serves_over_tls_says_so() -> None:
    text = b"this address is served over TLS; ask it with https:// or wss://\n"
    with pytest.raises(RequestFailed, match=r"^http://node:9984 is served over TLS; ask https://node:9984$"):
        answers.result(calls.validators(), Answer(400, text), URL)


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (calls.transaction("a/c"), "/api/v1/transactions/a%2Fc"),
        (calls.transactions("aa", "CREATE"), "/api/v1/transactions?asset_id=aa&operation=CREATE"),
        (calls.transactions("aa", is_last=True), "/api/v1/transactions?asset_id=aa&last_tx=true"),
        (calls.outputs(KEY), f"/api/v1/outputs?public_key={KEY}"),
        (calls.outputs(KEY, spent=False), f"/api/v1/outputs?public_key={KEY}&spent=false"),
        (calls.search("assets", "a b&c", 2), "/api/v1/assets?search=a+b%26c&limit=2"),
        (calls.proof("7"), "/api/v1/blocks/7/proof"),
        (calls.proof("position:7"), "/api/v1/events/7/proof"),
        (calls.election_status("a?"), "/api/v1/elections/a%3F"),
        (
            calls.events(
                {"metadata.n": 5, "metadata.ok": True, "metadata.no": None, "operation": "CREATE"},
                types="valid",
                granularity="transaction",
                after="1.x",
            ),
            (
                "/api/v1/events?metadata.n=5&metadata.ok=true&metadata.no=null&operation=CREATE&type=valid"
                "&granularity=transaction&limit=1000&after=1.x"
            ),
        ),
        (
            calls.newest({"asset": "aa"}, types=None, granularity="transaction", log="events", before="now"),
            "/api/v1/events?asset=aa&granularity=transaction&before=now",
        ),
        (
            calls.newest(None, types=None, granularity="block", log="rejected", before="1.x"),
            "/api/v1/rejected?before=1.x",
        ),
    ],
)
def test_calls_are_written_as_the_contract_has_them(call: Call[object], path: str) -> None:
    assert call.path == path


def test_a_page_is_read_without_touching_its_events() -> None:
    page = answers.result(
        calls.events(None, types=None, granularity="block", after=None),
        Answer(200, b'{"events":[{"n": 1e2},{}],"head":false,"next":"1.x"}\n'),
        URL,
    )
    assert page == ((b'{"n": 1e2}', b"{}"), False, "1.x")


def test_the_status_of_what_a_node_does_not_have() -> None:
    """Rejected is known from the text of a 404; any other error is no status."""
    call = calls.status("abc")
    assert answers.result(call, Answer(200, b'{"status": "backlog"}'), URL) == "backlog"
    assert calls.status_of(refused(call, 404, "Not found")) == Status("unknown")
    rejected = calls.status_of(refused(call, 404, "rejected (DoubleSpend): it was spent"))
    assert (rejected.name, rejected.rule) == ("rejected", "DoubleSpend")
    assert "it was spent" in rejected.text
    with pytest.raises(RequestFailed, match="500"):
        calls.status_of(refused(call, 500, "x"))


def test_pauses_grow_to_a_bound_and_follow_the_node() -> None:
    assert [answers.pause_s(attempt, 1.0) for attempt in (1, 2, 3, 9, 10**6)] == [0.25, 0.5, 1.0, 5.0, 5.0]
    assert answers.pause_s(1, 0.0) == 0.125
    assert answers.pause_s(1, 0.0, retry_after_s=3) == 3
    assert answers.pause_s(1, 1.0, retry_after_s=86_400) == 37.5


def test_the_other_scheme() -> None:
    assert answers.other_scheme("http://a:1") == "https://a:1"
    assert answers.other_scheme("HTTPS://a:1") == "http://a:1"
