"""One log format for people and machines, on the standard library's logging.

A line is `TIME [LEVEL] MESSAGE  key=value …`: the message holds no two blanks in a row, so that the fields begin after
the first two; the first field is `logger`. Fields come from `extra=`: `log.info("committed", extra={"height": 3})`.
A traceback follows its line, each of its own lines indented. No secret is written: every line passes through
`bigchaindb.masking`, and the secrets of the configuration are masked wherever they occur.

Source: docs/reference/contract/configuration-and-cli.md, section 2 (the rows of `log`).
"""

import json
import logging
import os
import re
import stat
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Final

from bigchaindb.config.checks import LEVELS
from bigchaindb.config.old import Notice
from bigchaindb.config.settings import Settings
from bigchaindb.errors import ConfigurationError
from bigchaindb.line_queue import CONSOLE, LineQueue, put, queues
from bigchaindb.masking import MASK, is_secret_name, longest_first, masked_text
from bigchaindb.standard_error import to_standard_error

FILE_BYTES_MAX: Final = 209_715_200
"""A log file is rotated at this size; the figure is upstream's."""
FILE_COUNT_OLD: Final = 5
"""Rotated files to keep."""

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The request that is being answered; stands in each of its lines. Timers and tasks inherit it."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN: Final = re.compile(r"[^\s\"=]+")
_API_LOGGER: Final = "bigchaindb.api"


def set_up(settings: Settings, *, secrets: Iterable[str] = (), files: bool = True, in_background: bool = False) -> None:
    """Configure the log from the settings. The process that owns it calls this once; a second call replaces the first.

    Args:
        settings: `log`, and `server.loglevel`, which is the level of the HTTP API's logger.
        secrets: texts to mask in every line.
        files: whether to open the log files, which only the running node does.
        in_background: whether threads write the lines, so that a stuck reader cannot block the loop of a running node.

    Raises:
        ConfigurationError: a log file cannot be opened for append.
    """
    log = settings.log
    cut = tuple(secrets)
    console, in_files = Formatter(log.datefmt_console, cut), Formatter(log.datefmt_logfile, cut)
    granular = {name: number(level) for name, level in log.granular_levels.items()}
    outputs: dict[str, logging.Handler] = {CONSOLE: _console(settings, in_background=in_background)}
    for key, path in {"log.file": log.file, "log.error_file": log.error_file}.items():
        if files and path is not None:
            file = _file(key, path)
            outputs[key] = LineQueue(file.write, settings.limits.log_bytes_max, file.close) if in_background else file
    handlers = [
        _handler(outputs[key], formatter, lowest, levels)
        for key, formatter, lowest, levels in (
            (CONSOLE, console, number(log.level_console), granular),
            ("log.file", in_files, number(log.level_logfile), granular),
            ("log.error_file", in_files, logging.ERROR, {}),
        )
        if key in outputs
    ]
    if in_background:
        sys.excepthook = _print_exception  # in order with the log, and without blocking on a pipe that nobody reads
    levels = [log.level_console] if log.file is None else [log.level_console, log.level_logfile]
    _replace_handlers(handlers, min(number(level) for level in levels))
    for name, level in {_API_LOGGER: number(settings.server.loglevel), **granular}.items():
        logging.getLogger(name).setLevel(level)


def dropped_count() -> int:
    """Return how many lines were dropped, over all outputs."""
    return sum(queue.dropped_count for queue in queues())


