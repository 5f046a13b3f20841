"""A transaction sent until it is decided: there once, however often its bytes arrive.

Source: docs/reference/contract/http-api.md, section 4.
"""

import asyncio
from typing import Final

from bigchaindb.client import answers, calls
from bigchaindb.client.calls import Mode, Status
from bigchaindb.client.connection import Connection
from bigchaindb.documents import Transaction
from bigchaindb.errors import RequestFailed, TransactionRefused
from bigchaindb.transaction.build import Signed

POLL_S: Final = 0.2
"""Time between two questions about a transaction that another request has brought to the node."""
_MAYBE_THERE: Final = frozenset({"DuplicateTransaction", "DoubleSpend"})
"""Rules that a transaction breaks when it is sent a second time."""


async def send(connection: Connection, signed: Signed, mode: Mode) -> Transaction:
    """Send a transaction; see `AsyncClient.send`.

    Raises:
        TransactionRefused: it breaks a rule, or was rejected later.
        RequestFailed: no decision by the deadline.
    """
    deadline_s = connection.usable().time() + connection.deadline_s
    while True:
        try:
            return await connection.ask(calls.post(signed.body, mode), deadline_s)
        except TransactionRefused as refused:
            if refused.rule not in _MAYBE_THERE:
                raise
            if (found := await _found(connection, signed, mode, refused, deadline_s)) is not None:
                return found


async def status(connection: Connection, transaction_id: str, deadline_s: float | None = None) -> Status:
    """Return how far a transaction is. Raises RequestFailed."""
    try:
        return Status(await connection.ask(calls.status(transaction_id), deadline_s))
    except RequestFailed as error:
        return calls.status_of(error)


async def _found(
    connection: Connection, signed: Signed, mode: Mode, refused: TransactionRefused, deadline_s: float
) -> Transaction | None:
    """Return a transaction that the node has already; None if it is to be sent again.

    Raises:
        TransactionRefused: the ledger has another one in its place, or rejected it.
        RequestFailed: no decision by the deadline.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            return await connection.ask(calls.transaction(signed.id), deadline_s)
        except RequestFailed as error:
            if error.status != 404:  # noqa: PLR2004 - HTTP's own figure
                raise
        if refused.rule == "DoubleSpend":
            raise refused
        if mode != "commit":  # the node has it in hand, which is all that was asked for
            return calls.read_transaction(signed.body)
        try:
            known = await status(connection, signed.id, deadline_s)
        except answers.NoNode:  # of 2.x, which has no statuses
            known = Status("backlog")
        if known.name == "rejected":
            raise TransactionRefused(known.text, None, known.rule)
        if loop.time() + POLL_S >= deadline_s:
            raise RequestFailed(
                f"{connection.url}: the transaction {signed.id} waits for its block, and may still be committed; send "
                "the same again, or ask for its status"
            )
        async with connection.until_closed():
            await asyncio.sleep(POLL_S)
        if known.name == "unknown":
            return None
