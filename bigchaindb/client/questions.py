"""What a client of a ledger may ask: each question is one request."""

from typing import Any, Literal, TypeVar

from bigchaindb.client import calls
from bigchaindb.client.answers import Call
from bigchaindb.client.calls import Status
from bigchaindb.client.connection import Connection
from bigchaindb.client.event import Event
from bigchaindb.client.sending import status
from bigchaindb.documents import Transaction

T = TypeVar("T")


class Questions:
    """Those of `AsyncClient`."""

    _connection: Connection

    async def ask(self, call: Call[T]) -> T:
        """Return the result of any call of `bigchaindb.client.calls`.

        Raises:
            RequestFailed: no node answered by the deadline, or one refused; `status` is that of HTTP.
            ClientUnusable: this client is closed, or of another loop or process.
        """
        return await self._connection.ask(call)

    async def transaction(self, transaction_id: str) -> Transaction:
        """Return a committed transaction.

        Raises:
            RequestFailed: `status` is 404 if no block holds it.
        """
        return await self.ask(calls.transaction(transaction_id))

    async def transactions(
        self, asset_id: str, operation: Literal["CREATE", "TRANSFER"] | None = None, *, is_last: bool = False
    ) -> list[Transaction]:
        """Return the transactions of an asset, oldest first; with `is_last` the newest one alone."""
        return await self.ask(calls.transactions(asset_id, operation, is_last=is_last))

    async def outputs(self, public_key: str, *, spent: bool | None = None) -> list[dict[str, Any]]:
        """Return the outputs of a key, each as `transaction_id` and `output_index`."""
        return await self.ask(calls.outputs(public_key, spent=spent))

    async def status(self, transaction_id: str) -> Status:
        """Return how far a transaction is: `backlog`, `undecided`, `valid`, `rejected` with its reason, `unknown`."""
        return await status(self._connection, transaction_id)

    async def search(
        self, kind: Literal["assets", "metadata"], text: str, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the assets or metadata that match words, best first."""
        return await self.ask(calls.search(kind, text, limit))

    async def block(self, height: int) -> dict[str, Any]:
        """Return the block at a height."""
        return await self.ask(calls.block(height))

    async def validators(self) -> list[dict[str, Any]]:
        """Return the validators as the node lists them; whom to trust is for the caller to know."""
        return await self.ask(calls.validators())

    async def proof(self, event: Event) -> bytes:
        """Return the proof of an event, unverified."""
        return await self.ask(calls.proof(f"{calls.POSITION}{event.position}"))
