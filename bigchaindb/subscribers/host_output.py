"""What a plugin's process itself writes to standard error, in the form of the node's log lines where that is JSON.

In both forms the secrets of the plugin's options are masked, and characters that control a terminal are escaped.

What a plugin prints passes through unchanged. What it logs without a handler of its own, Python writes through
`logging.lastResort`: there each record becomes a line of the same form.
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
    if log_format != JSON:
        _forms[:] = [Formatter(secrets=secrets)]
        return
    _forms[:] = [JsonFormatter(secrets=secrets)]
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_forms[0])


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
        whole = form.said("\n".join(part for part in parts if part), logging.ERROR)
        line = "\n".join(map(escaped, whole.splitlines()))
    to_standard_error_within(PRINT_S_MAX, f"{line}\n")
