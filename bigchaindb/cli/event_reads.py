"""events show, tail, replay: print, follow and copy the event log."""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from bigchaindb.cli.event_lines import about, asset_data, lines
from bigchaindb.cli.event_log import OpenLog, filter_of, filter_options, last_positions, open_log, pieces, resolved
from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import printable, put, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.errors import ConfigurationError, StartupError, UnknownPlace
from bigchaindb.eventlog import place, token
from bigchaindb.files import replacing
from bigchaindb.ledger.ports import Record
from bigchaindb.store.beside import position_of

_TRANSACTION_ID: Final = re.compile("[0-9a-f]{64}")
DATA_SHOWN_MAX: Final = 60
"""Characters of an asset in a line; `events show` prints all."""
READABLE: Final = 0o666
"""Mode of a copy, less the umask."""
TELL_S: Final = 2.0
"""Time between two lines about the progress."""
POSITION_DIGITS: Final = 20
"""As many as the id of an event has; a longer number is beyond any head."""


@click.command(
    epilog="""\b
Examples:
  bigchaindb events show 4711
  bigchaindb events show 4711 --json | jq '.block.transactions[0].asset'

WHICH is a position, the id of an event or of a transaction's event, the id of a transaction, or a token, which
names the last event before it.""",
)
@click.argument("which")
@json_option
@pass_session
def show(session: Session, which: str, *, as_json: bool) -> None:
    """Print one event: a block with its transactions."""
    with open_log(session.load()) as opened:
        record = _record(opened, _position(opened, which))
        if as_json:
            put(record.body.decode())
            return
        for key, value in about(opened.chain_id, record).items():
            put(f"{key:18} {value}")
        put(json.dumps(json.loads(record.body), indent=4, ensure_ascii=False))


