"""10,000 SIGKILLs over plugins, nodes and check processes: nothing lost, order kept, again only what was in hand (P6).

Two real nodes, four plugins each. The plugins kill themselves at moments that were drawn beforehand (decision 0026),
are killed from outside at any moment of their lives, starts included, and die with their node, which is killed too: at
its start, at work, within its stop. So are its check processes and its reader. Clients trade meanwhile, and hold the
node to every answer. The nodes, clients and the audit of what is left are those of
`tests/integration/node/test_kills.py`.

A kill is one SIGKILL that was sent; what died with its node is counted apart.
"""

import asyncio
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import kills_plugin
from bench.measure import Scale
from bench.plugins import until
from bench.report import Figure, at_most
from bigchaindb.simulated.victim import Kill, Moment, kill_count, write_plan
from tests.integration.node.audit import audit
from tests.integration.node.owners import Owner
from tests.integration.node.test_kills import IMAGE_EVERY, Campaign
from tests.support.packages import advertise
from tests.support.processes import children_of, is_helper, kill, kill_a_helper
from tests.support.raw import Wire, ask, wire

KILL_COUNT: Final = 10_000
NODE_NAMES: Final = ("one", "other")
OWNER_COUNT: Final = 2
PAUSE_S: Final = 0.05
"""Between two transactions of an owner: most of the machine is for starting what was killed."""
KINDS: Final = ("plain", "lagging", "explicit", "batches")
PLUGIN_KILLS_MOST: Final = 120
"""Kills of plugins in one life of a node; each number up to it is as likely."""
OUTSIDE_EVERY_S: Final = 0.6
"""Mean time between two kills from outside."""
HELPER_SHARE: Final = 0.5
"""Kills of a node's own processes, for each of those."""
HELPERS: Final = {
    "check process": "a check process",
    "parent": "the parent of a node's check processes",
    "reader": "a node's reader process",
}
GAP_MOST: Final = 20
"""Events that a process takes before it is killed from inside; each number up to it is as likely."""
RETRY: Final = {"delay_s_max": 0.5}
"""The shortest of the waits that operators can have: what waits is not killed."""
QUIET_S_MAX: Final = 120.0
"""Time without a kill after which something is stuck."""
CATCH_UP_S_MAX: Final = 120.0
CHECKOUT: Final = Path(__file__).parents[1]


