"""transactions create, transfer, show: for trials of the node without a driver.

A private key comes from a file, the environment or a hidden prompt, never from an argument: shells remember those.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from bigchaindb.cli.client import NodeClient
from bigchaindb.cli.keys import KEY_FILE_VARIABLE, PRIVATE_KEY_VARIABLE, read_key_file
from bigchaindb.cli.options import node_at, node_option, read_object
from bigchaindb.cli.output import ask_secret, put, put_json, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.errors import ConfigurationError
from bigchaindb.transaction import build
from bigchaindb.transaction.build import Payment, Signed, Spend
from bigchaindb.transaction.conditions import details_of, to_json
from bigchaindb.transaction.keys import KeyPair, decode_key
from bigchaindb.transaction.model import OutputRef

_ID: Final = re.compile("[0-9a-f]{64}")
MODES: Final = ("async", "sync", "commit")

_Command = TypeVar("_Command", bound=Callable[..., None])


_line_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON on one line.")


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


@click.group()
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
@click.option("--amount", type=click.IntRange(1), default=1, show_default=True, help="Number of shares.")
@click.option("--to", metavar="PUBLIC_KEY", help="Owner of the shares; by default the key that signs.")
@_signing_options
@node_option
@_line_option
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
    payments = [_payment(to or signer.public_key, amount)]
    _finish(session, build.create([signer], payments, data=data, metadata=about), **how)


@transactions.command(
    epilog="""\b
Examples:
  bigchaindb transactions transfer ID --key-file alice.json --to PUBLIC_KEY
  bigchaindb transactions transfer ID:1 --key-file alice.json --to PUBLIC_KEY --amount 40

The rest of the shares goes back to the key that signs, in a second output."""
)
@click.argument("output", metavar="ID[:INDEX]")
@click.option("--to", metavar="PUBLIC_KEY", required=True, help="New owner of the shares.")
@click.option("--amount", type=click.IntRange(1), help="Number of shares; by default all of the output.")
@_signing_options
@node_option
@_line_option
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
    spend, shares = _spend(held, index, signer)
    paid = shares if amount is None else amount
    if paid > shares:
        raise ConfigurationError(f"--amount: the output holds {shares} shares, found {paid}; name at most that many")
    payments = [_payment(to, paid)]
    if paid < shares:
        payments.append(_payment(signer.public_key, shares - paid))
    asset_id = held["asset"].get("id", held["id"])
    _finish(session, build.transfer(asset_id, [spend], payments, metadata=about), **how)


@transactions.command(
    epilog="""\b
Example:
  bigchaindb transactions show ID"""
)
@click.argument("transaction_id", metavar="ID")
@node_option
@_line_option
@pass_session
def show(session: Session, transaction_id: str, node: str | None, *, as_json: bool) -> None:
    """Print a committed transaction."""
    if not _ID.fullmatch(transaction_id):
        raise ConfigurationError(
            f"ID: {transaction_id[:80]!r} is not the id of a transaction, which has 64 digits of lower-case hex; take "
            "it from the output of `transactions create`"
        )
    _put(node_at(session, node).transaction(transaction_id), as_json=as_json)


def _finish(
    session: Session, signed: Signed, *, node: str | NodeClient | None, mode: str, dry_run: bool, as_json: bool
) -> None:
    if dry_run:
        _put(json.loads(signed.body), as_json=as_json)
        return
    target = node_at(session, node)
    say(f"Sending {signed.id} to {target.url} …")
    _put(target.post(signed.body, mode), as_json=as_json)


def _put(transaction: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        put(json.dumps(transaction, separators=(",", ":"), sort_keys=True, ensure_ascii=False))
    else:
        put_json(transaction)


def _signer(key_file: Path | None) -> KeyPair:
    if key_file is not None:
        return read_key_file(key_file)
    private = os.environ.get(PRIVATE_KEY_VARIABLE) or ask_secret("Private key (base58, not shown): ")
    try:
        return KeyPair.from_private_key(private)
    except ValueError as error:
        raise ConfigurationError(f"the private key cannot be used: {error}") from None


def _payment(public_key: str, amount: int) -> Payment:
    try:
        decode_key(public_key)
    except ValueError as error:
        if Path(public_key).is_file():
            cure = f"it is a file, whose public key `bigchaindb keys show {public_key}` prints"
        else:
            cure = "a public key has 43 or 44 characters, as `bigchaindb keys show FILE` prints it"
        raise ConfigurationError(f"--to: {error}; {cure}") from None
    return Payment(details_of([public_key]), amount)


def _spend(held: dict[str, Any], index: int, signer: KeyPair) -> tuple[Spend, int]:
    """Return what spends output `index` of a transaction, and the number of its shares."""
    outputs = held["outputs"]
    if index >= len(outputs):
        raise ConfigurationError(f"{held['id']} has {len(outputs)} outputs, counted from 0; there is no output {index}")
    output = outputs[index]
    details = details_of([signer.public_key])
    if output["condition"]["details"] != to_json(details):  # `public_keys` is an index for queries, and may be null
        owners = ", ".join(output["public_keys"] or ["nobody by name"])
        raise ConfigurationError(
            f"output {index} belongs to {owners}, and the signing key is {signer.public_key}; sign with an owner's key"
        )
    return Spend(OutputRef(held["id"], index), details, (signer,)), int(output["amount"])


def _reference(text: str) -> tuple[str, int]:
    transaction_id, _, index = text.partition(":")
    if index and not (index.isascii() and index.isdigit()):
        raise ConfigurationError(f"expected ID or ID:INDEX, found {text!r}")
    return transaction_id, int(index or 0)
