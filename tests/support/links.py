"""Links that a test can cut: small TCP proxies, each between one node, or a client, and the port of another node."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import permutations
from typing import Any, Final, Literal, TypeVar, cast

from tests.support.members import Member

Cut = Literal["refused", "silent"]
"""Connections are broken and new ones refused, or nothing passes and nobody is told."""
Direction = Literal["there", "back"]
"""To the target, or from it."""
T = TypeVar("T")
PIECE_BYTES: Final = 64 * 1024


class Link:
    """A port of its own whose connections go on to a target. Belongs to the event loop."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._is_refusing = False
        self._flows: dict[Direction, asyncio.Event] = {"there": asyncio.Event(), "back": asyncio.Event()}
        self._writers: set[asyncio.StreamWriter] = set()
        self.held: set[Direction] = set()
        """Where something waits to be passed on."""
        self.mend()
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self, how: Cut) -> None:
        if how == "silent":
            self.hold("there", "back")
        else:
            self._is_refusing = True
            self._break()

    def hold(self, *directions: Direction) -> None:
        """Keep what comes, until `mend`; nobody is told."""
        for direction in directions:
            self._flows[direction].clear()

    def mend(self) -> None:
        self._is_refusing = False
        for flow in self._flows.values():
            flow.set()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._break()

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._is_refusing:
                return
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(onward)
            try:
                await asyncio.gather(self._pass("there", reader, onward), self._pass("back", onward_reader, writer))
            finally:
                self._drop(onward)
        except OSError:
            pass
        finally:
            self._drop(writer)

    async def _pass(self, way: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes; the end of one direction is the end of both, as CometBFT has it."""
        while piece := await reader.read(PIECE_BYTES):
            self.held.add(way)
            await self._flows[way].wait()
            self.held.discard(way)
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.transport.abort()


class Links:
    """Links, in a thread of their own: between members of a network, or one of a client."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links")
        self._links: dict[tuple[str, str], Link] = {}

    def put_between(self, members: Sequence[Member]) -> None:
        """Connect members that do not run yet by links alone."""
        for member in members:
            peers = [self._link(member, other) for other in members if other is not member]
            member.settings = {**member.settings, "network": {**member.settings["network"], "peers": peers}}

    def cut(self, one: Iterable[Member], others: Iterable[Member], how: Cut) -> None:
        """Cut all links between two sides, in both directions."""
        self._each(one, others, lambda link: link.cut(how))

    def mend(self, one: Iterable[Member], others: Iterable[Member]) -> None:
        """Undo `cut`."""
        self._each(one, others, Link.mend)

    def open(self, begin: str, end: str, target: int) -> int:
        """Make a link from one name to another, which listens at a port; return the link's own port."""
        link = self._links[begin, end] = Link(target)
        return int(self._ask(link.open()))

    def do(self, change: Callable[[Link], T]) -> T:
        """Change, or look at, the only link."""
        (link,) = self._links.values()

        async def carry_out() -> T:
            return change(link)

        return cast("T", self._ask(carry_out()))

    def _link(self, member: Member, other: Member) -> str:
        identity, _, address = other.peer.partition("@")
        port = self.open(member.address, other.address, int(address.rpartition(":")[2]))
        return f"{identity}@127.0.0.1:{port}"

    def _each(self, one: Iterable[Member], others: Iterable[Member], change: Callable[[Link], None]) -> None:
        sides = [{member.address for member in side} for side in (one, others)]

        async def all_of_them() -> None:
            for (begin, end), link in self._links.items():
                if any(begin in here and end in there for here, there in permutations(sides)):
                    change(link)

        self._ask(all_of_them())

    def _ask(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        async def close() -> None:
            for link in self._links.values():
                link.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
                with suppress(asyncio.CancelledError, OSError):  # it may be ending by itself
                    await task

        self._ask(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def running_links() -> Iterator[Links]:
    """Run links, none yet."""
    links = Links()
    links.start()
    try:
        yield links
    finally:
        links.stop()


@contextmanager
def links_between(members: Sequence[Member]) -> Iterator[Links]:
    """Connect members that do not run yet by links that can be cut."""
    with running_links() as links:
        links.put_between(members)
        yield links
