"""`Client`: the calls of `AsyncClient` without `await`, which it runs on an event loop in a thread of its own."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Literal, Protocol, Self, TypeVar, Unpack

from bigchaindb.client.calls import Call, Granularity, Mode, Selected, Status
from bigchaindb.client.client import AsyncClient, Options
from bigchaindb.client.consuming import SubscriptionEvent
from bigchaindb.client.event import Event, LogEvent, Proven
from bigchaindb.client.following import AWAY_S
from bigchaindb.client.spending import Owners, Signers
from bigchaindb.client.subscription import WINDOW, Acknowledge, AsyncSubscription, Definition
from bigchaindb.client.trusting import Trusted
from bigchaindb.documents import Transaction
from bigchaindb.errors import ClientUnusable
from bigchaindb.transaction.build import Signed

T = TypeVar("T")


class Run(Protocol):
    """What runs a coroutine of a client on its thread."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Return what it returns."""
        ...


class Client:
    """A ledger, by the URLs of its nodes, for scripts, threads and notebooks; see `AsyncClient` for each call.

    Any thread may use it, several at once. Close it at the end.
    """

    def __init__(self, nodes: str | Sequence[str], **options: Unpack[Options]) -> None:
        """Connect to nothing yet; see `AsyncClient`."""
        self._client = AsyncClient(nodes, **options)
        self._process = os.getpid()
        self._lock = threading.RLock()  # garbage that is collected while it is held may close an iterator
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def url(self) -> str:
        """The node that is asked next."""
        return self._client.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; what waits in other threads ends with `ClientUnusable`. Safe to call twice."""
        with self._lock:
            loop, thread, self._is_closed = self._loop, self._thread, True
            self._loop = self._thread = None
        if loop is None or thread is None or self._process != os.getpid():  # a child has no such thread
            return
        asyncio.run_coroutine_threadsafe(self._client.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def ask(self, call: Call[T]) -> T:
        """See `AsyncClient.ask`."""
        return self._run(self._client.ask(call))

    def create(
        self,
        signers: Signers,
        asset: Mapping[str, Any] | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        amount: int = 1,
        to: Owners | None = None,
        mode: Mode = "commit",
    ) -> Transaction:
        """See `AsyncClient.create`."""
        return self._run(self._client.create(signers, asset, metadata=metadata, amount=amount, to=to, mode=mode))

    def transfer(
        self,
        held: Transaction | Sequence[Transaction],
        signers: Signers,
        *,
        to: Owners,
        amount: int | None = None,
        index: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        mode: Mode = "commit",
    ) -> Transaction:
        """See `AsyncClient.transfer`."""
        return self._run(
            self._client.transfer(held, signers, to=to, amount=amount, index=index, metadata=metadata, mode=mode)
        )

    def send(self, signed: Signed, *, mode: Mode = "commit") -> Transaction:
        """See `AsyncClient.send`."""
        return self._run(self._client.send(signed, mode=mode))

    def transaction(self, transaction_id: str) -> Transaction:
        """See `AsyncClient.transaction`."""
        return self._run(self._client.transaction(transaction_id))

    def transactions(
        self, asset_id: str, operation: Literal["CREATE", "TRANSFER"] | None = None, *, is_last: bool = False
    ) -> list[Transaction]:
        """See `AsyncClient.transactions`."""
        return self._run(self._client.transactions(asset_id, operation, is_last=is_last))

    def outputs(self, public_key: str, *, spent: bool | None = None) -> list[dict[str, Any]]:
        """See `AsyncClient.outputs`."""
        return self._run(self._client.outputs(public_key, spent=spent))

    def status(self, transaction_id: str) -> Status:
        """See `AsyncClient.status`."""
        return self._run(self._client.status(transaction_id))

    def search(self, kind: Literal["assets", "metadata"], text: str, limit: int | None = None) -> list[dict[str, Any]]:
        """See `AsyncClient.search`."""
        return self._run(self._client.search(kind, text, limit))

    def block(self, height: int) -> dict[str, Any]:
        """See `AsyncClient.block`."""
        return self._run(self._client.block(height))

    def validators(self) -> list[dict[str, Any]]:
        """See `AsyncClient.validators`."""
        return self._run(self._client.validators())

    def proof(self, event: Event) -> bytes:
        """See `AsyncClient.proof`."""
        return self._run(self._client.proof(event))

    def verify(self, event: Event, validators: Trusted) -> Proven:
        """See `AsyncClient.verify`."""
        return self._run(self._client.verify(event, validators))

    def events(
        self,
        *,
        after: str | None = None,
        until: Literal["head"] | None = None,
        select: Selected | None = None,
        types: Literal["valid", "invalid"] | None = None,
        granularity: Granularity = "block",
        validators: Trusted | None = None,
        away_s: float | None = AWAY_S,
    ) -> Iterator[LogEvent]:
        """See `AsyncClient.events`."""
        return self._iterate(
            self._client.events(
                after=after,
                until=until,
                select=select,
                types=types,
                granularity=granularity,
                validators=validators,
                away_s=away_s,
            )
        )

    def subscription(
        self,
        name: str,
        *,
        acknowledge: Acknowledge = "next",
        unanswered: int = WINDOW,
        label: str | None = None,
        away_s: float | None = AWAY_S,
        **definition: Unpack[Definition],
    ) -> "Subscription":
        """See `AsyncClient.subscription`."""
        consumed = self._client.subscription(
            name, acknowledge=acknowledge, unanswered=unanswered, label=label, away_s=away_s, **definition
        )
        return Subscription(self._run, consumed)

    def _iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield what an asynchronous generator yields."""
        try:
            while (item := self._run(_next(items))) is not None:
                yield item
        finally:
            is_own = self._process == os.getpid() and threading.current_thread() is not self._thread
            if is_own and not self._is_closed:  # garbage of the loop's thread would wait for itself; asyncio closes it
                self._run(items.aclose())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine of this client returns, run on the loop of its thread."""
        try:
            with self._lock:  # nothing is given to a loop that close() has stopped
                future = asyncio.run_coroutine_threadsafe(work, self._started())
        except ClientUnusable:
            work.close()
            raise
        try:
            return future.result()
        except CancelledError:
            raise ClientUnusable("this client was closed meanwhile; make a new one") from None
        except BaseException:
            future.cancel()  # Ctrl-C, in the thread that waits
            raise

    def _started(self) -> asyncio.AbstractEventLoop:
        """Return the loop; the first call starts its thread.

        Raises:
            ClientUnusable: the client is closed, or of another process.
        """
        if self._process != os.getpid():
            raise ClientUnusable(
                "this client was made in another process, before a fork; make a client of its own for each process"
            )
        if self._is_closed:
            raise ClientUnusable("this client is closed; make a new one")
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_serve, args=(self._loop,), name="bigchaindb-client", daemon=True)
            self._thread.start()
        return self._loop


class Subscription:
    """A subscription that is consumed: iterate over it inside `with`; see `AsyncSubscription`."""

    def __init__(self, run: Run, consumed: AsyncSubscription) -> None:
        """Connect to nothing yet; see `Client.subscription`."""
        self._run = run
        self._consumed = consumed

    def __enter__(self) -> Self:
        self._run(self._consumed.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """See `AsyncSubscription.close`."""
        with suppress(ClientUnusable):  # the client ended it
            self._run(self._consumed.close())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> SubscriptionEvent:
        """See `AsyncSubscription.__anext__`."""
        return self._run(self._consumed.__anext__())


async def _next(items: AsyncGenerator[T, None]) -> T | None:
    return await anext(items, None)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop until it is stopped, and end what runs on it."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
