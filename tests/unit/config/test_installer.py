"""What the installer of plugins refuses before it calls anything, and how it finds what it calls."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bigchaindb import distribution, installer
from bigchaindb.cli.installing import put_installed, require_usable, unchanged
from bigchaindb.cli.session import Session
from bigchaindb.errors import ConfigurationError, StartupError


@pytest.fixture
def of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python of a Linux distribution: outside of an environment, with its mark."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr("bigchaindb.installer.sysconfig.get_path", lambda _: str(tmp_path))
    return tmp_path


def test_the_systems_python_is_left_alone(of_the_system: Path) -> None:
    installer.require_writable()
    (of_the_system / "EXTERNALLY-MANAGED").touch()
    with pytest.raises(StartupError, match=r"belongs to the operating system.*EXTERNALLY-MANAGED.*uv, pipx or"):
        installer.require_writable()


def test_a_uv_that_refuses_to_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version managers leave such commands on the PATH."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\nexit 127\n")
    uv.chmod(0o755)
    assert installer.find_tool().name == "pip"
    uv.write_text("#!/bin/sh\nexit 0\n")
    assert installer.find_tool().command == (str(uv), "pip")


def test_neither_uv_nor_pip_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(installer, "find_spec", lambda _: None)
    with pytest.raises(StartupError, match=r"neither uv nor pip can install .* -m ensurepip"):
        installer.find_tool()


@pytest.mark.parametrize(
    ("file", "begin"),
    [
        ("uv-receipt.toml", f"uv pip install --python {sys.executable} "),
        ("pipx_metadata.json", "pipx inject bigchaindb-node "),
        ("pyvenv.cfg", f"{sys.executable} -m pip install "),
    ],
)
def test_a_command_for_people_is_that_of_what_made_the_environment(
    file: str, begin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / "bigchaindb-node"
    environment.mkdir()
    (environment / file).touch()
    monkeypatch.setattr(sys, "prefix", str(environment))
    assert distribution.install_command("aiormq>=7.2") == f"{begin}'aiormq>=7.2'"


def test_an_extra_of_the_node_is_what_it_brings() -> None:
    assert installer.checked(["BigchainDB-Node[AMQP, postgres]", "sales==1.0"]) == [
        *distribution.requirements_of("amqp"),
        *distribution.requirements_of("postgres"),
        "sales==1.0",
    ]


@pytest.mark.parametrize("spec", ["--target=/tmp/elsewhere", "-rfile"])
def test_an_option_is_no_package(spec: str) -> None:
    with pytest.raises(StartupError, match=r"SPEC: expected a package, found the option"):
        installer.checked([spec])


@pytest.mark.parametrize(
    "spec", ["", " ", "a b", "==1", "[amqp]", "a[b", "a]", "@", "ünï", "a\nb", "a\x1b[31m", "\udc80"]
)
def test_what_is_no_package_is_refused(spec: str) -> None:
    """An installer would take the empty text for the folder that one stands in, or fail at length."""
    with pytest.raises(StartupError, match=r"^SPEC: '.*' is no package, folder or file; write a name such as sales"):
        installer.checked([spec])


def test_a_folder_may_have_an_at_sign_in_its_path(tmp_path: Path) -> None:
    """Homes of users of a domain are called `/home/alice@example.com`."""
    folder = tmp_path / "alice@example.com" / "sales"
    folder.mkdir(parents=True)
    assert installer.checked([str(folder)]) == [str(folder)]
    (folder / "pyproject.toml").write_text('[project]\nname = "bigchaindb-node"\n')
    with pytest.raises(StartupError, match=r"is the node itself"):
        installer.checked([str(folder)])


@pytest.mark.parametrize("spec", ["./" + "a" * 5_000, "~nosuch/plugin", "../none", "./a@b", "é.whl"])
def test_a_path_that_leads_nowhere_is_refused(spec: str) -> None:
    with pytest.raises(StartupError, match=r"SPEC: no such file or folder: `.{1,100}`; correct the path"):
        installer.checked([spec])


def test_a_device_is_no_package(tmp_path: Path) -> None:
    """pip would read it until no memory is left."""
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", str(tmp_path / "pipe")):
        with pytest.raises(StartupError, match=rf"SPEC: `{path}` is a device or a pipe; name a folder or a file"):
            installer.checked([path])


@pytest.mark.parametrize("has_files", [True, False])
def test_a_package_that_stands_in_the_way_of_the_next_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_files: bool
) -> None:
    """It is installed by then, as whatever a wheel holds is: a plugin of a name that is taken, or files of the node."""
    about = tmp_path / "sales-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sales\nVersion: 1.0\n")
    (about / "top_level.txt").write_text("sales\n")
    monkeypatch.syspath_prepend(tmp_path)
    require_usable(["sqlite"])
    if has_files:
        (about / "RECORD").write_text("sales.py,,\nbigchaindb/node.py,,\n")
        reason = r"comes from two distributions, bigchaindb-node \S+ and sales 1\.0: use an environment of its own"
    else:
        (about / "entry_points.txt").write_text("[bigchaindb.events]\nsqlite = sales\n")
        reason = r"'sqlite' is provided more than once: .* and sales \(sales\); uninstall one"
    with pytest.raises(ConfigurationError, match=reason):
        require_usable(["sqlite"])


@pytest.mark.parametrize(
    "spec", ["a>=1,<2", "a @ https://x/a.whl", "a;python_version<'3'", "A.b-c [d,e] ~= 1.0", "a(>1)"]
)
def test_what_an_installer_takes_is_left_to_it(spec: str) -> None:
    assert installer.checked([spec]) == [spec]


@pytest.mark.parametrize("text", ["", "[project]", "[project", "project = 1", "[project]\nname = 1\n"])
def test_a_folder_of_which_nothing_can_be_read_is_the_installers_to_refuse(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert installer.checked([str(tmp_path)]) == [str(tmp_path)]


def test_a_variable_that_leads_elsewhere_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in installer.ELSEWHERE:
        monkeypatch.setenv(name, "/elsewhere")
    code = "import os, sys; print(*(key for key in os.environ if key.startswith(('PIP_', 'UV_'))))"
    lines: list[str] = []
    assert installer.uninstall(installer.Tool("python", (sys.executable, "-c", code)), [], lines.append) == []
    assert not installer.ELSEWHERE.intersection(lines[0].split())


def test_a_wheel_built_again_is_installed_again(tmp_path: Path) -> None:
    """pip keeps the old code of a version that is installed, and uv looks at the file."""
    wheel = tmp_path / "sales-1.0-py3-none-any.whl"
    wheel.touch()
    specs = ["https://example.com/other-1.0-py3-none-any.whl", f"{wheel}[fast]"]
    for name in ("pip", "uv"):
        tool = installer.Tool(name, (sys.executable, "-c", "import sys; print(*sys.argv[1:])"))
        lines: list[str] = []
        installer.install(tool, specs, ["--no-index"], lines.append)
        assert lines[0].endswith(f"--no-index {specs[0]} {wheel}[fast]")
        again = [line.partition("constraints.txt ")[2] for line in lines[1:]]
        assert again == ([f"--no-index --no-deps --force-reinstall {wheel}[fast]"] if name == "pip" else [])


def test_what_an_installation_left_as_it_was_is_told_as_it_is(tmp_path: Path) -> None:
    """An author who installs a folder again must know whether its new code came."""
    folder = str(tmp_path)
    again = f"nothing changed: {folder} was installed again, with the same files as before"
    live = f"nothing changed: {folder} is editable already; a plugin gets changed files when it starts the next time"
    named = "nothing changed: sales is installed as it is; --upgrade takes a newer one"
    assert [*unchanged([folder, "sales"], is_editable=False)] == [again, named]
    assert [*unchanged([folder], is_editable=True)] == [live]


@pytest.mark.parametrize("changes", [[], [installer.Change("aiormq", None, "7.2.0")]])
def test_extras_of_the_node_lead_to_its_own_plugins(
    changes: list[installer.Change],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The packages of an extra bring no plugin themselves: the node's own can be used now."""
    monkeypatch.setenv("HOME", str(tmp_path))
    put_installed(Session(), ["BigchainDB_Node[amqp, Jsonpath]"], changes, is_editable=False)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("installed aiormq 7.2.0" if changes else "nothing changed: ")
    assert last == "plugin amqp; next: bigchaindb plugins enable amqp"
    put_installed(Session(), ["bigchaindb-node[all]"], changes, is_editable=False)
    named = [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert named == ["amqp", "kafka", "mqtt", "nats", "postgres", "redis"]
    put_installed(Session(), ["bigchaindb-node[jsonpath]"], changes, is_editable=False)
    assert capsys.readouterr().err == (
        "the extra jsonpath serves plugins and brings none of its own; docs/how-to/install.md lists extras\n"
    )


def test_the_extra_that_names_others_is_what_those_bring() -> None:
    """An installer would look for the node itself on an index, for `--upgrade`."""
    found = installer.checked(["bigchaindb-node[all]"])
    assert not [spec for spec in found if spec.startswith("bigchaindb")]
    assert {*distribution.requirements_of("amqp"), *distribution.requirements_of("jsonpath")} < {*found}


def test_the_last_word_names_the_exit_code() -> None:
    tool = installer.Tool("odd", (sys.executable, "-c", "import sys; sys.exit(7)"))
    with pytest.raises(StartupError, match="odd ended with exit code 7"):
        installer.uninstall(tool, [], print)
    assert subprocess.run(tool.command, check=False).returncode == 7


@pytest.mark.parametrize(
    "spec",
    [
        "https://example.com/wheels/bigchaindb_node-3.0.0-py3-none-any.whl#sha256=0",
        "file:///srv/bigchaindb-2.2.2.tar.gz",
        "file:///srv/BigchainDB.Node-3.0.0.zip",
    ],
)
def test_an_address_of_the_node_itself_is_refused(spec: str) -> None:
    with pytest.raises(StartupError, match=r"is the node itself|is other software"):
        installer.checked([spec])


def test_a_package_whose_name_begins_as_the_nodes_is_no_node(tmp_path: Path) -> None:
    """Source distributions of old tools keep the hyphens of a name."""
    file = tmp_path / "bigchaindb-sales-1.0.tar.gz"
    file.touch()
    specs = [str(file), "http://[", "git+https://user@example.com/bigchaindb-node.git", f"sales @ file://{file}"]
    assert installer.checked(specs) == specs
