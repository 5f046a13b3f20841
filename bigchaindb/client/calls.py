"""What a client asks of a node: for each question a `Call`, which reads the answer too. Pure.

Source: docs/reference/contract/http-api.md, sections 4 to 11; docs/reference/http-events.md.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, cast
from urllib.parse import quote, urlencode

import msgspec

from bigchaindb.agreed import PAGE_COUNT
from bigchaindb.client.answers import Answer, Call, NoNode, decode
from bigchaindb.documents import Transaction
from bigchaindb.errors import RequestFailed, TransactionRefused

Mode = Literal["async", "sync", "commit"]
Granularity = Literal["block", "transaction"]
Log = Literal["events", "rejected"]
Scalar = str | int | float | bool | None
Selected = Mapping[str, Scalar]
"""A filter of events, as members of `select`: `operation`, `asset`, `owner`, `metadata.<path>` and `data.<path>`, paths
with comparisons such as `[gte]`. Source: docs/reference/filters.md."""

POSITION: Final = "position:"
"""Prefix of an event's position, as in the places of `plugins seek`."""

_CURES: Final = {
    "DoubleSpend": "an output can be spent once; {url}/api/v1/outputs?public_key=KEY&spent=false lists what is left",
    "InputDoesNotExist": "commit the transaction that it spends first, or correct the id",
    "DuplicateTransaction": "the ledger holds this transaction already; nothing is left to do",
}
"""What to do, by the rule that a transaction breaks; the rule's own text is the same for every client."""
_WHERE_ELSE: Final = "it may be pending, rejected, or of another ledger"
_UNHEALTHY: Final = b'"unhealthy"'


class Status(NamedTuple):
    """What a node knows of a transaction.

    Attributes:
        name: `backlog`, `undecided`, `valid`, `rejected` or `unknown`.
        text: why it was rejected.
        rule: the class of the rule that it breaks.
    """

    name: str
    text: str = ""
    rule: str = ""


class Page(NamedTuple):
    """A piece of the log.

    Attributes:
        events: CloudEvents as JSON, perhaps none.
        is_head: whether the log ended here.
        next: the token to continue with.
    """

    events: tuple[bytes, ...]
    is_head: bool
    next: str


class NewestPage(NamedTuple):
    """A piece of a log from its end.

    Attributes:
        events: CloudEvents as JSON, newest first, perhaps none.
        is_end: whether nothing older is left.
        next: the token to continue before.
    """

    events: tuple[bytes, ...]
    is_end: bool
    next: str


def transaction(transaction_id: str) -> Call[Transaction]:
    """Ask for a committed transaction."""

    def cure(error: RequestFailed, url: str) -> list[str]:
        if error.status != HTTPStatus.NOT_FOUND:
            return []
        return [
            f"no block of that node's ledger holds the transaction {transaction_id}: {_WHERE_ELSE}",
            f"its status: {url}/api/v1/statuses?transaction_id={transaction_id}",
        ]

    return Call(f"/api/v1/transactions/{_segment(transaction_id)}", read_transaction, cure=cure)


def transactions(
    asset_id: str, operation: Literal["CREATE", "TRANSFER"] | None = None, *, is_last: bool = False
) -> Call[list[Transaction]]:
    """Ask for the transactions of an asset, oldest first."""
    query = _query({"asset_id": asset_id, "operation": operation, "last_tx": "true" if is_last else None})
    return Call(f"/api/v1/transactions{query}", lambda body: cast("list[Transaction]", _list(body)))


def post(body: bytes, mode: Mode) -> Call[Transaction]:
    """Send a transaction; the answer is the transaction."""

    def cure(error: RequestFailed, url: str) -> list[str]:
        rule = error.rule if isinstance(error, TransactionRefused) else ""
        return [_CURES[rule].format(url=url)] if rule in _CURES else []

    return Call(f"/api/v1/transactions?mode={mode}", read_transaction, body, "POST", cure)


def status(transaction_id: str) -> Call[str]:
    """Ask how far a transaction is: `backlog`, `undecided` or `valid`; see `status_of` for a 404."""
    return Call(f"/api/v1/statuses{_query({'transaction_id': transaction_id})}", _status)


def status_of(refused: RequestFailed) -> Status:
    """Return what a node that does not have a transaction says about it.

    Raises:
        RequestFailed: it says nothing about it.
    """
    if refused.status != HTTPStatus.NOT_FOUND or isinstance(refused, NoNode):
        raise refused
    if isinstance(refused, TransactionRefused):
        return Status("rejected", str(refused), refused.rule)
    return Status("unknown")


def outputs(public_key: str, *, spent: bool | None = None) -> Call[list[dict[str, Any]]]:
    """Ask for the outputs of a key: `transaction_id` and `output_index` of each."""
    about = None if spent is None else str(spent).lower()
    return Call(f"/api/v1/outputs{_query({'public_key': public_key, 'spent': about})}", _list)


def owner(public_key: str) -> Call[dict[str, Any]]:
    """Ask what a key holds of each asset."""
    return Call(f"/api/v1/owners/{_segment(public_key)}", _dict)


def asset(asset_id: str) -> Call[dict[str, Any]]:
    """Ask about an asset and who holds it."""

    def cure(error: RequestFailed, _: str) -> list[str]:
        is_missing = error.status == HTTPStatus.NOT_FOUND
        return [f"no CREATE of that node's ledger has the id {asset_id}: {_WHERE_ELSE}"] if is_missing else []

    return Call(f"/api/v1/assets/{_segment(asset_id)}", _dict, cure=cure)


def block(height: int) -> Call[dict[str, Any]]:
    """Ask for the block at a height."""
    return Call(f"/api/v1/blocks/{height}", _dict)


