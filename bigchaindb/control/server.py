"""Answers the command line over the control socket. Belongs to the event loop.

Source: promises P13 and P14.
"""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from bigchaindb import log
from bigchaindb.access import audit
from bigchaindb.access.gate import Visitor
from bigchaindb.api import arguments
from bigchaindb.api.answers import Answer, Reply, json_answer
from bigchaindb.api.call import Call
from bigchaindb.api.events import accepts_stream
from bigchaindb.api.problems import Problem, not_found
from bigchaindb.api.route import by_method, chosen
from bigchaindb.api.server import ReplyServer
from bigchaindb.children import PlaceFigures
from bigchaindb.config import Settings
from bigchaindb.config.edit import given_elsewhere
from bigchaindb.config.load import to_document
from bigchaindb.control import answers
from bigchaindb.control.access import AccessDesk, Reloader
from bigchaindb.engine.engine import NetworkFigures
from bigchaindb.errors import BigchainDBError, OrderRefused
from bigchaindb.eventlog.subscription import Subscription
from bigchaindb.masking import longest_first, secrets_in, without_secrets
from bigchaindb.serving.places import Room
from bigchaindb.serving.unix_socket import bound
from bigchaindb.streams.hub import Hub
from bigchaindb.streams.sse import HEARTBEAT_S, EventStream
from bigchaindb.subscribers.lane_status import PLUGIN, SUBSCRIPTION
from bigchaindb.subscribers.supervisor import Supervisor

CONNECTION_COUNT_MAX: Final = 32
"""Commands that are answered at once, each `tail --follow` included; more are refused."""
FOLLOWER_COUNT_MAX: Final = 24
"""Commands that may wait for the head; the other places are for commands that end at once."""
STOP_GRACE_S: Final = 0.1
"""How long a request may take at a stop."""

_FULL: Final = f"the node already answers {CONNECTION_COUNT_MAX} commands; try again later"
_TEXTS: Final = frozenset({"error", "errors", "message", "warning"})
"""Members of answers that hold foreign texts."""

_instruction: Final[msgspec.json.Decoder[answers.Instruction]] = msgspec.json.Decoder(answers.Instruction)
_log: Final = logging.getLogger(__name__)

_Handler = Callable[[Call], Awaitable[object]]
"""Returns what is to be sent as JSON, or a stream."""


