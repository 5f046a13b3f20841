"""The texts of an event on the command line: its summary, and the lines of a copy."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from bigchaindb.delivery import block_message, transaction_messages
from bigchaindb.eventlog.selection import Selection
from bigchaindb.eventlog.token import WHOLE, encode
from bigchaindb.events import EventTypes
from bigchaindb.ledger.ports import Record

TYPE_NAMES: Final = {EventTypes.BLOCK_VALID: "BLOCK_VALID", EventTypes.BLOCK_INVALID: "BLOCK_INVALID"}


class _Block(msgspec.Struct):
    transactions: list[msgspec.Raw]


class _Body(msgspec.Struct):
    block: _Block


class _Asset(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Created(msgspec.Struct):
    """A transaction; the asset of another one than a CREATE has an id alone."""

    asset: _Asset


_decode: Final = msgspec.json.Decoder(_Body).decode
_decode_created: Final = msgspec.json.Decoder(_Created).decode


def about(chain_id: str, record: Record) -> dict[str, Any]:
    """Return the summary of an event: all but its body; the token is the place behind it."""
    return {
        "position": record.position,
        "time": datetime.fromtimestamp(record.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "type": TYPE_NAMES[record.type],
        "height": record.height,
        "transaction_count": len(_decode(record.body).block.transactions),
        "id": record.event(chain_id).id,
        "token": encode(chain_id, record.position, WHOLE, record.digest),
    }


def asset_data(record: Record) -> str | None:
    """Return the data of the first asset that an event creates, as JSON on one line; None: there is none."""
    for raw in _decode(record.body).block.transactions:
        with suppress(msgspec.ValidationError):  # what an invalid block holds may have any form
            if (data := bytes(_decode_created(raw).asset.data)) != b"null":
                return data.decode()
    return None


def lines(chain_id: str, record: Record, format_: str, selection: Selection | None = None) -> Iterator[bytes]:
    """Yield the lines of a copy: one for `json` and `cloudevents`, one a selected transaction for `transactions`.

    Args:
        chain_id: the network's.
        record: whole; `selection` has passed it.
        format_: the form.
        selection: of its transactions; the same as over HTTP (P15).
    """
    match format_:
        case "cloudevents":
            yield block_message(record.event(chain_id)).envelope + b"\n"
        case "transactions":
            for message in transaction_messages(record.event(chain_id)):
                if selection is None or selection.matches(msgspec.json.decode(message.data)):
                    yield message.envelope + b"\n"
        case _:
            head = json.dumps(about(chain_id, record)).encode()
            yield b'%b, "data": %b}\n' % (head[:-1], record.body)  # the event's own bytes (P5)
