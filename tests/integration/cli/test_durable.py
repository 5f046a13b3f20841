"""Files that commands write are on the disk before they have their name, as a system call trace shows."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.node import COMMAND
from tests.support.services import require

CALL = re.compile(r"(fsync|rename|link)[a-z0-9]*\((.*)\) += 0$")


@pytest.mark.parametrize(
    ("command", "written"),
    [
        (("-y", "-c", "new.json", "configure"), ["new.json"]),
        (("-y", "-c", "node.json", "configure", "--new"), ["node.json.1", "node.json"]),
        (("-c", "node.json", "plugins", "disable", "sales"), ["node.json"]),
        (("keys", "new", "--output", "alice.json"), ["alice.json"]),
    ],
)
def test_a_power_cut_leaves_the_file_of_before_or_the_whole_new_one(
    tmp_path: Path, command: Sequence[str], written: Sequence[str]
) -> None:
    """Else it may leave an empty file under the name: the node's key is gone, and its plugins."""
    require("strace")
    (tmp_path / "node.json").write_text('{"database": {"path": "data"}, "events_plugins": ["sales"]}')
    trace = tmp_path / "trace"
    watched = ("strace", "-f", "-y", "-qq", "-e", "trace=fsync,rename,renameat,renameat2,link,linkat", "-o", str(trace))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BIGCHAINDB_")}
    subprocess.run(
        [*watched, *COMMAND, *command],
        cwd=tmp_path,
        env={**inherited, "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    calls = [(found[1], found[2]) for line in trace.read_text().splitlines() if (found := CALL.search(line))]
    for name in written:
        path, shown = tmp_path / name, re.compile(rf'[/"]{re.escape(name)}"')
        named = next(at for at, (call, text) in enumerate(calls) if call != "fsync" and shown.search(text))
        assert any(call == "fsync" and f"<{path}.bigchaindb-new>" in text for call, text in calls[:named]), calls
        assert any(call == "fsync" and f"<{tmp_path}>" in text for call, text in calls[named:]), calls
