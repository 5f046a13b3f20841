"""The node's side of the control socket: what it obeys, and what it does not let happen to itself."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bigchaindb.access.book import KeyBook
from bigchaindb.access.exposure import LOCAL
from bigchaindb.access.gate import Gate
from bigchaindb.cli.control import ControlClient
from bigchaindb.config import Settings
from bigchaindb.config.limits import Limits
from bigchaindb.config.load import Loaded, load_all
from bigchaindb.control import server
from bigchaindb.control.access import AccessDesk
from bigchaindb.control.answers import Checked, CheckKey, Configuration, KeyStatus, MadeKey, NewKey, RevokeKey
from bigchaindb.control.server import ControlServer
from bigchaindb.errors import RequestFailed, StartupError
from bigchaindb.eventlog.orders import Discard, Order, Pause, Restart, Resume, Retry, Seek
from bigchaindb.log_lines import Formatter
from bigchaindb.masking import MASK
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.supervisor import Supervisor
from tests.support.figures import CHECKS
from tests.support.raw import until

T = TypeVar("T")


class Served:
    """A control server over an empty ledger, and a configuration file beside it."""

    def __init__(self, folder: Path) -> None:
        self.configuration = folder / "node.json"
        self.configuration.write_text("{}")
        self.store = Store(folder / "data")
        self.path = self.store.directory.control
        self.hub = Hub(0)
        self.supervisor = Supervisor(hub=self.hub, store=self.store, chain_id="solo-test", plugins={})
        self.control = self.server(self.load)

    def load(self) -> Loaded:
        return load_all(self.configuration, {})

    def server(self, reload: Callable[[], Loaded] | None, settings: Settings | None = None) -> ControlServer:
        settings = settings or Settings()
        book = KeyBook(self.store.node, settings.limits.access_key_count_max)
        access = AccessDesk(book, Gate(LOCAL, book), settings, reload)
        return ControlServer(
            self.path,
            supervisor=self.supervisor,
            hub=self.hub,
            settings=settings,
            reload=reload,
            access=access,
            health=_healthy,
            processes=lambda: CHECKS,
        )

    async def ask(self, call: Callable[[ControlClient], T]) -> T:
        """Return what the command line's client gets."""
        return await asyncio.to_thread(call, ControlClient(self.path))

    async def error(self, call: Callable[[ControlClient], object]) -> str:
        with pytest.raises(RequestFailed) as raised:
            await self.ask(call)
        return str(raised.value)

    async def say(self, data: bytes) -> bytes:
        """Return all that is answered to some bytes."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            writer.write(data)
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


async def _healthy() -> dict[str, object]:
    return {"status": "healthy", "notes": []}


def post(target: str, body: bytes) -> bytes:
    """Return a request after which the connection ends."""
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    one = Served(tmp_path)
    await one.supervisor.start()
    await one.control.listen()
    yield one
    await one.control.stop()
    await one.supervisor.stop()
    one.store.close()


async def test_nobody_but_its_owner_can_open_the_socket(served: Served) -> None:
    assert served.path.stat().st_mode & 0o777 == 0o600
    assert served.path.parent.stat().st_mode & 0o777 == 0o700


async def test_the_socket_of_a_killed_node_is_replaced_and_ones_own_is_removed(served: Served) -> None:
    other = served.server(None)
    await other.listen()
    assert await served.ask(ControlClient.configuration) == Configuration(None, "the program that runs the node")
    await other.stop()
    assert not served.path.exists()
    await other.stop()


async def test_a_path_that_fits_no_socket_stops_the_start(served: Served, tmp_path: Path) -> None:
    """Else nobody could speak with the node, and would learn it when it matters."""
    served.path = tmp_path / ("x" * 100) / "control.sock"
    with pytest.raises(StartupError, match=r"database\.path: .* the system allows 107; set database\.path to a"):
        await served.server(None).listen()
    served.path = tmp_path / "nowhere" / "control.sock"
    with pytest.raises(StartupError, match=r"cannot listen on .*: No such file or directory"):
        await served.server(None).listen()


async def test_a_server_that_never_started_stops(served: Served) -> None:
    await served.server(None).stop()
    assert served.path.exists()


async def test_it_tells_how_the_children_of_the_node_fare(served: Served) -> None:
    assert await served.ask(ControlClient.processes) == CHECKS
    assert await served.ask(ControlClient.health) == await _healthy()


async def test_the_head_is_told_at_once_or_when_it_moves(served: Served) -> None:
    """`events tail --follow` waits for it and never polls."""
    assert await served.ask(ControlClient.head) == 0
    waiting = asyncio.create_task(served.ask(lambda control: control.head_beyond(0)))
    await until(lambda: served.control._follower_count == 1, "it to be followed")
    served.hub.announce(3)
    assert await waiting == 3
    assert await served.ask(lambda control: control.head_beyond(1)) == 3


async def test_a_page_that_follows_gets_each_head(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEARTBEAT_S", 0.01)
    reader, writer = await asyncio.open_unix_connection(served.path)
    writer.write(FOLLOW)
    await reader.readuntil(b"\r\n:\n\n")
    for head in (1, 5):
        served.hub.announce(head)
        await reader.readuntil(b"data: %d\n\n" % head)
    writer.close()


async def test_a_stop_does_not_wait_for_whoever_waits_for_the_head(served: Served) -> None:
    writer = await follow(served)
    await asyncio.wait_for(served.control.stop(), 30)
    assert served.control._follower_count == 0
    writer.close()


async def test_orders_about_lanes_that_are_not_there_are_refused_in_words(served: Served) -> None:
    orders: list[Order] = [Pause(), Resume(), Restart(), Seek("genesis"), Retry(), Discard((1,))]
    for order in orders:
        error = await served.error(partial(ControlClient.order, name="sales/& ?", order=order))
        assert error == "no events plugin 'sales/& ?' is enabled, and no subscription has that name; there are: none"
    assert await served.ask(lambda control: control.forget("sales/& ?"))
    assert await served.ask(ControlClient.lanes) == []


@pytest.mark.parametrize(
    "order",
    [
        b"",
        b"{}",
        b'{"type":"Shutdown"}',
        b'{"type":"Seek","place":1}',
        b'{"type":"Discard","positions":[0]}',
        b'{"type":"Retry","positions":[9223372036854775808]}',
    ],
)
async def test_nonsense_is_refused_with_what_may_be_the_cause(served: Served, order: bytes) -> None:
    """After an upgrade the command may be newer than the node that still runs."""
    answer = await served.say(post("/api/v1/plugins?name=sales", order))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"does it have another version" in answer


async def test_what_has_no_route_or_is_too_long_is_refused(served: Served) -> None:
    assert (await served.say(post("/api/v1/plugins", b"{}"))).startswith(b"HTTP/1.1 400 ")
    assert (await served.say(post("/api/v1/network", b"{}"))).startswith(b"HTTP/1.1 405 ")
    assert (await served.say(post("/api/v1/transactions", b"{}"))).startswith(b"HTTP/1.1 404 ")
    assert (await served.say(b'{"type":"GetLanes"}\n')).startswith(b"HTTP/1.1 400 ")  # of an older command line
    large = post("/api/v1/plugins?name=sales", b" " * (Settings().limits.body_bytes_max + 1))
    assert (await served.say(large)).startswith(b"HTTP/1.1 413 ")
    assert await served.ask(ControlClient.head) == 0


async def test_no_answer_is_for_web_pages(served: Served) -> None:
    """A page reaches no unix socket; who forwards the socket to a port must not open it to all pages."""
    page = b"Host: x\r\nOrigin: http://page.example\r\nConnection: close\r\n\r\n"
    for line in (b"GET /api/v1/head", b"OPTIONS /api/v1/head", b"GET /nowhere", b"DELETE /api/v1/plugins", b"GET"):
        answer = await served.say(line + b" HTTP/1.1\r\n" + page)
        assert answer.startswith(b"HTTP/1.1 ")
        assert b"access-control" not in answer.lower(), answer


async def test_who_says_nothing_is_closed(served: Served) -> None:
    """Else 32 of them would keep everybody out."""
    other = served.server(None, Settings(limits=Limits(body_read_s_max=0.01)))
    await other.listen()
    assert (await served.say(b"GET")).startswith(b"HTTP/1.1 408 ")
    await other.stop()


async def test_no_more_than_a_few_are_served_at_once(served: Served) -> None:
    idle = [await asyncio.open_unix_connection(served.path) for _ in range(server.CONNECTION_COUNT_MAX)]
    await until(lambda: served.control.connection_count == len(idle), "all to be connected")
    assert await served.error(ControlClient.lanes) == "the node already answers 32 commands; try again later"
    for _, writer in idle:
        writer.close()


FOLLOW = b"GET /api/v1/head?beyond=0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"


async def follow(served: Served) -> asyncio.StreamWriter:
    """Wait for the head as `events tail --follow` does."""
    before = served.control._follower_count
    _, writer = await asyncio.open_unix_connection(served.path)
    writer.write(FOLLOW)
    await until(lambda: served.control._follower_count == before + 1, "it to be followed")
    return writer


async def test_who_follows_the_events_keeps_no_command_out(served: Served) -> None:
    """Orders must pass even where each of many terminals and scripts has a `tail --follow`."""
    followers = [await follow(served) for _ in range(server.FOLLOWER_COUNT_MAX)]
    assert "24 commands already follow the events" in await served.error(lambda control: control.head_beyond(0))
    assert await served.ask(ControlClient.head) == 0
    assert await served.ask(ControlClient.lanes) == []
    for writer in followers:
        writer.close()
    await until(lambda: served.control._follower_count == 0, "all to have left")


async def test_a_follower_that_is_killed_frees_its_place_at_once(served: Served) -> None:
    """Else a script that follows for a second again and again is refused for half a minute."""
    for _ in range(2):
        for writer in [await follow(served) for _ in range(server.FOLLOWER_COUNT_MAX)]:
            writer.transport.abort()
        await until(lambda: served.control._follower_count == 0, "its place to be free")


async def test_the_configuration_is_read_again_and_a_wrong_one_changes_nothing(served: Served) -> None:
    assert await served.ask(ControlClient.configuration) == Configuration(str(served.configuration), None)
    served.configuration.write_text('{"events_plugins": ["nope"]}')
    reloaded = await served.ask(ControlClient.reload)
    assert reloaded is not None
    assert "no installed package provides 'nope'" in reloaded.errors["nope"]
    served.configuration.write_text('{"events_plugins": 5}')
    assert "events_plugins: expected a list of names or an object" in await served.error(ControlClient.reload)
    served.configuration.unlink()
    assert "No such file" in await served.error(ControlClient.reload)


async def test_a_node_without_a_file_says_that_it_has_none(served: Served) -> None:
    other = served.server(None)
    await other.listen()
    assert "without a configuration to read again" in await served.error(ControlClient.reload)
    await other.stop()


async def test_a_secret_that_was_replaced_is_in_no_answer_either(served: Served) -> None:
    """A lane still shows its last error, which may quote the password of before."""
    for secret in ("correct horse", "battery staple"):
        served.configuration.write_text(json.dumps({"events_plugins": {"nope": {"options": {"password": secret}}}}))
        await served.ask(ControlClient.reload)
    for secret in ("correct horse", "battery staple"):
        assert secret not in await served.error(partial(ControlClient.order, name=secret, order=Pause()))


async def test_no_secret_of_the_configuration_is_in_an_answer(served: Served) -> None:
    """Answers end in terminals, scripts and tickets."""
    secret = "correct horse"
    document: dict[str, Any] = {"events_plugins": {"nope": {"options": {"password": secret}}}}
    served.configuration.write_text(json.dumps(document))
    await served.ask(ControlClient.reload)
    document["server"] = {"bind": f"{secret} amqp://me:hunter2@host"}
    served.configuration.write_text(json.dumps(document))
    error = await served.error(ControlClient.reload)
    assert "server.bind: " in error
    assert secret not in error
    assert "hunter2" not in error
    assert MASK in error


async def test_a_defect_is_logged_and_leaves_the_node_running(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Loaded:
        raise ZeroDivisionError

    other = served.server(broken)
    await other.listen()
    assert "defect of this software" in await served.error(ControlClient.reload)
    assert "ZeroDivisionError" in caplog.text
    assert await served.ask(ControlClient.head) == 0
    await other.stop()


async def test_each_order_is_in_the_audit_log_without_its_secrets(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks what was done at night finds it there."""
    caplog.set_level(logging.INFO, "bigchaindb.access")
    made = await served.ask(lambda one: one.change_access(NewKey("shop", "read write", None), MadeKey))
    assert made is not None
    await served.ask(lambda one: one.change_access(CheckKey(made.text), Checked))
    await served.ask(lambda one: one.change_access(RevokeKey(made.key.id), KeyStatus))
    await served.ask(lambda one: one.forget("sales"))
    lines = [Formatter("").format(one) for one in caplog.records if one.name == "bigchaindb.access"]
    about = [line.partition("who=control ")[2].partition(" request=")[0] for line in lines]
    assert about == [
        'order=newkey named=shop scopes="read write"',
        f"order=made id={made.key.id} named=shop",
        "order=checkkey",
        f"order=revokekey id={made.key.id}",
        "order=forget plugin=sales",
    ]
    assert made.text[20:] not in "".join(lines)
