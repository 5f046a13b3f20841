"""The pytest plugin costs a run of pytest nothing that does not use it."""

import subprocess
import sys

import pytest

import bigchaindb.testing
from bigchaindb.simulated.crash_report import CrashReport
from bigchaindb.simulated.crashes import crash_test


def test_loading_it_imports_nothing_of_ours() -> None:
    """It is loaded in every run of pytest beside a node: what it imported then, coverage would not see."""
    code = "import bigchaindb.testing, sys; print(*sorted(m for m in sys.modules if m.startswith('bigchaindb')))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["bigchaindb", "bigchaindb.testing"]


def test_crash_tests_are_imported_from_it() -> None:
    assert bigchaindb.testing.crash_test is crash_test
    assert bigchaindb.testing.CrashReport is CrashReport


def test_what_it_does_not_have_is_named() -> None:
    with pytest.raises(AttributeError, match=r"'bigchaindb\.testing' has no attribute 'crush_test'"):
        _ = bigchaindb.testing.crush_test


def test_pytest_finds_it_without_being_told(request: pytest.FixtureRequest) -> None:
    """An author writes no line to have its fixtures."""
    assert request.config.pluginmanager.get_plugin("bigchaindb") is bigchaindb.testing


def test_the_suite_of_sinks_is_imported_from_it() -> None:
    """Its assertions explain themselves, as those of a test module do."""
    code = "import bigchaindb.testing.sinks as s; print(*sorted(n for n in vars(s) if n.endswith('Suite')))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["ServiceSuite", "ShapedSuite", "SinkSuite"]
