"""A small HTTP client for the command line. Applications have the drivers.

Source: docs/reference/contract/http-api.md, sections 1, 4 and 5.
"""

import json
import ssl
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from bigchaindb.cli.access_key import CURE, header_for
from bigchaindb.config.load import ACCESS_KEY_VARIABLE
from bigchaindb.config.settings import MIB
from bigchaindb.errors import RequestFailed
from bigchaindb.serving.certificates import reason_of, trusting
from bigchaindb.serving.secured import ASK_OVER_TLS

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


_NAME_AUTHORITY: Final = "set SSL_CERT_FILE to the file of the authority that signed it"
_CURES_OF_TRUST: Final = {
    9: "set the clock of this machine, if it is wrong",
    10: "the node's operator must renew it, unless the clock of this machine is wrong",
    62: "ask the node under a name that its certificate has",
    64: "ask the node under a name or address that its certificate has",
}
"""What to do, by OpenSSL's number of the failure; unknown authorities have several."""
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})
"""OpenSSL's reasons, by version, for an answer that is no TLS."""


class NodeClient:
    """A node, by its URL."""

    def __init__(
        self,
        url: str,
        timeout_s: float = TIMEOUT_S,
        busy_s_max: float = BUSY_S_MAX,
        *,
        origin: str = "",
        certificate: Path | None = None,
    ) -> None:
        """Take the URL of the node's root.

        Args:
            url: of the root.
            timeout_s: time for one answer.
            busy_s_max: time in which a request is repeated that was answered with 503: the node did nothing.
            origin: where the URL comes from, for the error of a node that does not answer.
            certificate: the node's own file, which is trusted whatever it says; None trusts the machine's authorities.

        Raises:
            RequestFailed: it is no URL of HTTP.
        """
        try:
            parts = urlsplit(url)
        except ValueError:  # a bracket without its other one
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise RequestFailed(f"{url!r} is not the URL of a node, such as http://localhost:9984")
        if "@" in parts.netloc:  # as the JavaScript driver takes it
            raise RequestFailed(
                "the URL of a node has no user and no key in it here, as others on this machine see the arguments of a "
                f"command; set {ACCESS_KEY_VARIABLE} to a file with the key"
            )
        self.url = url.rstrip("/")
        self._path = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._busy_s_max = busy_s_max
        self._origin = origin
        self._connect: Callable[[], HTTPConnection] = partial(HTTPConnection, parts.netloc, timeout=timeout_s)
        if parts.scheme == "https":
            context = _context(certificate)
            self._connect = partial(HTTPSConnection, parts.netloc, timeout=timeout_s, context=context)

    def transaction(self, transaction_id: str) -> dict[str, Any]:
        """Return a committed transaction.

        Raises:
            RequestFailed: there is none, or the node cannot be asked.
        """
        try:
            return dict(self._json(f"/api/v1/transactions/{quote(transaction_id, safe='')}"))
        except RequestFailed as error:
            if error.status == HTTPStatus.NOT_FOUND:
                error.add_note(
                    f"no block of that node's ledger holds the transaction {transaction_id}: it may be pending, "
                    "rejected, or of another ledger"
                )
                error.add_note(f"its status: {self.url}/api/v1/statuses?transaction_id={transaction_id}")
            raise

    def validators(self) -> list[dict[str, Any]]:
        """Return the validators, as the node lists them.

        Raises:
            RequestFailed: the node cannot be asked.
        """
        return list(self._json("/api/v1/validators"))

    def elections(self) -> list[dict[str, Any]]:
        """Return the open elections of validators.

        Raises:
            RequestFailed: the node is of no network, or cannot be asked.
        """
        return list(self._json("/api/v1/elections"))

    def election_status(self, election_id: str) -> str:
        """Return the status of an election.

        Raises:
            RequestFailed: there is none, or the node cannot be asked.
        """
        return str(self._json(f"/api/v1/elections/{quote(election_id, safe='')}")["status"])

    def post(self, body: bytes, mode: str) -> dict[str, Any]:
        """Send a transaction and return the node's answer, which is the transaction.

        Raises:
            RequestFailed: the node refused it, or cannot be asked.
        """
        try:
            return dict(self._json(f"/api/v1/transactions?mode={mode}", body))
        except RequestFailed as error:
            for rule, cure in CURES.items():
                if f"({rule}):" in str(error):
                    error.add_note(cure.format(url=self.url))
            raise

    def proof(self, block: str) -> bytes:
        """Return the proof of the event about a block, as the node sent it.

        Args:
            block: its height or id, or `position:P` for the event of that position.

        Raises:
            RequestFailed: there is none, or the node cannot be asked.
        """
        named = block.removeprefix(POSITION)
        kind = "blocks" if named == block else "events"
        try:
            return self._answer(f"/api/v1/{kind}/{quote(named, safe='')}/proof")[1]
        except RequestFailed as error:
            if error.status == HTTPStatus.NOT_FOUND:
                error.add_note(
                    f"that node's log has no event for {block!r}; a block without transactions makes no event"
                )
                error.add_note("`bigchaindb events tail` lists events; name one by its height, its id or `position:N`")
            raise

    def _json(self, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401 - any JSON
        return self._answer(path, body)[0]

    def _answer(self, path: str, body: bytes | None = None) -> tuple[Any, bytes]:
        """Return the node's answer, as JSON and as it was sent."""
        deadline_s = time.monotonic() + self._busy_s_max
        status, sent = self._exchange(path, body)
        while status == HTTPStatus.SERVICE_UNAVAILABLE and time.monotonic() + BUSY_PAUSE_S < deadline_s:
            time.sleep(BUSY_PAUSE_S)
            status, sent = self._exchange(path, body)
        try:
            answer = json.loads(sent)
        except ValueError as error:
            if sent.startswith(ASK_OVER_TLS.encode()):
                raise RequestFailed(f"{self.url} is served over TLS; ask {_other_scheme(self.url)}") from error
            raise RequestFailed(f"{self.url}{path} answered {status} without JSON: is it a node?") from error
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own figures
            return answer, sent
        refused = RequestFailed(f"{self.url} answered {status}: {message_in(answer)}", status)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            refused.add_note(CURE)
        raise refused

    def _exchange(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            with closing(self._connect()) as connection:
                answer = ask(connection, f"{self._path}{path}", body, **header_for(self.url))
                return answer.status, whole(answer)
        except TimeoutError as error:
            raise self._unreachable(f"no answer within {self._timeout_s:g} s") from error
        except ssl.SSLError as error:
            raise RequestFailed(f"cannot ask {self.url}: {_of_tls(error, self.url)}") from error
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, reason: object) -> RequestFailed:
        why = getattr(reason, "strerror", None) or reason
        return RequestFailed(
            f"cannot ask {self.url}: {why}; is the node running, and is that its address?{self._origin}"
        )


def _context(certificate: Path | None) -> ssl.SSLContext:
    with suppress(OSError):  # whoever may not read it is a client like any other
        if certificate is not None:
            return trusting(certificate)
    return ssl.create_default_context()


def _of_tls(error: ssl.SSLError, url: str) -> str:
    """Return what is wrong with TLS at a URL, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return f"its certificate is not trusted: {why}; {_CURES_OF_TRUST.get(error.verify_code, _NAME_AUTHORITY)}"
    if error.reason in _NO_TLS:
        return f"it answers without TLS; ask {_other_scheme(url)}"
    return f"no agreement on TLS: {reason_of(error)}"


def _other_scheme(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{'http' if scheme.lower() == 'https' else 'https'}{separator}{rest}"


def ask(connection: HTTPConnection, target: str, body: bytes | None = None, **headers: str) -> HTTPResponse:
    """Send a request, GET or POST with a body, and return the beginning of its answer. Redirects are not followed."""
    headers = {"Accept": "*/*", **headers}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection.request("GET" if body is None else "POST", target, body, headers)
    return connection.getresponse()


def whole(answer: HTTPResponse) -> bytes:
    """Return the body of an answer.

    Raises:
        RequestFailed: it is larger than any answer of a node.
        IncompleteRead: the connection ended before it did.
    """
    if len(body := answer.read(ANSWER_BYTES_MAX + 1)) > ANSWER_BYTES_MAX:
        raise RequestFailed(f"the node's answer has more than {ANSWER_BYTES_MAX} bytes")
    if answer.length:
        raise IncompleteRead(body, answer.length)
    return body


def message_in(answer: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the text of an error's body."""
    return answer.get("message", answer) if isinstance(answer, dict) else answer
