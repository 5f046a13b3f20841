"""The node's side of the control socket: what it obeys, and what it does not let happen to itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from bigchaindb.config import Settings
from bigchaindb.config.load import Loaded, load_all
from bigchaindb.control import messages, server
from bigchaindb.control.server import ControlServer
from bigchaindb.errors import StartupError
from bigchaindb.eventlog.orders import Discard, Order, Pause, Restart, Resume, Retry, Seek
from bigchaindb.masking import MASK
from bigchaindb.store import Store
from bigchaindb.streams.hub import Hub
from bigchaindb.subscribers.supervisor import Supervisor
from tests.support.raw import until


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

    def server(self, reload: Callable[[], Loaded] | None) -> ControlServer:
        return ControlServer(self.path, supervisor=self.supervisor, hub=self.hub, settings=Settings(), reload=reload)

    async def ask(self, request: messages.Request) -> messages.Answer:
        return await self.say(messages.encode(request))

    async def say(self, line: bytes) -> messages.Answer:
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(line)
        answer = await reader.readline()
        writer.close()
        return messages.decode_answer(answer)

    async def error(self, request: messages.Request) -> str:
        answer = await self.ask(request)
        assert isinstance(answer, messages.Refused)
        return answer.error


async def until_asked(served: Served) -> None:
    """Wait until a request is being answered."""
    while not served.control._answering:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    one = Served(tmp_path)
    await one.supervisor.start()
    await one.control.start()
    yield one
    await one.control.stop()
    await one.supervisor.stop()
    one.store.close()


async def test_nobody_but_its_owner_can_open_the_socket(served: Served) -> None:
    assert served.path.stat().st_mode & 0o777 == 0o600
    assert served.path.parent.stat().st_mode & 0o777 == 0o700


async def test_the_socket_of_a_killed_node_is_replaced_and_ones_own_is_removed(served: Served) -> None:
    other = served.server(None)
    await other.start()
    assert await served.ask(messages.GetConfiguration()) == messages.Configuration(
        None, "the program that runs the node"
    )
    await other.stop()
    assert not served.path.exists()
    await other.stop()


async def test_a_path_that_fits_no_socket_stops_the_start(served: Served, tmp_path: Path) -> None:
    """Else nobody could speak with the node, and would learn it when it matters."""
    served.path = tmp_path / ("x" * 100) / "control.sock"
    with pytest.raises(StartupError, match=r"database\.path: .* the system allows 107; set database\.path to a"):
        await served.server(None).start()
    served.path = tmp_path / "nowhere" / "control.sock"
    with pytest.raises(StartupError, match=r"cannot listen on .*: No such file or directory"):
        await served.server(None).start()


async def test_a_server_that_never_started_stops(served: Served) -> None:
    await served.server(None).stop()
    assert served.path.exists()


async def test_the_head_is_told_at_once_or_when_it_moves(served: Served) -> None:
    """`events tail --follow` waits for it and never polls."""
    assert await served.ask(messages.GetHead()) == messages.Head(0)
    assert await served.ask(messages.GetHead(0, 0.001)) == messages.Head(0)
    waiting = asyncio.create_task(served.ask(messages.GetHead(0, 30.0)))
    await until_asked(served)
    served.hub.announce(3)
    assert await waiting == messages.Head(3)


async def test_a_stop_does_not_wait_for_whoever_waits_for_the_head(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(served.path)
    writer.write(messages.encode(messages.GetHead(0, 30.0)))
    await until_asked(served)
    await asyncio.wait_for(served.control.stop(), 1)
    assert await reader.read() == b""
    writer.close()


async def test_orders_about_lanes_that_are_not_there_are_refused_in_words(served: Served) -> None:
    orders: list[Order] = [Pause(), Resume(), Restart(), Seek("genesis"), Retry(), Discard((1,))]
    for order in orders:
        error = await served.error(messages.Ordered("sales", order))
        assert error == "no events plugin 'sales' is enabled; enabled are: none"
    assert await served.ask(messages.GetLanes()) == messages.Lanes([])


async def test_nonsense_and_what_is_too_long_are_refused(served: Served) -> None:
    assert isinstance(await served.say(b'{"type":"Shutdown"}\n'), messages.Refused)
    answer = await served.say(b"x" * (messages.REQUEST_BYTES_MAX + 10) + b"\n")
    assert answer == messages.Refused(
        f"a request has at most {messages.REQUEST_BYTES_MAX} bytes, and this one has more"
    )
    assert await served.ask(messages.GetHead()) == messages.Head(0)


async def test_who_says_nothing_is_closed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else 32 of them would keep everybody out."""
    monkeypatch.setattr(server, "REQUEST_S_MAX", 0.01)
    reader, writer = await asyncio.open_unix_connection(served.path)
    assert await reader.read() == b""
    writer.close()


