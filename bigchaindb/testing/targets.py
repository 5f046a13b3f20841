"""What a suite of sinks needs: a target, messages that must arrive there, and a sink that is running.

See `bigchaindb.testing.sinks`.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from bigchaindb.config.settings import RetrySettings
from bigchaindb.delivery import Message, Per, messages_of
from bigchaindb.events import Event
from bigchaindb.simulated.chain import Recipe, events, read_events
from bigchaindb.simulated.rehearsal import Rehearsal, rehearse
from bigchaindb.store import Log

RECIPE: Final = Recipe(blocks=60, transactions=4, invalid=0.1, seed=7)
WITHIN_S: Final = 60.0
"""Time for what a test waits for, on a busy machine."""
POLL_S: Final = 0.02
"""Time between two looks at it."""

POLICY: Final = {"attempts": 2, "duration_s": 0, "delay_s_max": 0.1}
"""After which a message that is refused is soon set aside."""


class Held(NamedTuple):
    """One message as the target has it.

    Attributes:
        id: of the message.
        key: messages of one key have to be in order.
        data: the JSON of the event or the transaction.
    """

    id: str
    key: str
    data: bytes


class Trouble(NamedTuple):
    """A place where something does not arrive.

    Attributes:
        options: by which a sink gets there.
        mend: puts it right.
        said: part of the error that people see.
    """

    options: dict[str, Any]
    mend: Callable[[], object]
    said: str = ""


class Target(Protocol):
    """What a sink writes to."""

    def options(self, **more: object) -> dict[str, Any]:
        """Return options with which the sink works."""
        ...

    def held(self) -> Sequence[Held]:
        """Return the messages that have arrived, in their order, repeats included."""
        ...


class Hooks(Target, Protocol):
    """What else a target can do; which of these one cannot, `SinkSuite.cannot` says."""

    def places(self) -> Collection[str]:
        """Return the names of all that is there: tables, topics, queues, files."""
        ...

    def missing(self) -> Trouble:
        """Return options that name a place which is not there, and which the sink is not to make."""
        ...

    def full(self) -> Trouble:
        """Return options that name a place without room."""
        ...

    def refusing(self, message: Message) -> Trouble:
        """Return options that name a place which refuses this message and no other."""
        ...

    def limited(self) -> "Target":
        """Return a target that takes no message of 60,000 bytes; see `SinkSuite.large_transactions`."""
        ...


class ShapedTarget(Target, Protocol):
    """What a sink writes to that takes `format` and `fields`."""

    def bodies(self) -> Sequence[bytes]:
        """Return the bodies of the messages that have arrived, in any order, repeats included."""
        ...


@runtime_checkable
class Service(Target, Protocol):
    """A target that is a process of its own.

    Attributes:
        secret: what its options hold and nothing may show.
    """

    secret: str

    def start(self) -> None:
        """Start it again, with what it had."""
        ...

    def kill(self) -> None:
        """SIGKILL."""
        ...

    def freeze(self) -> None:
        """Stop its processes, so that it takes bytes and answers nothing."""
        ...

    def thaw(self) -> None:
        """Continue the processes that `freeze` stopped."""
        ...

    def wrong_credentials(self, secret: str) -> dict[str, Any]:
        """Return options with this secret, which the service refuses."""
        ...

    def secured(self) -> tuple[Target, dict[str, Any]]:
        """Return a target that is reached by TLS, and options for it that trust another authority."""
        ...


def expected(recipe: Recipe, per: Per) -> list[Message]:
    """Return the messages that must arrive, in order."""
    return [message for event in events(recipe) for message in messages_of(event, per)]


def passed(folder: Path, recipe: Recipe, per: Per) -> list[Message]:
    """Return the same of what a sink ran over in the folder, without making it again."""
    with closing(Log(folder / "data" / "ledger.db")) as log:
        return [message for event in read_events(log, recipe.chain_id) for message in messages_of(event, per)]


def check(held: Sequence[Held], messages: Sequence[Message], *, exactly_once: bool, in_order: bool = True) -> None:
    """Require every message to be there, with its bytes, and in order within its key unless one was parked."""
    data = {message.id: message.data for message in messages}
    ids = {one.id for one in held}
    assert ids == data.keys(), (
        f"{len(data.keys() - ids)} of {len(data)} are missing, {len(ids - data.keys())} are foreign"
    )
    assert all(one.data == data[one.id] for one in held)
    if exactly_once:
        assert len(held) == len(data)
    if not in_order:
        return
    firsts: dict[str, Held] = {}
    for one in held:
        firsts.setdefault(one.id, one)
    orders: dict[str, list[int]] = defaultdict(list)
    places = {message.id: place for place, message in enumerate(messages)}
    for one in firsts.values():
        orders[one.key].append(places[one.id])
    assert all(order == sorted(order) for order in orders.values())


async def until(condition: Callable[[], object], what: str, run: Rehearsal | None = None) -> None:
    """Wait for a condition, as long as the sink of a run settles events: a long chain takes its time."""
    clock, settled = asyncio.get_running_loop().time, -1
    deadline = clock() + WITHIN_S
    while not condition():
        if run and run.status().position != settled:
            settled, deadline = run.status().position, clock() + WITHIN_S
        assert clock() < deadline, f"waited {WITHIN_S:g} s for {what}; the lane: {run and run.status()}"
        await asyncio.sleep(POLL_S)


@asynccontextmanager
async def passing(
    folder: Path,
    sink: str,
    options: Mapping[str, Any],
    recipe: Recipe = RECIPE,
    *,
    retry: Mapping[str, float] | None = None,
) -> AsyncIterator[Rehearsal]:
    """Run a sink over a chain that grows by and by, with its data in the folder."""
    policy = RetrySettings(**retry) if retry else None  # type: ignore[arg-type]
    async with rehearse(folder / "data", recipe, sink, options, retry=policy) as run:
        yield run


async def done(run: Rehearsal) -> None:
    """Grow the chain to its end, and wait until the sink has acknowledged all of it."""
    run.grow()
    await until(lambda: run.status().lag == 0, "the sink to be done", run)


def position_of(id_: str) -> int:
    """Return the position that the id of a message names."""
    return int(id_.split(":")[1])


def require_sentence(text: str, beginning: str = "") -> None:
    """Require an error for people: in one line, so that a log has it whole."""
    assert text.startswith(beginning), text
    assert text.strip() == text != "", repr(text)
    assert "\n" not in text, text


def has_transfer(event: Event) -> bool:
    """Whether a transaction of an event is a transfer."""
    return any(transaction["operation"] == "TRANSFER" for transaction in event.data["transactions"])
