"""What commands print and ask. Results go to standard output, all other text to standard error."""

import json
import logging
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from getpass import getpass
from typing import Any

import click

from bigchaindb import line_queue
from bigchaindb.errors import ConfigurationError


def say(text: str, level: int = logging.INFO) -> None:
    """Print a text that is no result, on standard error; a node that logs JSON writes it with this level."""
    if not line_queue.put(text, level):
        with suppress(OSError):  # a full disk or a reader that is gone must not stop a node
            click.echo(text, err=True)


def put(text: str) -> None:
    """Print a result."""
    click.echo(text)


def put_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Print a result as JSON."""
    put(json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False))


def put_answer(value: Any, *, on_one_line: bool) -> None:  # noqa: ANN401 - any JSON
    """Print the answer of a node: on one line for machines, else as `put_json` does."""
    if on_one_line:
        put(json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False))
    else:
        put_json(value)


def ask(question: str) -> str | None:
    """Ask on standard error and read a line from standard input; None at its end."""
    click.echo(question, err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        say("")
        return None
    return answer.strip()


def ask_secret(question: str) -> str:
    """Ask for a text that is not shown; without a terminal it is a line of standard input.

    Raises:
        ConfigurationError: the answer is empty.
    """
    if sys.stdin.isatty():
        return getpass(question, sys.stderr)
    answer = ask(question)
    if not answer:
        raise ConfigurationError("there is no private key: pass --key-file, set BIGCHAINDB_PRIVATE_KEY, or type it in")
    return answer


def printable(text: str) -> str:
    """Return foreign text without characters that control a terminal or begin a line."""
    return "".join(character if character.isprintable() else "?" for character in text)


def put_table(heads: str, rows: Iterable[Sequence[object]]) -> None:
    """Print rows with aligned columns below their heads, which two blanks part."""
    lines = [heads.split("  "), *([*map(str, row)] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        put("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
