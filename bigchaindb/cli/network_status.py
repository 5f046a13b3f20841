"""network status: how this node of a network stands, once or again and again."""

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from bigchaindb.cli.session import Session, pass_session, printable, put, put_table

if TYPE_CHECKING:
    from bigchaindb.engine.cometbft.overview import Overview

WATCH_S: Final = 1.0
"""Time between two looks."""
NAME_CHARACTERS_MAX: Final = 44
"""Of a peer's name: a public key in base58."""
CLEAR: Final = "\x1b[H\x1b[J"
"""Moves to the first place of a terminal and empties it."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb network status
  bigchaindb network status --watch
  bigchaindb network status --json | jq .height

Exit code: 0 the node follows its network, 1 it does not, or is part of none."""
)
@click.option("--watch", is_flag=True, help="Look again each second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines; with --watch a line each time.")
@pass_session
@click.pass_context
def status(context: click.Context, session: Session, *, watch: bool, as_json: bool) -> None:
    """Say how this node stands in its network.

    Whether it runs and follows, how far it is, who its peers and the validators are. A stopped node is told of from its
    files. Nothing is changed.
    """
    import asyncio

    from bigchaindb.engine.cometbft.overview import Standing, overview
    from bigchaindb.serving.processes import lock_owner
    from bigchaindb.store.directory import DataDirectory

    settings = session.load().settings
    lock = DataDirectory(settings.database.path).lock
    is_terminal = sys.stdout.isatty()
    with suppress(KeyboardInterrupt):
        while True:
            seen = asyncio.run(overview(settings, lock_owner(lock)))
            if watch and is_terminal and not as_json:
                click.echo(CLEAR, nl=False)
            _put(seen, as_json=as_json)
            if not watch:
                context.exit(0 if seen.state is Standing.FOLLOWING else 1)
            if not (is_terminal or as_json):
                put("")
            time.sleep(WATCH_S)


def _put(seen: "Overview", *, as_json: bool) -> None:
    if as_json:
        import msgspec

        put(msgspec.json.encode(seen).decode())
        return
    total = sum(validator.power for validator in seen.validators)
    for name, text in (
        ("state", _state(seen)),
        ("chain", seen.chain_id),
        ("genesis", seen.genesis_hash),
        ("node", seen.node_id),
        ("key", seen.public_key),
        ("address", seen.address),
        ("validator", f"power {seen.power} of {total}" if seen.power else "no: it follows and does not vote"),
        ("connected", _connected(seen, total)),
        ("height", _height(seen)),
        ("events", f"{seen.position:,}, of them {seen.invalid_blocks:,} invalid blocks"),
        ("waiting", f"{seen.rejections} own rejections, {seen.outbox:,} accepted transactions"),
        ("cometbft", seen.cometbft or "not known"),
    ):
        put(f"{name:11} {text}")
    if seen.peers is not None:
        put("")
        rows: list[tuple[str, ...]] = [
            (one.id, one.address, "?" if one.height is None else str(one.height), _name(one.public_key))
            for one in seen.peers
        ]
        put_table((f"PEER ({len(rows)})", "ADDRESS", "HEIGHT", "SAYS TO BE"), rows)
    put("")
    put_table(
        ("VALIDATOR", "ADDRESS", "POWER"),
        [(one.public_key, one.address, str(one.power)) for one in seen.validators],
    )


def _connected(seen: "Overview", total: int) -> str:
    if seen.connected_power is None:
        return "not known"
    enough = "" if seen.connected_power * 3 > total * 2 else ": too little, nothing is decided"
    return f"power {seen.connected_power} of {total}, this node included; more than {total * 2 // 3} decides{enough}"


def _name(said: str | None) -> str:
    """Give what a peer says of itself."""
    return "?" if said is None else printable(said[:NAME_CHARACTERS_MAX])


def _state(seen: "Overview") -> str:
    from bigchaindb.engine.cometbft.overview import Standing

    match seen.state:
        case Standing.FOLLOWING:
            return f"follows its network, process {seen.pid}"
        case Standing.CATCHING_UP:
            return f"catches up with its network, process {seen.pid}"
        case Standing.NO_ANSWER if seen.clock_behind_s:
            return (
                f"process {seen.pid} runs, and its CometBFT waits for the genesis time: this machine's clock is "
                f"{seen.clock_behind_s:,} s behind it; set the clock"
            )
        case Standing.NO_ANSWER:
            return f"process {seen.pid} runs, and its CometBFT does not answer; what follows is from the files"
        case Standing.STOPPED:
            return "stopped; what follows is from the files"


def _height(seen: "Overview") -> str:
    text = f"{seen.height:,}"
    if seen.round is not None:
        text += f", round {seen.round} of the next"
    if seen.behind:
        text += f", {seen.behind:,} behind"
    return text if seen.time is None else f"{text}, last block {seen.time:%Y-%m-%d %H:%M:%S} UTC"
