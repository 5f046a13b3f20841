"""`make test` says how long each layer took, whatever became of it; its counts and seeds come from one place."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import installed, layers, ports, scale
from tests.support.processes import is_gone
from tests.support.waiting import until


@pytest.mark.parametrize("code", [0, 1])
def test_minutes_are_printed_also_when_a_layer_failed(
    code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(ran: layers.Layers, _chosen: str) -> None:
        ran._run("first", sys.executable, "-c", f"raise SystemExit({code})")
        ran.seconds["second"] = 90.0

    monkeypatch.setattr(layers, "run", run)
    assert layers.main(["all"]) == code
    printed = capfd.readouterr().out
    assert "==> minutes by layer\n  first          0.0\n  second         1.5\n  total          1.5\n" in printed
    assert ("==> failed: first" in printed) is bool(code)


SUITE = """
from pathlib import Path
import pytest
SEEN = Path(__file__).with_suffix(".seen")
@pytest.mark.xdist_group("a group 1.2")
def test_unsteady():
    was_seen = SEEN.exists()
    SEEN.touch()
    assert was_seen
@pytest.mark.parametrize("text", ["a@b", "c"])
def test_steady(text):
    assert {holds}
"""


@pytest.mark.parametrize(
    ("holds", "limit", "failed", "unsteady"),
    [
        ("True", 3, [], ["test_two.py::test_unsteady"]),
        ("text == 'c'", 3, ["two", "second look"], []),
        ("True", 0, ["two"], []),
    ],
)
def test_a_few_failed_tests_run_once_more(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    holds: str,
    limit: int,
    failed: Sequence[str],
    unsteady: Sequence[str],
) -> None:
    (tmp_path / "tests/two").mkdir(parents=True)
    (tmp_path / "tests/two/test_two.py").write_text(SUITE.format(holds=holds))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(layers, "SECOND_LOOK_COUNT_MAX", limit)
    ran = layers.Layers(tmp_path)
    ran._pytest(("two",))
    assert ran.failed == failed
    assert ran.unsteady == [f"tests/two/{test}" for test in unsteady]
    if limit:
        assert "second look" in ran.seconds


BROKEN_OFF = """
def pytest_sessionfinish(session, exitstatus):
    if exitstatus == 1:
        session.exitstatus = 3
"""


def test_a_run_that_was_broken_off_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tests behind the one that failed nobody knows anything."""
    (tmp_path / "tests/two").mkdir(parents=True)
    (tmp_path / "tests/two/test_two.py").write_text(SUITE.format(holds="True"))
    (tmp_path / "tests/two/conftest.py").write_text(BROKEN_OFF)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    ran = layers.Layers(tmp_path)
    ran._pytest(("two",))
    assert (ran.failed, ran.unsteady) == (["two"], [])


def test_a_long_run_forgives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "SCALE", "long")
    ran = layers.Layers(tmp_path)
    (tmp_path / "cache/v/cache").mkdir(parents=True)
    (tmp_path / "cache/v/cache/lastfailed").write_text('{"tests/a.py::test_b@c": true}')
    ran.failed.append("integration")
    ran._look_again(layers.BIN)
    assert (ran.failed, ran.seconds) == (["integration"], {})


@pytest.mark.parametrize("code", [0, 1])
def test_what_runs_beside_is_shown_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], code: int
) -> None:
    beside = f"import os; print('of', os.getsid(0) == os.getpid()); raise SystemExit({code})"
    monkeypatch.setattr(layers, "BESIDE_COMMAND", (sys.executable, "-c", beside))
    ran = layers.Layers(tmp_path)
    with ran.serverless_beside():
        print("the others", flush=True)
    assert capfd.readouterr().out == "the others\n==> beside\nof True\n"
    assert (ran.failed, list(ran.seconds)) == (["beside"] * code, ["beside"])