async def test_no_more_than_a_few_are_served_at_once(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTION_COUNT_MAX", 0)
    assert await served.error(messages.GetLanes()) == "the node already answers 0 commands; try again later"


async def follow(served: Served) -> asyncio.StreamWriter:
    """Wait for the head as `events tail --follow` does."""
    before = served.control._follower_count
    _, writer = await asyncio.open_unix_connection(served.path)
    writer.write(messages.encode(messages.GetHead(0, 30.0)))
    await until(lambda: served.control._follower_count == before + 1, "it to be followed")
    return writer


async def test_who_follows_the_events_keeps_no_command_out(served: Served) -> None:
    """Orders must pass even where each of many terminals and scripts has a `tail --follow`."""
    followers = [await follow(served) for _ in range(server.FOLLOWER_COUNT_MAX)]
    assert "24 commands already follow the events" in await served.error(messages.GetHead(0, 30.0))
    assert await served.ask(messages.GetHead(0)) == messages.Head(0)
    assert await served.ask(messages.GetLanes()) == messages.Lanes([])
    served.hub.announce(1)
    await until(lambda: served.control._follower_count == 0, "all to be told")
    for writer in followers:
        writer.close()


async def test_a_follower_that_is_killed_frees_its_place_at_once(served: Served) -> None:
    """Else a script that follows for a second again and again is refused for half a minute."""
    for _ in range(2):
        for writer in [await follow(served) for _ in range(server.FOLLOWER_COUNT_MAX)]:
            writer.transport.abort()
        await until(lambda: served.control._follower_count == 0, "its place to be free")


async def test_the_configuration_is_read_again_and_a_wrong_one_changes_nothing(served: Served) -> None:
    answer = await served.ask(messages.GetConfiguration())
    assert answer == messages.Configuration(str(served.configuration), None)
    served.configuration.write_text('{"events_plugins": ["nope"]}')
    reloaded = await served.ask(messages.Reload())
    assert isinstance(reloaded, messages.Reloaded)
    assert "no installed package provides 'nope'" in reloaded.errors["nope"]
    served.configuration.write_text('{"events_plugins": 5}')
    assert "events_plugins: expected a list of names or an object" in await served.error(messages.Reload())
    served.configuration.unlink()
    assert "No such file" in await served.error(messages.Reload())


async def test_a_node_without_a_file_says_that_it_has_none(served: Served) -> None:
    other = served.server(None)
    await other.start()
    assert "without a configuration to read again" in await served.error(messages.Reload())
    await other.stop()


async def test_a_secret_that_was_replaced_is_in_no_answer_either(served: Served) -> None:
    """A lane still shows its last error, which may quote the password of before."""
    for secret in ("correct horse", "battery staple"):
        served.configuration.write_text(json.dumps({"events_plugins": {"nope": {"options": {"password": secret}}}}))
        await served.ask(messages.Reload())
    for secret in ("correct horse", "battery staple"):
        assert secret not in await served.error(messages.Ordered(secret, Pause()))


async def test_no_secret_of_the_configuration_is_in_an_answer(served: Served) -> None:
    """Answers end in terminals, scripts and tickets."""
    secret = "correct horse"
    document: dict[str, Any] = {"events_plugins": {"nope": {"options": {"password": secret}}}}
    served.configuration.write_text(json.dumps(document))
    await served.ask(messages.Reload())
    document["server"] = {"bind": f"{secret} amqp://me:hunter2@host"}
    served.configuration.write_text(json.dumps(document))
    error = await served.error(messages.Reload())
    assert "server.bind: " in error
    assert secret not in error
    assert "hunter2" not in error
    assert MASK in error


async def test_a_defect_is_logged_and_leaves_the_node_running(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Loaded:
        raise ZeroDivisionError

    other = served.server(broken)
    await other.start()
    assert "defect of this software" in await served.error(messages.Reload())
    assert "ZeroDivisionError" in caplog.text
    assert await served.ask(messages.GetHead()) == messages.Head(0)
    await other.stop()
