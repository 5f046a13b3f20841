"""Consumers in Node and Go, the examples as they stand: what dies between two steps costs them no event.

Source: promises P17 to P19; rows 1 to 3 of what follows if one of them dies.
"""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support import consumers, scale
from tests.support.consumers import LANGUAGES, consuming
from tests.support.installed import INSTALL_S
from tests.support.links import Direction, Links, running_links
from tests.support.node import Node, running_node
from tests.support.waiting import until
from tests.support.worked import WINDOW_COUNT, Assets, Work, definition

ASSET_COUNT: Final = 40
ROUNDS: Final = scale.CONSUMED_EVENTS // ASSET_COUNT
LIVE_ROUNDS: Final = 2
"""Of what is committed while the node is killed."""
WITHIN_S: Final = 60 + scale.CONSUMED_EVENTS / 200
LINES_MAX: Final = 60
pytestmark = pytest.mark.timeout(INSTALL_S + 4 * WITHIN_S)


class Ledger:
    """A node with assets, and subscriptions to all that happened to them."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.node = node
        self.folder = folder
        self.assets = Assets(node, ASSET_COUNT)

    def subscribe(self, name: str) -> Work:
        """Create a subscription; return what becomes of it."""
        answer = self.node.put(f"subscriptions/{name}", definition())
        assert answer.status == 201, answer
        (file := self.folder / name).touch()
        return Work(file)

    def url(self, name: str, port: int | None = None) -> str:
        return f"ws://127.0.0.1:{port or self.node.port}/api/v1/subscriptions/{name}?window={WINDOW_COUNT}"

    def wait_until_worked(self, work: Work, share: float) -> None:
        """Wait until a part of all events was worked on."""
        count = int(share * ASSET_COUNT * ROUNDS)
        until(lambda: work.count() >= count, what=f"{count} events", within_s=WITHIN_S, every_s=0.005)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    folder = tmp_path_factory.mktemp("consumers")
    with running_node(folder / "node") as node:
        made = Ledger(node, folder)
        made.assets.grow(ROUNDS)
        yield made


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def line(language: str, ledger: Ledger) -> list[str]:
    return consumers.command(language, ledger.folder / f"program-{language}")


@contextmanager
def link_to(ledger: Ledger, name: str) -> Iterator[tuple[Links, str]]:
    """Run a link to a subscription; yield it with its address."""
    with running_links() as links:
        yield links, ledger.url(name, links.open("consumer", "node", ledger.node.port))


def test_a_killed_connection_costs_no_event(ledger: Ledger, language: str, line: list[str]) -> None:
    """Row 3: acks are on their way; what was not answered comes again, and old tags settle nothing."""
    work = ledger.subscribe(f"cut-{language}")
    with link_to(ledger, f"cut-{language}") as (links, url), consuming(line, url, work.file):
        for share in (0.2, 0.4, 0.6, 0.8):
            ledger.wait_until_worked(work, share)
            links.do(lambda link: link.hold("there"))
            until(lambda: "there" in links.do(lambda link: link.held), what="acks on their way")
            with work.fault():
                links.do(lambda link: link.cut("refused"))
            links.do(lambda link: link.mend())
        work.wait_for(ledger.assets.ids, within_s=WITHIN_S)


@pytest.mark.parametrize(
    "held",
    [("back",), ("there",), ()],
    ids=["frame sent and received", "work done and ack sent", "at any moment"],
)
def test_a_killed_consumer_costs_no_event(
    held: tuple[Direction, ...], ledger: Ledger, language: str, line: list[str]
) -> None:
    """Row 2: another consumer gets what it held, in order, while it stays dead."""
    work = ledger.subscribe(name := f"killed-{'-'.join(held)}-{language}")
    with link_to(ledger, name) as (links, url), consuming(line, ledger.url(name), work.file):
        for share in (0.1, 0.4, 0.7):
            with consuming(line, url, work.file) as victim:
                ledger.wait_until_worked(work, share)
                links.do(lambda link: link.hold(*held))
                until(lambda: {*held} <= links.do(lambda link: link.held), what="something on its way")
                with work.fault():
                    victim.kill()
                    victim.wait()
                    links.do(lambda link: link.cut("refused"))
                links.do(lambda link: link.mend())
        work.wait_for(ledger.assets.ids, within_s=WITHIN_S)


def test_a_killed_node_costs_no_event(ledger: Ledger) -> None:
    """Row 1: while frames are on their way, at any moment, and between a commit and its reading."""
    draws = random.Random(scale.seed())
    works = {language: ledger.subscribe(f"node-{language}") for language in LANGUAGES}
    with ExitStack() as stack:
        links = stack.enter_context(running_links())
        port = links.open("consumer", "node", ledger.node.port)
        for language, work in works.items():
            line = consumers.command(language, ledger.folder / f"program-{language}")
            stack.enter_context(consuming(line, ledger.url(f"node-{language}", port), work.file))

        def kill(before: Callable[[], object]) -> None:
            before()
            with ExitStack() as faults:
                for work in works.values():
                    faults.enter_context(work.fault())
                ledger.node.kill()
                links.do(lambda link: link.cut("refused"))
            links.do(lambda link: link.mend())
            ledger.node.start()

        def hold_frames() -> None:
            ledger.wait_until_worked(works["go"], 0.3)
            links.do(lambda link: link.hold("back"))
            until(lambda: "back" in links.do(lambda link: link.held), what="a frame on its way")

        kill(hold_frames)
        kill(lambda: ledger.wait_until_worked(works["node"], 0.3 + draws.random() / 2))
        for _ in range(LIVE_ROUNDS):
            kill(lambda: ledger.assets.grow(1))
        for work in works.values():
            work.wait_for(ledger.assets.ids, within_s=WITHIN_S)


def test_a_consumer_ends_where_coming_back_does_not_help(
    ledger: Ledger, language: str, line: list[str], tmp_path: Path
) -> None:
    with consuming(line, ledger.url("nobody-made-it"), tmp_path / "work") as process:
        assert process.wait(60) == 1
    work = ledger.subscribe(name := f"deleted-{language}")
    with consuming(line, ledger.url(name), work.file) as process:
        work.wait_for(ledger.assets.ids, within_s=WITHIN_S)
        assert ledger.node.delete(f"subscriptions/{name}").status == 204
        assert process.wait(60) == 1
    assert "4404" in work.file.with_suffix(".errors").read_text()


def test_a_key_file_that_cannot_be_read_is_named(ledger: Ledger, line: list[str], tmp_path: Path) -> None:
    variable = {"BIGCHAINDB_ACCESS_KEY_FILE": str(tmp_path / "no-such-key")}
    with consuming(line, ledger.url("nobody-made-it"), tmp_path / "work", environment=variable) as process:
        assert process.wait(60) == 1
    said = (tmp_path / "work.errors").read_text()
    assert "BIGCHAINDB_ACCESS_KEY_FILE names a file that cannot be read: " in said
    assert "no-such-key" in said
    assert said.count("\n") == 1, said


@pytest.mark.parametrize("file", ["node/consumer.js", "go/consumer.go"])
def test_an_example_is_short(file: str) -> None:
    """Blank lines, comments and the head with its imports do not count."""
    head = r"\A.*^(?:import [^(\n]*;|import \(.*?^\))$"
    text = re.sub(head, "", (consumers.EXAMPLES / file).read_text(), flags=re.MULTILINE | re.DOTALL)
    code = [one for one in text.splitlines() if one.strip() and not one.strip().startswith("//")]
    assert 40 < len(code) <= LINES_MAX
