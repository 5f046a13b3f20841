"""Answers the command line over the control socket. Runs in the event loop.

Source: promises P13 and P14.
"""

import asyncio
import importlib
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, assert_never

import msgspec

from bigchaindb import log
from bigchaindb.config import Settings
from bigchaindb.config.edit import given_elsewhere
from bigchaindb.config.load import Loaded, to_document
from bigchaindb.control import messages
from bigchaindb.engine.engine import NetworkFigures
from bigchaindb.errors import BigchainDBError, OrderRefused
from bigchaindb.masking import longest_first, secrets_in, without_secrets
from bigchaindb.serving.unix_socket import bound
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.supervisor import Supervisor

CONNECTION_COUNT_MAX: Final = 32
"""Commands that are answered at once, each `tail --follow` included; more are refused."""
FOLLOWER_COUNT_MAX: Final = 24
"""Commands that may wait for the head; the other places are for commands that end at once."""
REQUEST_S_MAX: Final = 5.0
"""Time for a request to arrive, and for an answer to be read."""

_TEXTS: Final = frozenset({"error", "errors", "warning"})
"""Members of answers that hold foreign texts."""

_log: Final = logging.getLogger(__name__)

Reloader = Callable[[], Loaded]
"""Loads the node's configuration again. Raises ConfigurationError and OSError."""


class ControlServer:
    """Listens in the data directory, and carries out requests."""

    def __init__(
        self,
        path: Path,
        *,
        supervisor: Supervisor,
        hub: Hub,
        settings: Settings,
        reload: Reloader | None,
        network: Callable[[], NetworkFigures | None] = lambda: None,
    ) -> None:
        """Do nothing before `start`.

        Args:
            path: of the socket.
            supervisor: carries out the orders.
            hub: has the durable head.
            settings: their secrets are masked in answers.
            reload: None if this node has no configuration to read again.
            network: returns the figures of the network; None on a node on its own.
        """
        self._path = path
        self._supervisor = supervisor
        self._hub = hub
        self._reload = reload
        self._network = network
        self._reloading = asyncio.Lock()
        self._secrets = longest_first(secrets_in(to_document(settings)))
        self._answering: set[asyncio.Task[None]] = set()
        self._follower_count = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. The socket of a killed node is replaced: this process owns the directory.

        Raises:
            StartupError: its path is too long, or it cannot be bound.
        """
        listening = bound(self._path)
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listening, limit=messages.REQUEST_BYTES_MAX
        )

    async def stop(self) -> None:
        """Close the socket and cancel the requests under way."""
        if self._server is None:
            return
        self._server.close()
        self._path.unlink(missing_ok=True)
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            with suppress(asyncio.CancelledError):  # by `stop`; asyncio's streams would log it
                await self._exchange(reader, writer)
        finally:
            self._answering.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            try:
                async with asyncio.timeout(REQUEST_S_MAX):  # `wait_for` may swallow the cancellation of a stop
                    line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                answer: messages.Answer = messages.Refused(
                    f"a request has at most {messages.REQUEST_BYTES_MAX} bytes, and this one has more"
                )
            else:
                answer = await self._answer(line, reader)
            writer.write(self._encoded(answer))
            async with asyncio.timeout(REQUEST_S_MAX):
                await writer.drain()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader) -> messages.Answer:
        if len(self._answering) > CONNECTION_COUNT_MAX:
            return messages.Refused(f"the node already answers {CONNECTION_COUNT_MAX} commands; try again later")
        try:
            return await self._obey(messages.decode_request(line), reader)
        except (BigchainDBError, OSError) as error:
            return messages.Refused("; ".join((str(error), *getattr(error, "__notes__", ()))))
        except Exception:  # noqa: BLE001 - a defect must not leave the command waiting, nor stop the node
            _log.exception("a request over the control socket failed")
            return messages.Refused("the node met a defect of this software; its log has the traceback")

    async def _obey(self, request: messages.Request, reader: asyncio.StreamReader) -> messages.Answer:
        match request:
            case messages.GetLanes() | messages.GetNetwork():
                return self._known(request)
            case messages.GetHead(beyond, wait_s):
                return messages.Head(await self._head(beyond, min(wait_s, messages.HEAD_WAIT_S_MAX), reader))
            case messages.GetConfiguration():
                return await self._configuration()
            case messages.Reload():
                async with self._reloading:
                    return await self._reloaded()
            case messages.Forget(name):
                await self._supervisor.forget(name)
                return messages.Done()
            case messages.Ordered(name, order):
                return messages.Lane(await self._supervisor.order(name, order))
            case _:
                assert_never(request)

    def _known(self, request: messages.GetLanes | messages.GetNetwork) -> messages.Answer:
        if isinstance(request, messages.GetNetwork):
            return messages.Network(self._network())
        return messages.Lanes(self._supervisor.status())

    async def _head(self, beyond: int, wait_s: float, reader: asyncio.StreamReader) -> int:
        """Wait for the head until the client leaves: followers are often interrupted."""
        if wait_s <= 0 or self._hub.head > beyond:
            return self._hub.head
        if self._follower_count >= FOLLOWER_COUNT_MAX:
            raise OrderRefused(f"{FOLLOWER_COUNT_MAX} commands already follow the events; end one of them")
        moved = asyncio.create_task(self._hub.wait_beyond(beyond))
        left = asyncio.create_task(reader.read(1))
        self._follower_count += 1
        try:
            await asyncio.wait({moved, left}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._follower_count -= 1
            moved.cancel()
            left.cancel()
            await asyncio.gather(moved, left, return_exceptions=True)
        return self._hub.head

    async def _configuration(self) -> messages.Configuration:
        if self._reload is None:
            return messages.Configuration(None, "the program that runs the node")
        loaded = await self._load(self._reload)
        return messages.Configuration(str(loaded.path), given_elsewhere(loaded))

    async def _reloaded(self) -> messages.Reloaded:
        if self._reload is None:
            raise OrderRefused("this node was started without a configuration to read again; restart it")
        loaded = await self._load(self._reload)
        importlib.invalidate_caches()  # packages may have been installed since the node started
        # Former secrets stay: the last error of a lane may quote one.
        self._secrets = longest_first({*self._secrets, *secrets_in(loaded.document)})
        log.mask(self._secrets)
        errors = await self._supervisor.reload(loaded.settings.events_plugins)
        return messages.Reloaded(self._supervisor.status(), errors)

    async def _load(self, reload: Reloader) -> Loaded:
        return await asyncio.get_running_loop().run_in_executor(None, reload)

    def _encoded(self, answer: messages.Answer) -> bytes:
        return msgspec.json.encode(self._without_secrets(msgspec.to_builtins(answer))) + b"\n"

    def _without_secrets(self, value: Any, *, is_text: bool = False) -> Any:  # noqa: ANN401 - any JSON
        """Mask foreign texts; names and paths stay, as the command line looks them up."""
        if isinstance(value, dict):
            return {
                name: self._without_secrets(member, is_text=is_text or name in _TEXTS) for name, member in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._without_secrets(member, is_text=is_text) for member in value]
        return without_secrets(value, self._secrets) if is_text and isinstance(value, str) else value
