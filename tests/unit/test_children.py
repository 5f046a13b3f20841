"""A child process gets no secret of the node's, and none outlives the process that started it."""

import subprocess
import sys
from pathlib import Path

import pytest

from bigchaindb import children
from tests.support.processes import is_gone
from tests.support.waiting import until

PARENT = """
import subprocess
from bigchaindb import children
child = subprocess.Popen(children.tied(["/bin/sleep", "60"]))
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize("name", ["KEYPAIR_PRIVATE", "EVENTS_PLUGINS_X_PASSWORD", "PRIVATE_KEY"])
def test_no_secret_of_the_node_passes_through_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"BIGCHAINDB_{name}", "x")
    monkeypatch.setenv("BIGCHAINDB_DATABASE_PATH", "/data")
    found = children.clean_environment()
    assert f"BIGCHAINDB_{name}" not in found
    assert found["BIGCHAINDB_DATABASE_PATH"] == "/data"
    assert "PATH" in found


def test_variables_that_would_change_a_programs_settings_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CMT_P2P_LADDR", "CMTHOME", "TMHOME", "BIGCHAINDB_DATABASE_PATH"):
        monkeypatch.setenv(name, "x")
    found = children.clean_environment(("CMT", "TM", "BIGCHAINDB_"))
    assert [one for one in found if one.startswith(("CMT", "TM", "BIGCHAINDB_"))] == []
    assert "PATH" in found


def test_a_tied_program_ends_with_the_process_that_started_it() -> None:
    """A CometBFT that outlives its node would keep the next start from the data directory."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        command = Path(f"/proc/{child}/cmdline")
        until(lambda: command.read_bytes().startswith(b"/bin/sleep"), what="the program in the place of its starter")
        parent.kill()
    until(lambda: is_gone(child), what="its end")


def test_a_program_does_not_run_if_its_parent_ended_before_it_was_tied(tmp_path: Path) -> None:
    *keeper, _, touch, path = children.tied(["/usr/bin/touch", str(tmp_path / "made")])
    done = subprocess.run([*keeper, "1", touch, path], check=False)
    assert done.returncode == 1
    assert not (tmp_path / "made").exists()


def test_a_place_is_out_of_order_while_its_processes_end_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ends, now_s, seen = children.Ends(), [0.0], []
    monkeypatch.setattr(children, "monotonic", lambda: now_s[0])
    for _ in range(children.ENDS_MAX):
        seen.append(ends.is_failing)
        ends.note()
    seen.append(ends.is_failing)
    now_s[0] = children.ENDS_S
    assert seen == [False] * children.ENDS_MAX + [True]
    assert ends.count == children.ENDS_MAX
    seen.clear()
    for step in (ends.refuse, ends.answered, bool):
        seen.append(ends.is_failing)
        step()
    assert seen == [False, True, False]
