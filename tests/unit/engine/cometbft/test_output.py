"""What CometBFT prints, as log lines of the node."""

import json
import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.engine.cometbft.output import LINE_BYTES_MAX, VALUE_CHARACTERS_MAX, Lines, understand


def test_a_line_keeps_its_message_module_and_fields() -> None:
    line = understand(b'{"_msg":"dialing failed","err":"timeout","level":"error","module":"p2p","height":7,"ts":"x"}')
    assert (line.level, line.module, line.message) == (logging.ERROR, "p2p", "dialing failed")
    assert line.fields == {"err": "timeout", "height": "7"}
    assert line.text == "dialing failed: timeout"
    assert line.tells_why


@pytest.mark.parametrize(
    ("level", "ours"), [("debug", logging.DEBUG), ("info", logging.DEBUG), ("error", logging.ERROR), (7, logging.ERROR)]
)
def test_levels(level: object, ours: int) -> None:
    """Six lines for each block are no information; an unknown level is better seen."""
    assert understand(json.dumps({"_msg": "m", "level": level}).encode()).level == ours


@pytest.mark.parametrize(
    ("message", "ours"),
    [
        ("Error dialing peer", logging.WARNING),
        ("Error in peer's address", logging.WARNING),
        ("Stopping peer for error", logging.WARNING),
        ("Connection failed @ recvRoutine", logging.INFO),
        ("error while stopping peer", logging.INFO),
    ],
)
def test_a_peer_that_is_away_is_no_error_and_no_reason_of_an_end(message: str, ours: int) -> None:
    line = understand(json.dumps({"_msg": message, "level": "error", "module": "p2p", "err": "refused"}).encode())
    assert (line.level, line.tells_why) == (ours, False)
    assert understand(json.dumps({"_msg": message, "level": "debug"}).encode()).level == logging.DEBUG
    assert understand(json.dumps({"_msg": f"{message}!", "level": "error"}).encode()).level == logging.ERROR


def test_a_genesis_time_in_the_future_is_seen() -> None:
    """CometBFT calls it information, and then neither does nor says anything until that time."""
    line = understand(b'{"_msg":"Genesis time is in the future. Sleeping until then...","genTime":"x","level":"info"}')
    assert (line.level, line.fields, line.tells_why) == (logging.WARNING, {"genTime": "x"}, False)


@pytest.mark.parametrize(
    ("text", "is_mismatch"),
    [
        (b"panic: state.AppHash does not match AppHash after replay. Got", True),
        (b"ERROR: error on replay: app block height (32) is higher than core (26)", True),
        (b"panic: no", False),
        (b'{"_msg":"app block height (32) is higher than core (26)","level":"error"}', False),
    ],
)
def test_a_ledger_that_does_not_fit_the_blocks_is_known(text: bytes, *, is_mismatch: bool) -> None:
    assert understand(text).is_mismatch == is_mismatch


def test_at_a_stop_only_what_cannot_come_from_it_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for text in (
        b'{"_msg":"Error serving server","err":"closed","level":"error"}',
        b'{"_msg":"CONSENSUS FAILURE!!!","err":"wrong","level":"error","module":"consensus"}',
        b"panic: no",
    ):
        understand(text).log()
        understand(text).log(is_stopping=True)
    assert [record.levelno for record in caplog.records] == [
        *(logging.ERROR, logging.DEBUG),
        *(logging.ERROR, logging.ERROR),
        *(logging.ERROR, logging.ERROR),
    ]


@pytest.mark.parametrize(
    "text", ["panic: no", "ERROR: failed", "goroutine 1 [running]:", "[]", '{"a": 1}', '{"_msg": 1}']
)
def test_what_is_no_line_of_a_log_is_an_error(text: str) -> None:
    line = understand(text.encode())
    assert (line.level, line.module, line.message) == (logging.ERROR, "", text)
    assert line.tells_why == text.startswith(("panic", "ERROR"))


def test_a_consensus_failure_is_known() -> None:
    assert understand(b'{"_msg":"CONSENSUS FAILURE!!!","err":"wrong","level":"error","module":"consensus"}').is_failure
    assert not understand(b'{"_msg":"received CONSENSUS FAILURE","level":"error"}').is_failure


def test_a_field_of_any_name_can_be_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Python's logging refuses names that a record has itself, and CometBFT has a field `msg`."""
    names = [name for name in vars(logging.makeLogRecord({})) if name != "module"]
    for first, second in pairwise(names):
        understand(
            json.dumps({"_msg": "m %s", first: 1, second: 2, "level": "error", "module": "state"}).encode()
        ).log()
    assert {record.getMessage() for record in caplog.records} == {"m %s"}
    assert {record.name for record in caplog.records} == {"bigchaindb.cometbft.state"}


def test_nothing_grows_with_what_is_printed() -> None:
    line = understand(json.dumps({"_msg": "m" * 9999, "a": "b" * 9999} | {f"f{i}": i for i in range(99)}).encode())
    assert len(line.message) == len(line.fields["a"]) == VALUE_CHARACTERS_MAX
    assert len(line.fields) == 20
    lines = Lines()
    assert [piece for _ in range(100) for piece in lines.feed(b"x" * 10_000)] == []
    assert list(lines.feed(b"\nnext\n")) == [b"x" * LINE_BYTES_MAX, b"next"]


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_however_they_arrive(texts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(text + b"\n" for text in texts)
    whole = list(Lines().feed(stream))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    lines = Lines()
    assert [line for start, end in pairwise(places) for line in lines.feed(stream[start:end])] == whole
    assert whole == [line for line in stream.split(b"\n") if line.strip()]


def test_a_module_of_any_form_becomes_no_logger_of_its_own() -> None:
    """Loggers live for ever."""
    for module in ("a.b", "x" * 41, "", 1, None, "ä"):
        assert understand(json.dumps({"_msg": "m", "level": "info", "module": module}).encode()).module == ""
    assert understand(b'{"_msg":"m","level":"info","module":"abci-client"}').module == "abci-client"
