"""What a page shows is what its commands print, and a difference can be pasted into the page."""

import pytest

from tests.support.page_outputs import difference


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("ready\n", "ready\n"),
        ("ready\n", "ready  \n"),
        ("took … s\n", "took 0.2 s\n"),
        ("took … s, … events\n", "took 0.2 s, 17 events\n"),
        ("first\n…\nlast\n", "first\na\nb\nlast\n"),
        ("first\n…\nlast\n", "first\nlast\n"),
        ("…\n", ""),
        ("[a] (b) $1.*\n", "[a] (b) $1.*\n"),
    ],
)
def test_an_output_that_agrees(shown: str, printed: str) -> None:
    assert difference(shown, printed) == ""


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("ready\n", ""),
        ("ready\n", "ready\nand more\n"),
        ("took … s\n", "took 0.2\n s\n"),
        ("first\n…\nlast\n", "first\na\n"),
        ("a.c\n", "abc\n"),
    ],
)
def test_an_output_that_differs(shown: str, printed: str) -> None:
    assert difference(shown, printed)


def test_what_a_difference_adds_is_what_the_page_should_say() -> None:
    """Lines that agree keep their `…`: whoever applies the diff does not lose them."""
    assert difference("made …\n2 events\n", "made 7f3a\n3 events\n") == (
        "--- in the page\n+++ printed\n@@ -1,2 +1,2 @@\n made …\n-2 events\n+3 events"
    )
