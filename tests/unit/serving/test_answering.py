"""First lines of answers. Source: docs/reference/contract/http-api.md, section 1."""

import pytest

from bigchaindb.serving.answering import STATUS_LINES, chunk, head, id_line, last_text, opening, request_lines, whole
from bigchaindb.serving.request import Body, Request


def asked(*, is_1_1: bool = True, keeps_alive: bool = True) -> Request:
    return Request("GET", "/", {}, Body(0), is_1_1=is_1_1, keeps_alive=keeps_alive)


def test_the_phrase_of_every_error_is_in_upper_case() -> None:
    phrases = {status: line.decode().split(" ", 2)[2].strip() for status, line in STATUS_LINES.items()}
    errors = {status: phrase for status, phrase in phrases.items() if status >= 400}
    assert errors == {status: phrase.upper() for status, phrase in errors.items()}
    assert (phrases[200], phrases[202], phrases[101]) == ("OK", "Accepted", "Switching Protocols")


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (404, b"HTTP/1.1 404 NOT FOUND\r\n"),
        (405, b"HTTP/1.1 405 METHOD NOT ALLOWED\r\n"),
        (413, b"HTTP/1.1 413 REQUEST ENTITY TOO LARGE\r\n"),
        (500, b"HTTP/1.1 500 INTERNAL SERVER ERROR\r\n"),
        (503, b"HTTP/1.1 503 SERVICE UNAVAILABLE\r\n"),
        (505, b"HTTP/1.1 505 HTTP VERSION NOT SUPPORTED\r\n"),
    ],
)
def test_a_status_has_one_line_on_every_python(status: int, line: bytes) -> None:
    assert STATUS_LINES[status] == line


def test_an_answer_to_head_is_that_to_get_without_its_body() -> None:
    get = whole(200, b"abc", b"X-A: b\r\n")
    assert get.endswith(b"\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc")
    assert head(200, 3, b"X-A: b\r\n") == get.removesuffix(b"abc")


def test_a_line_of_text_to_a_client_that_is_not_served_is_the_last() -> None:
    answer = last_text(503, "too many connections")
    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\ntoo many connections\n")


@pytest.mark.parametrize(
    ("is_1_1", "keeps_alive", "line"),
    [
        (True, True, b""),
        (True, False, b"Connection: close\r\n"),
        (False, True, b"Connection: keep-alive\r\n"),
        (False, False, b"Connection: close\r\n"),
    ],
)
def test_what_a_version_does_not_do_by_itself_is_in_the_head(*, is_1_1: bool, keeps_alive: bool, line: bytes) -> None:
    assert request_lines(asked(is_1_1=is_1_1, keeps_alive=keeps_alive)) == line


def test_an_answer_of_unknown_length_is_in_chunks_where_the_version_has_them() -> None:
    assert b"Transfer-Encoding: chunked\r\n" in opening(asked(), b"")
    assert b"".join(chunk(asked(), 17 * b"x")) == b"11\r\n" + 17 * b"x" + b"\r\n"
    assert b"Transfer-Encoding" not in opening(asked(is_1_1=False), b"")
    assert b"".join(chunk(asked(is_1_1=False), b"abc")) == b"abc"


def test_a_request_with_an_id_is_answered_with_it() -> None:
    request = asked()
    request.lines = id_line("mine-1")
    assert request_lines(request) == b"X-Request-Id: mine-1\r\n"
    assert b"\r\nX-Request-Id: mine-1\r\n" in opening(request, b"")
