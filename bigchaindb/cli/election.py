"""election new, approve, list, show: change which validators a network has, by their own votes.

Source: docs/reference/contract/configuration-and-cli.md, section 4; docs/reference/contract/transactions.md, section 7.
"""

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import click

from bigchaindb import identity
from bigchaindb.cli.asking import node_at, node_option
from bigchaindb.cli.lazy import Group
from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import printable, put, put_json, put_table
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.client import Client, calls
from bigchaindb.errors import ConfigurationError, RequestFailed
from bigchaindb.key_files import read_keypair
from bigchaindb.ledger.elections import proposal_of
from bigchaindb.transaction import build, parse
from bigchaindb.transaction.build import Payment, Signed
from bigchaindb.transaction.conditions import details_of
from bigchaindb.transaction.keys import KEY_BYTES, KeyPair, decode_key, election_key, encode
from bigchaindb.transaction.model import OutputRef, Transaction

_KEY_FILE: Final = "a key file of this node or of `keys new`, or a priv_validator_key.json"

_key_option: Final = click.option(
    "--private-key",
    "key_file",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help=f"The key that signs: {_KEY_FILE}; by default the node's own.",
)


@click.group(cls=Group)
def election() -> None:
    """Propose, approve and list changes of a network's validators."""


@election.group()
def new() -> None:
    """Propose a change of the validators."""


@new.command(
    epilog="""\b
Examples:
  bigchaindb election new upsert-validator PUBLIC_KEY 10 NODE_ID
  bigchaindb election new upsert-validator PUBLIC_KEY 0 NODE_ID --private-key priv_validator_key.json

PUBLIC_KEY is base58, as `network id` prints it, or base64, as `GET /api/v1/validators` does. POWER 0 removes a
validator."""
)
@click.argument("public_key")
@click.argument("power", type=click.IntRange(0))
@click.argument("node_id")
@_key_option
@node_option
@pass_session
def upsert_validator(
    session: Session, public_key: str, power: int, node_id: str, key_file: Path | None, node: str | None
) -> None:
    """Propose the voting POWER of a validator, new or present."""
    proposed = _public_key(public_key)
    signer = _signer(session, key_file)
    target = _network(session, node)
    signed = _proposal(target, signer, public_key=proposed, power=power, node_id=node_id)
    target.send(signed)
    put(f"[SUCCESS] Submitted proposal with id: {signed.id}")


@new.command(
    epilog="""\b
Example:
  bigchaindb election new chain-migration"""
)
@_key_option
def chain_migration(key_file: Path | None) -> None:
    """Not supported: a chain stays with one engine."""
    del key_file
    raise ConfigurationError("election new chain-migration: not supported, a chain stays with one engine")


@election.command(
    epilog="""\b
Example:
  bigchaindb election approve ID"""
)
@click.argument("election_id", metavar="ID")
@_key_option
@node_option
@pass_session
def approve(session: Session, election_id: str, key_file: Path | None, node: str | None) -> None:
    """Vote for an election. It takes effect once two thirds of the power have voted for it."""
    signer = _signer(session, key_file)
    target = _network(session, node)
    proposed, status = _find(target, election_id)
    if status != "ongoing":
        raise ConfigurationError(f"the election is {status}, so votes for it change nothing")
    own = {i: o.amount for i, o in enumerate(proposed.outputs) if o.owners == (signer.public_key,)}
    if not own:
        raise ConfigurationError(f"the key {signer.public_key} has no votes in this election")
    details = details_of([signer.public_key])
    spends = [build.Spend(OutputRef(election_id, index), details, (signer,)) for index in own]
    target.send(build.vote(election_id, spends, sum(own.values())))
    put("[SUCCESS] Your vote has been submitted")


