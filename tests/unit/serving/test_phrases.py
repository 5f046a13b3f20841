"""First lines of answers. Source: docs/reference/contract/http-api.md, section 1."""

import pytest

from bigchaindb.serving.phrases import PHRASES, STATUS_LINES, plain


def test_the_phrase_of_every_error_is_in_upper_case() -> None:
    errors = {status: phrase for status, phrase in PHRASES.items() if status >= 400}
    assert errors == {status: phrase.upper() for status, phrase in errors.items()}
    assert (PHRASES[200], PHRASES[202], PHRASES[101]) == ("OK", "Accepted", "Switching Protocols")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (404, b"HTTP/1.1 404 NOT FOUND\r\n"),
        (405, b"HTTP/1.1 405 METHOD NOT ALLOWED\r\n"),
        (413, b"HTTP/1.1 413 REQUEST ENTITY TOO LARGE\r\n"),
        (500, b"HTTP/1.1 500 INTERNAL SERVER ERROR\r\n"),
        (503, b"HTTP/1.1 503 SERVICE UNAVAILABLE\r\n"),
    ],
)
def test_a_status_has_one_line_on_every_python(status: int, line: bytes) -> None:
    assert STATUS_LINES[status] == line


def test_an_answer_of_a_line_of_text() -> None:
    last = plain(501, "nothing does that", {"X-A": "b"}, is_last=True)
    assert (last.status, last.reason, last.text) == (501, "NOT IMPLEMENTED", "nothing does that\n")
    assert (last.headers["X-A"], last.keep_alive) == ("b", False)
    assert plain(400, "no").keep_alive is not False
