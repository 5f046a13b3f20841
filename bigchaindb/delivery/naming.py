"""Names of topics, subjects and streams by a template, so that an operator spreads messages alike at every target."""

import re
from typing import Final

from bigchaindb.delivery.messages import BLOCK_TYPES, Message
from bigchaindb.events import EventTypes

NAMES: Final = ("chain_id", "kind", "validity", "operation", "asset_id", "routing_key")
"""What a template may hold in braces."""
NONE: Final = "-"
"""The operation and the asset of a whole block; an empty part of a subject or a topic is refused by its server."""

_BRACED: Final = re.compile(r"\{(\w+)\}")
_INVALID: Final = BLOCK_TYPES[EventTypes.BLOCK_INVALID]
_EXAMPLE: Final = Message(
    id="chain:1",
    type=_INVALID,
    chain_id="chain",
    position=1,
    subject="example",
    routing_key="v1.chain.block.invalid",
    time=0,
    data=b"{}",
)


class Naming:
    """A template of names, such as `ledger.{kind}.{asset_id}`."""

    def __init__(self, template: str, option: str) -> None:
        """Check the template.

        Args:
            template: text with some of `NAMES` in braces.
            option: whose value it is, for errors.

        Raises:
            ValueError: it is empty, or holds other braces.
        """
        if not template:
            raise ValueError(f"{option}: must not be empty")
        names = _BRACED.findall(template)
        unknown = [name for name in names if name not in NAMES]
        if unknown or set(_BRACED.sub("", template)) & set("{}"):
            raise ValueError(
                f"{option}: may hold {', '.join(f'{{{name}}}' for name in NAMES)} and no other braces, "
                f"found {template!r}"
            )
        self._template = template
        self.is_constant = not names
        """Whether every message has the same name."""

    @property
    def example(self) -> str:
        """The name of a block of a chain `chain`: what the target allows can be tried with it."""
        return self.name(_EXAMPLE)

    def name(self, message: Message) -> str:
        """Return the name for a message."""
        if self.is_constant:
            return self._template
        return self._template.format(
            chain_id=message.chain_id,
            kind="block" if message.index is None else "transaction",
            validity="invalid" if message.type == _INVALID else "valid",
            operation=message.operation or NONE,
            asset_id=message.asset_id or NONE,
            routing_key=message.routing_key,
        )
