"""`POST /api/v1/subscriptions/NAME/pull`: a subscription for functions, cron jobs, and proxies without WebSockets.

Each pull is a consumer of its own, and stays one until nothing of it is leased any more. A lease is an event's tag: it
names one delivery, so an answer never reaches another one (P18). Source: docs/reference/subscriptions.md, "Pull".
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Final, TypeAlias

import msgspec
import orjson
from msgspec import Meta, Struct, field

from bigchaindb.access.gate import Gate
from bigchaindb.api.answers import Answer, json_line
from bigchaindb.api.call import Call, Context, WhileThere
from bigchaindb.api.orders import body_of
from bigchaindb.api.plugins import scope_of
from bigchaindb.api.problems import RETRY_AFTER, Problem, plain
from bigchaindb.api.puller import Lease, Puller
from bigchaindb.api.subscription_frames import Delay
from bigchaindb.api.subscription_session import PIECE_COUNT
from bigchaindb.config import Limits
from bigchaindb.errors import Overloaded
from bigchaindb.eventlog.lane import WAITING, State
from bigchaindb.eventlog.sharing import Delivery
from bigchaindb.subscribers.consuming import Desks, Given, Standing
from bigchaindb.subscribers.plugins import one_line

COUNT: Final = 100
COUNT_MAX: Final = 1_000
WAIT_S_MAX: Final = 60
LEASE_S: Final = 30.0
BEGIN_S: Final = 5.0
"""Time within which a pull that does not wait gives what is in the log already: its subscription may have to begin."""
LOOK_S: Final = 0.05
LABEL: Final = "pull"
BODY_BYTES_MAX: Final = 256 * 1024
"""Of a pull: four thousand leases take 170 KiB."""
COMMA_COUNT_MAX: Final = 16_000
"""Of a pull, whose four lists can need half as many besides those of its texts. A list is read whole before it is
refused, 5 ms of the loop for one of 65,000 entries."""
_MANY: Final = Meta(max_length=COUNT_MAX)
"""Answers of a kind, as many as a pull gives events: what a body may cost is bounded."""


class NackedLease(Struct, frozen=True, forbid_unknown_fields=True):
    """An event that is to come again."""

    lease: str
    delay_s: Delay | None = None
    error: str = ""
    unavailable: bool = False


class ParkedLease(Struct, frozen=True, forbid_unknown_fields=True):
    """An event that is to be set aside for a person."""

    lease: str
    error: str = ""


class Pull(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request. See docs/reference/subscriptions.md.

    Attributes:
        lease_s: 0 until `_read` has put in the default, which the node's limit bounds.
    """

    count: Annotated[int, Meta(ge=0, le=COUNT_MAX)] = COUNT
    wait_s: Annotated[float, Meta(ge=0, le=WAIT_S_MAX)] = 0.0
    lease_s: Annotated[float, Meta(ge=1)] = 0.0
    ack: Annotated[list[str], _MANY] = field(default_factory=list)
    nack: Annotated[list[NackedLease], _MANY] = field(default_factory=list)
    park: Annotated[list[ParkedLease], _MANY] = field(default_factory=list)
    extend: Annotated[list[str], _MANY] = field(default_factory=list)


Held: TypeAlias = Callable[[Iterable[str]], Mapping[Puller, dict[Delivery, str]]]
"""Ends leases, and returns their deliveries by the pulls that had them."""


async def post(context: Context, call: Call) -> Answer:
    """Answer `POST …/pull`."""
    return await context.pull(call)


