"""Fixtures for tests that need a real node: `node`, one for the whole run, `start_node`, as many as a test wants.

And what holds for every run: its scale, the groups of its workers, the signals that its children get.
"""

import os
import re
import signal
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Protocol

import hypothesis
import pytest

from bigchaindb.engine import check_nursery
from tests.support import groups, made_secrets, scale
from tests.support.installation import Installation, install_node
from tests.support.node import COMMAND, Node, running_node
from tests.support.tls import Authority, trust

NAME_CHARS: Final = 12


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take the signals' dispositions that a terminal gives, and the examples and the time that the scale asks for.

    A job in the background is started with SIGINT ignored, and hands that on to each child: their Ctrl-C would do
    nothing.
    """
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
    hypothesis.settings.register_profile(  # a busy machine must not fail a rule: no example has a time of its own
        "scaled", max_examples=scale.EXAMPLES, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("scaled")
    if scale.SCALE == "long" and config.option.timeout is None:
        config.option.timeout = scale.LONG_TEST_S


def pytest_report_header() -> str:
    """Show what a repetition needs."""
    return f"counts: {scale.SCALE} ({scale.VARIABLE}), first seed: {scale.FIRST_SEED} ({scale.FIRST_SEED_VARIABLE})"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Keep together what shares a server: before pytest-xdist reads the groups, and after pytest has sorted.

    Without workers the order is pytest's.
    """
    groups.mark_groups(items)
    yield
    if "PYTEST_XDIST_WORKER" in os.environ:
        groups.put_longest_first(items)


@pytest.fixture(autouse=True)
def no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Search what a test logs for every secret that was made; the logs of nodes are searched when they end."""
    yield
    made_secrets.require_absent(caplog.text, "the log of this test")


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the check processes of engines in this process fall over the documents of `tests.support.poison`."""
    monkeypatch.setattr(check_nursery, "NURSERY", "tests.support.poison")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


class StartNode(Protocol):
    """The type of the fixture `start_node`."""

    def __call__(
        self,
        *,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = COMMAND,
    ) -> Node:
        """Start a node in a folder of its own; see `tests.support.node.running_node`."""
        ...


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shorter name than pytest's: the path of a node's socket has 107 bytes at most."""
    name = re.sub(r"\W", "_", request.node.name.removeprefix("test_"))
    return tmp_path_factory.mktemp(name[:NAME_CHARS])


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with default settings that many tests share: whoever wants to count uses keys and words of its own."""
    with running_node(tmp_path_factory.mktemp("shared-node")) as running:
        yield running


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[StartNode]:
    """Start nodes with settings of the test's own; all are killed at its end."""
    with ExitStack() as nodes:
        count = 0

        def start(
            *,
            settings: Mapping[str, Any] | None = None,
            environment: Mapping[str, str] | None = None,
            command: Sequence[str] = COMMAND,
        ) -> Node:
            nonlocal count
            count += 1
            folder = tmp_path / f"node-{count}"
            running = running_node(folder, settings=settings, environment=environment, command=command)
            return nodes.enter_context(running)

        yield start


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that signs certificates for the whole run."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority) -> Iterator[Authority]:
    """That authority, trusted by this process and those that it starts."""
    with trust(authority):
        yield authority


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A node installed from its package into an environment of its own, to install plugins beside it."""
    return install_node(tmp_path_factory.mktemp("installation"))


@pytest.fixture(scope="session")
def author(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A node's environment as an author of plugins has it: pytest and a database's client are there."""
    made = install_node(tmp_path_factory.mktemp("author"))
    made.lend_tools()
    return made
