"""`make network` on a machine that has neither CometBFT nor Go, as most readers' machines."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.pages import ROOT


def test_what_is_missing_for_a_network_is_named_and_nothing_is_installed(tmp_path: Path) -> None:
    """It installed a package of the system before, as root, and that Go was too old."""
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": str(tmp_path)}
    line = [sys.executable, "-m", "examples.network", str(tmp_path / "network")]
    ended = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "is missing, and so is Go 1.22 or newer, which builds it: put Go on the PATH" in ended.stderr
    assert "apt-get" not in ended.stdout + ended.stderr
    assert not (tmp_path / "network").exists()
