"""The reader process: what it answers, who waits for it, and what its end does to whom."""

import asyncio
import gc
import json
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Final

import msgspec
import pytest
from msgspec import structs

from bigchaindb import children
from bigchaindb.config import Limits
from bigchaindb.errors import HistoryLost, MalformedToken, Overloaded, ReaderLost, SearchTooWide, Stopping, StoreDamaged
from bigchaindb.eventlog import token
from bigchaindb.events import EventTypes
from bigchaindb.reader import frames, process, reader
from bigchaindb.reader.reader import Reader
from bigchaindb.store import Store
from bigchaindb.store.lists import Bounds, Walk
from bigchaindb.streams.cloud_events import Choice, read_piece
from bigchaindb.streams.shared_log import Place
from bigchaindb.transaction.model import Transaction
from tests.support.decisions import Chain, made
from tests.support.lists import elements, whole
from tests.support.processes import NICENESS_MOST, ignores, is_gone
from tests.support.raw import until

LIMITS: Final = Limits(page_count_max=3, search_match_count_max=20, search_waiting_count_max=2)
WORDS: Final = "equal"
CHAIN: Final = "solo-1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader") / "data"


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    """Nine rows that match a search, some in memory and some in tables."""
    with closing(Store(folder, generation_rows=5)) as store:
        decisions = Chain()
        for one in transactions():
            store.writer.commit(decisions.valid(one))
            store.writer.tidy()
        yield store


def transactions() -> Sequence[Transaction]:
    return [made(serial, data={"text": WORDS}) for serial in range(9)]


@asynccontextmanager
async def reading(store: Store, limits: Limits = LIMITS) -> AsyncIterator[Reader]:
    one = Reader(store.directory.ledger, store.damages, limits, CHAIN)
    try:
        yield one
    finally:
        await one.close()


def search(store: Store, text: str = WORDS) -> Walk:
    return store.queries().search("assets", text, 0)


async def rest(one: Reader, walk: Walk) -> list[bytes]:
    found = []
    while not walk.is_over:
        found += elements(await one.step(walk))
    return found


async def test_it_answers_what_the_node_itself_would(store: Store) -> None:
    queries, first = store.queries(), transactions()[0]
    async with reading(store) as one:
        begins: Sequence[Callable[[], Walk]] = (
            lambda: queries.outputs("alice", spent=None),
            lambda: queries.outputs("alice", spent=True),
            lambda: queries.transactions_of_asset(first.id, None),
            lambda: queries.search("assets", WORDS, 0),
            lambda: queries.search("metadata", "nothing", 0),
        )
        for begin in begins:
            assert await rest(one, begin()) == whole(queries, begin())
        assert one.figures.process_count == 1
        assert one.figures.batch_count > 8
        assert not one.figures.is_failing


async def test_each_answer_holds_what_was_committed_before_it(tmp_path: Path) -> None:
    """Whether its index rows are in memory, half moved, or in the tables."""
    decisions, store = Chain(), Store(tmp_path / "data", generation_rows=20)
    async with reading(store) as one:
        for serial in range(60):
            store.writer.commit(decisions.valid(made(serial, data={"text": f"w{serial}"})))
            assert len(await rest(one, store.queries().outputs("alice", spent=None))) == serial + 1
            assert len(await rest(one, search(store, f"w{serial}"))) == 1
            store.writer.tidy()
    store.close()


async def test_what_matches_too_much_is_refused_and_others_go_on(store: Store) -> None:
    async with reading(store, Limits(search_match_count_max=8)) as one:
        with pytest.raises(SearchTooWide, match="more than 8 rows match"):
            await one.search(search(store))
        assert await one.search(store.queries().search("assets", "others", 0)) == b""


async def test_a_process_that_ends_is_replaced(store: Store) -> None:
    """Whoever was asking is told so; a list goes on behind what was read before."""
    async with reading(store) as one:
        walk = search(store)
        found = elements(await one.search(walk))
        [pid] = one.pids
        for number in (signal.SIGKILL, signal.SIGTERM):  # nobody looks between both: the dead process is not reaped
            os.kill(pid, number)
        await until(lambda: not one.pids, "the end to be noticed")
        assert one.figures.restart_count == 1
        found += await rest(one, walk)
        assert found == whole(store.queries(), search(store))

        [pid] = one.pids
        os.kill(pid, signal.SIGSTOP)
        asked = [asyncio.create_task(one.step(search(store))) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ReaderLost, match="killed by SIGKILL; try again"):
            await asked[0]
        assert len(elements(await asked[1])) == 3
        assert one.figures.restart_count == 2


