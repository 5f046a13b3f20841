"""events proof, verify: fetch the proof of an event from a node, and check it without one."""

import json
from datetime import UTC, datetime
from typing import BinaryIO, Final

import click

from bigchaindb.cli.asking import node_at, node_option
from bigchaindb.cli.output import put
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.client import calls
from bigchaindb.errors import ConfigurationError, ProofError
from bigchaindb.ledger.proofs.document import PROOF_BYTES_MAX
from bigchaindb.ledger.proofs.pieces import Verified
from bigchaindb.ledger.proofs.trusted import TRUST_BYTES_MAX, read_trust
from bigchaindb.ledger.proofs.verifying import verify as check

_NOT_PROVEN: Final = (
    "not proven: this file has no header of its height; take the proof from another node of the network"
)


@click.command(
    epilog="""\b
Examples:
  bigchaindb events proof 4711 > proof.json
  bigchaindb events proof "$(bigchaindb events show 4711 --json | jq -r .id)" > proof.json
  bigchaindb events proof 4711 --node https://node.example.com > proof.json

BLOCK is the height of a valid block, the id of a valid or invalid one (`id` of the event, `subject` of the CloudEvent),
or `position:N` for the event at that position of the log. The node is asked over HTTP. It need not be trusted:
`bigchaindb verify` checks everything in the file."""
)
@click.argument("block")
@node_option
@pass_session
def proof(session: Session, block: str, node: str | None) -> None:
    """Print the proof of the event about a block, as JSON."""
    put(node_at(session, node).ask(calls.proof(block)).decode().rstrip("\n"))


@click.command(
    epilog="""\b
Examples:
  curl -s http://localhost:9984/api/v1/validators > validators.json   # once, from a node that you trust
  bigchaindb events proof 4711 > proof.json                           # from any node
  bigchaindb verify proof.json --validators validators.json           # anywhere, any time
  bigchaindb verify proof.json --validators genesis.json --json | jq .block.transactions

The file of --validators is what you trust: the answer of /api/v1/validators, or the network's genesis.json, which also
names the chain. Validators with more than 2/3 of its power must have signed for the event. PROOF is trusted no further
than their signatures, so it may come from anywhere; - is standard input.

Exit code: 0 the event is proven and printed, 1 it is not proven and the message names what fails."""
)
@click.argument("file", metavar="PROOF", type=click.File("rb"))
@click.option(
    "--validators", type=click.File("rb"), metavar="FILE", required=True, help="The validators that you trust."
)
@click.option("--json", "as_json", is_flag=True, help="Print only the proven event's own JSON.")
def verify(file: BinaryIO, validators: BinaryIO, *, as_json: bool) -> None:
    """Check the proof of an event, without a node or a network."""
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


def _about(verified: Verified) -> dict[str, object]:
    """Return what was proven, the most wanted first."""
    header = verified.block.header
    time = datetime.fromtimestamp(header.timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    is_signed = verified.chain_id is not None
    return {
        "proven": "BLOCK_VALID" if verified.reason is None else "BLOCK_INVALID",
        **({} if verified.reason is None else {"reason": json.dumps(verified.reason)}),
        "height": header.height if is_signed else f"{header.height}, from the file: a node on its own does not sign it",
        **({"id": header.id} if verified.is_bound else {"id": _NOT_PROVEN, "voters": _NOT_PROVEN}),
        "time": time,
        "proposed_by": header.node_pubkey,
        "transaction_count": len(verified.block.transactions),
        "chain_id": verified.chain_id if is_signed else "not signed by a node on its own",
        "signed_by": f"trusted validators with power {verified.power} of {verified.total}",
    }
