"""The state of four nodes: a table that is redrawn on a terminal, a line for each change elsewhere."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from bigchaindb.config import Settings
from bigchaindb.engine.cometbft.overview import Activity, overview
from bigchaindb.errors import BigchainDBError
from examples.network.nodes import LocalNode

CONSOLE_LINES: Final = 8
"""Lines below the table that the plugin of node 1 printed last."""
CLEAR: Final = "\x1b[H\x1b[J"
HEADS: Final = ("NODE", "STATE", "PID", "HTTP", "HEIGHT", "PEERS", "EVENTS", "INVALID")
STARTS: Final = "starts"
WORDS: Final = {
    Activity.FOLLOWING: "follows",
    Activity.CATCHING_UP: "catches up",
    Activity.NO_ANSWER: STARTS,
    Activity.STOPPED: "ended",
}


class Row(NamedTuple):
    """A line of the table, about one node."""

    number: int
    state: str
    pid: int | None
    http: int
    height: int | None = None
    peers: int | None = None
    events: int | None = None
    invalid: int | None = None

    @property
    def cells(self) -> list[str]:
        return ["-" if value is None else str(value) for value in self]

    @property
    def line(self) -> str:
        names = [head.lower() for head in HEADS]
        return ", ".join(f"{name} {cell}" for name, cell in zip(names, self.cells, strict=True))


class Display:
    """The table on the terminal."""

    def __init__(self, nodes: Sequence[LocalNode], hints: str) -> None:
        self._nodes = [(node, node.settings()) for node in nodes]
        self._console = Tail(nodes[0].console)
        self._hints = hints
        self._rows: list[Row] = []
        self._is_terminal = sys.stdout.isatty()
        if not self._is_terminal:
            print(hints, flush=True)

    async def update(self) -> list[Row]:
        """Read the state of all nodes, print and return it."""
        rows = await asyncio.gather(*(_row(node, settings) for node, settings in self._nodes))
        printed = self._console.read()
        if self._is_terminal:
            print(CLEAR + "\n".join([*_table(rows), "", *self._console.last, "", self._hints]), flush=True)
        else:
            for row in rows:
                if row not in self._rows:
                    print(row.line, flush=True)
            for text in printed:
                print(f"node 1 prints: {text}", flush=True)
        self._rows = rows
        return rows


class Tail:
    """Reads the lines that are appended to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = path.stat().st_size if path.exists() else 0
        self.last: list[str] = []

    def read(self) -> list[str]:
        """Return the whole lines that were appended since the last call."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._position)
            whole = file.read().rpartition(b"\n")[0]
            self._position += len(whole) + bool(whole)
            lines = whole.decode(errors="replace").splitlines()
            self.last = [*self.last, *lines][-CONSOLE_LINES:]
            return lines
        return []


async def _row(node: LocalNode, settings: Settings) -> Row:
    pid, http = node.pid, settings.server.port
    try:
        seen = await overview(settings, pid)
    except BigchainDBError:  # its files are being made
        return Row(node.number, STARTS, pid, http)
    state = STARTS if node.is_starting else WORDS[seen.state]
    peers = None if seen.peers is None else len(seen.peers)
    return Row(node.number, state, pid, http, seen.height, peers, seen.position, seen.invalid_blocks)


def _table(rows: Sequence[Row]) -> list[str]:
    cells = [list(HEADS), *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
