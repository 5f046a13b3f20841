"""Evidence of two votes of one validator, as its double signing would leave it, for a real CometBFT to check."""

import http.client
import json
import time
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from bigchaindb.ledger.consensus import BlockId, Moment, precommit_sign_bytes
from tests.support.live_networks import CHAIN, POWER
from tests.support.members import Member, UnixConnection


def submit_double_vote(to: Member, faulty: Member, *, height: int, total_power: int) -> None:
    """Submit evidence to a node's CometBFT that a validator voted for two blocks of a height.

    Args:
        to: whose CometBFT spreads it; the next block holds it.
        faulty: whose key signs both votes.
        height: a block that is decided.
        total_power: of all validators then.
    """
    validators = to.rpc(f"validators?height={height}")["validators"]
    (index,) = [number for number, one in enumerate(validators) if one["address"] == faulty.address.upper()]
    votes = [_vote(faulty, height, index, name) for name in (b"one block", b"another block")]
    first, second = sorted(votes, key=lambda vote: str(vote["block_id"]["hash"]))
    evidence = {
        "type": "tendermint/DuplicateVoteEvidence",
        "value": {
            "vote_a": first,
            "vote_b": second,
            "TotalVotingPower": str(total_power),
            "ValidatorPower": str(POWER),
            "Timestamp": to.rpc(f"commit?height={height}")["signed_header"]["header"]["time"],
        },
    }
    request = {"jsonrpc": "2.0", "id": 1, "method": "broadcast_evidence", "params": {"evidence": evidence}}
    with closing(UnixConnection(to.layout.rpc)) as connection:
        connection.request("POST", "/", json.dumps(request), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        document = json.loads(answer.read())
    assert (answer.status, document.get("error")) == (http.client.OK, None), document


def _vote(faulty: Member, height: int, index: int, name: bytes) -> dict[str, Any]:
    now_s = int(time.time())
    digest = sha256(name).digest()
    block = BlockId(digest, 1, digest)
    signed = precommit_sign_bytes(CHAIN, height, 0, block, Moment(now_s, 0))
    return {
        "type": 2,
        "height": str(height),
        "round": 0,
        "block_id": {"hash": digest.hex().upper(), "parts": {"total": 1, "hash": digest.hex().upper()}},
        "timestamp": f"{datetime.fromtimestamp(now_s, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "validator_address": faulty.address.upper(),
        "validator_index": index,
        "signature": b64encode(faulty.key.sign(signed)).decode(),
        "extension": None,
        "extension_signature": None,
    }
