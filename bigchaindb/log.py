"""Where log lines go, on the standard library's logging; `bigchaindb.log_lines` has their form.

Source: docs/reference/contract/configuration-and-cli.md, section 2 (the rows of `log`).
"""

import logging
import os
import stat
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Final

from bigchaindb.config.checks import LEVELS
from bigchaindb.config.old import Notice
from bigchaindb.config.settings import Log, Settings
from bigchaindb.errors import ConfigurationError
from bigchaindb.line_queue import CONSOLE, LineQueue, put, queues
from bigchaindb.log_lines import JSON, TEXT, TIME_SHORT, Formatter, JsonFormatter, TerminalFormatter, escaped
from bigchaindb.standard_error import to_standard_error

FILE_BYTES_MAX: Final = 209_715_200
"""A log file is rotated at this size; the figure is upstream's."""
FILE_COUNT_OLD: Final = 5
"""Rotated files to keep."""
_API_LOGGER: Final = "bigchaindb.api"


def set_up(settings: Settings, *, secrets: Iterable[str] = (), files: bool = True, in_background: bool = False) -> None:
    """Configure the log from the settings. The process that owns it calls this once; a second call replaces the first.

    Args:
        settings: `log`, and `server.loglevel`, which is the level of the HTTP API's logger.
        secrets: texts to mask in every line.
        files: whether to open the log files, which only the running node does.
        in_background: whether this is a running node: threads write the lines, so that a stuck reader cannot block its
            loop, in the form that `log.format` names. Commands write text for the person who runs them. On a terminal
            text is shorter, and coloured unless NO_COLOR is set.

    Raises:
        ConfigurationError: a log file cannot be opened for append.
    """
    log = settings.log
    cut = tuple(secrets)
    is_json = in_background and log.format == JSON
    in_files = JsonFormatter(secrets=cut) if is_json else Formatter(log.datefmt_logfile, cut)
    console = JsonFormatter(secrets=cut) if is_json else _text_on_console(log, cut)
    granular = {name: number(level) for name, level in log.granular_levels.items()}
    outputs: dict[str, logging.Handler] = {CONSOLE: _console(settings, console, in_background=in_background)}
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


def format_in_force() -> str:
    """Return the form of this process's lines, which is that of its plugins' processes too."""
    is_json = any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)
    return JSON if is_json else TEXT


def log_notices(notices: Iterable[Notice]) -> None:
    """Log the notices from loading the configuration."""
    for notice in notices:
        logging.getLogger("bigchaindb.config").log(number(notice.level), "%s", notice.text)


def number(level: str) -> int:
    """Return the number of a level by its name, which the settings have checked."""
    return LEVELS[level.lower()]


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


def _text_on_console(log: Log, secrets: Iterable[str]) -> Formatter:
    if sys.stderr is None or not sys.stderr.isatty():
        return Formatter(log.datefmt_console, secrets)
    time = TIME_SHORT if log.datefmt_console == Log.datefmt_console else log.datefmt_console
    has_colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return TerminalFormatter(time, secrets, has_colours=has_colours)


def _console(settings: Settings, formatter: Formatter, *, in_background: bool) -> logging.Handler:
    if not in_background:
        return logging.StreamHandler(sys.stderr)
    queue = LineQueue(to_standard_error, settings.limits.log_bytes_max)
    queue.name, queue.said = CONSOLE, formatter.said
    return queue


def _print_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    lines = "".join(traceback.format_exception(kind, error, trace)).splitlines()
    if not put("\n".join(map(escaped, lines)), logging.CRITICAL):
        sys.__excepthook__(kind, error, trace)


def _replace_handlers(handlers: list[logging.Handler], lowest: int) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(lowest)  # No output takes less, so a suppressed `debug` call costs next to nothing.
