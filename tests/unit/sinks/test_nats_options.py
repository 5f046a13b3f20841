"""Options of the sink `nats`: what cannot work is refused before the first event, with its place."""

from typing import Any, Final

import pytest

from bigchaindb.delivery import messages_of
from bigchaindb.delivery.messages import Per
from bigchaindb.simulated.chain import Recipe, events
from bigchaindb.sinks.nats_options import NatsOptions, covers, meet

URL: Final = "nats://localhost:4222"
AS: Final = " as nats://USER:PASSWORD@HOST:PORT, or tls:// to insist on TLS"
FORM: Final = f"; write it{AS}"
ESCAPES: Final = "%25 %2F %3F %23 %40 %2C"


def refusal(**options: Any) -> str:
    with pytest.raises(ValueError, match=r"^[a-z_]+[:,] ") as caught:
        NatsOptions(**{"url": URL, **options})
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "place", "why"),
    [
        ("a.*", 3, "'*' is a wildcard, for readers alone"),
        ("{kind}.>", 8, "'>' is a wildcard, for readers alone"),
        ("my events", 3, "' ' cannot be in a subject"),
        ("a\r\nPUB", 2, r"'\r' cannot be in a subject"),
        ("a\u00a0b", 2, r"'\xa0' cannot be in a subject"),
        (".a", 1, "a word between dots must not be empty"),
        ("a..b", 3, "a word between dots must not be empty"),
        ("a.", 3, "a word between dots must not be empty"),
        ("$JS.{kind}", 1, "what begins with '$' is the server's own"),
    ],
)
def test_a_subject_that_no_server_takes_is_refused_with_its_character(template: str, place: int, why: str) -> None:
    assert refusal(subject=template) == f"subject: {template!r}, character {place}: {why}"


def test_a_subject_is_bounded() -> None:
    """The longest that is allowed still fits into the line that a server reads."""
    assert refusal(subject="a" * 201) == "subject: must have at most 200 characters, found 201"
    assert "subject: may hold {chain_id}" in refusal(subject="a.{nothing}")
    longest = NatsOptions(url=URL, subject="{routing_key}" * 15).naming
    (message,) = messages_of(next(iter(events(Recipe(blocks=1, transactions=1)))), Per.TRANSACTION)
    assert len(longest.name(message)) < 3000


@pytest.mark.parametrize(
    ("template", "subjects"),
    [
        ("bigchaindb.{routing_key}", "bigchaindb.>"),
        ("a.{kind}.x-{validity}.b", "a.*.*.b"),
        ("a.b", "a.b"),
        ("{chain_id}.pre{routing_key}.b", "*.>"),
    ],
)
def test_the_command_names_the_subjects_of_all_messages(template: str, subjects: str) -> None:
    options = NatsOptions(url=URL, subject=template, stream="MINE")
    assert options.command == (
        f"nats stream add MINE --subjects '{subjects}' --storage file --dupe-window 600s --defaults"
    )


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("localhost:4222", f"url: found no scheme, which is no address of a server{FORM}"),
        ("http://localhost:4222", f"url: found http://…, which is no address of a server{FORM}"),
        ("nats://", f"url: found nats://…, which is no address of a server{FORM}"),
        ("nats://localhost/a", f"url: found nats://…, which is no address of a server{FORM}"),
        (
            "nats://bob:pa/ss@host",
            f"url: is no address; write % / ? # @ , of a password as {ESCAPES}, and all of it{AS}",
        ),
        ("nats://a,tls://b", "url: must have the same scheme, user and password for all servers"),
        ("nats://bob:x@a,nats://b", "url: must have the same scheme, user and password for all servers"),
        ("nats://token@a", f"url: has a user without a password{FORM}, and a token in the option token"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str, error: str) -> None:
    assert refusal(url=url) == error


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"token": "t", "nkey_file": "f"}, "token, credentials_file, nkey_file, and a user in url: set one of them"),
        ({"url": "nats://u:p@h", "token": "t"}, "token, credentials_file, nkey_file, and a user in url: set one of"),
        ({"stream": "a.b"}, "stream: must be a name of 1 to 255 characters"),
        ({"stream": ""}, "stream: must be a name of 1 to 255 characters"),
        ({"window": 0}, "window: must be 1 to 65535, found 0"),
        ({"confirm_s": 0.0}, "confirm_s: must be above 0 and at most 3600, found 0.0"),
        ({"cert_file": "c"}, "cert_file, key_file: set both or neither"),
    ],
)
def test_other_options_that_cannot_work_are_refused(options: dict[str, Any], error: str) -> None:
    assert refusal(**options).startswith(error)


def test_an_address_is_shown_without_its_login() -> None:
    options = NatsOptions(url="tls://b%40b:p%2Css@one,tls://b%40b:p%2Css@[::1]:4223")
    assert options.place == "one:4222,[::1]:4223"
    assert options.addresses == ["tls://one:4222", "tls://[::1]:4223"]
    assert (options.user, options.insists_on_tls) == (("b@b", "p,ss"), True)


@pytest.mark.parametrize(
    ("wide", "narrow", "is_covered", "do_meet"),
    [
        ("a.>", "a.b.>", True, True),
        ("a.>", "a.b", True, True),
        (">", "a", True, True),
        ("a.*.c", "a.b.c", True, True),
        ("a.b", "a.b", True, True),
        ("a.b.>", "a.>", False, True),
        ("a.b.c", "a.*.c", False, True),
        ("a.b.c", "a.>", False, True),
        ("a.*", "a.b.c", False, False),
        ("a.>", "a", False, False),
        ("a.b.c", "a.b", False, False),
        ("b.>", "a.>", False, False),
    ],
)
def test_patterns_of_subjects(wide: str, narrow: str, *, is_covered: bool, do_meet: bool) -> None:
    """As a server compares them: `*` is one word, `>` at least one."""
    assert (covers(wide, narrow), meet(wide, narrow), meet(narrow, wide)) == (is_covered, do_meet, do_meet)
