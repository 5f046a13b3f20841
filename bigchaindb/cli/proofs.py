"""events proof, verify: take what proves an event from a node, and check it without one."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from bigchaindb.cli.session import Session, pass_session, put
from bigchaindb.cli.transactions import NODE_VARIABLE, own_node
from bigchaindb.errors import ConfigurationError, ProofError

if TYPE_CHECKING:
    from bigchaindb.ledger.proofs.pieces import Verified

_NOT_PROVEN: Final = "not proven: this file has no header of its height; a node of the network gives one that has"


@click.command(
    epilog="""\b
Examples:
  bigchaindb events proof 4711 > proof.json
  bigchaindb events proof "$(bigchaindb events show 4711 --json | jq -r .id)" > proof.json
  bigchaindb events proof 4711 --node https://node.example.com > proof.json

BLOCK is the height of a valid block, or the id of a valid or invalid one: `id` of the event, `subject` of the
CloudEvent; or `position:N`, for the event of that position in the log. The node is asked over HTTP and need not be
trusted: `bigchaindb verify` believes nothing in the file."""
)
@click.argument("block")
@click.option("--node", metavar="URL", envvar=NODE_VARIABLE, help="The node's address; by default that of server.bind.")
@pass_session
def proof(session: Session, block: str, node: str | None) -> None:
    """Print what proves the event about a block to others, as JSON."""
    from bigchaindb.cli.client import Node

    put((Node(node) if node else own_node(session)).proof(block).decode().rstrip("\n"))


@click.command(
    epilog="""\b
Examples:
  curl -s http://localhost:9984/api/v1/validators > validators.json   # once, from a node that you trust
  bigchaindb events proof 4711 > proof.json                           # from any node
  bigchaindb verify proof.json --validators validators.json           # anywhere, any time
  bigchaindb verify proof.json --validators genesis.json --json | jq .block.transactions

The file of --validators is what you trust: the answer of /api/v1/validators, or the network's genesis.json, which also
says which chain. More than 2/3 of the power in it must stand behind the event. Nothing in PROOF is believed without
their signatures, so it does not matter where it comes from; - is standard input.

Exit code 0: proven, and printed what. 1: not proven, and said what fails."""
)
@click.argument("file", metavar="PROOF", type=click.File("rb"))
@click.option("--validators", type=click.File("rb"), metavar="FILE", required=True, help="Whom you trust.")
@click.option("--json", "as_json", is_flag=True, help="Print the proven event alone, and of it nothing else.")
def verify(file: BinaryIO, validators: BinaryIO, *, as_json: bool) -> None:
    """Check the proof of an event, without a node or a network."""
    from bigchaindb.ledger.proofs.document import PROOF_BYTES_MAX
    from bigchaindb.ledger.proofs.trusted import TRUST_BYTES_MAX, read_trust
    from bigchaindb.ledger.proofs.verifying import verify as check

    try:
        trust = read_trust(validators.read(TRUST_BYTES_MAX + 1))
    except ConfigurationError as error:
        raise ConfigurationError(f"--validators: `{validators.name}`: {error}") from error
    try:
        verified = check(file.read(PROOF_BYTES_MAX + 1), trust)
    except ProofError as error:
        raise ProofError(f"not proven by `{file.name}`: {error}") from error
    if as_json:
        put(verified.body.decode())
        return
    for key, value in _about(verified).items():
        put(f"{key:18} {value}")


def _about(verified: "Verified") -> dict[str, object]:
    """Return what was proven, in the order of what a person wants to know."""
    header = verified.block.header
    time = datetime.fromtimestamp(header.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    is_signed = verified.chain_id is not None
    return {
        "proven": "BLOCK_VALID" if verified.reason is None else "BLOCK_INVALID",
        **({} if verified.reason is None else {"reason": json.dumps(verified.reason)}),
        "height": header.height if is_signed else f"{header.height}, as the file says: one node does not sign it",
        **({"id": header.id} if verified.is_bound else {"id": _NOT_PROVEN, "voters": _NOT_PROVEN}),
        "time": time,
        "proposed_by": header.node_pubkey,
        "transaction_count": len(verified.block.transactions),
        "chain_id": verified.chain_id if is_signed else "not signed by one node",
        "signed_by": f"{verified.power} of the power {verified.total} that is trusted",
    }