class ControlServer(ReplyServer):
    """Listens in the data directory, and carries out requests."""

    def __init__(
        self,
        path: Path,
        *,
        supervisor: Supervisor,
        hub: Hub,
        settings: Settings,
        reload: Reloader | None,
        access: AccessDesk,
        health: Callable[[], Awaitable[dict[str, object]]],
        network: Callable[[], NetworkFigures | None] = lambda: None,
        processes: Callable[[], Mapping[str, PlaceFigures]] = dict,
    ) -> None:
        """Do nothing before `listen`.

        Args:
            path: of the socket.
            supervisor: carries out the orders.
            hub: has the durable head.
            settings: their secrets are masked in answers.
            reload: None if this node has no configuration to read again.
            access: carries out orders about access.
            health: returns the node's health.
            network: returns the figures of the network; None on a node on its own.
            processes: returns the figures of the node's children, by place.
        """
        room = Room(CONNECTION_COUNT_MAX, CONNECTION_COUNT_MAX, CONNECTION_COUNT_MAX)
        super().__init__("control", self._reply, settings.limits, room, _FULL)
        self._path = path
        self._supervisor = supervisor
        self._hub = hub
        self._reload = reload
        self._network = network
        self._processes = processes
        self._health = health
        self._reloading = asyncio.Lock()
        self._secrets = longest_first(secrets_in(to_document(settings)))
        self._window_count_max = settings.limits.subscription_window_count_max
        self._follower_count = 0
        self._is_listening = False
        routes: Mapping[str, Mapping[str, _Handler]] = {
            answers.PLUGINS: {"GET": self._get_plugins, "POST": self._post_plugins},
            answers.CONFIGURATION: {"GET": self._get_configuration, "POST": self._post_configuration},
            answers.HEAD: {"GET": self._get_head},
            answers.NETWORK: {"GET": self._get_network},
            answers.PROCESSES: {"GET": self._get_processes},
            answers.HEALTH: {"GET": self._get_health},
            answers.ACCESS: {"GET": access.get, "POST": access.post},
        }
        self._routes = {path: by_method(handlers.items()) for path, handlers in routes.items()}

    async def listen(self) -> None:
        """Listen. The socket of a killed node is replaced: this process owns the directory.

        Raises:
            StartupError: its path is too long, or it cannot be bound.
        """
        await self._listener.listen([bound(self._path)])
        self._is_listening = True

    async def stop(self) -> None:
        """Close the socket and end the requests under way."""
        if self._is_listening:
            self._path.unlink(missing_ok=True)
            self._is_listening = False
        await self._listener.stop(STOP_GRACE_S)

    async def _reply(self, method: str, path: str, call: Call, _: Visitor) -> Reply:
        if (handlers := self._routes.get(path.removesuffix("/"))) is None:
            return not_found()
        handler = chosen(handlers, method)
        if isinstance(handler, Answer):
            return handler
        try:
            found = await handler(call)
        except Problem as problem:
            return problem.answer
        except (BigchainDBError, OSError) as error:
            return self._refusal(400, "; ".join((str(error), *getattr(error, "__notes__", ()))))
        except Exception:  # noqa: BLE001 - a defect must not leave the command waiting, nor stop the node
            _log.exception("a request over the control socket failed")
            return self._refusal(500, "the node met a defect of this software; its log has the traceback")
        return found if isinstance(found, EventStream) else self._answer_of(found)

    async def _get_plugins(self, _: Call) -> object:
        return await self._supervisor.statuses()

    async def _post_plugins(self, call: Call) -> object:
        name = arguments.required(call.arguments, "name", arguments.text)
        try:
            order = _instruction.decode(await call.body())
        except msgspec.MsgspecError as error:
            raise OrderRefused(
                f"the node does not know this request: {error}; does it have another version?"
            ) from error
        is_subscription = isinstance(order, answers.PutSubscription) or name in self._supervisor.subscriptions
        kind = SUBSCRIPTION if is_subscription else PLUGIN
        audit.ordered("control", type(order).__name__.lower(), **{kind: name})
        match order:
            case answers.Forget():
                await self._supervisor.forget(name)
                return {"forgotten": name}
            case answers.PutSubscription(definition, is_change):
                wanted = Subscription.read(name, definition, self._window_count_max)
                return {"is_new": await self._supervisor.create(wanted, is_change=is_change)}
            case answers.DeleteSubscription():
                await self._supervisor.delete(name)
                return {"deleted": name}
            case _:
                return await self._supervisor.order(name, order)

    async def _get_configuration(self, _: Call) -> object:
        if self._reload is None:
            return answers.Configuration(None, "the program that runs the node")
        loaded = await asyncio.to_thread(self._reload)
        return answers.Configuration(str(loaded.path.absolute()), given_elsewhere(loaded))

    async def _post_configuration(self, _: Call) -> object:
        if self._reload is None:
            raise OrderRefused("this node was started without a configuration to read again; restart it")
        audit.ordered("control", "reload")
        async with self._reloading:
            loaded = await asyncio.to_thread(self._reload)
            importlib.invalidate_caches()  # packages may have been installed since the node started
            # Former secrets stay: the last error of a lane may quote one.
            self._secrets = longest_first({*self._secrets, *secrets_in(loaded.document)})
            log.mask(self._secrets)
            errors = await self._supervisor.reload(loaded.settings.events_plugins)
            return answers.Reloaded(self._supervisor.status(), errors)

    async def _get_network(self, _: Call) -> object:
        if (figures := self._network()) is None:
            raise OrderRefused("this node is part of no network")
        return figures

    async def _get_processes(self, _: Call) -> object:
        return self._processes()

    async def _get_health(self, _: Call) -> object:
        return await self._health()

    async def _get_head(self, call: Call) -> object:
        if not accepts_stream(call.accept):
            return {"position": self._hub.head}
        beyond = arguments.required(call.arguments, "beyond", arguments.not_negative)
        if self._follower_count >= FOLLOWER_COUNT_MAX:
            raise OrderRefused(f"{FOLLOWER_COUNT_MAX} commands already follow the events; end one of them")
        self._follower_count += 1
        return EventStream(self._heads(beyond), self._unfollow)

    async def _heads(self, beyond: int) -> AsyncIterator[bytes]:
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    beyond = await self._hub.wait_beyond(beyond)
            except TimeoutError:
                yield b":\n\n"
            else:
                yield b"data: %d\n\n" % beyond

    def _unfollow(self) -> None:
        self._follower_count -= 1

    def _refusal(self, status: int, text: str) -> Answer:
        return self._answer_of({"message": text, "status": status}, status)

    def _answer_of(self, value: object, status: int = 200) -> Answer:
        return json_answer(self._without_secrets(msgspec.to_builtins(value)), status)

    def _without_secrets(self, value: Any, *, is_text: bool = False) -> Any:  # noqa: ANN401 - any JSON
        """Mask foreign texts; names and paths stay, as the command line looks them up."""
        if isinstance(value, dict):
            return {
                name: self._without_secrets(member, is_text=is_text or name in _TEXTS) for name, member in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._without_secrets(member, is_text=is_text) for member in value]
        return without_secrets(value, self._secrets) if is_text and isinstance(value, str) else value