def search(kind: Literal["assets", "metadata"], text: str, limit: int | None = None) -> Call[list[dict[str, Any]]]:
    """Search assets or metadata for words."""
    return Call(f"/api/v1/{kind}{_query({'search': text, 'limit': limit})}", _list)


def validators() -> Call[list[dict[str, Any]]]:
    """Ask for the validators."""
    return Call("/api/v1/validators", _list)


def health() -> Call[dict[str, Any]]:
    """Ask whether a node is healthy; one that is not answers 503, as does one that is busy or starts."""

    def takes(answer: Answer) -> bool:
        return answer.status == HTTPStatus.SERVICE_UNAVAILABLE and _UNHEALTHY in answer.body

    return Call("/api/v1/health", _dict, takes=takes)


def network() -> Call[dict[str, Any]]:
    """Ask for a node's chain, its standing and its validators."""
    return Call("/api/v1/network", _dict)


def elections() -> Call[list[dict[str, Any]]]:
    """Ask for the open elections of validators."""
    return Call("/api/v1/elections", _list)


def election_status(election_id: str) -> Call[str]:
    """Ask for the status of an election."""
    return Call(f"/api/v1/elections/{_segment(election_id)}", _status)


def proof(place: str) -> Call[bytes]:
    """Ask for the proof of an event.

    Args:
        place: height or id of its block, or `position:P`.
    """
    named = place.removeprefix(POSITION)
    kind = "blocks" if named == place else "events"

    def cure(error: RequestFailed, _: str) -> list[str]:
        if error.status != HTTPStatus.NOT_FOUND:
            return []
        return [
            f"that node's log has no event for {place!r}; a block without transactions makes no event",
            "`bigchaindb events tail` lists events; name one by its height, its id or `position:N`",
        ]

    return Call(f"/api/v1/{kind}/{_segment(named)}/proof", _proof, cure=cure)


def events(
    select: Selected | None,
    *,
    types: Literal["valid", "invalid"] | None,
    granularity: Granularity,
    after: str | None,
    limit: int | None = PAGE_COUNT,
) -> Call[Page]:
    """Ask for a page of events."""
    granular = None if granularity == "block" else granularity  # a misspelt one is the node's to refuse
    query = _query({**_filters(select), "type": types, "granularity": granular, "limit": limit, "after": after})
    return Call(f"/api/v1/events{query}", _page)


def rejected(select: Selected | None, *, after: str | None, limit: int | None = PAGE_COUNT) -> Call[Page]:
    """Ask for a page of the transactions that the node accepted and rejected later."""
    return Call(f"/api/v1/rejected{_query({**_filters(select), 'limit': limit, 'after': after})}", _page)


def newest(
    select: Selected | None,
    *,
    types: Literal["valid", "invalid"] | None,
    granularity: Granularity,
    log: Log,
    before: str,
) -> Call[NewestPage]:
    """Ask for a page of the newest events of a log before a place."""
    granular = None if granularity == "block" else granularity
    query = _query({**_filters(select), "type": types, "granularity": granular, "before": before})
    return Call(f"/api/v1/{log}{query}", _newest_page)


def subscribe(name: str, definition: Mapping[str, object]) -> Call[dict[str, Any]]:
    """Create a subscription, unless it is there with this definition."""
    return Call(_subscription(name), _dict, msgspec.json.encode(definition), "PUT")


def subscription(name: str) -> Call[dict[str, Any]]:
    """Ask for a subscription: its definition, and how it stands."""
    return Call(_subscription(name), _dict)


def consume(name: str, window: int, label: str | None) -> Call[None]:
    """Open a WebSocket to consume a subscription; its refusals are those of any call."""

    def cure(error: RequestFailed, _: str) -> list[str]:
        if error.status != HTTPStatus.NOT_FOUND:
            return []
        return ["a client that passes a member of its definition, such as start='now', creates it"]

    return Call(f"{_subscription(name)}{_query({'window': window, 'name': label})}", lambda _: None, cure=cure)


def _subscription(name: str) -> str:
    return f"/api/v1/subscriptions/{_segment(name)}"


def _segment(text: str) -> str:
    return quote(text, safe="")


def _query(arguments: Mapping[str, object]) -> str:
    given = {name: value for name, value in arguments.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _filters(select: Selected | None) -> dict[str, str]:
    return {name: _text(value) for name, value in (select or {}).items()}


def _text(value: Scalar) -> str:
    """Return a value of a filter as a query writes it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def read_transaction(body: bytes) -> Transaction:
    """Return the transaction that JSON holds."""
    return cast("Transaction", _dict(body))


def _dict(body: bytes) -> dict[str, Any]:
    if not isinstance(found := decode(body), dict):
        raise TypeError(found)
    return found


def _list(body: bytes) -> list[dict[str, Any]]:
    if not isinstance(found := decode(body), list):
        raise TypeError(found)
    return found


def _status(body: bytes) -> str:
    return str(_dict(body)["status"])


def _proof(body: bytes) -> bytes:
    _dict(body)
    return body


class _Page(msgspec.Struct):
    events: list[msgspec.Raw]
    head: bool
    next: str


class _NewestPage(msgspec.Struct):
    events: list[msgspec.Raw]
    end: bool
    next: str


_decode_page: Final = msgspec.json.Decoder(_Page).decode
_decode_newest: Final = msgspec.json.Decoder(_NewestPage).decode


def _page(body: bytes) -> Page:
    found = _decode_page(body)
    return Page(tuple(map(bytes, found.events)), found.head, found.next)


def _newest_page(body: bytes) -> NewestPage:
    found = _decode_newest(body)
    return NewestPage(tuple(map(bytes, found.events)), found.end, found.next)
