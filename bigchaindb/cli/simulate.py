"""events simulate: a plugin run on generated blocks, without a ledger or a configuration."""

import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bigchaindb.cli.session import Session, pass_session, put, put_json, say
from bigchaindb.cli.transactions import read_object
from bigchaindb.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio

    from bigchaindb.simulated.chain import Recipe
    from bigchaindb.simulated.rehearsal import Rehearsal

TELL_S: Final = 1.0
"""How often progress is told."""
RATE_MAX: Final = 10_000.0
ATTEMPTS: Final = 3
"""After so many failures an event is parked: a rehearsal is no place to wait for better times."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb events simulate sales
  bigchaindb events simulate sales --blocks 10000 --transactions 100
  bigchaindb events simulate sales --invalid 0.2 --seed 7 --options '{"file": "sales.txt"}'
  bigchaindb events simulate sales --rate 2

The same seed gives the same blocks, byte for byte, on every machine. Ctrl-C ends it early."""
)
@click.argument("name")
@click.option("--blocks", type=int, default=100, show_default=True, help="How many blocks are decided.")
@click.option("--transactions", type=int, default=3, show_default=True, help="Transactions in each.")
@click.option("--invalid", type=float, default=0.1, show_default=True, help="Which share of them is voted invalid.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one gives another chain.")
@click.option("--rate", type=float, help="Blocks a second; all at once by default.")
@click.option("--options", metavar="JSON", help="What the plugin's configure gets; @FILE reads a file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for machines.")
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

    The plugin runs in a process of its own, with the queue that a node gives it, from the first block to the last; an
    event that it fails at three times is parked. Needs no ledger and no configuration, and leaves nothing behind but
    what the plugin writes.
    The exit code is 1 if the plugin failed.
    """
    import asyncio

    from bigchaindb.simulated.chain import Recipe

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
    """How it went.

    Attributes:
        events: that were in the log in the end.
        valid: how many of them are of valid blocks.
        settled: up to which position the plugin has dealt with them.
        ends: how often its process ended by itself.
        parked: positions, with the error of each.
        errors: with which its process ended, each once.
        state: of its lane before it was stopped.
        gave_up: whether it was stopped as the process ended again and again with nothing settled.
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
        """Whether the plugin, and not who watched it, is why something is left to do."""
        return bool(self.errors or self.parked) or (self.settled < self.events and not self.stopped)

    def document(self) -> dict[str, Any]:
        """Give it to a machine."""
        return {
            "ends": self.ends,
            "errors": list(self.errors),
            "events": self.events,
            "gave_up": self.gave_up,
            "invalid": self.events - self.valid,
            "ok": not self.failed,
            "parked": [{"position": position, "error": error} for position, error in self.parked],
            "settled": self.settled,
            "state": self.state,
            "valid": self.valid,
        }

    def text(self) -> str:
        """Give it to a person."""
        lines = [
            f"{self.events} events: {self.valid} valid blocks, {self.events - self.valid} invalid ones",
            f"settled: {self.settled}" + ("" if self.settled == self.events else f" of {self.events} ({self.state})"),
            f"the process ended by itself: {self.ends} times",
            *(f"  {error}" for error in self.errors),
            f"parked: {len(self.parked)}",
            *(f"  position {position}: {error}" for position, error in self.parked),
        ]
        if self.gave_up:
            lines.append("given up: the process ended again and again and settled nothing")
        return "\n".join(lines)


def _set_up_log(session: Session) -> None:
    from bigchaindb import log
    from bigchaindb.config import Log, Settings

    log.set_up(Settings(log=Log(level_console=(session.log_level or "error").lower())), files=False)


async def _run(name: str, recipe: "Recipe", rate: float | None, options: dict[str, Any]) -> Result:
    import asyncio

    from bigchaindb.config.settings import RetrySettings
    from bigchaindb.simulated.rehearsal import rehearse

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


async def _watch(rehearsal: "Rehearsal", recipe: "Recipe", rate: float | None, stop: "asyncio.Event") -> bool:
    """Feed the plugin and look at it until it is through, or somebody has had enough; say whether it fails in vain."""
    import asyncio

    from bigchaindb.simulated.rehearsal import LOOK_S

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
        await asyncio.sleep(0 if rehearsal.head < due else LOOK_S)
    return False
