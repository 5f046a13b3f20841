"""Every example in README.md and docs/ runs as it stands there: a page whose commands do not work is a broken promise.

The `sh` blocks of a page are one script, in an environment into which the node was installed as a package. Blocks whose
first line is a comment with a file name are written to that file, where they stand in the page, by the same script. An
`output` block behind an `sh` block is compared with what that block printed; `…` stands for any text or lines.
`python` blocks without a file name run by themselves. Blocks without a language are not run: they start what only a
person stops, or what runs this test.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.support import installed, wheels
from tests.support.cometbft import require_cometbft
from tests.support.installation import Installation
from tests.support.kafka import Kafka, running_kafka
from tests.support.mosquitto import Mosquitto, running_mosquitto
from tests.support.nats import Nats, running_nats
from tests.support.node import Node
from tests.support.page_outputs import difference
from tests.support.pages import LINKED, PAGES, ROOT, Example, examples
from tests.support.ports import free_ports
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.rabbitmq import RabbitMQ, running_rabbitmq
from tests.support.redis import Redis, running_redis

SERVED: Final = {
    ROOT / "docs/tutorial-plugin.md": ("DATABASE_URL", "postgresql"),
    ROOT / "docs/how-to/pass-events-to-postgresql.md": ("DATABASE_URL", "postgresql"),
    ROOT / "docs/how-to/pass-events-to-amqp.md": ("AMQP_URL", "rabbitmq"),
    ROOT / "docs/how-to/pass-events-to-kafka.md": ("KAFKA_SERVERS", "kafka"),
    ROOT / "docs/how-to/pass-events-to-mqtt.md": ("MQTT_URL", "mosquitto"),
    ROOT / "docs/how-to/pass-events-to-nats.md": ("NATS_URL", "nats_server"),
    ROOT / "docs/how-to/pass-events-to-redis.md": ("REDIS_URL", "redis_server"),
}
"""Pages whose reader has a service, and its address in a variable: the fixture gives it."""
NETWORK: Final = [ROOT / f"docs/how-to/{task}-a-network.md" for task in ("form", "operate", "repair")]
"""Their reader goes from one to the next with the same nodes. The several machines are addresses of this one, with the
ports that nodes have by default."""
SINK: Final = ROOT / "docs/how-to/write-a-sink.md"
"""Its reader has pytest, and no service."""
SQL: Final = ROOT / "docs/how-to/query-with-sql.md"
"""Its reader has Datasette."""
README: Final = ROOT / "README.md"
POST: Final = ROOT / "docs/how-to/post-a-transaction.md"
DRIVER: Final = ROOT / "tests/acceptance/javascript/4.3.0/package.json"
LINK: Final = re.compile(r"\]\((?!https?:)([^)#]+)")
NEW_PLUGIN: Final = re.compile(r"plugins new (?:-\S+ )*(\w+)")
OF_BASH: Final = re.compile(r"^source |\bexport -f\b|\bbash -c\b|<<<|<\(|\[\[ ")
ENTRY_POINT: Final = re.compile(r'^\[project\.entry-points\."bigchaindb\.events"\]\n(\w+) =', re.MULTILINE)
SCRIPT_S: Final = 400
"""Time for the commands of a page, on a busy machine."""
WAIT_S: Final = SCRIPT_S // 4
"""Time for a step that waits: readers have half a minute, and machines of their own."""
TRACE_CHARACTERS: Final = 4000
"""Of the commands that ran before a failure: the last ones name it."""
pytestmark = pytest.mark.timeout(SCRIPT_S + 100)


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(e.language == language and e.file is None for e in examples(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def environment(installation: Installation, tmp_path: Path) -> dict[str, str]:
    """A shell's environment in which `bigchaindb` and `pip` are those of an installation, with free ports."""
    return environment_of(installation, tmp_path)


