"""What a power cut may take, seen from outside: which system calls a node makes, and in which order.

A power cut takes what was written and not synced. So nobody may learn of a block before its sync is done.
Source: docs/reference/promises.md, P1, P4, P6, L5; docs/decisions/0005.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bigchaindb.transaction import build
from bigchaindb.transaction.conditions import details_of
from tests.support.chains import ALICE
from tests.support.node import COMMAND, Node, configuration_of
from tests.support.system_calls import NEVER, Call, calls, syncs_delayed, under_strace
from tests.support.waiting import until, whole_lines

COUNT: Final = 12
PATIENCE_S: Final = 60.0
"""A traced node is slow, and so may be the machine."""
SENDING: Final = ("write", "writev", "sendto", "sendmsg")


@dataclass(frozen=True)
class Marked:
    """A transaction that is found again in whatever is written."""

    serial: int
    mark: str = field(init=False)
    id: str = field(init=False)
    body: bytes = field(init=False)

    def __post_init__(self) -> None:
        mark = sha256(str(self.serial).encode()).hexdigest()[:20]
        # Three times, far apart: the end of a page of the ledger cuts one of them at most.
        data = {"a": mark, "b": "-" * 60, "c": mark, "d": "-" * 60, "e": mark}
        made = build.create([ALICE], [build.Payment(details_of([ALICE.public_key]), 1)], data=data)
        for name, value in (("mark", mark), ("id", made.id), ("body", made.body)):
            object.__setattr__(self, name, value)


class Traced:
    """A node whose system calls are written down, one trace a run, with a plugin that keeps a record."""

    def __init__(self, folder: Path, plugins: Mapping[str, str]) -> None:
        self.folder = folder
        self.record = folder / "record"
        plugin = {"recorder": {"start": "genesis", "options": {"record": str(self.record)}}}
        self.node = Node(folder, configuration_of(folder, {"events_plugins": plugin}), plugins, COMMAND)
        self._run_count = 0

    def start(self) -> None:
        """Start the node under strace."""
        self._run_count += 1
        self.node.command = (*under_strace(self.trace), *COMMAND)
        self.node.start()

    @property
    def trace(self) -> Path:
        """The trace of this run."""
        return self.folder / f"trace-{self._run_count}"

    def recorded(self) -> list[str]:
        """Return the block ids that the plugin has seen."""
        return [line.split()[1] for line in whole_lines(self.record)]

    def until_recorded(self, count: int) -> None:
        until(lambda: len(self.recorded()) >= count, what=f"{count} recorded events", within_s=PATIENCE_S)

    def calls(self) -> "Trace":
        return Trace(calls(self.trace))


class Trace:
    """Questions to a trace."""

    def __init__(self, found: Sequence[Call]) -> None:
        self.calls = found

    def all(self, names: Sequence[str], *, on: str = "", says: str = "", after: int = -1) -> Iterator[Call]:
        """Return the calls on a descriptor of this path, or of this kind, that write a text and begin after a line."""
        for call in self.calls:
            descriptor = call.text.partition(">")[0]
            if call.begun > after and call.name in names and on in descriptor and says in call.text:
                yield call

    def first(self, names: Sequence[str], *, on: str = "", says: str = "", after: int = -1) -> Call:
        found = next(self.all(names, on=on, says=says, after=after), None)
        assert found is not None, f"no {names} on {on!r} that says {says!r}"
        return found

    def answered(self, marked: Marked) -> Call:
        """Return the answer over HTTP; the frames from and to a check process hold the document too."""
        sent = self.all(SENDING, on="<socket:", says=marked.mark)
        return next(call for call in sent if "HTTP/1.1 202 " in call.text)

    def synced(self, marked: Marked) -> Call:
        """Return the sync that made a transaction durable; it began after the first of its frames was written."""
        frame = self.first(["pwrite64"], on="/ledger.db-wal", says=marked.mark)
        return self.first(["fdatasync"], on="/ledger.db-wal", after=frame.begun)


@pytest.fixture
def traced(tmp_path: Path, plugins: Mapping[str, str]) -> Iterator[Traced]:
    one = Traced(tmp_path, plugins)
    yield one
    one.node.kill()


def announced(stream: ClientConnection, count: int) -> dict[str, str]:
    """Read so many messages of the stream; return the block ids by transaction id."""
    messages: list[dict[str, Any]] = [json.loads(stream.recv(PATIENCE_S)) for _ in range(count)]
    return {message["transaction_id"]: message["block_id"] for message in messages}


def assert_started_behind_the_barrier(trace: Trace) -> None:
    """Require a synced commit before a host is started and before the first port is open (P4)."""
    first_shown = min(trace.first(["execve"], says="bigchaindb.subscribers.host").begun, trace.first(["listen"]).begun)
    commits = [call for call in trace.all(["pwrite64"], on="/ledger.db-wal") if call.begun < first_shown]
    assert commits, "no start barrier"
    assert trace.first(["fdatasync"], on="/ledger.db-wal", after=commits[-1].begun).ended < first_shown


def test_p4_nobody_learns_of_a_block_before_its_sync_is_done(traced: Traced) -> None:
    """What was answered, streamed or given to a plugin and is gone after a power cut was a lie."""
    traced.start()
    every = [Marked(serial) for serial in range(COUNT)]
    with connect(traced.node.stream_url) as stream, ThreadPoolExecutor(3) as clients:
        answers = list(clients.map(lambda one: traced.node.post(one.body), every))
        blocks = announced(stream, COUNT)
    assert {answer.status for answer in answers} == {202}
    traced.until_recorded(len(set(blocks.values())))
    assert traced.node.stop() == 0

    trace = traced.calls()
    assert_started_behind_the_barrier(trace)
    for one in every:
        synced = trace.synced(one)
        answered = trace.answered(one)  # L5
        streamed = trace.first(SENDING, on="<socket:", says=blocks[one.id])
        handed_over = trace.first(SENDING, on=str(traced.record), says=blocks[one.id])
        assert synced.ended < min(answered.begun, streamed.begun, handed_over.begun)


def test_p6_progress_of_plugins_is_synced_while_they_run_and_at_the_stop(traced: Traced) -> None:
    """A power cut brings again what was acknowledged in its last second, not all since the start."""
    traced.start()

    def is_synced(count: int) -> bool:
        trace = traced.calls()
        writes = [*trace.all(["write"], on=str(traced.record))]
        if len(writes) < count:  # strace writes a call down once it is over
            return False
        row = next(trace.all(["pwrite64"], on="/node.db-wal", after=writes[-1].ended), None)
        syncs = () if row is None else trace.all(["fdatasync"], on="/node.db-wal", after=row.begun)
        return any(sync.ended != NEVER for sync in syncs)

    for number in range(2):  # each is seen by a sync of its own
        assert traced.node.post(Marked(number).body).status == 202
        traced.until_recorded(number + 1)
        until(partial(is_synced, number + 1), what="the lane's row to be synced", within_s=PATIENCE_S)
    for number in range(2, COUNT):
        assert traced.node.post(Marked(number).body).status == 202
    traced.until_recorded(COUNT)
    assert traced.node.stop() == 0
    trace = traced.calls()
    *_, last = trace.all(["write"], on=str(traced.record))
    row = trace.first(["pwrite64"], on="/node.db-wal", after=last.ended)  # its page is closed with the plugin
    assert trace.first(["fdatasync"], on="/node.db-wal", after=row.begun).ended != NEVER


def test_p4_a_block_whose_sync_is_under_way_is_known_to_nobody_and_is_made_durable_by_the_next_start(
    traced: Traced,
) -> None:
    """A killed node leaves frames that only the page cache has: the next start must not show them as they are."""
    node, unsynced = traced.node, Marked(1)
    node.start()
    assert node.process is not None
    wal = node.data / "ledger.db-wal"
    with (
        syncs_delayed(node.process.pid, wal, traced.folder / "strace.txt") as tracer,
        connect(node.stream_url) as stream,
        ThreadPoolExecutor(1) as client,
    ):
        answer = client.submit(node.post, unsynced.body)
        until(lambda: unsynced.mark.encode() in wal.read_bytes(), what="the frames to be written", within_s=PATIENCE_S)
        assert node.get(f"transactions/{unsynced.id}").status == 404
        node.process.kill()  # first, or the sync would go on when the tracer is gone
        tracer.kill()
        node.kill()
        assert isinstance(answer.exception(PATIENCE_S), OSError)
        with pytest.raises(ConnectionClosed):
            stream.recv(PATIENCE_S)
    assert traced.recorded() == []

    traced.start()
    assert_started_behind_the_barrier(traced.calls())
    assert node.get(f"transactions/{unsynced.id}").status == 200
    traced.until_recorded(1)