def run(scale: Scale) -> list[Figure]:
    """Kill, then hold what the plugins wrote against the ledgers."""
    kills = scale.count(KILL_COUNT)
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    print(f"    repeat it with SEED={seed}", file=sys.stderr, flush=True)
    campaigns = [
        _Campaign(scale.folder / f"kills-{name}", random.Random(f"{seed} {name}"), kills // len(NODE_NAMES))
        for name in NODE_NAMES
    ]
    begin = time.perf_counter()
    asyncio.run(_carry_out(campaigns, kills // len(NODE_NAMES)))
    return _figures(campaigns, time.perf_counter() - begin)


async def _carry_out(campaigns: Sequence["_Campaign"], kills: int) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            for campaign in campaigns:
                tasks.create_task(campaign.run(kills))
    finally:
        for campaign in campaigns:
            campaign.node.kill()


def _figures(campaigns: Sequence["_Campaign"], duration_s: float) -> list[Figure]:
    judged = [one for campaign in campaigns for one in campaign.judged]
    inside = sum((lane.kills() for campaign in campaigns for lane in campaign.lanes), Counter[Moment]())
    outside = sum(campaign.outside_count for campaign in campaigns)
    node = sum(campaign.node_count for campaign in campaigns)
    helpers = sum((campaign.helper_kills for campaign in campaigns), Counter[str]())
    of_plugins = inside.total() + outside + node
    kills = of_plugins + sum(helpers[kind] for kind in HELPERS)
    repeats = sum(one.repeat_count for one in judged)
    return [
        Figure(what="kills", value=kills, unit=""),
        *(Figure(what=f"of a plugin, {moment}", value=inside[moment], unit="") for moment in Moment),
        Figure(what="of a plugin, from outside at any moment", value=outside, unit=""),
        Figure(what="of a node", value=node, unit=""),
        *(Figure(what=f"of {what}", value=helpers[kind], unit="") for kind, what in HELPERS.items()),
        Figure(
            what="further plugin processes that died with their node",
            value=sum(campaign.orphan_count for campaign in campaigns),
            unit="",
        ),
        Figure(what="kills a second", value=kills / duration_s, unit="/s"),
        Figure(what="transactions promised and kept", value=sum(one.promised_count for one in campaigns), unit=""),
        Figure(what="answers that took over 10 s", value=sum(one.unanswered_count for one in campaigns), unit=""),
        Figure(what="events due to all plugins", value=sum(one.event_count for one in judged), unit=""),
        Figure(what="events lost", value=sum(one.lost_count for one in judged), unit="", limit=at_most(0)),
        Figure(what="events out of order", value=sum(one.disorder_count for one in judged), unit="", limit=at_most(0)),
        Figure(what="events that came again, a kill of a plugin or node", value=repeats / of_plugins, unit=""),
        Figure(
            what="events that came again beyond what was in hand, at most",
            value=max(one.excess_most for one in judged),
            unit="",
            limit=at_most(0),
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The content of a plugin's record.

    Attributes:
        event_count: of the log, each of which it had to get.
        lost_count: events that are not in the record.
        disorder_count: lines that do not follow the one before in the same run, begin a run behind a hole, or name
            another block than the ledger.
        repeat_count: lines of events that an earlier run had written.
        excess_most: by how many a run began further back than what can have been in hand.
    """

    event_count: int
    lost_count: int
    disorder_count: int
    repeat_count: int
    excess_most: int


def judge(lines: Iterable[str], block_ids: Sequence[str], *, in_hand_most: int) -> Judged:
    """Hold a record against the ids of all blocks, by position."""
    seen: set[int] = set()
    disorder_count = repeat_count = excess_most = highest = 0
    last_run, last_position = "", 0
    for line in lines:
        run, text, block_id = line.split()
        position = int(text)
        if run == last_run:
            follows = position == last_position + 1
        else:
            follows = position <= highest + 1
            excess_most = max(excess_most, highest + 1 - position - in_hand_most)
        disorder_count += not (follows and block_ids[position - 1 : position] == [block_id])
        repeat_count += position in seen
        seen.add(position)
        highest = max(highest, position)
        last_run, last_position = run, position
    return Judged(
        event_count=len(block_ids),
        lost_count=len(set(range(1, len(block_ids) + 1)) - seen),
        disorder_count=disorder_count,
        repeat_count=repeat_count,
        excess_most=excess_most,
    )


@dataclass(frozen=True)
class _Lane:
    """A plugin that is killed, and its files."""

    name: str
    folder: Path
    plan: Sequence[Kill] = field(repr=False)

    @property
    def record(self) -> Path:
        return self.folder / "record"

    def threaten(self, site: Path) -> None:
        """Install it, with all its kills to come."""
        self.folder.mkdir(parents=True)
        self.record.touch()
        write_plan(self.folder, f"bench.kills_plugin:{self.name}", self.plan)
        module = f"kills_{self.name}"
        (site / f"{module}.py").write_text(
            f"from bench.kills_plugin import Killed\n\nvictim = Killed({str(self.folder)!r})\n"
        )

    def spare(self) -> None:
        """Kill it no more; none of its processes may be running."""
        write_plan(self.folder, f"bench.kills_plugin:{self.name}", self.plan[: kill_count(self.folder)])

    def kills(self) -> Counter[Moment]:
        """Count the kills from inside by moment."""
        return Counter(kill.moment for kill in self.plan[: kill_count(self.folder)])

    def last_position(self) -> int:
        """Return the position that was written last, from the end of a record that may be long."""
        with self.record.open("rb") as record:
            record.seek(max(0, record.seek(0, os.SEEK_END) - 1_000))
            lines = record.read().rpartition(b"\n")[0].splitlines()  # the last may be half written
        return int(lines[-1].split()[1]) if lines else 0

    def judge(self, block_ids: Sequence[str]) -> Judged:
        plugin: kills_plugin.Recorder = getattr(kills_plugin, self.name)
        with self.record.open() as record:
            return judge(record, block_ids, in_hand_most=plugin.in_hand_most)


class _PacedOwner(Owner):
    """A client that leaves the machine some time, and hangs up when an answer is not there after ten seconds.

    Attributes:
        unanswered_count: how often; on a machine that is busy enough it says nothing of the node.
    """

    unanswered_count = 0

    async def trade(self, port: int) -> None:
        """Trade until the connection breaks, or is broken by this side: what it left open is asked for later."""
        try:
            await super().trade(port)
        except TimeoutError as error:
            self.unanswered_count += 1
            begin = time.monotonic()
            with suppress(OSError, EOFError):  # is it the node or a connection of its?
                await ask(port, "GET", "/api/v1/")
            took_s, load = time.monotonic() - begin, os.getloadavg()[0]
            print(
                f"    no answer for 10 s; to GET / after {took_s:.1f} s, load {load:.1f}", file=sys.stderr, flush=True
            )
            raise ConnectionAbortedError("the client has hung up") from error

    async def _step(self, connection: Wire, another: Wire) -> None:
        await asyncio.sleep(PAUSE_S)
        await super()._step(connection, another)


class _Campaign(Campaign):
    """One node and its plugins, killed again and again.

    Attributes:
        judged: of each plugin, once all is over.
        outside_count: kills of plugins from outside.
        node_count: kills of the node.
        orphan_count: plugin processes that died with it.
        promised_count: transactions that the clients were told are committed.
        unanswered_count: answers that they did not wait for.
    """

    def __init__(self, folder: Path, choices: random.Random, kills: int) -> None:
        site = folder / "site"
        super().__init__(folder, {"PYTHONPATH": f"{site}{os.pathsep}{CHECKOUT}"}, choices)
        self._paced = [_PacedOwner(f"owner {number}", random.Random(choices.random())) for number in range(OWNER_COUNT)]
        self.owners = [*self._paced]
        self.lanes = [_Lane(kind, folder / "lanes" / kind, _draw_kills(choices, kills)) for kind in KINDS]
        advertise(site, site.name, {f"kills_{lane.name}": f"kills_{lane.name}:victim" for lane in self.lanes})
        for lane in self.lanes:
            lane.threaten(site)
        self._goal = kills
        self.judged: list[Judged] = []
        self.outside_count = self.node_count = self.orphan_count = self.promised_count = self.unanswered_count = 0

    def _enable(self, _names: Sequence[str]) -> None:
        self.node.settings = {
            **self.node.settings,
            "events_plugins": {f"kills_{lane.name}": _settings(lane) for lane in self.lanes},
        }

    async def _run(self, kills: int) -> None:
        moments = (self._kill_at_start, self._kill_at_work, self._kill_at_work, self._kill_at_work, self._kill_at_stop)
        audited = 0
        while self._plugin_count() + self.node_count < kills:
            await self._choices.choice(moments)()
            if self.node_count - audited >= IMAGE_EVERY:
                await asyncio.to_thread(self._audit_image)  # the other node's clients go on meanwhile
                audited = self.node_count
        await self._finish(kills)

    async def _start(self) -> None:
        await super()._start()
        left = self._goal - self._plugin_count() - self.node_count
        await self._kill_plugins(self._choices.randrange(min(PLUGIN_KILLS_MOST, max(1, left))))

    async def _kill_plugins(self, count: int) -> None:
        """Wait until so many plugins were killed by themselves; kill some, and what the node has, from outside."""
        known, since = self._plugin_count(), time.monotonic()
        goal = known + count
        while (found := self._plugin_count()) < goal:
            assert self.node.process is not None
            assert self.node.process.poll() is None, "the node has ended by itself"
            if found > known:
                known, since = found, time.monotonic()
            assert time.monotonic() - since < QUIET_S_MAX, f"no plugin was killed for {QUIET_S_MAX} s"
            await asyncio.sleep(self._choices.uniform(0, 2 * OUTSIDE_EVERY_S))
            if pids := self._plugin_pids():
                self.outside_count += kill(self._choices.choice(pids))
            if self._choices.random() < HELPER_SHARE:
                self.helper_kills[kill_a_helper(self.node.process.pid, self._choices)] += 1

    async def _kill(self) -> None:
        pids = self._plugin_pids()
        await super()._kill()
        self.node_count += 1
        self.orphan_count += len(pids)

    def _plugin_count(self) -> int:
        return self.outside_count + sum(kill_count(lane.folder) for lane in self.lanes)

    def _plugin_pids(self) -> list[int]:
        """Return the node's children but for those that it has for itself."""
        assert self.node.process is not None
        return [child for child in children_of(self.node.process.pid) if not is_helper(child)]

    async def _finish(self, kills: int) -> None:
        """Start the node without a kill, wait until it is at rest, stop it, and compare everything with everything."""
        for lane in self.lanes:
            lane.spare()
        self._launch()
        await self._until_open()
        for owner in self.owners:
            async with wire(self.node.port) as connection:
                await owner.check_promises(connection)
        head = self._head()
        await until(lambda: all(lane.last_position() == head for lane in self.lanes), within_s=CATCH_UP_S_MAX)
        assert self.node.stop() == 0
        await self._stopped()
        audited = audit(self.node.data / "ledger.db")
        self._compare(audited.bodies)
        self.promised_count = sum(len(owner.promised) for owner in self.owners)
        self.unanswered_count = sum(owner.unanswered_count for owner in self._paced)
        self.judged = [lane.judge(audited.block_ids) for lane in self.lanes]
        complaints = re.findall(r".*(?:Traceback|critical|GAPPED|FAILED|BLOCKED|set aside).*", self.node.log)
        assert not complaints, (kills, complaints[:3])


def _settings(lane: _Lane) -> Mapping[str, Any]:
    return {"start": "genesis", "retry": RETRY, "options": {"record": str(lane.record)}}


def _draw_kills(choices: random.Random, count: int) -> list[Kill]:
    """Draw more than there can be; `position` is how many events after the first one of the process."""
    moments = list(Moment)
    return [Kill(choices.choice(moments), choices.randint(0, GAP_MOST), choices.random()) for _ in range(count)]