def mask(secrets: Iterable[str]) -> None:
    """Mask these texts too in every further line: a configuration that is read again may hold new ones."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, Formatter):
            handler.formatter.mask(secrets)


def log_notices(notices: Iterable[Notice]) -> None:
    """Log the notices from loading the configuration."""
    for notice in notices:
        logging.getLogger("bigchaindb.config").log(number(notice.level), "%s", notice.text)


def number(level: str) -> int:
    """Return the number of a level by its name, which the settings have checked."""
    return LEVELS[level.lower()]


class Formatter(logging.Formatter):
    """Formats one record; see the module."""

    def __init__(self, datefmt: str, secrets: tuple[str, ...] = ()) -> None:
        super().__init__(datefmt=datefmt)
        self._secrets: tuple[str, ...] = ()
        self.mask(secrets)

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask these texts as well."""
        self._secrets = longest_first({*self._secrets, *secrets})

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and below it the traceback if there is one."""
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if request := request_id.get():
            extra.setdefault("request", request)
        # Mask here too: in the finished line, blanks, line ends and quotation marks are escaped.
        fields = " ".join(self._field(name, value) for name, value in {"logger": record.name, **extra}.items())
        message = " ".join(escaped(self._cut(record.getMessage())).split())
        line = f"{self.formatTime(record, self.datefmt)} [{record.levelname.lower()}] {message}  {fields}"
        for text in (record.exc_info and self.formatException(record.exc_info), record.stack_info):
            if text:
                line += "".join(f"\n    {part}" for part in self._cut(text).splitlines())
        return masked_text(line)

    def _field(self, name: str, value: object) -> str:
        text = MASK if is_secret_name(name) and value is not None else self._cut(str(value))
        if _PLAIN.fullmatch(text) and text.isprintable():
            return f"{name}={text}"
        return f"{name}={json.dumps(text, ensure_ascii=not text.isprintable())}"

    def _cut(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


def escaped(text: str) -> str:
    """Escape unprintable characters, so that a text stays on its line and no stranger's text controls a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _handler(
    handler: logging.Handler, formatter: Formatter, lowest: int, granular: Mapping[str, int]
) -> logging.Handler:
    def wants(record: logging.LogRecord) -> bool:
        # A level for one logger holds on the console too; otherwise "debug" would show nothing there.
        name = record.name
        while name and name not in granular:
            name = name.rpartition(".")[0]
        return record.levelno >= granular.get(name, lowest)

    handler.addFilter(wants)
    handler.setFormatter(formatter)
    return handler


class _File(RotatingFileHandler):
    """A log file for its owner alone; rotation keeps the mode that a person gave to an existing file."""

    _mode = 0o600

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, self._mode)
        self._mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "a", encoding=self.encoding)

    def close(self) -> None:
        """Close the file; text that the disk did not take is dropped and was counted."""
        with suppress(OSError):
            super().close()

    def write(self, piece: bytes) -> None:
        """Write finished lines, from one thread, without this handler's lock: an exit would wait for it.

        Raises:
            OSError: the disk is full or fails, or the file cannot be rotated.
        """
        text = piece.decode(errors="backslashreplace")
        if self.stream is None:  # The last rotation failed, as in a folder that the node may not write to.
            self.stream = self._open()
        if self.shouldRollover(logging.LogRecord("", logging.NOTSET, "", 0, text, (), None)):
            self.doRollover()
        self.stream.write(text)
        self.stream.flush()


def _file(key: str, path: Path) -> _File:
    try:
        return _File(path, "a", FILE_BYTES_MAX, FILE_COUNT_OLD, encoding="utf-8")
    except OSError as error:
        cure = f"set another {key}" if path.parent.is_dir() else f"create the folder or set another {key}"
        raise ConfigurationError(f"{key}: cannot open `{path}` for appending: {error.strerror}; {cure}") from error


def _console(settings: Settings, *, in_background: bool) -> logging.Handler:
    if not in_background:
        return logging.StreamHandler(sys.stderr)
    queue = LineQueue(to_standard_error, settings.limits.log_bytes_max)
    queue.name = CONSOLE
    return queue


def _print_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not put("".join(traceback.format_exception(kind, error, trace)).rstrip()):
        sys.__excepthook__(kind, error, trace)


def _replace_handlers(handlers: list[logging.Handler], lowest: int) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(lowest)  # No output takes less, so a suppressed `debug` call costs next to nothing.
