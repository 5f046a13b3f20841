"""What a plugin's process itself writes to standard error, in the form of the node's log lines where that is JSON.

In both forms the secrets of the plugin's options are masked, and characters that control a terminal are escaped.

What a plugin prints passes through unchanged. What it logs without a handler of its own, Python writes through
`logging.lastResort`: there each record becomes a line of the same form, in text its message alone, as Python has it.
"""

import logging
import traceback
from collections.abc import Iterable
from typing import Final

from bigchaindb.log_lines import JSON, Formatter, JsonFormatter, escaped
from bigchaindb.standard_error import to_standard_error_within

PRINT_S_MAX: Final = 1.0
"""Time for a text to be taken from standard error."""

_forms: Final[list[Formatter]] = []
"""The form of each line; empty before the options are known."""


def write_as(log_format: str, secrets: Iterable[str]) -> None:
    """Write in the form of the node's log from now on, without these secrets."""
    form = JsonFormatter(secrets=secrets) if log_format == JSON else Formatter(secrets=secrets)
    _forms[:] = [form]
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(form if isinstance(form, JsonFormatter) else _Logged(form))


def put(text: str, error: BaseException | None = None) -> None:
    """Write for whoever looks after the plugin; nobody may read it, and its event must come again all the same.

    Args:
        text: may be empty where there is an error.
        error: whose traceback follows.
    """
    form = _forms[0] if _forms else Formatter()
    if isinstance(form, JsonFormatter):
        about = None if error is None else (type(error), error, error.__traceback__)
        message = text.removesuffix(":") or "the plugin failed"
        line = form.format(logging.LogRecord(__name__, logging.ERROR, "", 0, "%s", (message,), about))
    else:  # as 1.x printed it
        parts = (text, "" if error is None else "".join(traceback.format_exception(error)).rstrip())
        line = _in_text("\n".join(part for part in parts if part), form)
    to_standard_error_within(PRINT_S_MAX, f"{line}\n")


class _Logged(logging.Formatter):
    """What a plugin logs, as Python writes it without a handler, masked and escaped."""

    def __init__(self, form: Formatter) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, and below it the traceback if there is one."""
        return _in_text(super().format(record), self._form)


def _in_text(text: str, form: Formatter) -> str:
    return "\n".join(map(escaped, form.said(text, logging.ERROR).splitlines()))
