"""Names of targets by a template."""

import pytest

from bigchaindb.delivery import Message, Naming
from bigchaindb.delivery.messages import BLOCK_TYPES
from bigchaindb.events import EventTypes

TRANSFER = Message(
    id="solo-1:42:0",
    type="com.bigchaindb.transaction.valid.v1",
    chain_id="solo-1",
    position=42,
    index=0,
    subject="cd",
    operation="TRANSFER",
    asset_id="ab",
    routing_key="v1.solo-1.transaction.valid.TRANSFER.ab",
    time=0,
    data=b"{}",
)
BLOCK = Message(
    id="solo-1:42",
    type=BLOCK_TYPES[EventTypes.BLOCK_VALID],
    chain_id="solo-1",
    position=42,
    subject="ef",
    routing_key="v1.solo-1.block.valid",
    time=0,
    data=b"{}",
)


@pytest.mark.parametrize(
    ("template", "transfer", "block"),
    [
        ("ledger", "ledger", "ledger"),
        ("{kind}s.{validity}", "transactions.valid", "blocks.valid"),
        ("{chain_id}/{operation}/{asset_id}", "solo-1/TRANSFER/ab", "solo-1/-/-"),
        ("to.{routing_key}", f"to.{TRANSFER.routing_key}", f"to.{BLOCK.routing_key}"),
    ],
)
def test_a_template_names_the_target_of_a_message(template: str, transfer: str, block: str) -> None:
    naming = Naming(template, "topic")
    assert (naming.name(TRANSFER), naming.name(BLOCK)) == (transfer, block)
    assert naming.is_constant == (template == "ledger")


def test_the_example_is_an_invalid_block() -> None:
    assert Naming("{chain_id}.{kind}.{validity}.{asset_id}", "topic").example == "chain.block.invalid.-"


@pytest.mark.parametrize(
    "template", ["", "{asset}", "{asset_id", "a}", "{}", "{kind!r}", "{kind:>9}", "{{kind}}", "{kind.x}"]
)
def test_other_braces_are_refused(template: str) -> None:
    """A template is text and no program: what formatting of Python could reach stays out of it."""
    with pytest.raises(ValueError, match=r"^topic: (must not be empty|may hold \{chain_id\}, .* no other braces)"):
        Naming(template, "topic")
