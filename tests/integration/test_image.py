"""The image of a node: built, run, extended by a plugin, killed, and run again over the same volume.

Source: docs/how-to/run-in-a-container.md.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest

from tests.support import compose, installed, services, wheels
from tests.support.chains import create
from tests.support.cometbft import VERSION, require_cometbft
from tests.support.containers import PYTHON, ContainedNode, Container, Storage
from tests.support.made_wheels import PRINTING, SEEN, make_wheel
from tests.support.pages import ROOT, examples
from tests.support.ports import free_ports
from tests.support.postgresql import PROGRAMS, PostgreSQL, running_postgresql
from tests.support.waiting import until

PAGE = ROOT / "docs/how-to/run-in-a-container.md"
USER = 10001
PASSWORD = "a-password-of-a-test"
IMAGE = "bigchaindb-node"
EXTENDED = f"""\
FROM {IMAGE}
COPY seen-1.0-py3-none-any.whl .
RUN bigchaindb plugins install --no-index ./seen-1.0-py3-none-any.whl
"""
BUILD_S = 400
"""A build with all its copies takes 20 s on an idle machine."""
pytestmark = pytest.mark.timeout(BUILD_S)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Build the image and that of a network as `make image` does, from a base and wheels of the cache."""
    services.require_root("containers of a test, which mount their files,")
    folder = tmp_path_factory.mktemp("images")
    made = Storage(folder / "storage")
    for wheel in (wheels.node_wheel(), *wheels.wheels_of_the_image(PYTHON).glob("*.whl")):
        (folder / "wheels").mkdir(exist_ok=True)
        shutil.copy(wheel, folder / "wheels")
    options = {"base": made.pull_base(), "wheels": folder / "wheels", "cometbft": require_cometbft()}
    line = [f"--{name}={value}" for name, value in {**options, "tag": IMAGE, "storage": made.folder}.items()]
    driver = f"STORAGE_DRIVER={made.driver}"
    installed.run("env", driver, sys.executable, installed.CHECKOUT / "packaging/image.py", *line)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def image(storage: Storage) -> Container:
    """A container of the image, which several tests may use: what a test writes is in its volume."""
    return storage.container(IMAGE)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """A database server."""
    with running_postgresql() as server:
        yield server


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume as a runtime makes it: with the owner and the mode that the image's folder has."""
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o700)
    os.chown(folder, USER, USER)
    return folder


@pytest.fixture
def contained(volume: Path, tmp_path: Path) -> Iterator[Callable[[Container], ContainedNode]]:
    """Make nodes over one volume, at one address; what runs at the end is killed."""
    ports, made = free_ports(2), []

    def node(container: Container) -> ContainedNode:
        made.append(ContainedNode(container, volume, tmp_path, ports))
        return made[-1]

    yield node
    for one in made:
        one.kill()


def events(node: ContainedNode) -> list[Any]:
    found: list[Any] = node.ask("GET", "/api/v1/events?limit=100").json()["events"]
    return found


def commit(node: ContainedNode, serial: int) -> None:
    answer = node.ask("POST", "/api/v1/transactions?mode=commit", json.loads(create(serial).body))
    assert answer.status == 202, answer.body


def test_what_a_runtime_is_told(image: Container) -> None:
    found = image.configuration
    assert (found["User"], found["Volumes"]) == (f"{USER}:{USER}", {"/data": {}})
    assert (image.default, found["StopSignal"]) == (["bigchaindb", "start"], "SIGTERM")
    assert found["Healthcheck"]["Test"] == ["CMD", "bigchaindb", "health"]
    assert set(found["ExposedPorts"]) == {"9984/tcp", "9985/tcp"}
    about = (image.root / "data").stat()
    assert (about.st_mode & 0o7777, about.st_uid) == (0o700, USER)
    assert not (image.root / "wheels").exists()
    printed = subprocess.run(image.confined(["bigchaindb", "show-config"]), capture_output=True, text=True, check=True)
    shown = json.loads(printed.stdout)
    assert (shown["server"]["bind"], shown["wsserver"]["host"]) == ("0.0.0.0:9984", "0.0.0.0")
    assert shown["database"]["path"] == "/data/ledger"


def test_the_ledger_outlives_its_container(
    storage: Storage, image: Container, contained: Callable[[Container], ContainedNode], tmp_path: Path
) -> None:
    """A container is replaced at each upgrade: the volume is all that stays."""
    first = contained(image)
    first.start()
    assert "everybody who reaches 0.0.0.0" in first.log
    commit(first, 1)
    chain, before = first.ask("GET", "/api/v1/network").json()["chain_id"], events(first)
    assert b"<html" in first.ask("GET", "/", accept="text/html").body
    assert len(before) == 1
    first.kill()

    make_wheel(tmp_path / "context", "seen", files={"seen.py": PRINTING}, plugins={"seen": "seen"})
    (tmp_path / "context/Containerfile").write_text(EXTENDED)
    how = ("--quiet", "--isolation", "chroot", "--format", "docker", "--network", "host", "--pull=false")
    storage.buildah("build", *how, "--tag", "with-plugin", tmp_path / "context")
    second = contained(storage.container("with-plugin"))
    second.start(is_confined=True)
    assert (second.ask("GET", "/api/v1/network").json()["chain_id"], events(second)) == (chain, before)
    enabled = second.run("bigchaindb", "plugins", "enable", "seen", "--start", "genesis")
    assert enabled.returncode == 0, enabled.stderr
    until(lambda: SEEN in second.log, what="the plugin to get the first event")
    commit(second, 2)
    until(lambda: second.log.count(SEEN) == 2, what="the plugin to get the second event")
    closed = second.run("bigchaindb", "-y", "access", "key", "new", "shop", "--scopes", "read")
    assert closed.returncode == 0, closed.stderr
    assert second.ask("GET", "/api/v1/blocks/1").status == 401
    assert second.is_healthy(), "the health check needs no access key"
    assert second.stop() == 0
    second.start(is_confined=True)
    assert "stopped  logger=bigchaindb.node" in second.log


