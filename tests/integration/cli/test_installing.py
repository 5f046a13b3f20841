"""plugins install and uninstall put packages where the node finds them, and say in a sentence why they cannot."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from bigchaindb import __version__
from bigchaindb.distribution import NAME
from tests.conftest import StartNode
from tests.support import installed, wheels
from tests.support.chains import create
from tests.support.made_wheels import make_wheel
from tests.support.waiting import until, whole_lines

UV: Final = Path(sys.executable).with_name("uv")
MODULE: Final = """\
import pathlib

options = {}


def configure(given):
    options.update(given)


def run(queue):
    for event in queue:
        with pathlib.Path(options["file"]).open("a") as file:
            file.write(f"{event.position}\\n")
"""
NOWHERE: Final = "http://127.0.0.1:1/simple"
"""An index that refuses connections."""


class Ended(NamedTuple):
    """A command that ended: its exit code, and its lines on standard output and standard error."""

    code: int
    results: Sequence[str]
    last: str


class Environment(NamedTuple):
    """An environment with a node in it, the folder of packages, and what its installer is called."""

    folder: Path
    tool: str
    packages: Path

    @property
    def program(self) -> str:
        return str(self.folder / "bin/bigchaindb")

    def run(self, *arguments: str, setting: Sequence[str] = ()) -> Ended:
        """Run a command of the node, with a uv on the PATH if it is the installer."""
        path = [str(self.packages.parent / "uv")] if self.tool == "uv" else []
        variables = {
            "PATH": os.pathsep.join([*path, "/usr/bin", "/bin"]),
            "HOME": str(self.packages.parent),
            "UV_CACHE_DIR": str(self.packages.parent / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": NOWHERE,
            "PIP_RETRIES": "1",
            "UV_DEFAULT_INDEX": NOWHERE,
            "UV_HTTP_RETRIES": "0",
            "UV_NO_CONFIG": "1",
        }
        done = subprocess.run(
            [*setting, self.program, *arguments], env=variables, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        return Ended(done.returncode, done.stdout.splitlines(), (done.stderr.splitlines() or [""])[-1])

    def install(self, *arguments: str) -> Ended:
        return self.run("plugins", "install", "--no-index", "--find-links", str(self.packages), *arguments)

    def uninstall(self, *arguments: str) -> Ended:
        return self.run("plugins", "uninstall", *arguments)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installing") / "packages"
    for version in ("1.0", "2.0"):
        make_wheel(
            folder,
            "sales-reports",
            version,
            files={"sales_reports.py": MODULE, "sales_version.py": version},
            plugins={"sales": "sales_reports"},
            needs=["sales-tool"],
        )
    make_wheel(folder, "sales-tool", files={"sales_tool.py": ""})
    make_wheel(folder, "of-2017", files={"of_2017.py": MODULE}, plugins={"old": "of_2017"}, needs=["bigchaindb>=1.0"])
    make_wheel(folder, "of-2030", files={"of_2030.py": MODULE}, plugins={"new": "of_2030"}, needs=[f"{NAME}>=4"])
    make_wheel(folder.parent / "upstream", "bigchaindb", "2.2.2", files={"bigchaindb/core.py": ""})
    (folder.parent / "uv").mkdir()
    (folder.parent / "uv/uv").symlink_to(UV)
    return folder


@pytest.fixture(scope="module")
def with_uv(packages: Path) -> Environment:
    """An environment that uv made: it has no pip."""
    folder = packages.parent / "with-uv"
    installed.run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    return install_node(Environment(folder, "uv", packages))


@pytest.fixture(scope="module")
def with_pip(packages: Path) -> Environment:
    """An environment that venv made, on a machine without uv."""
    folder = packages.parent / "with-pip"
    installed.run(sys.executable, "-m", "venv", folder)
    return install_node(Environment(folder, "pip", packages))


def install_node(environment: Environment) -> Environment:
    python = environment.folder / "bin/python"
    installed.run(UV, "pip", "install", "--quiet", "--python", python, *wheels.find_links(), NAME)
    return environment


@pytest.fixture(params=["with_uv", "with_pip"])
def environment(request: pytest.FixtureRequest) -> Environment:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Environment)
    return found


def test_a_package_is_installed_upgraded_and_uninstalled(environment: Environment) -> None:
    """Whatever changed is printed, with the plugins that came with it and what is next."""
    first = environment.install("sales-reports==1.0")
    assert first.results == [
        "installed sales-reports 1.0",
        "installed sales-tool 1.0",
        "plugin sales; next: bigchaindb plugins enable sales",
    ]
    assert any("sales-reports 1.0" in line for line in environment.run("plugins", "list").results)
    (again,) = environment.install("sales-reports").results
    assert again == "nothing changed: sales-reports is installed as it is; --upgrade takes a newer one"
    newer = environment.install("--upgrade", "sales-reports")
    assert newer.results[0] == "installed sales-reports 2.0 (was 1.0)"
    assert environment.uninstall("Sales_Reports").results == ["uninstalled sales-reports 2.0"]
    assert not any("sales" in line for line in environment.run("plugins", "list").results)
    assert environment.uninstall("sales-tool").code == 1


def test_an_enabled_plugin_is_kept(with_uv: Environment, tmp_path: Path) -> None:
    file = tmp_path / "node.json"
    file.write_text(json.dumps({"database": {"path": str(tmp_path / "data")}, "events_plugins": ["sales"]}))
    missing = with_uv.run("-c", str(file), "plugins", "list").last
    assert missing == (
        f"not installed in `{with_uv.folder}`: sales; `bigchaindb plugins install PACKAGE` installs into this "
        "environment"
    )
    added = with_uv.run(
        "-c", str(file), "plugins", "install", "--no-index", "--find-links", str(with_uv.packages), "sales-reports"
    )
    assert added.results[-1] == "plugin sales; next: bigchaindb plugins restart sales"
    refused = with_uv.run("-c", str(file), "plugins", "uninstall", "sales-reports")
    assert refused.code == 1
    assert refused.last == (
        "bigchaindb: PACKAGE: the plugin sales of sales-reports is enabled, and the node could not start it again; "
        "run `bigchaindb plugins disable sales` first"
    )
    assert with_uv.uninstall("sales-reports").code == 0


def test_a_folder_is_installed_so_that_its_changes_count(with_uv: Environment, tmp_path: Path) -> None:
    source = tmp_path / "own"
    shutil.copytree(installed.CHECKOUT / "examples/print-on-console", source)
    (folder,) = [part for part in wheels.find_links() if "wheels-" in part]
    ended = with_uv.run("plugins", "install", "--no-index", "--find-links", folder, "--editable", str(source))
    assert ended.results[-1] == "plugin console_print; next: bigchaindb plugins enable console_print"
    module = source / "print_on_console/__init__.py"
    module.write_text(module.read_text() + "\nevent_types = 0\n")
    assert "event_types is 0" in with_uv.run("plugins", "check", "console_print").last
    (package,) = [line.split()[1] for line in ended.results if line.startswith("installed ")]
    assert with_uv.uninstall(package).code == 0


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("nosuch-plugin", "finds no package nosuch-plugin; correct the name or the version"),
        ("of-2017", "it needs the package bigchaindb, which is other software and would overwrite this node's files"),
        ("of-2030", f"it needs another version of the node than {NAME} {__version__}"),
    ],
)
def test_what_the_installer_refuses_is_named_in_a_sentence(environment: Environment, spec: str, reason: str) -> None:
    ended = environment.install(spec)
    assert (ended.code, ended.results) == (1, [])
    assert reason in ended.last


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("./nosuch", "SPEC: no such file or folder: `./nosuch`; correct the path"),
        ("bigchaindb", "SPEC: the package bigchaindb is other software, which would overwrite this node's files"),
        ("BigchainDB_Node", "SPEC: 'BigchainDB_Node' is the node itself, which this command does not replace"),
        (str(installed.CHECKOUT), "is the node itself, which this command does not replace"),
        (f"{NAME}[nosuch]", f"SPEC: {NAME} has no extra 'nosuch'"),
        ("sales;x", "its own words above give the reason"),
    ],
)
def test_what_cannot_be_installed_is_refused_in_a_sentence(with_uv: Environment, spec: str, reason: str) -> None:
    ended = with_uv.install(spec)
    assert (ended.code, ended.results) == (1, [])
    assert reason in ended.last


def test_a_plugin_of_2017_is_installed_without_what_it_needs(with_uv: Environment) -> None:
    assert with_uv.install("--no-deps", "of-2017").results[0] == "installed of-2017 1.0"
    assert with_uv.uninstall("of-2017").code == 0


def test_no_network_is_named(environment: Environment) -> None:
    ended = environment.run("plugins", "install", "sales-reports")
    assert ended.code == 1
    assert f"nothing was installed: {environment.tool} reaches no package index; check the network" in ended.last


def test_an_environment_that_may_not_be_written_is_named(with_uv: Environment) -> None:
    """Root may write everywhere, so it gives that right up here, as containers have it."""
    (site,) = with_uv.folder.glob("lib/*/site-packages")
    without = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    site.chmod(0o555)
    try:
        ended = with_uv.run("plugins", "install", "sales-reports", setting=without if os.geteuid() == 0 else ())
    finally:
        site.chmod(0o755)
    assert ended.code == 1
    assert ended.last.startswith(f"bigchaindb: cannot install into the environment `{with_uv.folder}`: `{site}`")
    assert "run: chmod u+rwX" in ended.last


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("nosuch", "no package 'nosuch' brings a plugin to"),
        ("aiohttp", "no package 'aiohttp' brings a plugin to"),
        (NAME, f"PACKAGE: {NAME} is the node itself"),
    ],
)
def test_what_is_no_plugins_package_is_not_uninstalled(with_uv: Environment, package: str, reason: str) -> None:
    ended = with_uv.uninstall(package)
    assert ended.code == 1
    assert reason in ended.last


def test_upstream_in_the_same_environment_is_named(with_uv: Environment, start_node: StartNode, tmp_path: Path) -> None:
    """Old drivers bring it. Each overwrites the other's files, and no installer notices."""
    sentence = (
        f"the package bigchaindb comes from two distributions, bigchaindb 2.2.2 and {NAME} {__version__}: "
        "use an environment of its own"
    )
    (upstream,) = with_uv.packages.parent.glob("upstream/*.whl")
    tool = (UV, "pip")
    where = ("--quiet", "--python", with_uv.folder / "bin/python")
    installed.run(*tool, "install", *where, "--no-index", "--no-deps", upstream)
    try:
        version = with_uv.run("version")
        assert (version.code, version.results, version.last) == (
            0,
            [f"bigchaindb {__version__}"],
            f"bigchaindb: {sentence}",
        )
        assert any(line.endswith(f"  {sentence}") and line.startswith("FIX") for line in with_uv.run("doctor").results)
        file = tmp_path / "node.json"
        file.write_text(json.dumps({"database": {"path": str(tmp_path / "data")}}))
        assert with_uv.run("-c", str(file), "start", "--strict").last == f"bigchaindb: {sentence} (start --strict)"
        node = start_node(command=(with_uv.program,))  # what an installer did must not keep a ledger down
        node.until_logged(sentence)
        assert node.stop() == 0
    finally:
        installed.run(*tool, "uninstall", *where, "bigchaindb")
    assert with_uv.run("version").last == ""


def test_a_plugin_is_installed_and_enabled_while_the_node_runs(
    with_uv: Environment, start_node: StartNode, tmp_path: Path
) -> None:
    node = start_node(command=(with_uv.program,))
    assert with_uv.install("sales-reports").code == 0
    options = json.dumps({"file": str(tmp_path / "sales.txt")})
    assert node.run("plugins", "enable", "sales", "--start", "genesis", "--options", options).returncode == 0
    assert node.post(json.loads(create(1).body)).status == 202
    until(lambda: whole_lines(tmp_path / "sales.txt") == ["1"], what="the plugin's line")
    assert node.stop() == 0
    assert with_uv.uninstall("sales-reports").code == 0
