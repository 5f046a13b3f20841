"""A small HTTP client for the command line. Applications have the drivers.

Source: docs/reference/contract/http-api.md, sections 1, 4 and 5.
"""

import json
import time
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, Request

from bigchaindb.config.settings import MIB
from bigchaindb.errors import RequestFailed

TIMEOUT_S: Final = 20.0
"""The drivers wait this long, too; mode commit answers within 10 s."""
ANSWER_BYTES_MAX: Final = 16 * MIB
"""More than any answer about one transaction has."""
BUSY_S_MAX: Final = 5.0
"""Time in which a request is repeated that a starting or busy node answers with 503."""
BUSY_PAUSE_S: Final = 0.5
POSITION: Final = "position:"
"""Prefix of an event's position, as in the places of `plugins seek`."""


CURES: Final = {
    "DoubleSpend": "an output can be spent once; {url}/api/v1/outputs?public_key=KEY&spent=false lists what is left",
    "InputDoesNotExist": "commit the transaction that it spends first, or correct the id",
    "DuplicateTransaction": "the ledger holds this transaction already; nothing is left to do",
}
"""What to do, by the rule that a transaction breaks; the rule's own text is the same for every client."""


class Node:
    """A node, by its URL."""

    def __init__(
        self, url: str, timeout_s: float = TIMEOUT_S, busy_s_max: float = BUSY_S_MAX, *, origin: str = ""
    ) -> None:
        """Take the URL of the node's root.

        Args:
            url: of the root.
            timeout_s: time for one answer.
            busy_s_max: time in which a request is repeated that was answered with 503: the node did nothing.
            origin: where the URL comes from, for the error of a node that does not answer.

        Raises:
            RequestFailed: it is no URL of HTTP.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise RequestFailed(f"{url!r} is not the URL of a node, such as http://localhost:9984")
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._busy_s_max = busy_s_max
        self._origin = origin
        # No redirects, which a node never sends, no files, no proxies for localhost.
        self._opener = OpenerDirector()
        self._opener.add_handler(HTTPHandler())
        self._opener.add_handler(HTTPSHandler())

    def transaction(self, transaction_id: str) -> dict[str, Any]:
        """Return a committed transaction.

        Raises:
            RequestFailed: there is none, or the node cannot be asked.
        """
        try:
            answer: dict[str, Any] = self._json(
                Request(f"{self.url}/api/v1/transactions/{quote(transaction_id, safe='')}")  # noqa: S310 - the scheme is checked
            )
        except RequestFailed as error:
            if error.status == HTTPStatus.NOT_FOUND:
                error.add_note(
                    f"no block of that node's ledger holds the transaction {transaction_id}: it may be pending, "
                    "rejected, or of another ledger"
                )
                error.add_note(f"its status: {self.url}/api/v1/statuses?transaction_id={transaction_id}")
            raise
        return answer

    def validators(self) -> list[dict[str, Any]]:
        """Return the validators, as the node lists them.

        Raises:
            RequestFailed: the node cannot be asked.
        """
        answer: list[dict[str, Any]] = self._json(Request(f"{self.url}/api/v1/validators"))  # noqa: S310 - the scheme is checked
        return answer

    def elections(self) -> list[dict[str, Any]]:
        """Return the open elections of validators.

        Raises:
            RequestFailed: the node is of no network, or cannot be asked.
        """
        answer: list[dict[str, Any]] = self._json(Request(f"{self.url}/api/v1/elections"))  # noqa: S310 - the scheme is checked
        return answer

    def election_status(self, election_id: str) -> str:
        """Return the status of an election.

        Raises:
            RequestFailed: there is none, or the node cannot be asked.
        """
        answer = self._json(Request(f"{self.url}/api/v1/elections/{quote(election_id, safe='')}"))  # noqa: S310 - the scheme is checked
        return str(answer["status"])

    def post(self, body: bytes, mode: str) -> dict[str, Any]:
        """Send a transaction and return the node's answer, which is the transaction.

        Raises:
            RequestFailed: the node refused it, or cannot be asked.
        """
        headers = {"Content-Type": "application/json"}
        try:
            answer: dict[str, Any] = self._json(
                Request(f"{self.url}/api/v1/transactions?mode={mode}", body, headers)  # noqa: S310 - the scheme is checked
            )
        except RequestFailed as error:
            for rule, cure in CURES.items():
                if f"({rule}):" in str(error):
                    error.add_note(cure.format(url=self.url))
            raise
        return answer

    def proof(self, block: str) -> bytes:
        """Return the proof of the event about a block, as the node sent it.

        Args:
            block: its height or id, or `position:P` for the event of that position.

        Raises:
            RequestFailed: there is none, or the node cannot be asked.
        """
        named = block.removeprefix(POSITION)
        kind = "blocks" if named == block else "events"
        path = f"/api/v1/{kind}/{quote(named, safe='')}/proof"
        try:
            return self._answer(Request(f"{self.url}{path}"))[1]  # noqa: S310 - the scheme is checked
        except RequestFailed as error:
            if error.status == HTTPStatus.NOT_FOUND:
                error.add_note(
                    f"that node's log has no event for {block!r}; a block without transactions makes no event"
                )
                error.add_note("`bigchaindb events tail` lists events; name one by its height, its id or `position:N`")
            raise

    def _json(self, request: Request) -> Any:  # noqa: ANN401 - any JSON
        return self._answer(request)[0]

    def _answer(self, request: Request) -> tuple[Any, bytes]:
        """Return the node's answer, as JSON and as it was sent."""
        deadline_s = time.monotonic() + self._busy_s_max
        status, body = self._exchange(request)
        while status == HTTPStatus.SERVICE_UNAVAILABLE and time.monotonic() + BUSY_PAUSE_S < deadline_s:
            time.sleep(BUSY_PAUSE_S)
            status, body = self._exchange(request)
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise RequestFailed(f"{request.full_url} answered {status} without JSON: is it a node?") from error
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own figures
            return answer, body
        message = answer.get("message", answer) if isinstance(answer, dict) else answer
        raise RequestFailed(f"{self.url} answered {status}: {message}", status)

    def _exchange(self, request: Request) -> tuple[int, bytes]:
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return answer.status, answer.read(ANSWER_BYTES_MAX)
        except HTTPError as error:
            with error:
                return error.code, error.read(ANSWER_BYTES_MAX)
        except TimeoutError as error:
            raise self._unreachable(f"no answer within {self._timeout_s:g} s") from error
        except URLError as error:
            raise self._unreachable(error.reason) from error
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, reason: object) -> RequestFailed:
        why = getattr(reason, "strerror", None) or reason
        return RequestFailed(
            f"cannot ask {self.url}: {why}; is the node running, and is that its address?{self._origin}"
        )
