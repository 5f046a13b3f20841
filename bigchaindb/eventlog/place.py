"""Places: where in the log a plugin begins, or goes on after a seek, as people write them. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final, Protocol, TypeAlias, assert_never

from bigchaindb.errors import UnknownPlace
from bigchaindb.eventlog import token

FORMS: Final = (
    "now, genesis, height:N, position:N, time:T (Unix seconds, or ISO 8601 with a zone), "
    f"or a token, which begins with {token.PREFIX!r}"
)
"""How a place is written."""

POSITION_MAX: Final = 2**63 - 1
"""What a database takes for a number; no log gets so far."""

_NUMBER: Final = re.compile("[0-9]{1,18}")
_SHOWN_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Now:
    """Behind the last event."""


@dataclass(frozen=True, slots=True)
class AtPosition:
    """Before the event of that position, which is the next one; 1 is the beginning."""

    position: int


@dataclass(frozen=True, slots=True)
class AtHeight:
    """Before the first event of at least that height."""

    height: int


@dataclass(frozen=True, slots=True)
class AtTime:
    """Before the first event of a block with at least that timestamp, Unix seconds."""

    time: int


@dataclass(frozen=True, slots=True)
class AtToken:
    """Behind what a token has seen; text of anyone."""

    text: str


Place: TypeAlias = Now | AtPosition | AtHeight | AtTime | AtToken


class Ascending(token.Digests, Protocol):
    """A log whose heights and times ascend, as places need it; `bigchaindb.ledger.ports.LogReader` is one."""

    def first_at(self, *, height: int | None = None, time: int | None = None) -> int:
        """See `LogReader`."""
        ...


def parse(text: str) -> Place:
    """Read a place in one of the `FORMS`.

    Args:
        text: from anyone.

    Raises:
        UnknownPlace: it has none of them; the message lists them.
    """
    form, _, argument = text.partition(":")
    place: Place | None = None
    match form:
        case "now" if text == form:
            place = Now()
        case "genesis" if text == form:
            place = AtPosition(1)
        case "height" if _NUMBER.fullmatch(argument):
            place = AtHeight(int(argument))
        case "position" if _NUMBER.fullmatch(argument) and int(argument) > 0:
            place = AtPosition(int(argument))
        case "time":
            seconds = _seconds(argument)
            place = None if seconds is None else AtTime(seconds)
        case _ if text.startswith(token.PREFIX):
            place = AtToken(text)
    if place is None:
        raise UnknownPlace(f"expected one of {FORMS}; found {text[:_SHOWN_MAX]!r}")
    return place


def resolve(place: Place, log: Ascending, chain_id: str, head: int) -> int:
    """Return the position behind which delivery goes on.

    Args:
        place: as parsed. A height or time behind the last event is `now`.
        log: of this node; it may have grown beyond `head`.
        chain_id: the network's.
        head: the last durable position.

    Raises:
        UnknownPlace: a position behind the one that comes next.
        MalformedToken: no node made the token.
        HistoryLost: the token is of another chain or another log (P8).
    """
    match place:
        case Now():
            return head
        case AtPosition(position):
            if position > head + 1:
                raise UnknownPlace(f"position:{position} is beyond the end: the head is {head}, {head + 1} comes next")
            return position - 1
        case AtHeight(height):
            return min(log.first_at(height=height) - 1, head)
        case AtTime(time):
            return min(log.first_at(time=time) - 1, head)
        case AtToken(text):
            # A block that was seen in part is delivered again whole: events are never cut.
            position, _ = token.known(text, log, chain_id, head).place
            return position
        case _:
            assert_never(place)


def _seconds(text: str) -> int | None:
    if _NUMBER.fullmatch(text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else ceil(moment.timestamp())