@election.command(
    "list",
    epilog="""\b
Examples:
  bigchaindb election list
  bigchaindb election list --json | jq -r .[].id""",
)
@json_option
@node_option
@pass_session
def list_open(session: Session, *, as_json: bool, node: str | None) -> None:
    """List the open elections, oldest first."""
    target = node_at(session, node)
    open_now = target.ask(calls.elections())
    total = sum(one["voting_power"] for one in target.validators())
    rows = [
        {
            "id": one["id"],
            "public_key": encode(_from_base64(one["public_key"]["value"]) or b""),
            "power": one["power"],
            "node_id": one["node_id"],
            "votes": one["votes"],
            "votes_total": total,
        }
        for one in open_now
    ]
    if as_json:
        put_json(rows)
        return
    put_table(
        "ELECTION  PUBLIC KEY  POWER  NODE  VOTES",
        (
            (one["id"], one["public_key"], one["power"], printable(one["node_id"]), f"{one['votes']} of {total}")
            for one in rows
        ),
    )


@election.command(
    epilog="""\b
Example:
  bigchaindb election show ID"""
)
@click.argument("election_id", metavar="ID")
@node_option
@pass_session
def show(session: Session, election_id: str, node: str | None) -> None:
    """Print the proposal and the status of an election."""
    transaction, status = _find(_network(session, node), election_id)
    proposed = proposal_of(transaction)
    put(f"node_id={printable(proposed.node_id)}")
    put(f"power={proposed.power}")
    put(f"public_key={b64encode(proposed.public_key).decode()}")
    put(f"public_key_base58={encode(proposed.public_key)}")  # which 2.x does not have
    put(f"status={status}")


def _network(session: Session, url: str | None) -> Client:
    """Return the node; it must be part of a network.

    Raises:
        RequestFailed: it is part of none, or it cannot be asked.
    """
    node = node_at(session, url)
    node.ask(calls.elections())
    return node


def _proposal(node: Client, signer: KeyPair, **proposed: Any) -> Signed:  # noqa: ANN401 - as of `build.election`

    voters = [
        Payment(details_of([encode(_from_base64(one["public_key"]["value"]) or b"")]), one["voting_power"])
        for one in node.validators()
    ]
    while True:
        signed = build.election(signer, voters, seed=str(uuid4()), **proposed)
        try:
            decode_key(election_key(signed.id))
        except ValueError:  # one in 20,000
            continue
        return signed


def _find(node: Client, election_id: str) -> tuple[Transaction, str]:
    try:
        status = node.ask(calls.election_status(election_id))
        return parse(json.dumps(node.transaction(election_id)).encode(), elections=True), status
    except RequestFailed as error:
        if error.status == 404:  # noqa: PLR2004 - HTTP's own figure
            raise ConfigurationError(f"No election found with election_id {election_id}") from None
        raise


def _signer(session: Session, key_file: Path | None) -> KeyPair:
    if key_file is not None:
        return _read_validator_key(key_file) or read_keypair(key_file)
    if (pair := identity.find(session.load_silently().settings)) is None:
        raise ConfigurationError(f"this node has no key pair yet: pass --private-key, {_KEY_FILE}")
    return pair


def _read_validator_key(path: Path) -> KeyPair | None:
    """Return the key in a validator's key file of Tendermint or CometBFT, None if `path` is no such file."""
    try:
        secret = _from_base64(json.loads(path.read_bytes())["priv_key"]["value"], 2 * KEY_BYTES)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if secret is None else KeyPair.from_seed(secret[:KEY_BYTES])


def _public_key(text: str) -> bytes:
    """Return the key of a text in base64 or base58; the two differ, as base64 of 32 bytes ends with `=`."""
    if (key := _from_base64(text)) is not None:
        return key
    try:
        return decode_key(text)
    except ValueError:
        raise ConfigurationError(f"PUBLIC_KEY: expected 32 bytes in base64 or base58, found {text[:60]!r}") from None


def _from_base64(text: object, count: int = 32) -> bytes | None:
    """Return the bytes of a base64 text, None if they are not `count`."""
    try:
        raw = b64decode(str(text), validate=True)
    except ValueError:
        return None
    return raw if len(raw) == count else None