def environment_of(installation: Installation, folder: Path) -> dict[str, str]:
    """Make that environment, with tools in `folder`, which is its home."""
    tools = folder / "tools"
    tools.mkdir()
    base = installed.python_environment("node", pins="base.txt")
    offline = f"-m pip -q --python {installation.python} install --no-deps --no-build-isolation"
    for name, command in (
        ("pip", f"shift\nexec {base} {offline} --use-pep517"),
        ("pytest", f"exec {installation.python} -m pytest"),
        ("timeout", f"shift\nexec {shutil.which('timeout')} {WAIT_S}"),
    ):
        (tools / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        (tools / name).chmod(0o755)
    http, stream, port = free_ports(3)
    return {
        "PATH": f"{tools}:{installation.python.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "BIGCHAINDB_SERVER_BIND": f"127.0.0.1:{http}",
        "BIGCHAINDB_WSSERVER_PORT": str(stream),
        "PORT": str(port),
        # `plugins install` builds what it is given, with uv or pip, from wheels that are there.
        **dict.fromkeys(("PIP_NO_INDEX", "UV_OFFLINE"), "1"),
        **dict.fromkeys(("PIP_FIND_LINKS", "UV_FIND_LINKS"), str(wheels.wheels_of_dependencies())),
    }


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A database server."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A broker."""
    with running_rabbitmq() as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A broker of Kafka."""
    with running_kafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[Mosquitto]:
    """A broker of MQTT."""
    with running_mosquitto() as broker:
        yield broker


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    """A server with streams."""
    with running_nats() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A server of Redis."""
    with running_redis() as server:
        yield server


@pytest.mark.parametrize(
    "page", [page for page in pages_with("sh") if page not in {*SERVED, *NETWORK, SINK}], ids=name_of
)
def test_the_commands_of_a_page_work(page: Path, environment: dict[str, str], node: Node, tmp_path: Path) -> None:
    if page in {README, POST}:  # their reader has a node running
        environment["BIGCHAINDB_SERVER_BIND"] = node.settings["server"]["bind"]
    if page == SQL:
        environment["PATH"] += f":{installed.python_environment('datasette').parent}"
    run_page(page, environment, tmp_path)


@pytest.mark.parametrize("page", SERVED, ids=name_of)
def test_the_commands_of_a_page_about_a_service_work(
    page: Path, author: Installation, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Its reader has pytest, the extras of the sinks, and a service."""
    variable, fixture = SERVED[page]
    run_page(page, environment_of(author, tmp_path) | {variable: request.getfixturevalue(fixture).url}, tmp_path)


def test_the_commands_of_the_page_about_sinks_work(author: Installation, tmp_path: Path) -> None:
    run_page(SINK, environment_of(author, tmp_path), tmp_path)


def test_the_commands_of_the_pages_about_networks_work(installation: Installation) -> None:
    """A folder below /tmp itself: the path of a node's socket is bounded."""
    with tempfile.TemporaryDirectory(prefix="bigchaindb-network-") as folder:
        environment = environment_of(installation, Path(folder))
        for own in ("BIGCHAINDB_SERVER_BIND", "BIGCHAINDB_WSSERVER_PORT"):
            del environment[own]  # each machine has its own
        environment["PATH"] = f"{environment['PATH']}:{require_cometbft().parent}"
        environment["LOOPBACK"] = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"
        run_pages(NETWORK, environment, Path(folder))


def run_page(page: Path, environment: dict[str, str], folder: Path) -> None:
    run_pages([page], environment, folder)


def run_pages(pages: Sequence[Path], environment: dict[str, str], folder: Path) -> None:
    """Run the examples of pages as one script, in the order in which their reader meets them."""
    reader = folder / "reader"
    (reader / ".venv/bin").mkdir(parents=True)
    (reader / ".venv/bin/activate").write_text("")  # the environment is there already
    (reader / ".run").mkdir()  # as `make run` has made it
    shutil.copy(ROOT / "pyproject.toml", reader)  # the reader stands in a checkout, and tools find its settings
    steps = [example for page in pages for example in examples(page) if example.script]
    failure = run_script([example.script for example in steps], reader, environment, folder)
    assert not failure, failure
    wrong = [one for number, example in enumerate(steps) if (one := wrong_output(example, folder / f"{number}.out"))]
    names = ", ".join(map(name_of, pages))
    assert not wrong, f"{names} show other outputs than their commands print:\n\n" + "\n\n".join(wrong)


def wrong_output(step: Example, printed: Path) -> str:
    """Return the difference between what a page shows behind a step and what the step printed, if there is any."""
    if step.output is None:
        return ""
    found = difference(step.output, printed.read_text())
    return f"{step.text}{found}" if found else ""


def run_script(steps: Sequence[str], reader: Path, environment: dict[str, str], folder: Path) -> str:
    """Run the steps of a page as one script, the output of each into a file; return what failed, if anything did.

    Whatever they left running is ended with them.
    """
    redirected = [f"exec > {folder / f'{number}.out'} 2>&1\n{step}" for number, step in enumerate(steps)]
    trace = folder / "page.trace"
    script = "\n".join([f"exec 9> {trace}", "BASH_XTRACEFD=9", "set -euxo pipefail", *redirected])
    (reader / "page.sh").write_text(script)
    with subprocess.Popen(
        ["bash", "page.sh"], cwd=reader, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            code = process.wait(SCRIPT_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill(process.pid)
    if code == 0:
        return ""
    outputs = (folder / f"{number}.out" for number in range(len(steps)))
    printed = "".join(f"--- step {file.stem}\n{file.read_text()}" for file in outputs if file.exists())
    ending = f"not ended after {SCRIPT_S} s" if code is None else f"exit {code}"
    return f"{ending}\n{trace.read_text()[-TRACE_CHARACTERS:]}\n{printed}"


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@pytest.mark.parametrize("page", pages_with("python"), ids=name_of)
def test_the_python_of_a_page_works(page: Path, node: Node, tmp_path: Path) -> None:
    for example in examples(page):
        if example.language != "python" or example.file is not None:
            continue
        driver = "bigchaindb_driver" in example.text
        interpreter = installed.python_environment("python-driver-0.6.2") if driver else sys.executable
        code = example.text.replace("http://localhost:9984", node.url)
        line = [str(interpreter), "-I", "-c", code]
        ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=SCRIPT_S, check=False)
        assert ended.returncode == 0, ended.stderr


def test_a_page_pins_the_libraries_of_the_driver_as_the_tests_do() -> None:
    shown = re.findall(r"[\w-]+==[\d.]+", POST.read_text())
    pinned = (ROOT / "requirements/acceptance-python-driver-0.6.2.txt").read_text().split()
    assert len(shown) == 9
    assert not set(shown) - set(pinned)


@pytest.mark.parametrize("page", pages_with("sh"), ids=name_of)
def test_a_step_that_waits_has_a_bound(page: Path) -> None:
    """A reader whose node does not start gets the reason instead of a silent terminal (decision 0169)."""
    lines = [line for example in examples(page) if example.language == "sh" for line in example.text.splitlines()]
    assert not [line for line in lines if re.search(r"\b(?:until|while) ", line) and "timeout " not in line]


@pytest.mark.parametrize("page", pages_with("sh"), ids=name_of)
def test_a_page_that_starts_a_node_names_a_ledger_of_its_own(page: Path) -> None:
    """Else its commands would run on the reader's own, and one of them restores a backup over it."""
    text = "".join(example.text for example in examples(page) if example.language == "sh")
    if re.search(r"^(?:bigchaindb|\$\w+) (?:-c \S+ )?(?:start|init|restore)\b", text, re.MULTILINE):
        assert "DATABASE_PATH=" in text or '"database": {"path"' in text


@pytest.mark.parametrize("page", pages_with("sh"), ids=name_of)
def test_the_commands_of_a_page_are_those_of_every_shell(page: Path) -> None:
    """A reader may have dash or zsh, which know neither exported functions nor, the one, `source`."""
    lines = [line for example in examples(page) if example.language == "sh" for line in example.text.splitlines()]
    assert not [line for line in lines if OF_BASH.search(line)]


@pytest.mark.parametrize("page", pages_with("javascript"), ids=name_of)
def test_the_javascript_of_a_page_works(page: Path, node: Node, tmp_path: Path) -> None:
    """Its reader has the published driver."""
    packages = installed.javascript_packages(DRIVER) / "node_modules"
    for example in examples(page):
        if example.language != "javascript":
            continue
        line = [str(installed.node()), "-e", example.text.replace("http://localhost:9984", node.url)]
        environment = {**os.environ, "NODE_PATH": str(packages)}
        ended = subprocess.run(
            line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SCRIPT_S, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert re.fullmatch(r"[0-9a-f]{64}\n", ended.stdout), ended.stdout


def test_no_two_pages_install_a_plugin_of_one_name() -> None:
    """A reader goes from page to page in one environment, where the second plugin of a name is refused."""
    pages: dict[str, list[str]] = {}
    for page in PAGES:
        text = "".join(example.text for example in examples(page) if example.language in {"sh", "toml"})
        for name in set(NEW_PLUGIN.findall(text)) | set(ENTRY_POINT.findall(text)):
            pages.setdefault(name, []).append(name_of(page))
    assert pages, "no page makes a plugin"
    assert not {name: found for name, found in pages.items() if len(found) > 1}


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", page.read_text())
    broken = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not broken