def test_what_runs_beside_ends_with_a_run_that_is_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "BESIDE_COMMAND", ("sh", "-c", "sleep 600 & echo $! $$; wait"))
    ran = layers.Layers(tmp_path)
    pids: list[str] = []

    def broken_off() -> None:
        with ran.serverless_beside():
            pids.extend(until(lambda: ran._beside_log.read_text().split(), what="two processes"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    until(lambda: all(is_gone(int(pid)) for pid in pids), what="their end")


def test_what_runs_beside_comes_behind() -> None:
    """In a group of its own, niceness within a session would not count against the processes of others."""
    own = os.nice(0)
    place = "Path('/proc/self/autogroup').read_text().split()[-1] if layers.AUTOGROUP.exists() else '10'"
    line = f"[__import__('os').setsid(), layers._come_behind(), __import__('os').nice(0), {place}][2:]"
    assert in_another_process(line) == f"[{min(own + layers.NICE, 19)}, '10']"


def test_the_time_of_a_run_is_shared_out_among_its_folders(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    cases = [("tests.unit.api.test_a", 1.5), ("tests.unit.test_b.TestC", 1.5), ("tests.vectors.test_d", 1.0), ("", 9.0)]
    lines = (f'<testcase classname="{name}" name="x" time="{took}"/>' for name, took in cases)
    report.write_text(f"<testsuites><testsuite>{''.join(lines)}</testsuite></testsuites>")
    assert layers._shares(report, ("unit", "vectors")) == {"unit": 0.75, "vectors": 0.25}
    assert layers._shares(report, ("unit", "vectors")) == {"unit": 0.5, "vectors": 0.5}  # it died before it reported


def in_another_process(code: str, **variables: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TEST_", "SEED"))}
    command = [
        sys.executable,
        "-c",
        f"from pathlib import Path\nfrom tests.support import layers, scale, ports\nprint({code})",
    ]
    place = {"cwd": installed.CHECKOUT, "env": environment | variables}
    return subprocess.run(command, **place, capture_output=True, text=True, check=True).stdout.strip()  # type: ignore[call-overload,no-any-return]


def test_one_variable_chooses_every_count() -> None:
    assert in_another_process("scale.SCALE, scale.of(suite=1, long=2)") == "suite 1"
    assert in_another_process("scale.SCALE, scale.of(suite=1, long=2)", TEST_SCALE="long") == "long 2"


def test_the_suite_plays_the_seeds_of_its_commit_and_a_long_run_its_own() -> None:
    assert in_another_process("scale.FIRST_SEED") == str(scale.commit_count())
    drawn = {in_another_process("scale.FIRST_SEED", TEST_SCALE="long") for _ in range(2)}
    assert len(drawn) == 2
    assert in_another_process("list(scale.seeds(2))", TEST_FIRST_SEED="7") == "[7, 8]"
    assert in_another_process("list(scale.seeds(2)), scale.seed()", SEED="17") == "[17] 17"


def test_a_copy_without_history_has_no_commits(tmp_path: Path) -> None:
    copied = Path(shutil.copy(scale.__file__, tmp_path))
    command = [sys.executable, "-c", "import scale; print(scale.commit_count())"]
    assert subprocess.run(command, cwd=copied.parent, capture_output=True, text=True, check=True).stdout == "0\n"


def test_no_two_test_processes_have_a_port_in_common() -> None:
    """Between the look and the start of who listens there, nobody holds a port."""
    own = set(ports.free_ports(20))
    line = "import sys; print(*ports.free_ports(600), flush=True) or sys.stdin.read()"
    command = [sys.executable, "-c", f"from tests.support import ports\n{line}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": installed.CHECKOUT}
    others = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    try:
        one, other = ({int(port) for port in process.stdout.readline().split()} for process in others)
    finally:
        for process in others:
            process.communicate()
    assert len(one) == len(other) == 600
    assert own.isdisjoint(one | other)
    assert one.isdisjoint(other)