def test_a_process_whose_node_let_go_of_it_ends_without_a_word(store: Store, capfd: pytest.CaptureFixture[str]) -> None:
    start = frames.Start(str(store.directory.ledger), CHAIN, Bounds(10, 10), 1.0)
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        child = children.start_module(reader.MODULE, theirs, msgspec.json.encode(start).decode())

    assert child.wait(60) == 0
    assert capfd.readouterr().err == ""


async def test_a_process_that_hangs_is_ended_after_twice_the_time(store: Store) -> None:
    async with reading(store, Limits(search_s_max=2.0)) as one:
        await one.search(search(store))
        [pid] = one.pids
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ReaderLost, match=r"more than 4 s, twice limits\.search_s_max"):
            await one.search(search(store))
        await until(lambda: is_gone(pid), "its end")
        assert await one.search(search(store))


def test_a_query_that_takes_too_long_is_refused_by_the_process_itself(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node ends one that does not: then the next question waits for another process."""
    monkeypatch.setattr(process, "STEPS", 1)
    questions = process.Questions(frames.Start(str(store.directory.ledger), CHAIN, Bounds(10, 10), 0.0))
    with closing(questions._connection), closing(questions._log):
        for question in (search(store).ask(10), page()):
            answer = questions.answer(frames.frame(question)[frames.HEAD.size :])
            with pytest.raises(
                SearchTooWide, match=r"^the query took more than 0 s \(limits\.search_s_max\); ask for less"
            ):
                frames.answer_of(frames.frame(answer)[frames.HEAD.size :])


async def test_a_killed_process_is_reaped_though_its_end_takes_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine it has not ended when the node goes on, and Python warns of one that nobody waits for."""
    monkeypatch.setattr(reader, "KILL_S_MAX", 0)
    for _ in range(2):
        async with reading(store) as one:
            await one.search(search(store))
        gc.collect()
    await until(lambda: all(each.poll() is not None for each in reader._ending), "all to be reaped")


async def test_it_steps_back_for_all_others_and_has_a_bound_on_memory(store: Store) -> None:
    """Else a search would delay commits, or take the memory of the machine."""
    async with reading(store) as one:
        await one.search(search(store))
        [pid] = one.pids
        ours, its = (os.getpriority(os.PRIO_PROCESS, who) for who in (0, pid))
        assert its == min(NICENESS_MOST, ours + process.NICENESS) > 0
        assert os.getsid(pid) == os.getsid(0)  # in another session its niceness would count for nothing
        assert os.getpgid(pid) == pid  # a signal to the node's group is the node's alone
        assert ignores(pid, signal.SIGTTOU)  # a terminal may stop whoever writes to it from another group
        assert resource.prlimit(pid, resource.RLIMIT_AS) == 2 * (process.ADDRESS_BYTES_MAX,)


async def test_searches_have_a_bound(store: Store) -> None:
    async with reading(store) as one:
        await one.search(search(store))
        [pid] = one.pids
        os.kill(pid, signal.SIGSTOP)
        asked = [asyncio.create_task(one.search(search(store))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match=r"^2 searches are waiting \(limits\.search_waiting_count_max\); "):
            await one.search(search(store))
        asked[1].cancel()
        os.kill(pid, signal.SIGCONT)
        assert await asked[0]


async def test_short_pages_pass_scans(store: Store) -> None:
    """Else whoever counts all day long would keep a list of the last blocks from everybody."""
    async with reading(store) as one:
        await one.search(search(store))
        [pid] = one.pids
        os.kill(pid, signal.SIGSTOP)
        newest = structs.replace(page(), before=frames.NOW)
        scan = structs.replace(newest, members={"metadata.a[gt]": "1"}, is_count=True)
        order: list[str] = []

        async def ask(name: str, asked: frames.EventPage) -> None:
            await one.page(asked)
            order.append(name)

        tasks = [asyncio.create_task(ask(*each)) for each in (("scan 1", scan), ("scan 2", scan), ("page", newest))]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match=r"^2 searches are waiting \(limits\.search_waiting_count_max\); "):
            await one.page(scan)
        os.kill(pid, signal.SIGCONT)
        await asyncio.gather(*tasks)
        assert order.index("page") < order.index("scan 2")


def page(after: str | None = None, members: Mapping[str, str] = MappingProxyType({})) -> frames.EventPage:
    return frames.EventPage(
        members=dict(members),
        types=EventTypes.ALL,
        each_transaction=False,
        after=after,
        head=9,
        count_max=4,
        bytes_max=1 << 20,
    )


async def test_pages_of_events_are_those_of_the_log(store: Store) -> None:
    async with reading(store) as one:
        with closing(store.log_reader()) as log:
            piece = read_piece(log, CHAIN, Choice(), Place(0), 9, count_max=4, bytes_max=1 << 20)
        first = json.loads((await one.page(page())).body)
        assert first == {"events": [json.loads(i.envelope) for i in piece.items], "head": False, "next": piece.token}
        rest = piece.token
        for is_head, count in ((False, 4), (True, 1)):
            answer = json.loads((await one.page(page(rest))).body)
            assert (answer["head"], len(answer["events"])) == (is_head, count)
            rest = answer["next"]
        of_asset = await one.page(page(members={"asset": transactions()[6].id}))
        assert len(json.loads(of_asset.body)["events"]) == 1
        with pytest.raises(MalformedToken, match="is no token"):
            await one.page(page("x"))
        with pytest.raises(HistoryLost):
            await one.page(page(token.encode(CHAIN, 3, token.WHOLE, bytes(32))))


async def test_as_many_pages_wait_as_are_allowed_and_none_waits_for_all_searches(store: Store) -> None:
    limits = Limits(query_waiting_count_max=1)
    async with reading(store, limits) as one:
        await one.search(search(store))
        [pid] = one.pids
        os.kill(pid, signal.SIGSTOP)
        searches = [asyncio.create_task(one.search(search(store))) for _ in range(20)]
        await asyncio.sleep(0)
        waiting = asyncio.create_task(one.page(page()))
        await asyncio.sleep(0)
        text = r"^1 pages of lists or events are waiting \(limits\.query_waiting_count_max\); "
        for another in (one.page(page()), one.step(search(store))):
            with pytest.raises(Overloaded, match=text):
                await another
        os.kill(pid, signal.SIGCONT)
        assert len(json.loads((await waiting).body)["events"]) == 4
        assert not all(one.done() for one in searches)
        assert all(await asyncio.gather(*searches))


async def test_a_stop_ends_what_runs(store: Store) -> None:
    one = Reader(store.directory.ledger, store.damages, LIMITS, CHAIN)
    await one.search(search(store))
    [pid] = one.pids
    os.kill(pid, signal.SIGSTOP)
    asked = [asyncio.create_task(one.search(search(store))) for _ in range(2)]
    await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        await one.close()
    for task in asked:
        with pytest.raises(Stopping):
            await task
    with pytest.raises(Stopping):
        await one.search(search(store))
    await until(lambda: is_gone(pid), "its end")


async def test_damage_that_it_finds_is_noted(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    store.writer.commit(Chain().valid(*transactions()))
    store._connection.execute("UPDATE transactions SET body = x'00' WHERE seq = 3")
    async with reading(store) as one:
        with pytest.raises(StoreDamaged) as met:
            await rest(one, search(store))
        assert (met.value.table, met.value.row) == ("transactions", "3")
        assert (store.damages.count, store.damages.first) == (1, met.value)
        assert elements(await one.search(store.queries().search("assets", "others", 0))) == []
    store.close()


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [(children, "PYTHON", ("/no/such/program",)), (reader, "MODULE", "bigchaindb.no_such_module")],
    ids=["no process", "one that ends at once"],
)
async def test_without_a_process_queries_are_refused(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: ModuleType,
    name: str,
    value: object,
) -> None:
    monkeypatch.setattr(where, name, value)
    monkeypatch.setattr(reader, "PAUSE_S", 60.0)
    async with reading(store) as one:
        for _ in range(2):
            with pytest.raises(Overloaded, match="cannot be started; try again later"):
                await one.search(search(store))
        assert caplog.text.count("the reader process cannot be started") == reader.START_COUNT_MAX
        assert one.figures.is_failing
        monkeypatch.undo()
        one._retry_s = 0.0  # the pause is over
        assert await one.search(search(store))
        assert not one.figures.is_failing


async def test_nonsense_ends_the_process(store: Store) -> None:
    async with reading(store) as one:
        one._answer_bytes_max = 3
        with pytest.raises(ReaderLost, match=r"nonsense: \d+ bytes, of at most 3"):
            await one.search(search(store))
        assert one.figures.restart_count == 1


def test_errors_keep_their_class_and_place() -> None:
    for error in (SearchTooWide("a"), StoreDamaged("c", table="t", row="7"), HistoryLost(3, 2), MalformedToken("d")):
        payload = frames.frame(frames.failed(error))[frames.HEAD.size :]
        with pytest.raises(type(error)) as met:
            frames.answer_of(payload)
        assert type(met.value) is type(error)
        assert str(met.value) == str(error)
        assert vars(met.value) == vars(error)
