"""`python -m bench [NAMES...] [--quick] [--json]`: run benchmarks and print one table."""

import importlib
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import click

from bench.against import compare
from bench.measure import Scale
from bench.report import Figure, as_json, table

BENCHMARKS: Final = {
    "validation": "checking one transaction, all rules, against libsodium's verify alone",
    "http": "transactions per second and CPU of each over HTTP, against a handler that does nothing",
    "latency": "POST to WebSocket message, and mode=commit, at a pace below the node's limit",
    "events": "events per second into a plugin's process, against 1.x and one bare queue",
    "filters": "a lane whose filter one event in 10,000 passes, against one that takes every event",
    "catchup": "a plugin enabled on a ledger of 1,000,000 transactions gets them all, against the queues of 1.x",
    "delivery": "from durable to in the plugin's hands, and what plugins cost the commits beside them",
    "sinks": "events into RabbitMQ, Kafka, Mosquitto, NATS, Redis, against their clients alone; into tables of SQLite",
    "webhooks": "many requests at once to a receiver 20 ms away, in the order of each asset",
    "network": "throughput and latency of networks of one and of four validators",
    "stalled": "memory of a node and of its plugin that hangs, while 1,000,000 events go by",
    "kills": "10,000 SIGKILLs over plugins, nodes and check processes: what is lost, disordered or repeated",
    "byzantine": "200 proposals of a faulty validator on a network of four: all on record, and what they cost",
    "chaos": "an hour of kills and cut links on a network of four: nothing lost, nothing forked, never stuck",
    "hostile": "another client's commits while strangers flood the node or post costly documents",
    "access": "what an access key and a refusal cost, and how fast a revocation reaches a stream",
    "subscriptions": "events of a subscription to a client in Node, against nats-server; what dies, and what they cost",
    "questions": "balances and outputs from 10,000 to 1,000,000 transactions, and commits beside clients who ask",
    "newest": "newest events first, filters and counts from 10,000 to 1,000,000 transactions, and commits beside scans",
    "streams": "messages to 1,000 WebSocket clients, against a bare server that writes the same bytes",
    "growth": "throughput, waits, look-ups, start, memory over HTTP from 10,000 to 1,000,000 transactions",
}

EPILOG: Final = """\b
Benchmarks:
{names}

Reading the table. A figure means little alone: machines differ, and the same machine differs by the hour. So each
stands beside a peer that the same run measured in turn with it, three rounds, medians; limits are on the ratio
where the peer does comparable work, and on the figure itself where a promise names a number (two cores, load
generator on the same machine). CPU of the load generator is reported apart from the server's.

The whole takes over two hours, one of them `chaos`, half of another `kills`, and a quarter `growth`; --quick some
twenty minutes, with noisier figures. `events` and `catchup` build ledgers through the store's own commit, from
documents whose signatures are noise (the store does not look at them), and keep them in .cache/bench until the store's
code changes. `growth` posts a million signed documents; standard error tells how it goes.
--against COMMIT measures a commit in a checkout of its own (kept in .cache/bench/commits) and the working tree in
alternating rounds, each by its own benchmarks, and prints the speed of the machine with the figures.
ONLY=kafka,nats python -m bench sinks measures these sinks alone.
ONLY=nested,words python -m bench hostile carries out these attacks alone (bench/hostile.py lists them).
SEED=N python -m bench kills, or chaos, repeats the draws of a run that printed N. docs/explanation/performance.md
explains the figures.
""".format(names="\n".join(f"  {name:<15}{what}" for name, what in BENCHMARKS.items()))


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)), metavar="[NAMES]...")
@click.option("--quick", is_flag=True, help="One round with a tenth of the documents: does it run, roughly how fast.")
@click.option("--json", "json_output", is_flag=True, help="Print the figures as JSON instead of a table.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a limit is missed, or a figure is worse than AGAINST's.")
@click.option("--against", metavar="COMMIT", help="Measure COMMIT in turn, and compare both; misses come first.")
@click.option("--rounds", type=click.IntRange(1), help="Alternating rounds that medians are taken of: 3, 1 if quick.")
def main(
    names: tuple[str, ...], *, quick: bool, json_output: bool, strict: bool, against: str | None, rounds: int | None
) -> None:
    """Measure the node; NAMES are benchmarks, all of them if none is given."""
    cache = Path(".cache/bench").resolve()
    cache.mkdir(parents=True, exist_ok=True)
    folder = Path(
        tempfile.mkdtemp(prefix="run-", dir=cache)
    )  # beside the ledgers: /tmp may be memory, fsync must be real
    rounds = rounds or (1 if quick else 3)
    scale = Scale(rounds=rounds, share=0.1 if quick else 1.0, folder=folder, cache=cache)
    try:
        if against is not None:
            if json_output:
                raise click.UsageError("--json prints one commit's figures; leave it out beside --against")
            text, is_worse = compare(names or tuple(BENCHMARKS), against, scale)
            click.echo(text)
            sys.exit(1 if strict and is_worse else 0)
        figures = [found for name in names or BENCHMARKS for found in _run(name, scale)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    click.echo(as_json(figures) if json_output else table(figures))
    sys.exit(1 if strict and any(figure.holds is False for _, figure in figures) else 0)


def _run(name: str, scale: Scale) -> list[tuple[str, Figure]]:
    click.echo(f"==> {name}: {BENCHMARKS[name]}", err=True)
    begin = time.perf_counter()
    figures: list[Figure] = importlib.import_module(f"bench.{name}").run(scale)
    click.echo(f"    {time.perf_counter() - begin:.0f} s", err=True)
    return [(name, figure) for figure in figures]


if __name__ == "__main__":
    main()
