"""Check processes: what they answer, what their death costs, and what they can reach."""

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha3_256
from pathlib import Path

import pytest

from bigchaindb.engine import check_nursery, check_places, check_process
from bigchaindb.engine.admission import BATCH_BYTES_MAX, BATCH_COUNT_MAX
from bigchaindb.engine.checks import HEAVY_NICENESS, Checks, batches, process_count
from bigchaindb.errors import CheckFailed, EngineError, MalformedJson, Overloaded, Stopping
from bigchaindb.ledger.proven import Proven
from bigchaindb.ledger.validating import Parsed
from bigchaindb.ledger.verifying import DocumentRules, verify_all
from bigchaindb.transaction import build
from tests.support.chains import ALICE, Coin, create, transfer
from tests.support.engines import until
from tests.support.installed import CHECKOUT
from tests.support.poison import poisoned
from tests.support.processes import NICENESS_MOST, check_pids, ignores, is_gone

RULES = DocumentRules(elections=True, bytes_max=1 << 20, bound="a bound")
GOOD = [create(serial).body for serial in range(5)]
HEAVY = build.create([ALICE], data={"text": 5_000 * "x"}).body
V1 = create(1, amounts=(1, 2, 3), version="1.0")
V1_OF_MANY = transfer(*(Coin(V1, index) for index in range(3)), version="1.0").body


class Memory:
    """What checks need of a ledger."""

    def __init__(self) -> None:
        self.rules = RULES
        self.proven = Proven(count_max=1_000, bytes_max=1 << 24)


@asynccontextmanager
async def open_checks(workers: int = 1) -> AsyncIterator[Checks]:
    checks = Checks(Memory(), workers)
    checks.open()
    try:
        yield checks
    finally:
        checks.close()


async def pids_of(checks: Checks, count: int = 1) -> list[int]:
    """Return the ids of its processes: on a busy machine an answer may come before the word of who gives it."""
    await until(lambda: len(checks.pids) >= count)
    return list(checks.pids)


