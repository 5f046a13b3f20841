"""transactions create, transfer, show: for trials of the node without a driver.

A private key comes from a file, the environment or a hidden prompt, never from an argument: shells remember those.
"""

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from bigchaindb.cli.asking import node_at, node_option
from bigchaindb.cli.keys import KEY_FILE_VARIABLE, PRIVATE_KEY_VARIABLE, read_key_file
from bigchaindb.cli.lazy import Group
from bigchaindb.cli.options import Shares, line_option, read_object
from bigchaindb.cli.output import ask_secret, put_answer, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.client import Client
from bigchaindb.client.calls import Mode
from bigchaindb.client.spending import payment, spending
from bigchaindb.errors import CannotSpend, ConfigurationError, RequestFailed
from bigchaindb.transaction import build
from bigchaindb.transaction.build import Signed
from bigchaindb.transaction.keys import KeyPair, decode_key

_ID: Final = re.compile("[0-9a-f]{64}")
MODES: Final = ("async", "sync", "commit")

_Command = TypeVar("_Command", bound=Callable[..., None])


def _signing_options(command: _Command) -> _Command:
    for option in (
        click.option(
            "--key-file",
            type=click.Path(path_type=Path),
            envvar=KEY_FILE_VARIABLE,
            help=f"Key that signs, a file of `keys new`; by default {PRIVATE_KEY_VARIABLE}, else a prompt.",
        ),
        click.option("--metadata", metavar="JSON", help="Metadata of the transaction, an object; @FILE reads a file."),
        click.option(
            "--mode", type=click.Choice(MODES), default="commit", show_default=True, help="When the node answers."
        ),
        click.option("--dry-run", is_flag=True, help="Print the signed transaction and send nothing."),
    ):
        command = option(command)
    return command


@click.group(cls=Group)
def transactions() -> None:
    """Create, transfer and show assets."""


@transactions.command(
    epilog="""\b
Examples:
  bigchaindb transactions create --key-file alice.json --asset '{"bicycle": {"serial": "abc-1"}}'
  bigchaindb transactions create --key-file alice.json --asset @asset.json --amount 100
  bigchaindb transactions create --key-file alice.json --asset '{"n": 1}' --dry-run > signed.json"""
)
@click.option("--asset", metavar="JSON", help="Asset, an object; @FILE reads a file, @- standard input.")
@click.option("--amount", type=Shares(), default=1, show_default=True, help="Number of shares.")
@click.option("--to", metavar="PUBLIC_KEY", help="Owner of the shares; by default the key that signs.")
@_signing_options
@node_option
@line_option
@pass_session
def create(
    session: Session,
    /,
    *,
    asset: str | None,
    amount: int,
    to: str | None,
    key_file: Path | None,
    metadata: str | None,
    **how: Any,  # noqa: ANN401 - the options of `_finish`
) -> None:
    """Create an asset and print the transaction."""
    data, about = read_object(asset, "--asset"), read_object(metadata, "--metadata")
    signer = _signer(key_file)
    _require_key(to or signer.public_key)
    paid = payment(to or signer.public_key, amount)
    _finish(session, build.create([signer], [paid], data=data, metadata=about), **how)


@transactions.command(
    epilog="""\b
Examples:
  bigchaindb transactions transfer ID --key-file alice.json --to PUBLIC_KEY
  bigchaindb transactions transfer ID:1 --key-file alice.json --to PUBLIC_KEY --amount 40

The rest of the shares goes back to the key that signs, in a second output."""
)
@click.argument("output", metavar="ID[:INDEX]")
@click.option("--to", metavar="PUBLIC_KEY", required=True, help="New owner of the shares.")
@click.option("--amount", type=Shares(), help="Number of shares; by default all of the output.")
@_signing_options
@node_option
@line_option
@pass_session
def transfer(
    session: Session,
    /,
    *,
    output: str,
    to: str,
    amount: int | None,
    key_file: Path | None,
    metadata: str | None,
    **how: Any,  # noqa: ANN401 - the options of `_finish`
) -> None:
    """Transfer an output of a committed transaction and print the new transaction."""
    about = read_object(metadata, "--metadata")
    transaction_id, index = _reference(output)
    signer = _signer(key_file)
    how["node"] = node = node_at(session, how["node"])
    held = node.transaction(transaction_id)
    _require_key(to)
    try:
        what = spending([held], [signer], to, amount, index)
    except CannotSpend as error:
        raise ConfigurationError(re.sub("^amount: ", "--amount: ", str(error))) from error
    _finish(session, build.transfer(what.asset_id, what.spends, what.payments, metadata=about), **how)


@transactions.command(
    epilog="""\b
Example:
  bigchaindb transactions show ID"""
)
@click.argument("transaction_id", metavar="ID")
@node_option
@line_option
@pass_session
def show(session: Session, transaction_id: str, node: str | None, *, as_json: bool) -> None:
    """Print a committed transaction."""
    if not _ID.fullmatch(transaction_id):
        raise ConfigurationError(
            f"ID: {transaction_id[:80]!r} is not the id of a transaction, which has 64 digits of lower-case hex; take "
            "it from the output of `transactions create`"
        )
    put_answer(node_at(session, node).transaction(transaction_id), on_one_line=as_json)


def _finish(
    session: Session, signed: Signed, *, node: str | Client | None, mode: Mode, dry_run: bool, as_json: bool
) -> None:
    if dry_run:
        put_answer(json.loads(signed.body), on_one_line=as_json)
        return
    target = node if isinstance(node, Client) else node_at(session, node)
    say(f"Sending {signed.id} to {target.url} …")
    is_there = _is_committed(target, signed.id)
    put_answer(target.send(signed, mode=mode), on_one_line=as_json)
    if is_there:
        say("it was committed before: the same content makes the same id; other metadata makes another transaction")


def _is_committed(node: Client, transaction_id: str) -> bool:
    with suppress(RequestFailed):  # what keeps the node from answering is told by the command itself
        return node.status(transaction_id).name == "valid"
    return False


def _signer(key_file: Path | None) -> KeyPair:
    if key_file is not None:
        return read_key_file(key_file)
    private = os.environ.get(PRIVATE_KEY_VARIABLE) or ask_secret("Private key (base58, not shown): ")
    try:
        return KeyPair.from_private_key(private)
    except ValueError as error:
        raise ConfigurationError(f"the private key cannot be used: {error}") from None


def _require_key(public_key: str) -> None:
    try:
        decode_key(public_key)
    except ValueError as error:
        if Path(public_key).is_file():
            cure = f"it is a file, whose public key `bigchaindb keys show {public_key}` prints"
        else:
            cure = "a public key has 43 or 44 characters, as `bigchaindb keys show FILE` prints it"
        raise ConfigurationError(f"--to: {error}; {cure}") from None


def _reference(text: str) -> tuple[str, int]:
    transaction_id, _, index = text.partition(":")
    if index and not (index.isascii() and index.isdigit()):
        raise ConfigurationError(f"expected ID or ID:INDEX, found {text!r}")
    return transaction_id, int(index or 0)
