"""Programs stand in a page as they stand in examples/, where tests run them."""

from typing import Final

import pytest

from tests.support.consumers import EXAMPLES
from tests.support.pages import PAGES, ROOT, examples

FILES: Final = {"js": EXAMPLES / "node/consumer.js", "go": EXAMPLES / "go/consumer.go"}


@pytest.mark.parametrize("language", FILES)
def test_a_page_shows_the_example_that_tests_run(language: str) -> None:
    shown = [one.text for page in PAGES for one in examples(page) if one.language == language]
    assert shown == [FILES[language].read_text()]


def test_a_page_shows_the_shop_that_tests_run() -> None:
    page = ROOT / "docs/how-to/build-an-http-service.md"
    assert [one.text for one in examples(page) if one.file == "app.py"] == [
        (EXAMPLES / "fastapi-shop/app.py").read_text()
    ]
