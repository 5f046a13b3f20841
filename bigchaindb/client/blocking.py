"""`Client`: the calls of `AsyncClient` without `await`, which it runs on an event loop in a thread of its own."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, Unpack

from bigchaindb.client.answers import Call
from bigchaindb.client.client import AsyncClient, Options
from bigchaindb.client.consuming import SubscriptionEvent
from bigchaindb.client.following import AWAY_S
from bigchaindb.client.subscription import WINDOW, Acknowledge, AsyncSubscription, Definition
from bigchaindb.errors import ClientUnusable

P = ParamSpec("P")
T = TypeVar("T")


class Run(Protocol):
    """What runs a coroutine of a client on its thread."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Return what it returns."""
        ...


def _waited_for(
    call: Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Client", P], T]:
    """Return a call of `Client`: with the arguments of one of `AsyncClient`, and what that returns."""

    @wraps(call)
    def waiting(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(call(self._client, *args, **kwargs))

    return waiting


def _iterated(
    call: Callable[Concatenate[AsyncClient, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate["Client", P], Iterator[T]]:
    @wraps(call)
    def iterating(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self._iterate(call(self._client, *args, **kwargs))

    return iterating


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

    create = _waited_for(AsyncClient.create)
    transfer = _waited_for(AsyncClient.transfer)
    send = _waited_for(AsyncClient.send)
    transaction = _waited_for(AsyncClient.transaction)
    transactions = _waited_for(AsyncClient.transactions)
    outputs = _waited_for(AsyncClient.outputs)
    status = _waited_for(AsyncClient.status)
    search = _waited_for(AsyncClient.search)
    block = _waited_for(AsyncClient.block)
    validators = _waited_for(AsyncClient.validators)
    proof = _waited_for(AsyncClient.proof)
    verify = _waited_for(AsyncClient.verify)
    events = _iterated(AsyncClient.events)
    rejected = _iterated(AsyncClient.rejected)
    newest = _iterated(AsyncClient.newest)

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
