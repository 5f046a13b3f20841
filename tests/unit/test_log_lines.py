"""The form of a log line as JSON, for programs that gather logs. Source: docs/reference/configuration.md, "Log"."""

import json
import logging
import re
import sys
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.log_lines import (
    EXACT_MAX,
    FIELD_COUNT_MAX,
    LINE_CHARACTERS_MAX,
    TRACEBACK_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
    Formatter,
    JsonFormatter,
    request_id,
)
from bigchaindb.masking import MASK, secrets_in

HOSTILE = st.text() | st.sampled_from(
    ["\n", "\r\n  {", "\0", "\x1b[31m", "\x85\u2028", "\ud800", '"}', "\\", "🦊" * 9_000]
)
VALUES = HOSTILE | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.text()) | st.binary()


def record(message: str, exc_info: Any = None, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("a.b", logging.WARNING, "f.py", 1, "%s", (message,), exc_info)
    vars(made).update(fields)
    return made


def raised(text: str) -> Any:
    try:
        int(text)
    except ValueError as error:
        error.args = (text,)
        return sys.exc_info()


def line_of(message: str, *secrets: str, exc_info: Any = None, **fields: object) -> dict[str, Any]:
    text = JsonFormatter(secrets=secrets).format(record(message, exc_info, **fields))
    assert text.isprintable(), "one line, which no terminal obeys"
    decoded = json.loads(text)
    json.dumps(decoded, ensure_ascii=False).encode()  # no half of a surrogate pair, though escaped
    assert isinstance(decoded, dict)
    return decoded


def test_a_line_has_time_level_message_and_fields_with_their_types() -> None:
    line = line_of(
        "two  blanks",
        height=7,
        share=0.5,
        is_new=True,
        reason=None,
        plugin="sales",
        where=("a", 1),
        status=HTTPStatus.OK,
    )
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "message": "two  blanks",
        "logger": "a.b",
        "height": 7,
        "share": 0.5,
        "is_new": True,
        "reason": None,
        "plugin": "sales",
        "where": "('a', 1)",
        "status": 200,
    }


def test_the_fields_are_those_of_a_line_of_text() -> None:
    """Whoever changes the form finds the same."""
    token = request_id.set("0f3c-17")
    try:
        one = record("m", height=7, plugin="sales")
        text, line = Formatter().format(one), json.loads(JsonFormatter().format(one))
    finally:
        request_id.reset(token)
    fields = dict(field.split("=") for field in text.partition("  ")[2].split())
    assert fields == {name: str(value) for name, value in line.items() if name not in ("time", "level", "message")}
    assert fields["request"] == "0f3c-17"


@given(HOSTILE, st.dictionaries(st.text(min_size=1).filter(lambda name: name not in vars(record(""))), VALUES))
def test_a_record_is_one_object_on_one_line_whatever_strangers_send(message: str, fields: dict[str, Any]) -> None:
    line = line_of(message, **fields)
    assert set(line) >= {"time", "level", "message", "logger"}
    assert (line["level"], line["logger"]) == ("warning", "a.b")


@pytest.mark.parametrize("form", [Formatter, JsonFormatter])
def test_a_line_is_bounded_and_shows_how_much_was_cut(form: type[Formatter]) -> None:
    huge = {f"field_{number}": "x" * 10**6 for number in range(FIELD_COUNT_MAX + 10)}
    text = form().format(record("m" * 10**6, **huge))
    assert len(text) < LINE_CHARACTERS_MAX + 100 * FIELD_COUNT_MAX + 1_000
    assert f"({10**6 - VALUE_CHARACTERS_MAX} characters more)" in text


def test_of_a_long_traceback_the_end_remains() -> None:
    traceback = line_of("failed", exc_info=raised("x" * 10**6 + "the end"))["traceback"]
    assert len(traceback) == TRACEBACK_CHARACTERS_MAX
    assert traceback.endswith("the end")


