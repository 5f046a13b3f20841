"""Make and sign transactions: for tests, benchmarks and the command line. Clients have their drivers.

Source: docs/reference/contract/transactions.md, sections 3 and 4.3.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bigchaindb.transaction.canonical import has_plain_floats
from bigchaindb.transaction.conditions import Details, condition_of, details_of, keys_of, to_json
from bigchaindb.transaction.fulfillments import fulfill
from bigchaindb.transaction.keys import KeyPair, election_key
from bigchaindb.transaction.model import OutputRef, Version
from bigchaindb.transaction.texts import Texts, id_v1, id_v2, messages_v2, with_id


class Payment(NamedTuple):
    """An output to be made: `amount` shares under the condition `details` (see `conditions.details_of`)."""

    details: Details
    amount: int = 1


class Spend(NamedTuple):
    """An output to be spent: where it is, what it asks for, and who signs (at least its threshold)."""

    output: OutputRef
    details: Details
    signers: tuple[KeyPair, ...]


class Signed(NamedTuple):
    """A signed transaction: its id and its canonical bytes, ready to be posted."""

    id: str
    body: bytes


def create(
    signers: Sequence[KeyPair],
    payments: Sequence[Payment] | None = None,
    *,
    data: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    version: Version = "2.0",
) -> Signed:
    """Make a CREATE, signed by all `signers`.

    Args:
        signers: the issuers; one input carries all their signatures.
        payments: who gets how many shares; by default the signers together get one.
        data: the asset.
        metadata: what this transaction adds; None for nothing.
        version: whose rules of id and signature to follow.

    Raises:
        MalformedJson: `data` or `metadata` is no JSON.
        ValueError: a condition is impossible.
    """
    details = details_of([signer.public_key for signer in signers])
    outputs = [Payment(details)] if payments is None else payments
    template = _template("CREATE", {"data": data}, outputs, metadata, version)
    return _signed(template, [_Input(None, details, signers)], version)


def transfer(
    asset_id: str,
    spends: Sequence[Spend],
    payments: Sequence[Payment],
    *,
    metadata: Mapping[str, Any] | None = None,
    version: Version = "2.0",
) -> Signed:
    """Make a TRANSFER that spends `spends` and pays `payments`.

    Raises:
        InvalidSignature: too few signers for a condition.
        MalformedJson: `metadata` is no JSON.
        ValueError: a condition is impossible.
    """
    template = _template("TRANSFER", {"id": asset_id}, payments, metadata, version)
    return _signed(template, [_Input(*spend) for spend in spends], version)


def election(
    proposer: KeyPair, voters: Sequence[Payment], *, public_key: bytes, power: int, node_id: str, seed: str
) -> Signed:
    """Make a VALIDATOR_ELECTION.

    Args:
        proposer: a validator.
        voters: each validator's key alone, with its power.
        public_key: of the validator that is to have `power`, 32 bytes.
        power: from then on; 0 takes the validator out.
        node_id: names its node, for people.
        seed: makes the id unique. One id in 20,000 begins with zeros and makes no key that votes can be paid to
            (`keys.election_key`); take another seed then.

    Raises:
        ValueError: a condition is impossible.
    """
    key = {"type": "ed25519-base64", "value": b64encode(public_key).decode()}
    asset = {"data": {"node_id": node_id, "power": power, "public_key": key, "seed": seed}}
    template = _template("VALIDATOR_ELECTION", asset, voters, None, "2.0")
    return _signed(template, [_Input(None, details_of([proposer.public_key]), [proposer])], "2.0")


def vote(election_id: str, spends: Sequence[Spend], amount: int) -> Signed:
    """Make a VOTE for an election.

    Args:
        election_id: of the election.
        spends: the voter's outputs of it.
        amount: what they hold together.

    Raises:
        InvalidSignature: too few signers for a condition.
        ValueError: the election's id makes no key (see `election`).
    """
    payments = [Payment(details_of([election_key(election_id)]), amount)]
    template = _template("VOTE", {"id": election_id}, payments, None, "2.0")
    return _signed(template, [_Input(*spend) for spend in spends], "2.0")


class _Input(NamedTuple):
    output: OutputRef | None
    details: Details
    signers: Sequence[KeyPair]


def _template(
    operation: str,
    asset: Mapping[str, Any],
    payments: Sequence[Payment],
    metadata: Mapping[str, Any] | None,
    version: Version,
) -> dict[str, Any]:
    return {
        "asset": asset,
        "id": None,
        "metadata": metadata,
        "operation": operation,
        "outputs": [_output(payment) for payment in payments],
        "version": version,
    }


def _output(payment: Payment) -> dict[str, Any]:
    details = payment.details
    return {
        "amount": str(payment.amount),
        "condition": {"details": to_json(details), "uri": condition_of(details).uri},
        "public_keys": keys_of(details),
    }


def _signed(document: dict[str, Any], inputs: Sequence[_Input], version: Version) -> Signed:
    document["inputs"] = items = [_unsigned(input_) for input_ in inputs]
    plain = has_plain_floats(document["asset"]) and has_plain_floats(document["metadata"])
    unsigned = Texts.of(document, version, plain=plain)
    if version == "1.0":
        document["id"] = id_v1(unsigned.head, unsigned.tail)
        messages = [with_id(unsigned.head, document["id"], unsigned.tail)] * len(inputs)
    else:
        messages = messages_v2(unsigned.head, unsigned.tail, (input_.output for input_ in inputs))
    for item, input_, message in zip(items, inputs, messages, strict=True):
        signatures = {signer.public_key: signer.sign(message) for signer in input_.signers}
        item["fulfillment"] = fulfill(input_.details, signatures)
    signed = Texts.of(document, version, plain=plain)
    if version == "1.0":
        return Signed(document["id"], signed.body)
    transaction_id = id_v2(signed.head, signed.tail)
    return Signed(transaction_id, with_id(signed.head, transaction_id, signed.tail))


def _unsigned(input_: _Input) -> dict[str, Any]:
    ref = input_.output
    return {
        "fulfillment": None,
        "fulfills": None if ref is None else ref._asdict(),
        "owners_before": keys_of(input_.details),
    }
