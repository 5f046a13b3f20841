"""What a service manager learns of the node. Source: decision 0166; sd_notify(3)."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bigchaindb import service
from bigchaindb.api.standing import Complaint
from bigchaindb.eventlog.lane import State
from bigchaindb.service import ALIVE_S_MIN, STATUS_CHARACTERS_MAX, ServiceManager, status
from tests.support.lane_statuses import status as lane_status
from tests.support.raw import until
from tests.support.service_managers import Manager, service_manager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    is_path = request.param == "path"
    with service_manager(tmp_path / "notify" if is_path else f"@bigchaindb-{os.getpid()}") as listening:
        yield listening


async def healthy() -> str:
    return "healthy"


async def watched(
    told: ServiceManager, look: Callable[[], Coroutine[None, None, str]], condition: Callable[[], bool]
) -> None:
    watching = asyncio.create_task(told.watch(look))
    await until(condition, "what it is to tell")
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


def test_a_manager_learns_of_start_readiness_status_life_and_stop(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "20000", "HOME": "/"}
    told = ServiceManager.of(environ)
    assert environ == {"HOME": "/"}, "no child of the node may speak for it"
    assert told.alive_s == 0.01
    told.starts("the ledger is opened")
    asyncio.run(watched(told, healthy, lambda: manager.read().count("WATCHDOG=1") > 3))
    told.stops()
    said = [line for line in manager.read() if line != "WATCHDOG=1"]
    assert said == [
        "STATUS=starts: the ledger is opened",
        "READY=1",
        "STATUS=healthy",
        "STOPPING=1",
        "STATUS=stops",
    ]


def test_a_loop_that_stands_is_not_alive(manager: Manager) -> None:
    """Else a node that serves nobody would be left as it is."""

    async def stand() -> None:
        told = ServiceManager(manager.address, alive_s=0.01)
        await watched(told, healthy, lambda: "WATCHDOG=1" in manager.read())
        before = len(manager.read())
        watching = asyncio.create_task(told.watch(healthy))
        await asyncio.sleep(0)
        after_one_turn = len(manager.read())
        time.sleep(0.2)  # noqa: ASYNC251 - the loop is to stand
        assert len(manager.read()) == after_one_turn <= before + 1
        watching.cancel()

    asyncio.run(stand())


def test_a_status_that_hangs_or_fails_is_not_taken_for_health(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that does not answer keeps the last look from ending; the loop runs on."""
    monkeypatch.setattr(service, "LOOK_S_MAX", 0.02)
    monkeypatch.setattr(service, "STATUS_S", 0.01)
    looks: list[int] = []
    answers = asyncio.Event()

    async def look() -> str:
        looks.append(1)
        match len(looks):
            case 1:
                return "healthy"
            case 2:
                await answers.wait()
                return "healthy again"
            case _:
                raise OSError

    async def run() -> None:
        told = ServiceManager(manager.address, alive_s=0.01)
        watching = asyncio.create_task(told.watch(look))
        await until(lambda: "the disk has not answered" in manager.status, "the look that hangs")
        assert len(looks) == 2, "one at a time"
        answers.set()
        await until(lambda: "cannot be read, OSError" in manager.status, "the look that fails")
        watching.cancel()

    asyncio.run(run())
    assert "STATUS=healthy again" in manager.read()


def test_what_found_no_room_is_told_again(manager: Manager) -> None:
    """A manager that is slow must not wait for READY for ever."""
    told = ServiceManager(manager.address, alive_s=0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, suppress(BlockingIOError):
        other.settimeout(0)
        while True:
            other.sendto(b"X=1", told._address)
    told.starts("late")

    async def run() -> None:
        watching = asyncio.create_task(told.watch(healthy))
        await asyncio.sleep(0.1)
        watching.cancel()

    asyncio.run(run())
    assert set(manager.read()) == {"X=1"}
    asyncio.run(watched(told, healthy, lambda: "READY=1" in manager.read()))
    assert "STATUS=healthy" in manager.read()


@pytest.mark.parametrize("address", ["", "vsock:2:1", "notify", "/nowhere/notify", "/" + "x" * 1_000])
def test_a_node_without_a_manager_runs_on(address: str, caplog: pytest.LogCaptureFixture) -> None:
    told = ServiceManager.of({"NOTIFY_SOCKET": address})
    told.starts("a")
    told.starts("b")

    async def run() -> None:
        watching = asyncio.create_task(told.watch(healthy))
        await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(run())
    told.stops()
    assert len(caplog.records) == (address != ""), "one line, and not each second"


@pytest.mark.parametrize(
    ("variables", "alive_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 10.0),
        ({"WATCHDOG_USEC": "2000000"}, 1.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}, 1.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "1"}, ALIVE_S_MIN),
        ({"WATCHDOG_USEC": "9" * 5_000}, None),
    ],
)
def test_life_is_told_in_half_of_the_managers_time(variables: dict[str, str], alive_s: float | None) -> None:
    assert ServiceManager.of(variables).alive_s == alive_s
    assert variables == {}


def test_the_status_has_health_height_lanes_and_followers() -> None:
    states = {"a": State.LIVE, "b": State.LIVE, "c": State.BLOCKED}
    lanes = [replace(lane_status("", state), name=name) for name, state in states.items()]
    assert status(None, 7, lanes, 1) == (
        "healthy; height 7; 1 lane BLOCKED; 2 lanes LIVE; 1 follower; needs a person: c"
    )
    assert status(None, 7, [], 0, ["reserve of disk"]) == (
        "healthy; height 7; 0 followers; failed beside it, see the log: reserve of disk"
    )
    damaged = Complaint("damaged", "data are damaged: run `bigchaindb check`")
    assert status(damaged, 7, [], 0) == (
        "not healthy, damaged; height 7; 0 followers; data are damaged: run `bigchaindb check`"
    )


def test_a_status_is_one_bounded_line(manager: Manager) -> None:
    told = ServiceManager(manager.address)
    told.starts("x\nREADY=1\n\x1b" + "y" * 10_000)
    (line,) = manager.read()
    assert line.startswith("STATUS=starts: x READY=1  yyy")
    assert len(line) == STATUS_CHARACTERS_MAX + len("STATUS=")
