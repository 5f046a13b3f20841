"""Which answer `/` has, and the files of the page."""

import gzip
from pathlib import Path

import pytest

from bigchaindb.api.page_files import BYTES_MAX, Page
from bigchaindb.config.access import Access
from bigchaindb.errors import ConfigurationError
from tests.integration.api.conftest import Start
from tests.support.raw import ask
from tests.support.served import Served

REQUESTS = "*/*"
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
SAFARI = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
BROWSERS = [CHROMIUM, FIREFOX, SAFARI, "text/html", "*/*;q=0.1, TEXT/HTML ;charset=utf-8; Q=0.001", "text/html;q=1"]
OTHERS = [
    None,  # the Java driver
    "",
    REQUESTS,  # the Python driver 0.4.1 to 0.6.2, the JavaScript driver 3.2.0, curl
    "application/json",  # the JavaScript driver 4.1.2 and 4.3.0
    "text/*",
    "text/html;q=0",
    "text/html ; q=0.000, */*",
    "application/xhtml+xml",
    "text/html2, xtext/html",
]
JSON = "application/json"
POLICY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text('<script type="module" src="page/DIGEST/parts/app.js"></script>')
    (folder / "parts" / "app.js").write_bytes(SCRIPT)
    (folder / "parts" / "app.js~").write_bytes(b"left by an editor")
    return folder


@pytest.fixture
async def paged(start: Start, folder: Path) -> Served:
    return await start(page=Page.read(folder), access=Access(anonymous="none"))


def accepting(value: str | None) -> dict[str, str]:
    return {} if value is None else {"Accept": value}


@pytest.mark.parametrize("accept", BROWSERS)
async def test_browsers_get_the_page_without_a_scope(paged: Served, accept: str) -> None:
    answer = await ask(paged.api.port, "GET", "/", Accept=accept)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Accept", "no-cache")
    assert answer.headers.items() >= POLICY.items()
    head = await ask(paged.api.port, "HEAD", "/", Accept=accept)
    assert (head.body, head.headers["content-length"]) == (b"", str(len(answer.body)))
    assert head.headers["content-type"] == answer.headers["content-type"]


@pytest.mark.parametrize("accept", OTHERS)
async def test_all_others_get_json_as_before(start: Start, folder: Path, accept: str | None) -> None:
    """A driver that got HTML would take the node for something else."""
    served = await start(page=Page.read(folder))
    answer = await ask(served.api.port, "GET", "/", **accepting(accept))
    assert (answer.headers["content-type"], answer.headers["vary"]) == (JSON, "Accept")
    assert answer.json()["software"] == "BigchainDB"
    assert (await ask(served.api.port, "HEAD", "/", **accepting(accept))).headers["content-type"] == JSON
    elsewhere = await ask(served.api.port, "GET", "/api/v1", Accept=CHROMIUM)
    assert elsewhere.headers["content-type"] == JSON


async def test_files_have_addresses_with_the_digest_of_all(paged: Served, folder: Path) -> None:
    index = (await ask(paged.api.port, "GET", "/", Accept=SAFARI)).body.decode()
    path = "/" + index.split('"')[3]
    for encoding, expected in (("gzip, deflate, br", gzip.decompress), ("gzip;q=0, br", bytes), (None, bytes)):
        given = {} if encoding is None else {"Accept_Encoding": encoding}
        answer = await ask(paged.api.port, "GET", path, Origin="https://elsewhere.example", **given)
        assert expected(answer.body) == SCRIPT
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert ("content-encoding" in answer.headers) == (expected is gzip.decompress)
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers.items() >= POLICY.items()
    head = await ask(paged.api.port, "HEAD", path)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(SCRIPT)))
    before = Page.read(folder).digest
    (folder / "index.html").write_text("another")
    assert before in path
    assert Page.read(folder).digest != before


async def test_what_is_no_file_of_the_page_is_not_found(paged: Served, folder: Path) -> None:
    digest = Page.read(folder).digest
    for path in (
        f"{digest}/parts/app.js~",
        f"{digest}/index.html",
        f"{digest}/../../etc/passwd",
        f"{digest}//parts/app.js",
        f"{digest}/",
        digest,
        "",
        f"{'0' * len(digest)}/parts/app.js",
    ):
        answer = await ask(paged.api.port, "GET", f"/page/{path}")
        assert (answer.status, answer.headers["cache-control"]) == (404, "no-store"), path
    refused = await ask(paged.api.port, "POST", f"/page/{digest}/parts/app.js", b"")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_two_addresses_that_browsers_try(paged: Served, caplog: pytest.LogCaptureFixture) -> None:
    icon = await ask(paged.api.port, "GET", "/favicon.ico")
    assert (icon.status, icon.body) == (204, b"")
    docs = await ask(paged.api.port, "GET", "/docs")
    assert (docs.status, docs.headers["location"], docs.body) == (302, "./#/api", b"")
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]


async def test_vary_names_the_origin_too_where_answers_depend_on_it(start: Start, folder: Path) -> None:
    served = await start(page=Page.read(folder), access=Access(origins=("https://own.example",)))
    for accept in (SAFARI, JSON):
        for origin in ({}, {"Origin": "https://own.example"}, {"Origin": "https://other.example"}):
            answer = await ask(served.api.port, "GET", "/", Accept=accept, **origin)
            assert answer.headers["vary"] == "Accept, Origin"


async def test_a_node_without_a_page_has_none(served: Served) -> None:
    assert (await ask(served.api.port, "GET", "/", Accept=CHROMIUM)).headers["content-type"] == JSON
    assert (await ask(served.api.port, "GET", "/favicon.ico")).status == 204
    for path in ("/docs", f"/page/{Page.read().digest}/app.js"):
        assert (await ask(served.api.port, "GET", path)).status == 404


@pytest.mark.parametrize(
    ("name", "size", "why"),
    [("other.html", 1, r"has no index\.html"), ("index.html", BYTES_MAX + 1, "have more than 4194304 bytes")],
)
def test_a_folder_that_holds_no_page_is_refused(tmp_path: Path, name: str, size: int, why: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(size)
    with pytest.raises(ConfigurationError, match=f"page.folder: .*{why}"):
        Page.read(tmp_path)