def read(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def status_of(pid: int) -> dict[str, str]:
    return dict(line.split(":", 1) for line in read(pid, "status").splitlines())


def descriptors_of(pid: int) -> dict[int, str]:
    return {int(one.name): str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}


async def test_outcomes_are_those_of_the_same_check_in_this_process() -> None:
    """What crosses the border is the whole value: a transaction, or the error with its class and text."""
    forged = GOOD[0].replace(b'"amount":"1"', b'"amount":"2"')
    bodies = [*GOOD, V1.body, forged, b"{}", b"", b"\xff", b'{"version":"2.0"}']
    async with open_checks() as checks:
        found = await checks.check(bodies)
    for one, expected in zip(found, verify_all(bodies, RULES), strict=True):
        assert type(one) is type(expected)
        assert one == expected or str(one) == str(expected)


async def test_what_is_proven_is_not_checked_again() -> None:
    async with open_checks() as checks:
        [first] = await checks.check(GOOD[:1])
        [again, other] = await checks.check(GOOD[:2])
        assert isinstance(first, Parsed)
        assert isinstance(again, Parsed)
        assert isinstance(other, Parsed)
        assert again.transaction is first.transaction


async def test_many_inputs_of_version_1_come_back_with_what_they_sign() -> None:
    body = V1_OF_MANY
    async with open_checks() as checks:
        [found] = await checks.check_heavy(body)
    assert [found] == verify_all([body], RULES)


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize("how", ["die", "hang", "babble"])
async def test_a_poison_harms_nobody_else(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Checked again, then alone: all others of its batch are answered, and its sender learns that it cannot be."""
    bad = poisoned(how)
    async with open_checks() as checks, asyncio.timeout(60):
        with caplog.at_level(logging.ERROR):
            before, found, behind = await asyncio.gather(
                checks.check(GOOD[:1]), checks.check([GOOD[1], bad.body, GOOD[2]]), checks.check(GOOD[3:])
            )
        assert [type(one) for one in (*before, *found, *behind)] == [
            Parsed,
            Parsed,
            CheckFailed,
            Parsed,
            Parsed,
            Parsed,
        ]
        again = await checks.check([create(9).body])
        assert isinstance(again[0], Parsed)
        # A death that is heard of before the birth blames no document: another process tries it.
        figures = checks.figures()
        assert figures["light"].restart_count >= 2
        assert figures["heavy"].restart_count >= 1
    assert sha3_256(bad.body).hexdigest() in {vars(record).get("sha3_256") for record in caplog.records}


@pytest.mark.usefixtures("poison")
@pytest.mark.parametrize("how", ["die", "swell"])
async def test_a_heavy_poison_ends_its_own_process_alone(how: str) -> None:
    async with open_checks() as checks, asyncio.timeout(60):
        [found] = await checks.check_heavy(poisoned(how, padding=5_000).body)
        assert isinstance(found, CheckFailed)
        [other] = await checks.check_heavy(HEAVY)
        assert isinstance(other, Parsed)
        assert checks.figures()["light"].restart_count == 0


@pytest.mark.usefixtures("poison")
async def test_no_result_is_no_verdict_on_a_proposal() -> None:
    async with open_checks() as checks, asyncio.timeout(60):
        with pytest.raises(CheckFailed):
            await checks.judge([*GOOD, poisoned("die").body])
        results = await checks.judge([*GOOD, HEAVY, b"{}"])
        assert len(results) == 7
        assert isinstance(results[b"{}"], Exception)
        assert await checks.judge([*GOOD, HEAVY]) == {}, "they are proven now"


async def test_a_proposal_waits_for_no_client() -> None:
    async with open_checks() as checks, asyncio.timeout(60):
        await checks.check(GOOD[:1])
        await checks.check_heavy(HEAVY)
        clients = await pids_of(checks, 2)
        for pid in clients:
            os.kill(pid, signal.SIGSTOP)
        waiting = [asyncio.create_task(checks.check([create(serial).body])) for serial in range(10, 16)]
        await asyncio.sleep(0)
        results = await checks.judge([create(50).body, build.create([ALICE], data={"text": 6_000 * "y"}).body])
        assert len(results) == 2
        assert not any(task.done() for task in waiting)
        for pid in clients:
            os.kill(pid, signal.SIGCONT)
        await asyncio.gather(*waiting)


async def test_kills_under_load_lose_no_answer() -> None:
    bodies = [create(serial).body for serial in range(600)]
    async with open_checks(2) as checks, asyncio.timeout(60):
        await checks.check([b"{}"])
        tasks = [asyncio.create_task(checks.check(batch)) for batch in batches(bodies)]
        for _ in range(10):
            await asyncio.sleep(0.01)
            for pid in checks.pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        found = [one for outcomes in await asyncio.gather(*tasks) for one in outcomes]
    # One that was killed three times over counts as deadly: what is lost is an answer, and no transaction.
    assert all(isinstance(one, Parsed | CheckFailed) for one in found)
    assert sum(isinstance(one, Parsed) for one in found) > len(found) // 2


async def test_a_killed_parent_is_replaced_with_all_its_children() -> None:
    async with open_checks() as checks, asyncio.timeout(60):
        await checks.check(GOOD[:1])
        [process] = await pids_of(checks)
        parent = int(status_of(process)["PPid"])
        os.kill(parent, signal.SIGKILL)
        [found] = await checks.check(GOOD[1:2])
        assert isinstance(found, Parsed)
        await until(lambda: is_gone(process))


async def test_a_process_has_no_descriptor_but_its_socket_and_no_rights(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w"):
        async with open_checks() as checks:
            await checks.check(GOOD[:1])
            [pid] = await pids_of(checks)
            descriptors, limits, status = descriptors_of(pid), read(pid, "limits"), status_of(pid)
    assert {number: text.partition(":")[0] for number, text in descriptors.items()} == {
        0: os.devnull,
        1: os.devnull,
        2: os.devnull,
        3: "socket",
    }
    for name, most in (
        ("Max open files", 0),
        ("Max file size", 0),
        ("Max processes", 0),
        ("Max core file size", 0),
        ("Max address space", check_process.ADDRESS_BYTES_MAX),
    ):
        line = next(line for line in limits.splitlines() if line.startswith(name))
        assert line.removeprefix(name).split()[:2] == [str(most), str(most)]
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Threads"].strip() == "1"
    assert int(status["CapEff"], 16) == 0
    if os.geteuid() == 0:
        assert set(status["Uid"].split()) == {"65534"}


async def test_no_variable_of_this_program_reaches_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGCHAINDB_KEYPAIR_PRIVATE", "the secret")
    async with open_checks() as checks:
        await checks.check(GOOD[:1])
        [pid] = await pids_of(checks)
        assert "BIGCHAINDB_" not in read(pid, "environ")


async def test_heavy_documents_step_back_for_the_node() -> None:
    """Niceness counts within a session alone: in one of their own they would take a core from a commit."""
    async with open_checks() as checks:
        await checks.check_heavy(HEAVY)
        light, heavy = sorted(os.getpriority(os.PRIO_PROCESS, pid) for pid in await pids_of(checks, 2))
        assert light == os.getpriority(os.PRIO_PROCESS, 0)
        assert heavy == min(NICENESS_MOST, light + HEAVY_NICENESS)
        assert {os.getsid(pid) for pid in checks.pids} == {os.getsid(0)}
        [parent, *_] = check_pids(os.getpid())
        assert ignores(parent, signal.SIGTTOU)  # a terminal may stop whoever writes to it from another group


async def test_the_end_leaves_no_process() -> None:
    async with open_checks() as checks:
        await checks.check(GOOD[:1])
        await checks.check_heavy(HEAVY)
        pids = await pids_of(checks, 2)
    assert all(map(is_gone, pids))


@pytest.mark.usefixtures("poison")
async def test_what_does_not_end_by_the_stop_is_answered_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.engine.checks.STOP_S_MAX", 0.05)
    async with open_checks() as checks, asyncio.timeout(60):
        await checks.check(GOOD[:1])
        for pid in await pids_of(checks):
            os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.create_task(checks.check(GOOD[1:2]))
        await asyncio.sleep(0)
        checks.end_soon()
        with pytest.raises(Stopping):
            await waiting
        with pytest.raises(Stopping):
            await checks.check(GOOD[2:3])


async def test_an_end_answers_what_is_out() -> None:
    async with open_checks() as checks, asyncio.timeout(60):
        waiting = asyncio.create_task(checks.check(GOOD[:1]))
        await asyncio.sleep(0)
        checks.close()
        with pytest.raises(EngineError, match="stopped before"):
            await waiting


async def test_where_no_process_can_be_started_nothing_is_concluded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no fault of the document: its sender may send it again, and what was accepted is kept."""
    monkeypatch.setattr("bigchaindb.children.PYTHON", ("/nowhere",))
    checks = Checks(Memory(), 1)
    with pytest.raises(Overloaded, match="no check process can be started"):
        await checks.check(GOOD[:1])
    assert "no check process can be started" in caplog.text
    checks.close()


async def test_a_parent_that_never_comes_up_is_no_fault_of_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_nursery, "NURSERY", "bigchaindb.no_such_module")
    async with open_checks() as checks, asyncio.timeout(60):
        for body in GOOD[:2]:
            with pytest.raises(Overloaded, match="no check process can be started"):
                await checks.check([body])


async def test_a_vote_waits_for_a_process_that_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigchaindb.engine.checks.VOTE_PAUSE_S", 0.01)
    real = check_nursery.Nursery.fork
    refused = iter(range(3))

    def fork(nursery: check_nursery.Nursery, niceness: int) -> tuple[int, socket.socket]:
        if next(refused, None) is not None:
            raise OSError(errno.EMFILE, "too many open files")
        return real(nursery, niceness)

    checks = Checks(Memory(), 1)
    monkeypatch.setattr(check_nursery.Nursery, "fork", fork)
    async with asyncio.timeout(60):
        assert len(await checks.judge([*GOOD, HEAVY])) == len(GOOD) + 1
    assert next(refused, None) is None
    checks.close()


@pytest.mark.parametrize("which", ["process", "parent"])
async def test_what_does_not_answer_is_ended(
    which: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It uses no CPU time, so only a clock shows it: a node that waited for it would look healthy."""
    async with open_checks() as checks, asyncio.timeout(60):
        await checks.check(GOOD[:1])
        [process] = await pids_of(checks)
        parent = int(status_of(process)["PPid"])
        os.kill(process if which == "process" else parent, signal.SIGSTOP)
        if which == "parent":
            os.kill(process, signal.SIGKILL)
            await until(lambda: checks.figures()["light"].process_count == 0)
        with monkeypatch.context() as patched:
            patched.setattr(check_places, "ANSWER_S_MAX", 0.1)
            checking = asyncio.create_task(checks.check(GOOD[1:2]))
            await asyncio.sleep(0)
        [found] = await checking  # of the next one, which has its time: it may take seconds to start
        assert isinstance(found, Parsed)
        await until(lambda: is_gone(process))
    assert "has not answered" in caplog.text


async def test_less_address_space_than_the_bound_is_enough() -> None:
    """Whoever starts the node may have bounded it further, and no process may raise that again."""
    program = (
        "import asyncio, resource, sys; from tests.unit.engine.test_checks import GOOD, open_checks\n"
        "resource.setrlimit(resource.RLIMIT_AS, (900 << 20, 900 << 20))\n"
        "async def main():\n async with open_checks() as checks:\n"
        "  print([type(one).__name__ for one in await checks.check(GOOD[:1])])\n"
        "asyncio.run(main())\n"
    )
    running = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=-1, stderr=-1, cwd=CHECKOUT)
    out, err = await running.communicate()
    assert out == b"['Parsed']\n", err


async def test_a_failed_fork_ends_no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_nursery, "NURSERY", "tests.support.barren")
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    async with open_checks() as checks, asyncio.timeout(60):
        await checks.check(GOOD[:1])
        [light] = await pids_of(checks)
        with pytest.raises(Overloaded):
            await checks.check_heavy(HEAVY)
        assert list(checks.pids) == [light]
        [found] = await checks.check(GOOD[1:2])
        assert isinstance(found, Parsed)


@pytest.mark.parametrize(
    ("workers", "cores", "count"),
    [(None, 1, 1), (None, 3, 1), (None, 4, 2), (None, 64, 2), (1, 8, 1), (3, 8, 3), (5, 2, 2), (17, 64, 8)],
)
def test_processes_are_bounded_by_the_cores_and_by_8(workers: int | None, cores: int, count: int) -> None:
    assert process_count(workers, cores) == count


async def test_more_processes_than_are_of_use_are_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """Files of old releases carry twice the cores and one more: threads, in their days."""
    Checks(Memory(), 1)
    assert not caplog.records
    Checks(Memory(), 1_000)
    [record] = caplog.records
    assert record.message.startswith("server.workers is more than")


def test_batches_fit_into_frames() -> None:
    small, large = [b"x"] * (BATCH_COUNT_MAX + 1), [bytes(BATCH_BYTES_MAX // 2)] * 3
    assert [len(one) for one in batches(small)] == [BATCH_COUNT_MAX, 1]
    assert [len(one) for one in batches(large)] == [2, 1]
    assert list(batches([])) == []


async def test_a_malformed_document_is_an_error_of_its_class() -> None:
    async with open_checks() as checks:
        [found] = await checks.check([b"no JSON"])
    assert isinstance(found, MalformedJson)
