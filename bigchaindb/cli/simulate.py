"""events simulate: runs a plugin on generated blocks, without a ledger or a configuration."""

import asyncio
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from bigchaindb import log
from bigchaindb.cli.options import read_object
from bigchaindb.cli.output import put, put_json, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.config import Log, Settings
from bigchaindb.config.settings import RetrySettings
from bigchaindb.errors import ConfigurationError
from bigchaindb.simulated.chain import Recipe
from bigchaindb.simulated.rehearsal import POLL_S, Rehearsal, rehearse

TELL_S: Final = 1.0
"""Time between two lines about the progress."""
RATE_MAX: Final = 10_000.0
ATTEMPTS: Final = 3
"""Failures after which an event is parked: a rehearsal does not wait for a target to recover."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb events simulate sales
  bigchaindb events simulate sales --blocks 10000 --transactions 100
  bigchaindb events simulate sales --invalid 0.2 --seed 7 --options '{"file": "sales.txt"}'
  bigchaindb events simulate sales --rate 2

The same seed gives the same blocks, byte for byte, on every machine. Ctrl-C ends the run early."""
)
@click.argument("name")
@click.option("--blocks", type=int, default=100, show_default=True, help="Number of blocks.")
@click.option("--transactions", type=int, default=3, show_default=True, help="Transactions in each block.")
@click.option("--invalid", type=float, default=0.1, show_default=True, help="Share of blocks that are voted invalid.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the generated chain.")
@click.option("--rate", type=float, help="Blocks a second; by default all at once.")
@click.option("--options", metavar="JSON", help="Options for its configure(); @FILE reads a file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@pass_session
def simulate(
    session: Session,
    /,
    *,
    name: str,
    blocks: int,
    transactions: int,
    invalid: float,
    seed: int,
    rate: float | None,
    options: str | None,
    as_json: bool,
) -> None:
    """Run the installed plugin NAME on generated blocks.

    The plugin runs in a process of its own, with the same queue as in a node, from the first block to the last. An
    event on which it fails three times is parked. No ledger and no configuration are needed, and nothing is left behind
    but what the plugin writes. The exit code is 1 if the plugin failed.
    """
    if rate is not None and not 0 < rate <= RATE_MAX:
        raise ConfigurationError(f"--rate: must be above 0 and at most {RATE_MAX:g}, found {rate!r}")
    recipe = Recipe(blocks=blocks, transactions=transactions, invalid=invalid, seed=seed)
    _set_up_log(session)
    result = asyncio.run(_run(name, recipe, rate, read_object(options, "--options") or {}))
    if as_json:
        put_json(result.document())
    else:
        put(result.text())
    if result.failed:
        raise SystemExit(1)


@dataclass(frozen=True)
class Result:
    """The outcome of a run.

    Attributes:
        events: their number in the log at the end.
        valid: the number of events of valid blocks.
        settled: the cursor of the plugin.
        ends: how often its process ended by itself.
        parked: positions, with the error of each.
        errors: of ended processes, each once.
        state: of the lane before it was stopped.
        gave_up: whether it was stopped because the process ended again and again with nothing settled.
        stopped: whether a person ended it early.
    """

    events: int
    valid: int
    settled: int
    ends: int
    parked: tuple[tuple[int, str], ...]
    errors: tuple[str, ...]
    state: str
    gave_up: bool
    stopped: bool

    @property
    def failed(self) -> bool:
        """Whether the plugin failed: events that a person's Ctrl-C left are no failure."""
        return bool(self.errors or self.parked) or (self.settled < self.events and not self.stopped)

    def document(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        parked = [{"position": position, "error": error} for position, error in self.parked]
        more = {"invalid": self.events - self.valid, "ok": not self.failed, "parked": parked}
        return {name: value for name, value in {**vars(self), **more}.items() if name != "stopped"}

    def text(self) -> str:
        """Return the outcome as text."""
        lines = [
            f"{self.events} events: {self.valid} valid blocks, {self.events - self.valid} invalid ones",
            f"settled: {self.settled}" + ("" if self.settled == self.events else f" of {self.events} ({self.state})"),
            f"the process ended by itself: {self.ends} times",
            *(f"  {error}" for error in self.errors),
            f"parked: {len(self.parked)}",
            *(f"  position {position}: {error}" for position, error in self.parked),
        ]
        if self.gave_up:
            lines.append("given up: the process ended again and again without settling an event")
        return "\n".join(lines)


def _set_up_log(session: Session) -> None:
    log.set_up(Settings(log=Log(level_console=(session.log_level or "error").lower())), files=False)


async def _run(name: str, recipe: Recipe, rate: float | None, options: dict[str, Any]) -> Result:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    retry = RetrySettings(attempts=ATTEMPTS, duration_s=0.0)
    with tempfile.TemporaryDirectory(prefix="bigchaindb-") as folder:
        async with rehearse(Path(folder), recipe, name, options, retry=retry) as rehearsal:
            gave_up = await _watch(rehearsal, recipe, rate, stop)
            before = rehearsal.status()
            await rehearsal.close()
            return Result(
                events=rehearsal.head,
                valid=rehearsal.height,
                settled=rehearsal.status().position,
                ends=before.start_count - 1,
                parked=rehearsal.parked(name),
                errors=tuple(dict.fromkeys(rehearsal.errors)),
                state=before.state.value,
                gave_up=gave_up,
                stopped=stop.is_set(),
            )


async def _watch(rehearsal: Rehearsal, recipe: Recipe, rate: float | None, stop: asyncio.Event) -> bool:
    """Feed the plugin until it is done or `stop` is set; return whether it ended again and again without progress."""
    loop = asyncio.get_running_loop()
    begin = told = loop.time()
    while not stop.is_set():
        due = recipe.blocks if rate is None else min(recipe.blocks, 1 + int((loop.time() - begin) * rate))
        if rehearsal.is_in_vain():
            return True
        if rehearsal.head < due:
            rehearsal.grow(1)
        elif rehearsal.head == recipe.blocks and rehearsal.is_over():
            break
        if loop.time() - told >= TELL_S:
            told, status = loop.time(), rehearsal.status()
            say(f"{status.position} of {rehearsal.head} events settled, {status.state.value}")
        await asyncio.sleep(0 if rehearsal.head < due else POLL_S)
    return False
