"""What commands print and ask. Results go to standard output, all other text to standard error."""

import json
import sys
from contextlib import suppress
from getpass import getpass
from typing import Any

import click

from bigchaindb import line_queue
from bigchaindb.errors import ConfigurationError


def say(text: str) -> None:
    """Print a text that is no result, on standard error."""
    if not line_queue.put(text):
        with suppress(OSError):  # a full disk or a reader that is gone must not stop a node
            click.echo(text, err=True)


def put(text: str) -> None:
    """Print a result."""
    click.echo(text)


def put_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Print a result as JSON."""
    put(json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False))


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


def put_table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows with aligned columns."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        put("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
