"""Definitions of subscriptions: read, completed, bounded and compared. Pure.

Source: docs/reference/subscriptions.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import msgspec

from bigchaindb.errors import ConfigurationError, MalformedSubscription, UnknownPlace
from bigchaindb.eventlog import numbering, place
from bigchaindb.eventlog.bounds import NAME_RULE, is_name
from bigchaindb.eventlog.retrying import Backoff, OnFailure, Policy
from bigchaindb.eventlog.selection import Selection, from_data
from bigchaindb.events import EventTypes

EVENTS: Final = "events"
REJECTED: Final = "rejected"
BLOCK: Final = "block"
TRANSACTION: Final = "transaction"
BY_ASSET: Final = "asset"
BY_LOG: Final = "log"
UNORDERED: Final = "none"

WINDOW_COUNT: Final = 1_024
"""Slots unless a definition names another number: ten consumers with their usual 100 events each."""
DEFINITION_BYTES_MAX: Final = 16 * 1_024
"""Bytes of a definition as JSON: a thousand of them stay in memory, whether anybody consumes or not."""
ATTEMPT_COUNT_MAX: Final = 1_000_000
SECONDS_MAX: Final = 10**9
"""Thirty years: what timers and clocks take."""
ANSWER_S_MIN: Final = 1
"""A lower one would take events back that are still on their way to a consumer."""
EXPIRES_S_MIN: Final = 10
"""A consumer that reconnects must find its subscription; the desk itself waits five seconds for one."""

_TYPES: Final[Mapping[str, int]] = {"valid": EventTypes.BLOCK_VALID, "invalid": EventTypes.BLOCK_INVALID}
_FIXED: Final = ("log", "granularity")
_CREATION: Final = "start"
"""The member that counts only when a subscription is created; later a seek moves it."""
_MEMBERS: Final = (
    "log",
    "granularity",
    "types",
    "select",
    "order",
    "start",
    "window",
    "retry",
    "on_failure",
    "answer_s",
    "expires_s",
)
_RETRY_MEMBERS: Final = ("attempts", "duration_s", "delay_s_max")
_SHOWN_MAX: Final = 80
_encode: Final = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """What a subscription delivers, and how.

    Attributes:
        name: of its lane.
        document: every member as JSON, defaults included: what `read` takes and clients see.
        log: `EVENTS` or `REJECTED`.
        granularity: `BLOCK` or `TRANSACTION`: what one event is.
        types: a mask of `bigchaindb.events.EventTypes`; of rejected transactions all.
        selection: which of the events.
        order: `BY_ASSET`, `BY_LOG` or `UNORDERED`: what a key is.
        start: the place where it began, as it was written.
        window_count: events in hand at once; a lower limit of the node's counts more.
        policy: when an event comes again, and what becomes of it in the end.
        answer_s: seconds after which an unanswered event is taken from its consumer.
        expires_s: seconds without a consumer after which the subscription goes.
    """

    name: str
    document: Mapping[str, Any] = field(repr=False)
    log: str
    granularity: str
    types: int
    selection: Selection
    order: str
    start: str
    window_count: int
    policy: Policy
    answer_s: float | None
    expires_s: float | None

    @classmethod
    def read(cls, name: str, definition: object, window_count_max: int | None = None) -> Self:
        """Return the subscription of a definition; a member that is null or missing has its default.

        Args:
            name: from anyone.
            definition: from anyone, as parsed from JSON.
            window_count_max: the node's limit; None for what is in force already.

        Raises:
            MalformedSubscription: a member is unknown, of another type or out of its bounds.
        """
        if not is_name(name):
            raise MalformedSubscription(f"name: must be {NAME_RULE}, found {_shown(name)}")
        given = _members(definition, "", _MEMBERS, "a subscription")
        log = _one_of(given, "log", (EVENTS, REJECTED), EVENTS)
        granularity = _granularity(given, log)
        types = _types(given, log, granularity)
        policy, retry = _policy(given)
        window_max = place.POSITION_MAX if window_count_max is None else window_count_max
        document = {
            "log": log,
            "granularity": granularity,
            "types": types,
            "select": given.get("select", {}),
            "order": _order(given, granularity),
            "start": _start(given, log),
            "window": _number(given, "window", 1, window_max, min(WINDOW_COUNT, window_max), whole=True),
            "retry": retry,
            "on_failure": policy.on_failure.value,
            "answer_s": _number(given, "answer_s", ANSWER_S_MIN, SECONDS_MAX, None),
            "expires_s": _number(given, "expires_s", EXPIRES_S_MIN, SECONDS_MAX, None),
        }
        selection = _selection(document["select"])
        if (size := len(_encode(document))) > DEFINITION_BYTES_MAX:
            raise MalformedSubscription(
                f"the definition has {size} bytes as JSON, at most {DEFINITION_BYTES_MAX} are allowed; select less"
            )
        return cls(
            name=name,
            document=document,
            log=log,
            granularity=granularity,
            types=EventTypes.ALL if types is None else sum(_TYPES[one] for one in types),
            selection=selection,
            order=document["order"],
            start=document["start"],
            window_count=document["window"],
            policy=policy,
            answer_s=document["answer_s"],
            expires_s=document["expires_s"],
        )

    @property
    def numbering(self) -> numbering.Numbering:
        """How its events are numbered."""
        is_part = self.log == EVENTS and self.granularity == TRANSACTION
        return numbering.TRANSACTIONS if is_part else numbering.ROWS

    @property
    def text(self) -> str:
        """The definition as JSON, as it is stored."""
        return _encode(self.document).decode()

    def differences(self, other: Self) -> Sequence[str]:
        """Return a text for each member that another definition of this name has otherwise; `start` is not compared."""
        return [
            f"{member} is {ours}, not {theirs}"
            for member in _MEMBERS
            if member != _CREATION
            # As texts: 1, 1.0 and true are equal to Python, and select other transactions.
            and (ours := _json(self.document[member])) != (theirs := _json(other.document[member]))
        ]

    def changed(self, other: Self) -> Self:
        """Return the subscription with another definition, from the place that it has reached.

        Raises:
            MalformedSubscription: a member differs that is fixed.
        """
        for member in _FIXED:
            if (ours := self.document[member]) != (theirs := other.document[member]):
                raise MalformedSubscription(
                    f"{member}: is fixed as {ours!r} for the life of subscription {self.name!r}, found {theirs!r}; "
                    "delete the subscription, or create one of another name"
                )
        return type(self).read(self.name, {**other.document, _CREATION: self.start})


def _granularity(given: Mapping[str, Any], log: str) -> str:
    granularity = _one_of(given, "granularity", (BLOCK, TRANSACTION), TRANSACTION if log == REJECTED else BLOCK)
    if log == REJECTED and granularity == BLOCK:
        raise MalformedSubscription("granularity: the log of rejected transactions has no blocks; set 'transaction'")
    return granularity


def _types(given: Mapping[str, Any], log: str, granularity: str) -> Sequence[str] | None:
    types = given.get("types")
    if log == REJECTED:
        if types is not None:
            raise MalformedSubscription(f"types: belongs to the log 'events', found {_shown(types)}; leave it out")
        return None
    if types is None:
        return ["valid"] if granularity == TRANSACTION else [*_TYPES]
    if not isinstance(types, list) or not types or any(one not in [*_TYPES] for one in types):
        raise MalformedSubscription(f"types: must be a list of 'valid', 'invalid' or both, found {_shown(types)}")
    if granularity == TRANSACTION and types != ["valid"]:
        raise MalformedSubscription(
            "types: transactions are those of valid blocks, so it must be ['valid'] or missing, found another list; "
            "or set granularity 'block'"
        )
    return [one for one in _TYPES if one in types]


def _order(given: Mapping[str, Any], granularity: str) -> str:
    default = BY_ASSET if granularity == TRANSACTION else BY_LOG
    order = _one_of(given, "order", (BY_ASSET, BY_LOG, UNORDERED), default)
    if order == BY_ASSET and granularity == BLOCK:
        raise MalformedSubscription(
            "order: a block is of no single asset; set 'log' or 'none', or granularity 'transaction'"
        )
    return order


def _start(given: Mapping[str, Any], log: str) -> str:
    start = given.get("start", "now")
    try:
        where = place.parse(start if isinstance(start, str) else "")
    except UnknownPlace:
        raise MalformedSubscription(f"start: must be {place.FORMS}, found {_shown(start)}") from None
    if log == REJECTED and isinstance(where, place.AtHeight | place.AtTime):
        raise MalformedSubscription(
            f"start: rejected transactions are of no block; must be now, genesis or a token, found {_shown(start)}"
        )
    return str(start)


def _policy(given: Mapping[str, Any]) -> tuple[Policy, Mapping[str, Any]]:
    of_retry = _members(given.get("retry", {}), "retry.", _RETRY_MEMBERS, "retry")
    default = Policy()
    attempts = _number(of_retry, "retry.attempts", 1, ATTEMPT_COUNT_MAX, default.attempts, whole=True)
    duration_s = _number(of_retry, "retry.duration_s", 0, SECONDS_MAX, default.duration_s)
    delay_s_max = _number(of_retry, "retry.delay_s_max", 0.001, SECONDS_MAX, default.backoff.max_s)
    policy = Policy(
        backoff=Backoff(max_s=delay_s_max),
        attempts=attempts,
        duration_s=duration_s,
        on_failure=OnFailure(_one_of(given, "on_failure", [*OnFailure], OnFailure.PARK)),
    )
    return policy, {"attempts": attempts, "duration_s": duration_s, "delay_s_max": delay_s_max}


def _selection(select: object) -> Selection:
    try:
        return from_data(select, "select")
    except ConfigurationError as error:
        raise MalformedSubscription(str(error)) from error


def _members(value: object, above: str, known: Sequence[str], who: str) -> Mapping[str, Any]:
    """Return the members that are not null."""
    if not isinstance(value, dict):
        raise MalformedSubscription(f"{above[:-1] or 'the definition'}: must be an object, found {_shown(value)}")
    for member in value:
        if member not in known:
            raise MalformedSubscription(f"{above}{_shown(member)}: unknown member; {who} has {', '.join(known)}")
    return {name: member for name, member in value.items() if member is not None}


def _one_of(given: Mapping[str, Any], member: str, values: Sequence[str], default: str) -> str:
    value = given.get(member, default)
    if not isinstance(value, str) or value not in values:
        expected = " or ".join(repr(str(one)) for one in values)
        raise MalformedSubscription(f"{member}: must be {expected}, found {_shown(value)}")
    return value


def _number(
    given: Mapping[str, Any], name: str, least: float, most: float, default: float | None, *, whole: bool = False
) -> Any:  # noqa: ANN401 - a number, or the default
    value = given.get(name.rpartition(".")[2], default)
    if value is None:
        return None
    # By type: true is a number to Python.
    if type(value) not in ((int,) if whole else (int, float)) or not least <= value <= most:
        what = "a whole number" if whole else "a number"
        raise MalformedSubscription(f"{name}: must be {what} from {least} to {most}, found {_shown(value)}")
    return int(value) if value == int(value) else value  # 5 and 5.0 are one definition


def _json(value: object) -> str:
    return _encode(value).decode()


def _shown(value: object) -> str:
    """Return a value from anyone as it is written, cut."""
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return repr(value)[:_SHOWN_MAX]
