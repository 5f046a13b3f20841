"""The forms of a log line, with the same fields: text, a shorter text on a terminal, and JSON for log shippers.

A text line is `TIME [LEVEL] MESSAGE  key=value …`: the message holds no two blanks in a row, so that the fields begin
after the first two; the first field is `logger`. Fields come from `extra=`: `log.info("committed", extra={"height":
3})`. A traceback follows its line, each of its own lines indented. A JSON line is an object with the members `time`,
`level`, `message`, `logger`, the fields, and `traceback`. On a terminal the time is short, and the logger is left out.

No secret is written: every value passes through `bigchaindb.masking`, and the secrets of the configuration are masked
wherever they occur. Every value, and all values of a line together, are bounded.

Source: docs/reference/configuration.md, "Log".
"""

import json
import logging
import math
import re
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from bigchaindb.masking import MASK, is_secret_name, longest_first, masked_text

TEXT: Final = "text"
JSON: Final = "json"
FORMATS: Final = (TEXT, JSON)

VALUE_CHARACTERS_MAX: Final = 8_192
"""Characters of a message or a field. Strangers' texts are cut shorter where they are logged; this bounds mistakes."""
LINE_CHARACTERS_MAX: Final = 65_536
"""Characters of the message and all fields of a line."""
TRACEBACK_CHARACTERS_MAX: Final = 32_768
"""Characters of a traceback, of which the end remains."""
NAME_CHARACTERS_MAX: Final = 100
FIELD_COUNT_MAX: Final = 64
EXACT_MAX: Final = 2**53
"""Integers above it become texts in JSON: many programs read numbers as floats."""

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The request that is being answered; stands in each of its lines. Timers and tasks inherit it."""

TIME_SHORT: Final = "%H:%M:%S"
"""Time on a terminal: who watches one knows the day."""
_COLOURS: Final = {logging.CRITICAL: "1;31", logging.ERROR: "31", logging.WARNING: "33", logging.INFO: "32"}
"""Codes of levels for a terminal; the others are faint."""
_FAINT: Final = "2"
_LEVEL_WIDTH: Final = len("warning")

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN: Final = re.compile(r"[^\s\"=]+")
_NOT_IN_NAMES: Final = re.compile(r"[^\w.-]+")
_TRACEBACK: Final = "traceback"
_CUT_CHARACTERS: Final = 100
"""Room for the words on what was cut off."""


class Formatter(logging.Formatter):
    """Formats a record as text; see the module."""

    def __init__(self, datefmt: str | None = None, secrets: Iterable[str] = ()) -> None:
        super().__init__(datefmt=datefmt)
        self._secrets: tuple[str, ...] = ()
        self.mask(secrets)

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask these texts as well."""
        self._secrets = longest_first({*self._secrets, *secrets})

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and below it the traceback if there is one."""
        message, fields = self._line(record)
        line = f"{self.formatTime(record, self.datefmt)} [{record.levelname.lower()}] {message}  {' '.join(fields)}"
        line += "".join(f"\n    {escaped(part)}" for part in self._traceback(record).splitlines())
        return masked_text(line)

    def said(self, text: str, level: int) -> str:  # noqa: ARG002 - the other form has a level
        """Return a text of the command line, or what ended the node, as it stands in this form: masked."""
        return self._masked(text)

    def _line(self, record: logging.LogRecord) -> tuple[str, list[str]]:
        """Return message and fields as they stand on a line of text; the first field is the logger."""
        left, message = self._message(record)
        return " ".join(escaped(message).split()), [_field(name, text) for name, _, text in self._fields(record, left)]

    def _message(self, record: logging.LogRecord) -> tuple[int, str]:
        """Return the message, and before it how many characters are left for the fields."""
        message = self._bounded(record.getMessage(), VALUE_CHARACTERS_MAX)
        return LINE_CHARACTERS_MAX - len(message), message

    def _fields(self, record: logging.LogRecord, left: int) -> list[tuple[str, object, str]]:
        """Return name, value and masked text of each field, which have `left` characters in all."""
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if "logger" in extra:
            extra["logger_"] = extra.pop("logger")
        if request := request_id.get():
            extra.setdefault("request", request)
        found = []
        for name, value in list({"logger": record.name, **extra}.items())[:FIELD_COUNT_MAX]:
            is_secret = is_secret_name(name) and value is not None
            text = MASK if is_secret else self._bounded(str(value), min(left, VALUE_CHARACTERS_MAX))
            found.append((name[:NAME_CHARACTERS_MAX], value, text))
            left = max(0, left - len(text))
        return found

    def _traceback(self, record: logging.LogRecord) -> str:
        """Return the end of the traceback and of the stack; empty if there is neither."""
        texts = (record.exc_info and self.formatException(record.exc_info), record.stack_info)
        return self._masked("\n".join(text for text in texts if text))[-TRACEBACK_CHARACTERS_MAX:]

    def _bounded(self, text: str, most: int) -> str:
        """Mask, then cut: a secret of which a part was cut off would not be recognized."""
        text = self._masked(text)
        return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} characters more)"

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return masked_text(text)


class TerminalFormatter(Formatter):
    """Formats a record for a person at a terminal; see the module."""

    def __init__(self, datefmt: str | None = None, secrets: Iterable[str] = (), *, has_colours: bool) -> None:
        super().__init__(datefmt, secrets)
        self._has_colours = has_colours

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and below it the traceback if there is one."""
        message, (_, *fields) = self._line(record)
        time, level = self.formatTime(record, self.datefmt), record.levelname.lower().ljust(_LEVEL_WIDTH)
        colour = _COLOURS.get(record.levelno, _FAINT)
        line = f"{self._coloured(time, _FAINT)} {self._coloured(level, colour)} {masked_text(message)}"
        if fields:
            line += f"  {self._coloured(masked_text(' '.join(fields)), _FAINT)}"
        return line + "".join(f"\n    {escaped(part)}" for part in self._traceback(record).splitlines())

    def _coloured(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._has_colours else text


class JsonFormatter(Formatter):
    """Formats a record as an object of JSON on one line; see the module."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        left, message = self._message(record)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "message": _whole(message),
        }
        after = {_TRACEBACK: _whole(text)} if (text := self._traceback(record)) else {}
        for name, value, text in self._fields(record, left):
            line[_whole(f"{name}_" if name in line or name in after else name)] = _scalar(value, text)
        line |= after
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        return text if text.isprintable() else json.dumps(line, separators=(",", ":"))

    def said(self, text: str, level: int) -> str:
        """Return a text of the command line, or what ended the node, as a line of its own; of a long one the end."""
        text = self._masked(text.strip())
        if (left_out := len(text) - VALUE_CHARACTERS_MAX) > 0:
            text = f"({left_out + _CUT_CHARACTERS} characters before) …{text[left_out + _CUT_CHARACTERS :]}"
        return self.format(logging.LogRecord("bigchaindb", level, "", 0, "%s", (text,), None))


def escaped(text: str) -> str:
    """Escape unprintable characters, so that a text stays on its line and no stranger's text controls a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _field(name: str, text: str) -> str:
    name = _NOT_IN_NAMES.sub("_", name)
    if _PLAIN.fullmatch(text) and text.isprintable():
        return f"{name}={text}"
    return f"{name}={json.dumps(text, ensure_ascii=not text.isprintable())}"


def _scalar(value: object, text: str) -> object:
    """Return a number, a boolean or null as itself, unless it was masked or JSON has no exact form of it."""
    match value:
        case None | bool() if text == str(value):
            return value
        case int() if abs(value) <= EXACT_MAX and text == str(int(value)):  # an HTTPStatus is one, too
            return int(value)
        case float() if math.isfinite(value) and text == str(value):
            return float(value)
    return _whole(text)


def _whole(text: str) -> str:
    """Return a text that UTF-8 can hold: many parsers refuse half of a surrogate pair, also where it is escaped."""
    return text.encode(errors="backslashreplace").decode()
