"""Which status and text each error gets (http-api.md, sections 1 and 4)."""

import logging
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb import errors
from bigchaindb.access import lines
from bigchaindb.api.answers import Answer
from bigchaindb.api.problems import LINES_A_SECOND, ProblemLog, answer_for, plain
from bigchaindb.eventlog.lane import Lane, State
from bigchaindb.eventlog.orders import refusal
from tests.support.raw import until

# The published acceptance test matches the raw text with an expression of this form (http-api.md, section 4).
NAUGHTY = re.compile(
    r'.*\{\s*\n*\s*"message":\s*"Invalid transaction \(ValidationError\):\s*Invalid key name.*'
    r'The key name cannot contain characters.*\n*\s*"status":\s*400\s*\n*\s*\}\s*\n*.*'
)

ANSWERS = [
    (errors.MalformedJson("x"), 400, '{"message":"Failed to decode JSON object: x"}'),
    (errors.SchemaValidationError("x"), 400, '{"message":"Invalid transaction schema: x","status":400}'),
    (errors.ValidationError("x"), 400, '{"message":"Invalid transaction (ValidationError): x","status":400}'),
    (errors.DoubleSpend("x"), 400, '{"message":"Invalid transaction (DoubleSpend): x","status":400}'),
    (errors.ThresholdTooDeep(), 400, '{"message":"Invalid transaction (ThresholdTooDeep): ","status":400}'),
    (
        errors.UnknownSubscription("x"),
        404,
        '{"message":"there is no subscription \'x\'; PUT /api/v1/subscriptions/NAME creates one","status":404}',
    ),
    (errors.OrderRefused("x"), 409, '{"message":"x","status":409}'),
    (errors.MalformedSubscription("x"), 400, '{"message":"x","status":400}'),
    (errors.UnknownPlace("x"), 400, '{"message":"x","status":400}'),
    (errors.Overloaded("x"), 503, '{"message":"x","status":503}'),
    (errors.Stopping("x"), 503, '{"message":"x","status":503}'),
    (errors.StoreFull("x"), 503, '{"message":"x","status":503}'),
    (errors.CommitTimeout("x"), 504, '{"message":"x","status":504}'),
    (errors.EngineError("x"), 504, '{"message":"x","status":504}'),
    (errors.CheckFailed("secret"), 500, '{"message":"Internal Server Error"}'),
    (errors.StoreError("secret"), 500, '{"message":"Internal Server Error"}'),
]


@pytest.mark.parametrize(("error", "status", "body"), ANSWERS, ids=lambda value: type(value).__name__)
def test_each_error_has_its_answer(error: errors.BigchainDBError, status: int, body: str) -> None:
    answer = answer_for(error)
    assert (answer.status, answer.body.decode()) == (status, body + "\n")
    assert answer.headers == (b"Retry-After: 1\r\n" if status == 503 else b"")


def test_no_broken_rule_is_ever_the_nodes_fault() -> None:
    for error in errors.ValidationError.__subclasses__():
        assert answer_for(error("x")).status == 400


def test_a_refused_order_names_the_lanes_error_without_its_secrets() -> None:
    lane = Lane(State.FAILED, error="OperationalError: postgresql://audit:secret@db is away")
    answer = answer_for(refusal("audit", lane, "paused", kind="subscription"))
    assert answer.status == 409
    assert b"OperationalError: postgresql://audit:xxx" in answer.body
    assert "secret" not in f"{answer.body.decode()}{answer.logged}"


def test_bad_key_names_match_the_acceptance_test() -> None:
    text = 'Invalid key name "a$\n" in asset object. The key name cannot contain characters ".", "$" or null characters'
    assert NAUGHTY.match(answer_for(errors.ValidationError(text)).body.decode())


@given(st.text(alphabet=st.characters(codec=None)))
def test_every_text_can_be_a_message(text: str) -> None:
    """Lone surrogates come from bytes that are no UTF-8; no text may turn a 400 into a 500."""
    answer = plain(400, text)
    assert answer.body.decode().startswith('{"message":"')
    assert answer.body.decode().endswith('","status":400}\n')


async def test_a_plain_error_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    problems = ProblemLog()
    with caplog.at_level(logging.INFO):
        problems.write(plain(400, "two\nlines"), "POST", "/api/v1/transactions")
        problems.write(plain(400, 2_000 * "x"), "POST", "/api/v1/transactions")
        problems.write(Answer(200), "GET", "/")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "HTTP API error: 400 - POST:/api/v1/transactions - two\\nlines"
    assert lines[1].endswith(" - " + 1_000 * "x")
    assert len(lines) == 2
    assert {record.levelno for record in caplog.records} == {logging.INFO}, "strangers cause them"


async def summary(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """Wait for the line that stands for those which were left out."""
    await until(lambda: "errors: " in caplog.records[-1].getMessage(), "the summary")
    return caplog.records[-1]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A second that does not end for who counts lines, until it is undone."""
    monkeypatch.setattr(lines, "time", SimpleNamespace(monotonic=lambda: 0.0))
    return monkeypatch


async def test_errors_of_clients_are_summarised_and_hide_none_of_the_node(
    caplog: pytest.LogCaptureFixture, held: pytest.MonkeyPatch
) -> None:
    """A flood of bad requests must neither fill the disk nor hide what the operator has to see."""
    problems = ProblemLog()
    with caplog.at_level(logging.INFO):
        for number in range(1_000):
            problems.write(plain(404 if number % 4 else 400, "no"), "GET", "/x")
        problems.write(plain(503, "full"), "GET", "/x")
        lines = [record.getMessage() for record in caplog.records]
        assert len([line for line in lines if " 40" in line]) == LINES_A_SECOND
        assert lines[-1] == "HTTP API error: 503 - GET:/x - full"
        assert caplog.records[-1].levelno == logging.ERROR
        summed = await summary(caplog)
        assert summed.getMessage() == "HTTP API errors: 990 more by clients"
        assert vars(summed)["counts"] == {"400": 247, "404": 743}
        held.undo()
        problems.write(plain(404, "no"), "GET", "/y")
    assert caplog.records[-1].getMessage() == "HTTP API error: 404 - GET:/y - no"


@pytest.mark.usefixtures("held")
async def test_errors_of_an_overload_are_summarised(caplog: pytest.LogCaptureFixture) -> None:
    """32 clients with large documents made 70 lines a second, each of them an error."""
    problems = ProblemLog()
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            problems.write(plain(503, "full"), "POST", "/x")
        assert len(caplog.records) == LINES_A_SECOND
        summed = await summary(caplog)
    assert summed.getMessage() == "HTTP API errors: 90 more by the node"
    assert (summed.levelno, vars(summed)["counts"]) == (logging.ERROR, {"503": 90})