@click.command(
    epilog="""\b
Examples:
  bigchaindb events tail
  bigchaindb events tail -n 100 --operation TRANSFER
  bigchaindb events tail --follow --metadata order.paid=true
  bigchaindb events tail -n 1 --json | jq -r .token

Each line has position, time, type, number of transactions and id, and the data of the first new asset. Ctrl-C ends
the command.""",
)
@click.option(
    "-n", "--count", type=click.IntRange(0, 10_000), default=10, show_default=True, help="Number of past events."
)
@click.option("-f", "--follow", is_flag=True, help="Print new events as they come.")
@filter_options
@json_option
@pass_session
def tail(session: Session, /, *, count: int, follow: bool, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - of click
    """Print the last events of the log, a line each."""
    which = filter_of(options)
    with open_log(session.load()) as opened:
        if follow and opened.wait_beyond is None:
            raise StartupError("--follow: the node is not running, so no event will come; start it first")
        for position in last_positions(opened.log, opened.head, count, which):
            _put_line(opened, _record(opened, position), as_json=as_json)
        after = opened.head
        try:
            while follow and opened.wait_beyond is not None:
                for records, looked in pieces(opened.log, after, opened.wait_beyond(after), which):
                    after = looked
                    for record in records:
                        _put_line(opened, record, as_json=as_json)
        except KeyboardInterrupt:
            return


@click.command(
    epilog="""\b
Examples:
  bigchaindb events replay | jq '.data.block.transactions[].id'
  bigchaindb events replay --from height:1000 --to height:2000 --output blocks.jsonl
  bigchaindb events replay --owner "$(bigchaindb keys show alice.json)" --format transactions

WHERE is genesis, now, position:N, height:N, time:T or a token. It lies between two events: `--to position:10` ends
with event 9. Formats: json is an object with the event in `data`, cloudevents a CloudEvent for each block,
transactions a CloudEvent for each matching transaction of valid blocks.""",
)
@click.option("--from", "from_", metavar="WHERE", default="genesis", show_default=True, help="First event to copy.")
@click.option("--to", metavar="WHERE", default="now", show_default=True, help="Event to stop before.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="New file; it appears once it is whole."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["json", "cloudevents", "transactions"]),
    default="json",
    show_default=True,
    help="Form of a line.",
)
@filter_options
@pass_session
def replay(
    session: Session,
    /,
    *,
    from_: str,
    to: str,
    output: Path | None,
    format_: str,
    **options: Any,  # noqa: ANN401 - of click
) -> None:
    """Copy events to standard output or a file, in order, a line of JSON each."""
    begin, end, which = resolved(from_, "--from"), resolved(to, "--to"), filter_of(options)
    if output is not None and output.exists() and not session.assume_yes:
        raise ConfigurationError(
            f"--output: `{output}` exists; name another file, or pass -y before the command to replace it"
        )
    with open_log(session.load()) as opened:
        after = place.resolve(begin, opened.log, opened.chain_id, opened.head)
        through = place.resolve(end, opened.log, opened.chain_id, opened.head)
        if after > through:
            raise UnknownPlace(f"--from {from_} is behind --to {to}: exchange them")
        progress = _Progress(after, through)
        try:
            with _output(output) as file:
                for records, looked in pieces(opened.log, after, through, which):
                    for record in records:
                        file.writelines(lines(opened.chain_id, record, format_, which.selection))
                    progress.tell(len(records), looked)
        except KeyboardInterrupt:
            say(f"interrupted at position {progress.looked}")
            raise SystemExit(1) from None
    if output is not None:
        say(f"{progress.count} events were written to `{output}`")
    elif progress.count == 0:
        say("no event matches")


class _Progress:
    """Prints now and then how far a long copy is."""

    def __init__(self, after: int, through: int) -> None:
        self.count = 0
        self.looked = after
        self._through = through
        self._told = time.monotonic()

    def tell(self, count: int, looked: int) -> None:
        self.count += count
        self.looked = looked
        if time.monotonic() - self._told >= TELL_S:
            self._told = time.monotonic()
            say(f"{self.count} events, position {looked} of {self._through}")


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Yield standard output, or a file that gets its name once it is whole and durable."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with replacing(path, READABLE) as file:
            yield file
    except OSError as error:
        raise ConfigurationError(f"--output: cannot write `{path}`: {error.strerror}; name another file") from error


def _put_line(opened: OpenLog, record: Record, *, as_json: bool) -> None:
    summary = about(opened.chain_id, record)
    if as_json:
        put(json.dumps(summary))
    else:
        line = "{position:>9}  {time}  {type:13}  {transaction_count:>5}  {id}".format(**summary)
        data = asset_data(record)
        put(line if data is None else f"{line}  {printable(data[:DATA_SHOWN_MAX])}")


def _record(opened: OpenLog, position: int) -> Record:
    if not 1 <= position <= opened.head:
        raise UnknownPlace(f"the log has no position {position}; its head is {opened.head}")
    (record,) = opened.log.records(position - 1, position, count_max=1, bytes_max=1)  # P7: no position is missing
    return record


def _position(opened: OpenLog, text: str) -> int:
    if _TRANSACTION_ID.fullmatch(text):
        return _position_of_transaction(opened, text)
    if text.isascii() and text.isdigit():
        return int(text[:POSITION_DIGITS])
    if text.startswith(token.PREFIX):
        return place.resolve(place.AtToken(text), opened.log, opened.chain_id, opened.head)
    chain_id, _, rest = text.partition(":")
    position = rest.partition(":")[0]  # the id of one transaction's event has its index behind the position
    if chain_id != opened.chain_id or not (position.isascii() and position.isdigit()):
        raise UnknownPlace(
            f"expected a position, the 64 hex digits of a transaction, a token, or the id of an event of this ledger, "
            f"`{opened.chain_id}:` and a position; found {text[:80]!r}"
        )
    return int(position[:POSITION_DIGITS])


def _position_of_transaction(opened: OpenLog, transaction_id: str) -> int:
    position = position_of(opened.ledger, transaction_id)
    if position is None or position > opened.head:
        raise UnknownPlace(
            f"no block of the ledger in `{opened.ledger}` holds the transaction {transaction_id}: it may be "
            "pending, rejected, or of another ledger; -c names another node's configuration"
        )
    return position