class Pulls:
    """All pulls of a node, and what is leased. Belongs to the event loop."""

    def __init__(self, desks: Desks, gate: Gate, limits: Limits) -> None:
        self._desks = desks
        self._gate = gate
        self._limits = limits
        self._leases: dict[str, Lease] = {}
        self._waiting_count = 0

    async def serve(self, call: Call) -> Answer:
        """Carry out the answers of a pull, and give it events.

        Raises:
            Problem: the body is no pull, or its principal may no longer pull.
            Overloaded: as many pulls are under way as may be.
            UnknownSubscription: there is none of that name.
            Stopping: the node stops.
            ConnectionError: the client is gone.
        """
        pull, name = _read(await body_of(call, BODY_BYTES_MAX), self._limits), call.parameter
        if pull.count and self._waiting_count >= self._limits.pull_waiting_count_max:
            count = self._waiting_count
            raise Overloaded(f"{count} pulls are under way (limits.pull_waiting_count_max); try again later")
        self._waiting_count += 1
        try:
            stale = await self._carry_out(name, pull, call.while_there)
            return await self._serve(name, pull, stale, call)
        finally:
            self._waiting_count -= 1

    async def _serve(self, name: str, pull: Pull, stale: Sequence[str], call: Call) -> Answer:
        puller = Puller(name, self._leases)
        try:
            puller.attend(self._desks.attach(name, puller, room_count=max(pull.count, 1), label=LABEL))
        except Overloaded as error:
            full = {"message": str(error), "status": 429, "stale": stale}
            return Answer(HTTPStatus.TOO_MANY_REQUESTS, json_line(full), RETRY_AFTER, logged=str(error))
        principal = call.principal
        unwatch = None if principal is None else self._gate.watch(principal, puller.deny, scope_of(name))
        try:
            return await self._give(puller, pull, stale, call.while_there)
        finally:
            if unwatch is not None:
                unwatch()
            puller.stop_taking()
            puller.settle()

    async def _give(self, puller: Puller, pull: Pull, stale: Sequence[str], while_there: WhileThere) -> Answer:
        loop = asyncio.get_running_loop()
        until_s, begun_s = loop.time() + pull.wait_s, loop.time() + BEGIN_S
        given: list[Given] = []
        while pull.count:
            puller.woken.clear()
            given = puller.take(pull.count, self._limits.event_page_bytes_max)
            standing, now_s = puller.standing, loop.time()
            if given or standing.state in WAITING:
                break
            if now_s >= until_s and (puller.is_level or now_s >= begun_s):
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(until_s - now_s if now_s < until_s else LOOK_S):
                    await while_there(puller.woken.wait())
        standing = puller.standing
        if pull.count and not given and standing.state in WAITING:
            return _refusal(puller.name, standing, stale)
        is_level = pull.count > len(given) and puller.is_level
        return _page(puller.lease(given, pull.lease_s), stale, standing, is_level=is_level)

    async def _carry_out(self, name: str, pull: Pull, while_there: WhileThere) -> list[str]:
        """Carry answers out; return the leases that are stale, each once."""
        stale, pullers = dict[str, None](), set[Puller]()

        def held(texts: Iterable[str]) -> Mapping[Puller, dict[Delivery, str]]:
            found = self._take_back(name, texts, stale)
            pullers.update(found)
            return found

        try:
            for puller, texts in held(pull.ack).items():
                stale.update((texts[late], None) for late in puller.attendance.ack([*texts]))
            await self._hand_back(pull, held, stale, while_there)
            for text in dict.fromkeys(pull.extend):
                if (lease := self._find(name, text)) is None:
                    stale[text] = None
                else:
                    lease.puller.extend(lease.delivery, pull.lease_s)
                    pullers.add(lease.puller)
        finally:
            for puller in pullers:
                puller.settle()
        return list(stale)

    async def _hand_back(self, pull: Pull, held: Held, stale: dict[str, None], while_there: WhileThere) -> None:
        """Nack events, and have them set aside; some in each turn of the loop."""
        for count, nack in enumerate(pull.nack, 1):
            why = one_line(nack.error or "the consumer nacked it")
            for puller, texts in held([nack.lease]).items():
                late = puller.attendance.nack(
                    [*texts], delay_s=nack.delay_s, error=why, is_unavailable=nack.unavailable
                )
                stale.update((texts[one], None) for one in late)
            if count % PIECE_COUNT == 0:
                await asyncio.sleep(0)
        parkings = []
        for count, park in enumerate(pull.park, 1):
            why = one_line(park.error or "the consumer parked it")
            for puller, texts in held([park.lease]).items():
                parkings.append((texts, asyncio.ensure_future(puller.attendance.park([*texts], error=why))))
            if count % PIECE_COUNT == 0:
                await asyncio.sleep(0)
        for texts, parking in parkings:  # all are written down together
            stale.update((texts[one], None) for one in await while_there(asyncio.shield(parking)))

    def _find(self, name: str, text: str) -> Lease | None:
        lease = self._leases.get(text)
        return None if lease is None or lease.puller.name != name else lease

    def _take_back(
        self, name: str, texts: Iterable[str], stale: dict[str, None]
    ) -> Mapping[Puller, dict[Delivery, str]]:
        """End leases; return their deliveries by the pulls that had them, and add those that are `stale`."""
        found: defaultdict[Puller, dict[Delivery, str]] = defaultdict(dict)
        for text in dict.fromkeys(texts):
            if (lease := self._find(name, text)) is None:
                stale[text] = None
            else:
                lease.puller.drop([lease.delivery])
                found[lease.puller][lease.delivery] = text
        return found


def _read(body: bytes, limits: Limits) -> Pull:
    if (count := body.count(b",")) > COMMA_COUNT_MAX:
        text = (
            f"it has {count} commas, and no pull needs over {COMMA_COUNT_MAX}: a list has at most {COUNT_MAX} entries"
        )
        raise Problem(plain(400, f"the body is no pull: {text}"))
    try:
        pull = _PULLS.decode(body or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        known = _KNOWN if "unknown field" in str(error) else ""
        raise Problem(plain(400, f"the body is no pull: {error}{known}")) from None
    if pull.lease_s > limits.lease_s_max:
        text = f"`lease_s` is {pull.lease_s:g}, and must be 1 to {limits.lease_s_max:g} (limits.lease_s_max)"
        raise Problem(plain(400, f"the body is no pull: {text}"))
    return pull if pull.lease_s else msgspec.structs.replace(pull, lease_s=min(LEASE_S, limits.lease_s_max))


_PULLS: Final[msgspec.json.Decoder[Pull]] = msgspec.json.Decoder(Pull)
_KNOWN: Final = "".join(
    f"; {what} has {', '.join(kind.__struct_fields__)}"
    for what, kind in (("a pull", Pull), ("a nack", NackedLease), ("a park", ParkedLease))
)


def _page(leased: Iterable[tuple[str, Given]], stale: Sequence[str], standing: Standing, *, is_level: bool) -> Answer:
    events = [
        b'{"lease":"%b","attempt":%d,"event":%b}' % (text.encode(), one.delivery.attempt, one.envelope)
        for text, one in leased
    ]
    rest = orjson.dumps({"stale": stale, "level": is_level, "token": standing.token}, option=orjson.OPT_APPEND_NEWLINE)
    return Answer(200, b'{"events":[%b],%b' % (b",".join(events), rest[1:]))


def _refusal(name: str, standing: Standing, stale: Sequence[str]) -> Answer:
    """Return the answer of a subscription that gives nothing until somebody has done something."""
    why = f": {standing.reason}" if standing.reason else ""
    status = 410 if standing.state is State.GAPPED else 409
    message = f"the subscription {name!r} is {standing.state}{why}"
    about = {"state": str(standing.state), "reason": standing.reason, "stale": stale}
    return Answer(status, json_line({"message": message, "status": status, **about}), logged=message)
