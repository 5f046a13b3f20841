"""Plain HTTP for tests: bytes out, bytes in, nothing retried and nothing followed."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """An answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Parse the body; an empty one or another kind of text is an error, as both drivers see it."""
        assert self.headers["content-type"].split(";")[0] == "application/json", self
        return json.loads(self.body)


def require_phrase(status: int, phrase: str) -> None:
    """Require that the reason phrase of an error is in upper case: to some clients' users it is all there is.

    Source: docs/reference/contract/http-api.md, section 1.
    """
    assert phrase, status
    assert status < http.HTTPStatus.BAD_REQUEST or phrase == phrase.upper(), (status, phrase)


def request(
    method: str, url: str, body: object = None, *, headers: Mapping[str, str] | None = None, timeout_s: float = 60
) -> Answer:
    """Send one request over a connection of its own.

    Args:
        method: the verb.
        url: where to, with its query.
        body: bytes as they are, None for no body, anything else as JSON.
        headers: beside those that HTTP needs.
        timeout_s: for each step, on a busy machine.
    """
    target = urlsplit(url)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.netloc, timeout=timeout_s)
    try:
        return exchange(connection, method, f"{target.path or '/'}?{target.query}".rstrip("?"), body, headers=headers)
    finally:
        connection.close()


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request over an open connection, so that tests can see whether it stays open."""
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    kind = {} if content is None else {"Content-Type": "application/json"}
    connection.request(method, target, content, {**kind, **(headers or {})})
    response = connection.getresponse()
    require_phrase(response.status, response.reason)
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
