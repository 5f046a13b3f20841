"""demo: fills an empty node with something to look at."""

import json
import shlex
import sys
from typing import Final

import click

from bigchaindb.cli import demo_story
from bigchaindb.cli.asking import node_at, node_option
from bigchaindb.cli.output import ask, put_table, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.cli.work import Progress
from bigchaindb.client import Client, TransactionRefused, answers
from bigchaindb.errors import BigchainDBError, StartupError

UNASKED_COUNT_MAX: Final = 1_000
"""Transactions of a ledger that hardly anybody would miss the sight of."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb demo
  bigchaindb --yes demo                 do not ask

Each run makes five further assets."""
)
@node_option
@pass_session
def demo(session: Session, /, *, node: str | None) -> None:
    """Fill a node of its own with 200 transactions, so that there is something to look at.

    Five assets pass through the hands of people and firms that the command makes up: a bicycle, a violin, coffee,
    tickets and a solar roof. The keys are made in memory and forgotten. In the end the bicycle is sold a second time,
    which the node refuses. On a network, and beyond 1,000 transactions unless you agree, nothing is sent.
    """
    target = node_at(session, node)
    _require_alone(target)
    if _agrees(session, target):
        story = demo_story.tell()
        _send(target, story)
        _put(target, story)
        bicycle, *_ = story.assets.values()
        say(where_to_look(target.url, bicycle, node=node, configuration=session.config))


def _require_alone(node: Client) -> None:
    """Refuse a network: what is sent stays in the ledger of each of its nodes.

    Raises:
        StartupError: there are other nodes.
    """
    network = node.ask(answers.Call("/api/v1/network", json.loads))
    if [one["is_this_node"] for one in network["validators"]] != [True] or network["peers_connected"]:
        raise StartupError(
            f"{node.url} is part of a network, whose nodes would all keep the transactions of a demo for ever, so "
            "nothing was sent; start a node of its own: `bigchaindb -c demo.json configure`, then "
            "`bigchaindb -c demo.json start`"
        )


def _agrees(session: Session, node: Client) -> bool:
    """Whether to add to what is there.

    Raises:
        StartupError: nobody answers.
    """
    count = node.ask(answers.Call("/api/v1/statistics", json.loads))["transactions"]
    if session.assume_yes or count <= UNASKED_COUNT_MAX:
        return True
    answer = ask(
        f"{node.url} has {count:,} transactions. Those of a demo stay beside them for ever. "
        f"Send {demo_story.TRANSACTION_COUNT} more? [y/n]: "
    )
    if answer is None:
        raise StartupError(
            "demo: standard input ended before an answer, so nothing was sent; `bigchaindb --yes demo` does not ask"
        )
    return answer == "y"


def _send(node: Client, story: demo_story.Story) -> None:
    """Send a story burst by burst, each of them committed before the next begins."""
    progress, sent = Progress("demo", "transactions"), 0
    try:
        say(f"Sending {demo_story.TRANSACTION_COUNT} transactions of {len(story.assets)} assets to {node.url} …")
        for burst in story.bursts:
            for signed in burst[:-1]:
                node.send(signed, mode="async")
            node.send(burst[-1])
            sent += len(burst)
            progress.tell(sent, demo_story.TRANSACTION_COUNT)
    except (BigchainDBError, KeyboardInterrupt) as error:
        stopped = f"demo: stopped after {sent} of {demo_story.TRANSACTION_COUNT} transactions, which stay in the ledger"
        if isinstance(error, BigchainDBError):
            error.add_note(f"{stopped}; run it again for five further assets")
            raise
        say(f"\n{stopped}; run it again for five further assets")
        sys.exit(1)


def _put(node: Client, story: demo_story.Story) -> None:
    """Print what was made. The last transaction must be refused; it is sent here."""
    rule = "accepted"
    try:
        node.send(story.refused)
    except TransactionRefused as refused:
        rule = f"refused: {refused.rule}"
    put_table("ASSET  ID", story.assets.items())
    say(f"{demo_story.TRANSACTION_COUNT} transactions are committed; the second sale of the bicycle was {rule}.")


def where_to_look(url: str, asset: str, *, node: str | None, configuration: str | None) -> str:
    """Return where a person sees what was made: at the same node, which may be another one than the configuration's."""
    named_by = "" if configuration is None else f" -c {shlex.quote(configuration)}"
    lines = ["Look at them:", f"{url}/#/assets/{asset}", f"bigchaindb{named_by} transactions show {asset}"]
    if node is None:
        lines.append(f"bigchaindb{named_by} events tail")
    else:  # `events` reads a ledger of this machine
        lines[-1] += f" --node {shlex.quote(node)}"
    return "\n  ".join(lines)
