"""A web page at another origin owns, moves and reads assets: the published driver's bundle in a real browser.

Source: docs/reference/contract/driver-expectations.md, section 3, check 16, and section 2.2.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from tests.support import installed, services
from tests.support.node import Node

HERE: Final = Path(__file__).parent
BUNDLE: Final = "node_modules/bigchaindb-driver/dist/browser/bigchaindb-driver.window.min.js"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def do_GET(self) -> None:
        """Send an id without data first; answer whoever comes back with the id that it sent."""
        if self.path != "/told-an-id":
            super().do_GET()
            return
        came_back = self.headers.get("Last-Event-ID")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        told = "retry: 10\nid: here\n\n" if came_back is None else f"data: {came_back}\n\n"
        self.wfile.write(told.encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output readable."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web server that has the page and the driver's bundle, and knows nothing of the node."""
    folder = tmp_path_factory.mktemp("shop")
    for name in ("page.html", "page.js"):
        shutil.copy(HERE / "browser" / name, folder)
    packages = installed.javascript_packages(HERE / "javascript/4.3.0/package.json")
    shutil.copy(packages / BUNDLE, folder / "driver.js")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def outcome(node: Node, shop: str) -> dict[str, Any]:
    """What the page's script came to in the browser."""
    services.require("chromium")
    chromium = shutil.which("chromium")
    assert chromium
    key = node.new_key("shop", "--scopes", "read", "--keep-anonymous")
    address = f"{shop}/page.html?{urlencode({'node': node.url, 'stream': node.stream_url, 'key': key})}"
    python = installed.python_environment("browser")
    visit = [str(python), "-I", str(HERE / "browser/visit.py"), chromium, address]
    done = subprocess.run(visit, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["outcome"], seen
    found: dict[str, Any] = seen["outcome"]
    return found


def test_16_the_drivers_bundle_posts_and_reads_from_another_origin(outcome: dict[str, Any]) -> None:
    seen = outcome["driver"]
    assert seen["listed"] == [seen["asset"], seen["transfer"]]
    assert seen["bobs"] == [{"transaction_id": seen["transfer"], "output_index": 0}]


def test_16_a_page_can_read_why_it_was_refused(outcome: dict[str, Any]) -> None:
    assert outcome["driver"]["refusal"].startswith("404")
    assert outcome["fetch"]["accepted"] == 202
    assert outcome["fetch"]["echoed"]
    assert outcome["fetch"]["refused"] == 400
    assert outcome["fetch"]["why"].startswith("Invalid transaction (InvalidHash): ")


def test_16_a_page_follows_the_stream(outcome: dict[str, Any], node: Node) -> None:
    frame = outcome["stream"]
    assert frame["asset_id"] == frame["transaction_id"]
    assert frame["height"] in node.get("blocks", transaction_id=frame["transaction_id"]).json()


def test_a_page_follows_the_events_from_another_origin(outcome: dict[str, Any], node: Node) -> None:
    """The browser's own client does all that a stream needs, and its place is good for the next page."""
    seen = outcome["events"]
    assert node.get(f"transactions/{seen['event']['data']['id']}").status == 200
    assert node.get("events", after=seen["lastEventId"]).status == 200


def test_a_browser_remembers_an_id_without_data(outcome: dict[str, Any]) -> None:
    """A client whose filter matches nothing comes back to where the node had looked."""
    assert outcome["back"] == "here"


def test_a_page_shows_its_access_key_as_a_subprotocol(outcome: dict[str, Any]) -> None:
    """A browser ends a WebSocket whose subprotocols are all passed over, and sets no headers."""
    assert (outcome["known"], outcome["unknown"]) == ("page.v1", None)
