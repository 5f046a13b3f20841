"""What a missing extra needs is printed as a command that works where this Python's packages are."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from bigchaindb import __version__, distribution

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_project_has_the_name_and_the_version_of_the_code() -> None:
    assert PROJECT["name"] == distribution.NAME
    assert PROJECT["version"] == __version__
    assert PROJECT["scripts"] == dict.fromkeys(("bigchaindb", distribution.NAME), "bigchaindb.cli:main")


def test_each_extra_is_in_the_one_that_has_all() -> None:
    extras = PROJECT["optional-dependencies"]
    others = ",".join(sorted(extras.keys() - {"all", "dev"}))
    assert extras["all"] == [f"{distribution.NAME}[{others}]"]
    assert f"{distribution.NAME}[all]" in extras["dev"]


def test_an_extra_is_named_by_what_it_brings() -> None:
    """No checkout is needed, and no index is asked for a name that is not this project's."""
    assert distribution.INDEX_NAME is None
    assert distribution.requirements_of("postgres") == ["psycopg[binary]>=3.2"]
    text = distribution.needs_extra("amqp", "amqp")
    what, _, command = text.partition("; run: ")
    assert what == "the plugin amqp needs the extra amqp, which is not installed here"
    assert shlex.split(command) == [sys.executable, "-m", "pip", "install", "aiormq>=7.2"]
    assert distribution.requirements_of("no extra") == []


def test_the_command_is_one_that_this_environment_has() -> None:
    """The specification is one that is installed, so that nothing is downloaded."""
    command = shlex.split(distribution.extra_command("amqp"))
    done = subprocess.run([*command, "--dry-run", "--no-index"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_about_installing_names_the_wheel_and_each_extra() -> None:
    page = (ROOT / "docs/how-to/install.md").read_text()
    wheels = set(re.findall(r"[\w.-]+\.whl", page))
    assert wheels == {f"{distribution.NAME.replace('-', '_')}-{__version__}-py3-none-any.whl"}
    extras = set(re.findall(r"^\| `(\w+)` \| (?:the|everything)", page, re.MULTILINE))
    assert extras == PROJECT["optional-dependencies"].keys() - {"dev"}