@pytest.mark.parametrize("secret", ['pa"ss\\word', "zwei  blanks", "schlüssel\twort", "-- BEGIN --\nMIIabc\n-- END --"])
def test_no_way_to_write_a_secret_shows_it(secret: str) -> None:
    texts = [f"said {secret}", repr([secret]), json.dumps([secret]), json.dumps([secret], ensure_ascii=False)]
    secrets = tuple(secrets_in({"password": secret}))
    for text in texts:
        line = line_of(text, *secrets, exc_info=raised(secret), detail=text, api_key="k", where=f"amqp://u:{secret}@h")
        assert line["api_key"] == MASK
        assert all(MASK in line[name] for name in ("message", "detail", "traceback"))
        assert "pa" not in line["where"].replace("x" * 45, "")
        assert secret not in str(line)


@pytest.mark.parametrize("form", [Formatter, JsonFormatter])
def test_a_secret_is_masked_before_a_value_is_cut(form: type[Formatter]) -> None:
    """Half of it would not be recognized."""
    text = "x" * (VALUE_CHARACTERS_MAX - 12) + " amqp://u:hunter22@host secret-of-the-file"
    line = form(secrets=["secret-of-the-file"]).format(record(text, detail=text))
    assert "hunter" not in line
    assert "secret-of" not in line


def test_a_number_that_is_a_secret_is_masked() -> None:
    assert line_of("m", "12345678", count=12345678)["count"] == MASK


@pytest.mark.parametrize("value", [float("nan"), float("inf"), EXACT_MAX + 1])
def test_what_json_cannot_hold_exactly_is_text(value: float) -> None:
    assert line_of("m", value=value)["value"] == str(value)


def test_no_field_replaces_a_member_of_the_line() -> None:
    line = line_of("m", exc_info=raised("e"), time="t", level="l", logger="g", traceback="b")
    assert (line["message"], line["level"], line["logger"]) == ("m", "warning", "a.b")
    assert (line["time_"], line["level_"], line["traceback_"]) == ("t", "l", "b")
    assert "ValueError" in line["traceback"]
    assert line_of("m", traceback="of a check process")["traceback"] == "of a check process"


def test_text_has_a_line_for_each_record_whatever_its_fields_are_called() -> None:
    """A plugin may pass the keys of a stranger's object on."""
    names = ["a\n2026-01-31 12:00:00 [info] forged  b", "\x1b[2J", "\u202e", "\ud800", "two words", "a=b", '"', ""]
    text = Formatter().format(record("m", **{name: number for number, name in enumerate(names)}))
    assert text.isprintable()
    assert [field.rpartition("=")[2] for field in text.split("  ")[1].split()] == ["a.b", *map(str, range(len(names)))]


def test_a_traceback_in_text_cannot_control_a_terminal() -> None:
    text = Formatter().format(record("m", raised("a\x1b[2J\u202e\0b\r\n[info] forged\x85c")))
    head, *lines = text.split("\n")
    assert head.endswith("m  logger=a.b")
    assert all(line.startswith("    ") and line.isprintable() for line in lines)
    assert lines[-3:] == ["    ValueError: a\\x1b[2J\\u202e\\x00b", "    [info] forged", "    c"]


def test_a_text_of_the_command_line_is_a_line_too() -> None:
    line = json.loads(JsonFormatter().said("\nInitialization complete.\nListening on: x\n", logging.ERROR))
    assert (line["level"], line["logger"]) == ("error", "bigchaindb")
    assert line["message"] == "Initialization complete.\nListening on: x"
    assert Formatter().said("as it is\n", logging.ERROR) == "as it is\n"


def test_of_what_ended_the_node_the_end_remains() -> None:
    """There stands which error it was."""
    traceback = "amqp://u:hunter22@host\n" + "  File\n" * 5_000 + "secret-of-the-file\nValueError: the end\n"
    line = json.loads(JsonFormatter(secrets=["secret-of-the-file"]).said(traceback, logging.CRITICAL))
    assert line["message"].endswith(f"{MASK}\nValueError: the end")
    assert re.match(r"\(\d+ characters before\) …", line["message"])
    text = Formatter(secrets=["secret-of-the-file"]).said("amqp://u:hunter22@host secret-of-the-file", logging.CRITICAL)
    assert text == f"amqp://u:{MASK}@host {MASK}"
    assert len(line["message"]) <= VALUE_CHARACTERS_MAX