def test_a_folder_of_another_user_is_refused_in_a_sentence(image: Container, tmp_path: Path) -> None:
    """A folder of the host that is mounted as /data belongs to whoever made it, often to root."""
    for mode in (0o700, 0o755):
        folder = tmp_path / f"mode-{mode:o}"
        folder.mkdir(mode=mode)
        for command in ("start", "doctor"):
            line = image.confined(["bigchaindb", command], folder)
            done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
            printed = done.stdout + done.stderr
            assert done.returncode == 1, printed
            assert "Traceback" not in printed
            assert "/data" in printed
            assert "chown" in printed, printed


def test_compose_has_each_transaction_as_a_row(
    image: Container, contained: Callable[[Container], ContainedNode], postgresql: PostgreSQL
) -> None:
    """Its commands and environments as they stand in the file, but for the address of the database."""
    services = compose.services_of({"POSTGRES_PASSWORD": PASSWORD})
    database = services["postgres"]["environment"]
    prepare(postgresql, database["POSTGRES_USER"], database["POSTGRES_PASSWORD"], database["POSTGRES_DB"])
    address = {"PGHOST": "127.0.0.1", "PGPORT": str(postgresql.port)}
    kind, program, *options = services["postgres"]["healthcheck"]["test"]
    assert kind == "CMD"
    subprocess.run([PROGRAMS / program, *options], env={**os.environ, **address}, check=True)

    assert services["node"]["image"] == IMAGE
    node = contained(image)
    assert {"command", "environment"}.isdisjoint(services["node"])
    node.start()
    assert services["sink"]["image"] == services["node"]["image"]
    command = [
        part.replace("@postgres:5432/", f"@127.0.0.1:{postgresql.port}/") for part in services["sink"]["command"]
    ]
    commit(node, 1)  # before the plugin is enabled: it begins with the first block
    for expected in ("postgres is enabled in", "postgres was enabled already in"):  # each `up` runs it
        done = node.run(*node.container.entry_point, *command)
        assert done.returncode == 0, done.stderr
        assert expected in done.stderr
    url = f"postgresql://{database['POSTGRES_USER']}:{PASSWORD}@127.0.0.1:{postgresql.port}/{database['POSTGRES_DB']}"
    with psycopg.connect(url, autocommit=True) as rows:
        until(lambda: operations(rows) == ["CREATE"], what="the row of the transaction")


def prepare(server: PostgreSQL, user: str, password: str, database: str) -> None:
    """Make what the image of PostgreSQL makes from its environment."""
    with (server.folder / "data/pg_hba.conf").open("a") as rules:
        rules.write(f"host all {user} 127.0.0.1/32 scram-sha-256\n")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'".encode())
        connection.execute(f"CREATE DATABASE {database} OWNER {user}".encode())
        connection.execute("SELECT pg_reload_conf()")


def operations(rows: psycopg.Connection[tuple[Any, ...]]) -> list[Any]:
    try:
        return [row[0] for row in rows.execute("SELECT operation FROM bigchaindb_events ORDER BY position").fetchall()]
    except psycopg.errors.UndefinedTable:
        return []


def test_the_file_has_the_form_that_compose_reads() -> None:
    (document,) = compose.documents_of(compose.FILE.read_text())
    jsonschema.Draft201909Validator(compose.schema()).validate(document)
    volumes = [one.partition(":")[0] for service in document["services"].values() for one in service["volumes"]]
    assert set(volumes) == set(document["volumes"])
    for service in document["services"].values():
        assert set(service.get("depends_on", {})) <= set(document["services"])


def test_the_stateful_set_of_the_page_fits_the_image(image: Container) -> None:
    (text,) = (one.text for one in examples(PAGE) if one.language == "yaml")
    (found,), told = compose.documents_of(text), image.configuration
    specification = found["spec"]["template"]["spec"]
    (container,) = specification["containers"]
    assert str(specification["securityContext"]["fsGroup"]) == told["User"].split(":")[1]
    assert {f"{one['containerPort']}/tcp" for one in container["ports"]} == set(told["ExposedPorts"])
    assert [one["mountPath"] for one in container["volumeMounts"]] == list(told["Volumes"])
    assert container["readinessProbe"]["exec"]["command"] == told["Healthcheck"]["Test"][1:]
    assert container["image"] == IMAGE
    assert found["spec"]["selector"]["matchLabels"] == found["spec"]["template"]["metadata"]["labels"]


def test_the_image_for_a_network_has_cometbft(storage: Storage) -> None:
    network = storage.container(f"{IMAGE}-network")
    done = subprocess.run(network.confined(["cometbft", "version"]), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == VERSION
    assert network.default == ["bigchaindb", "start"]
