"""`kill -9` of a real node and of what it has, at any moment: nothing promised is lost, nothing half done is seen.

Source: docs/reference/promises.md, P1 to P6; invariants L1, L2, L5, E1 to E3.
"""

import asyncio
import itertools
import json
import random
import re
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.node.audit import audit
from tests.integration.node.owners import Owner, until_broken
from tests.support import scale
from tests.support.node import COMMAND, Node, configuration_of
from tests.support.processes import kill_a_helper
from tests.support.raw import ask, until, wire
from tests.support.waiting import whole_lines

OWNERS: Final = 6
HELPER_KILLS_MOST: Final = 2
"""Kills of its own processes in one life of a node: what ends three check processes in turn counts as deadly."""
SEARCHES: Final = ("assets?search=serial", "events?limit=200")
"""What the reader process answers."""
SEARCH_PAUSE_S: Final = 0.1
IMAGE_EVERY: Final = 25
START_S_MAX: Final = 60.0
PLUGINS: Final = ("console_print", "recorder")


@pytest.mark.timeout(300 + 8 * scale.NODE_KILLS)
async def test_nothing_is_lost_whenever_the_node_is_killed(tmp_path: Path, plugins: Mapping[str, str]) -> None:
    """Two nodes at a time, for the cores that there are: most of the time passes while one starts."""
    seed = scale.seed()
    print(f"repeat it with: SEED={seed} pytest tests/integration/node/test_kills.py")
    campaigns = [Campaign(tmp_path / name, plugins, random.Random(f"{seed} {name}")) for name in ("one", "other")]
    try:
        async with asyncio.TaskGroup() as tasks:
            for campaign in campaigns:
                tasks.create_task(campaign.run(scale.NODE_KILLS // len(campaigns)))
    finally:
        for campaign in campaigns:
            campaign.node.kill()


class Campaign:
    """One node that is killed again and again, with or without its helpers, and the clients it has meanwhile.

    Attributes:
        helper_kills: of its check processes, their parents and its readers, see `kill_a_helper`.
    """

    def __init__(self, folder: Path, plugins: Mapping[str, str], choices: random.Random) -> None:
        folder.mkdir()
        self.node = Node(folder, configuration_of(folder, {}), plugins, COMMAND)
        self.owners = [Owner(f"owner {number}", random.Random(choices.random())) for number in range(OWNERS)]
        self.record = folder / "record"
        self.starts_s: list[float] = []
        self._choices = choices
        self.helper_kills: Counter[str] = Counter()
        self._trading: list[asyncio.Task[None]] = []
        self._killing: asyncio.Task[None] | None = None

    async def run(self, kills: int) -> None:
        """Kill it so many times; look at it from outside all the time, and at its files now and then.

        Raises:
            AssertionError: a promise was broken; with the end of the node's log.
        """
        try:
            await self._run(kills)
        except Exception as error:
            raise AssertionError(f"{error!r}\n{self.node.tail()}") from error

    @property
    def _usual_s(self) -> float:
        """The time that a start takes; on a busy machine all else takes as many times longer."""
        return min(self.starts_s, default=0.5)

    async def _run(self, kills: int) -> None:
        moments = (self._kill_at_start, self._kill_at_work, self._kill_at_work, self._kill_at_work, self._kill_at_stop)
        for number in range(1, kills + 1):
            await self._choices.choice(moments)()
            if number % IMAGE_EVERY == 0:
                self._audit_image()
        await self._finish(kills)

    async def _kill_at_start(self) -> None:
        self._launch()
        await asyncio.sleep(self._choices.uniform(0, 1.2 * self._usual_s))
        await self._kill()

    async def _kill_at_work(self) -> None:
        await self._start()
        await asyncio.sleep(self._choices.uniform(0, 0.8 * self._usual_s))
        await self._kill()

    async def _kill_at_stop(self) -> None:
        await self._start()
        await asyncio.sleep(self._choices.uniform(0, 0.6 * self._usual_s))
        assert self.node.process is not None
        self.node.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(self._choices.uniform(0, 0.15))
        if self.node.process.poll() is None:
            await self._kill()
        else:
            await self._stopped()

    def _launch(self) -> None:
        names = self._choices.choice(((), PLUGINS[:1], PLUGINS[1:], PLUGINS))
        self._enable(names)
        self.node.launch()

    def _enable(self, names: Sequence[str]) -> None:
        every: dict[str, dict[str, Any]] = {
            "console_print": {"start": "genesis"},
            "recorder": {"start": "genesis", "options": {"record": str(self.record)}},
        }
        self.node.settings = {**self.node.settings, "events_plugins": {name: every[name] for name in names}}

    async def _start(self) -> None:
        begun = time.monotonic()
        self._launch()
        await self._until_open()
        self.starts_s.append(time.monotonic() - begun)
        self._trading = [asyncio.create_task(owner.trade(self.node.port)) for owner in self.owners]
        self._trading.append(asyncio.create_task(search(self.node.port, random.Random(self._choices.random()))))
        self._killing = asyncio.create_task(self._kill_helpers(random.Random(self._choices.random())))

    async def _kill_helpers(self, choices: random.Random) -> None:
        for _ in range(choices.randint(0, HELPER_KILLS_MOST)):
            await asyncio.sleep(choices.uniform(0, 0.5 * self._usual_s))
            assert self.node.process is not None
            self.helper_kills[kill_a_helper(self.node.process.pid, choices)] += 1

    async def _until_open(self) -> None:
        assert self.node.process is not None
        async with asyncio.timeout(START_S_MAX):
            while True:
                assert self.node.process.poll() is None, "the node has ended by itself"
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.node.port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    return

    async def _kill(self) -> None:
        assert self.node.process is not None
        assert self.node.process.poll() is None, "the node has ended by itself"
        self.node.kill()
        await self._end_trade()

    async def _stopped(self) -> None:
        assert self.node.process is not None
        assert self.node.process.returncode == 0
        await self._end_trade()
        for owner in self.owners:
            owner.stopped_cleanly()

    async def _end_trade(self) -> None:
        if self._killing is not None:
            self._killing.cancel()
        trading, self._trading = self._trading, []
        await until_broken(trading)

    def _audit_image(self) -> None:
        """Audit what a kill has left behind: the files as they are, opened by nobody since."""
        image = self.node.folder / "image"
        shutil.rmtree(image, ignore_errors=True)
        image.mkdir()
        for file in self.node.data.glob("ledger.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, image)
        self._compare(audit(image / "ledger.db").bodies)

    def _compare(self, bodies: Mapping[str, bytes]) -> None:
        for owner in self.owners:
            owner.require_kept(bodies)

    async def _finish(self, kills: int) -> None:
        """Start the node with all plugins, wait until it rests, stop it, and compare everything with everything."""
        self._enable(PLUGINS)
        self.node.launch()
        await self._until_open()
        for owner in self.owners:
            async with wire(self.node.port) as connection:
                await owner.check_promises(connection)
        head = self._head()
        await until(lambda: len(set(self._printed())) == head, "console_print to have seen every block")
        await until(lambda: len(set(self._recorded())) == head, "recorder to have seen every block")
        assert self.node.stop() == 0
        await self._stopped()
        audited = audit(self.node.data / "ledger.db")
        self._compare(audited.bodies)
        assert_each_in_order(self._printed(), audited.block_ids, repeats_max=kills)
        assert_each_in_order(self._recorded(), audited.block_ids, repeats_max=kills)
        assert not re.search(r"Traceback|critical|GAPPED|FAILED|BLOCKED", self.node.log), self.node.log
        print(
            f"{kills} kills, of its own processes {dict(self.helper_kills)}; "
            f"{len(self.starts_s)} starts of {min(self.starts_s):.2f} to {max(self.starts_s):.2f} s, "
            f"{head} blocks, {len(audited.bodies)} transactions"
        )

    def _head(self) -> int:
        with closing(sqlite3.connect(f"file:{self.node.data}/ledger.db?mode=ro", uri=True)) as connection:
            ((position,),) = connection.execute("SELECT position FROM tip").fetchall()
        return int(position)

    def _printed(self) -> list[str]:
        """Return the block ids on the console: one that a kill has cut stands there again, whole."""
        return re.findall("[0-9a-f]{64}", self.node.console)

    def _recorded(self) -> list[str]:
        return [line.split()[1] for line in whole_lines(self.record)]


async def search(port: int, choices: random.Random) -> None:
    """Search and list events until nothing listens: an answer is whole, refused, or breaks off.

    Raises:
        OSError: nothing listens.
    """
    while True:
        with suppress(EOFError, ConnectionResetError):  # the reader has ended, or the node
            answer = await ask(port, "GET", f"/api/v1/{choices.choice(SEARCHES)}")
            assert answer.status in {200, 503}, answer
            json.loads(answer.body)
        await asyncio.sleep(SEARCH_PAUSE_S)


def assert_each_in_order(seen: Sequence[str], block_ids: Sequence[str], *, repeats_max: int) -> None:
    """Require every block, in order, and of those seen twice only what was in hand when the node was killed."""
    heights = {block_id: height for height, block_id in enumerate(block_ids, 1)}
    steps = [heights[after] - heights[before] for before, after in itertools.pairwise(seen)]
    assert (seen[0], seen[-1]) == (block_ids[0], block_ids[-1])
    assert set(steps) <= {0, 1}  # P2, P3
    assert steps.count(0) <= repeats_max  # P6
