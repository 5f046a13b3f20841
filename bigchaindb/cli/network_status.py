"""network status: prints the state of this node of a network, once or every second."""

import asyncio
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
import msgspec

from bigchaindb.cli.control import ControlClient
from bigchaindb.cli.output import printable, put, put_table
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.engine.cometbft.overview import Activity, Decides, Overview, overview
from bigchaindb.engine.engine import NetworkFigures, ValidatorFigures
from bigchaindb.errors import RequestFailed
from bigchaindb.serving.processes import lock_owner
from bigchaindb.store.directory import DataDirectory

WATCH_S: Final = 1.0
"""Time between two prints."""
NAME_CHARACTERS_MAX: Final = 44
"""Of a peer's name: a public key in base58."""
CLEAR: Final = "\x1b[H\x1b[J"
"""Clears a terminal from its first place."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb network status
  bigchaindb network status --watch
  bigchaindb network status --json | jq .height

Exit code: 0 the node follows and its network decides; 1 the node is stopped, does not answer, or is part of no
network; 3 the network is halted, as no more than two thirds of the power are connected and sign, or the node is cut
off; 4 the node is behind or catches up."""
)
@click.option("--watch", is_flag=True, help="Print again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch a line each time.")
@pass_session
@click.pass_context
def status(context: click.Context, session: Session, *, watch: bool, as_json: bool) -> None:
    """Print the state of this node in its network.

    It shows whether the node runs and follows, its height, its peers and the validators. The state of a stopped node is
    read from its files. Nothing is changed.
    """
    settings = session.load().settings
    directory = DataDirectory(settings.database.path)
    is_terminal = sys.stdout.isatty()
    with suppress(KeyboardInterrupt):
        while True:
            pid = lock_owner(directory.lock)
            seen = asyncio.run(overview(settings, pid, None if pid is None else _figures(directory.control)))
            if watch and is_terminal and not as_json:
                click.echo(CLEAR, nl=False)
            _put(seen, as_json=as_json)
            if not watch:
                context.exit(seen.exit_code)
            if not (is_terminal or as_json):
                put("")
            time.sleep(WATCH_S)


def _figures(control: Path) -> NetworkFigures | None:
    """Return the running node's figures of the others, None where it does not answer."""
    try:
        return ControlClient(control).network()
    except RequestFailed:
        return None


def _put(seen: Overview, *, as_json: bool) -> None:
    if as_json:
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
        ("signer", _signer(seen)),
        ("network", _network(seen, total)),
        ("height", _height(seen)),
        ("events", f"{seen.position:,}, of them {seen.invalid_blocks:,} invalid blocks"),
        ("waiting", f"{seen.rejections} own rejections, {seen.outbox:,} accepted transactions"),
        ("cometbft", seen.cometbft or "not known"),
    ):
        put(f"{name:11} {text}")
    if seen.damage is not None:
        put(f"{'DAMAGED':11} {seen.damage}; it serves reads and does not vote until the data are restored")
    if seen.peers is not None:
        put("")
        peers = (
            (one.id, one.address, "?" if one.height is None else one.height, _name(one.public_key))
            for one in seen.peers
        )
        put_table(f"PEER ({len(seen.peers)})  ADDRESS  HEIGHT  SAYS TO BE", peers)
    put("")
    put_table("VALIDATOR  ADDRESS  POWER  CONNECTED  SIGNED  LAST  NOTE", map(_row, seen.validators))
    if seen.misbehaviors:
        put("")
        found = (
            (one.kind, one.address, one.count, f"{one.height:,}", one.public_key or "?") for one in seen.misbehaviors
        )
        put_table("MISBEHAVIOR  ADDRESS  PROOFS  LAST  VALIDATOR", found)


def _row(one: ValidatorFigures) -> tuple[str, ...]:
    """Return a line of the table; signatures are counted in the last blocks that the validator could sign."""
    connected = "?" if one.connected is None else "yes" if one.connected else "no"
    signed = "?" if one.signed is None else f"{one.signed} of {one.blocks}"
    last = "?" if one.signed_height is None else f"{one.signed_height:,}"
    return one.public_key, one.address, str(one.power), connected, signed, last, _note(one)


def _note(one: ValidatorFigures) -> str:
    return "does not sign" if one.signing is False else ""


def _network(seen: Overview, total: int) -> str:
    about = f"power {seen.signing_power} of {total} is connected and signs, this node included; more than"
    match seen.network:
        case None:
            return "not known"
        case Decides.DECIDES:
            return f"decides: {about} {total * 2 // 3} is needed"
        case Decides.HALTED:
            return f"halted, nothing is decided: {about} {total * 2 // 3} is needed"
        case Decides.CUT_OFF:
            return "cut off: no other node is connected, so nothing is decided here"


def _signer(seen: Overview) -> str:
    """Return the text about this node's own signatures."""
    if not seen.power:
        return "this node signs nothing"
    own = next(one for one in seen.validators if one.public_key == seen.public_key)
    parts = [] if own.signed is None else [f"signed {own.signed} of the last {own.blocks} blocks"]
    if own.signing is False:
        parts.append("DOES NOT SIGN")
    if seen.signed_last is None:
        parts.append("what it has signed is not known")
    elif seen.signed_last > seen.height + 1:
        parts.append(
            f"signs nothing up to height {seen.signed_last:,}, as cometbft/data/priv_validator_state.json has it"
        )
    else:
        parts.append(f"its last signature is of height {seen.signed_last:,}")
    return ", ".join(parts)


def _name(said: str | None) -> str:
    """Return a peer's own name, printable and cut."""
    return "?" if said is None else printable(said[:NAME_CHARACTERS_MAX])


def _state(seen: Overview) -> str:
    match seen.state:
        case Activity.FOLLOWING:
            return f"follows its network, process {seen.pid}"
        case Activity.CATCHING_UP:
            return f"catches up with its network, process {seen.pid}"
        case Activity.NO_ANSWER if seen.clock_behind_s:
            return (
                f"process {seen.pid} runs, and its CometBFT waits for the genesis time: this machine's clock is "
                f"{seen.clock_behind_s:,} s behind it; set the clock"
            )
        case Activity.NO_ANSWER:
            return f"process {seen.pid} runs, and its CometBFT does not answer; what follows is from the files"
        case Activity.STOPPED:
            return "stopped; what follows is from the files"


def _height(seen: Overview) -> str:
    text = f"{seen.height:,}"
    if seen.round is not None:
        text += f", round {seen.round} of the next"
    if seen.behind:
        text += f", {seen.behind:,} behind"
    return text if seen.time is None else f"{text}, last block {seen.time:%Y-%m-%d %H:%M:%S} UTC"
