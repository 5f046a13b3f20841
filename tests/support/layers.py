"""The layers of `make test`, and the minutes that each took.

`python -m tests.support.layers [quick | services | serverless]`; without an argument all of them. Those that need no
service run beside those that do, on the processor time that these leave, and are shown behind them. What fails is shown
where it fails, the layers behind it run all the same, and the exit code is 1.

A few tests that fail run once more, one by one, and count as failed if they fail again
(docs/decisions/0149-a-second-look.md). The long layer has no second look.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from tests.support import interpreters, scale

BIN: Final = Path(sys.executable).parent
CHECKS: Final = {
    "format": ("ruff", "format", "--check", "."),
    "lint": ("ruff", "check", "."),
    "types": ("mypy",),
    "imports": ("lint-imports",),
}
CORE: Final = (
    *(f"{kind}/{package}" for kind in ("unit", "simulation") for package in ("transaction", "ledger", "eventlog")),
    "unit/access",
    "vectors",
)
"""Tests of the pure packages. They alone are traced: that takes as long again, and they reach every branch."""
QUICK: Final = ("unit", "simulation", "conformance")
"""What else needs no service."""
SERVED: Final = ("integration", "acceptance", "page", "docs")
ON_OTHER_PYTHONS: Final = ("unit", "vectors", "simulation") if scale.SCALE == "long" else ("unit", "vectors")
"""What the other Pythons run here; `tests/acceptance/test_other_pythons.py` runs a node on each."""
WORKERS: Final = ("-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder")
"""Two, as the machine that decides has two cores; the order is that of `tests/support/groups.py`."""
OF_NO_PYTHON: Final = ("--ignore=tests/unit/suite",)
"""Tests of the tests and of the repository: no Python changes what they find."""
COVERAGE: Final = ("--cov", "--cov-report=")
PURE: Final = (
    "bigchaindb/transaction/*,bigchaindb/ledger/*,bigchaindb/eventlog/*,"
    "bigchaindb/access/scopes.py,bigchaindb/access/keys.py"
)
NICE: Final = 10
"""The niceness of what runs beside others: it gets what time these leave, and a tenth where they leave none."""
AUTOGROUP: Final = Path("/proc/self/autogroup")
"""Where Linux may group the processes of a session, and weighs niceness within the group alone."""
BESIDE: Final = "serverless"
BESIDE_COMMAND: Final = (sys.executable, "-m", "tests.support.layers", BESIDE)
SECOND_LOOK_COUNT_MAX: Final = 3
"""Failed tests that run once more: what breaks more of them is no accident of the machine."""
TESTS_FAILED: Final = 1
"""pytest's exit code where all tests ran and some failed; a run that was broken off has another one."""
FAILED_TESTS: Final = Path("v/cache/lastfailed")
"""Where pytest names the tests that failed, below its cache."""


class Layers:
    """The layers that ran so far: their seconds, which of them failed, and tests that passed at a second look."""

    def __init__(self, folder: Path) -> None:
        """Take a folder for what the tests report."""
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self.unsteady: list[str] = []
        self._cache = folder / "cache"
        self._report = folder / "report.xml"
        self._services_log = folder / "services.txt"
        self._services: subprocess.Popen[bytes] | None = None
        self._beside_log = folder / "beside.txt"

    def check(self) -> None:
        """Run what needs no test: format, lint, types, imports."""
        for name, command in CHECKS.items():
            self._run(name, str(BIN / command[0]), *command[1:])

    def quick(self) -> None:
        """Run what needs no service, and require every branch of the pure packages of those that test them."""
        self._run_pytest("core", CORE, BIN, COVERAGE)
        self._run("coverage", str(BIN / "coverage"), "report", "--fail-under=100", f"--include={PURE}")
        self._pytest(QUICK, [f"--ignore=tests/{folder}" for folder in CORE])

    @contextmanager
    def services_meanwhile(self) -> Iterator[None]:
        """Install and compile what the service layers need while others run."""
        with self._services_log.open("wb") as log:
            command = [sys.executable, "-m", "tests.support.services"]
            self._services = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            self._services.kill()
            self._services.wait()

    @contextmanager
    def serverless_beside(self) -> Iterator[None]:
        """Run what needs no service beside other layers, and show it behind them."""
        with self._beside_log.open("wb") as log:
            beside = subprocess.Popen(
                BESIDE_COMMAND, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield
            print("==> beside", flush=True)
            with self._timed("beside"):
                code = beside.wait()
        finally:
            if beside.poll() is None:
                os.killpg(beside.pid, signal.SIGKILL)
                beside.wait()
            print(self._beside_log.read_text(errors="replace"), end="", flush=True)
        if code:
            self.failed.append("beside")

    def served(self) -> None:
        """Run real processes, plugins, drivers and a browser, once what they need is there."""
        if self._are_services_there():
            self._pytest(SERVED)

    def on_other_pythons(self) -> None:
        """Run the tests that need no service on each of the other Pythons."""
        for version in interpreters.others():
            name = f"python{version}"
            try:
                commands = interpreters.environment(version)
            except RuntimeError as error:
                print(f"==> {name}: {error}", flush=True)
                self.failed.append(name)
            else:
                self._run_pytest(name, ON_OTHER_PYTHONS, commands, OF_NO_PYTHON)

    def _are_services_there(self) -> bool:
        if self._services is None:
            return self._run("services", sys.executable, "-m", "tests.support.services") == 0
        print("==> services", flush=True)
        with self._timed("services"):
            code = self._services.wait()
        print(self._services_log.read_text(errors="replace"), end="", flush=True)
        if code:
            self.failed.append("services")
        return code == 0

    def _pytest(self, folders: Sequence[str], options: Sequence[str] = ()) -> None:
        """Run tests in one go, and share the time out among their folders."""
        name = " ".join(folders)
        self._run_pytest(name, folders, BIN, (*options, f"--junitxml={self._report}"))
        whole = self.seconds.pop(name)
        shares = _shares(self._report, folders)
        self.seconds |= {folder: whole * shares[folder] for folder in folders}

    def _run_pytest(self, name: str, folders: Sequence[str], commands: Path, options: Sequence[str]) -> None:
        """Run tests in one go with the pytest among the commands of an environment, and a few that fail once more."""
        tests = (f"tests/{folder}" for folder in folders)
        seed = f"--hypothesis-seed={scale.FIRST_SEED}"
        code = self._run(name, str(commands / "pytest"), *tests, *WORKERS, *options, seed, *self._cached)
        if code == TESTS_FAILED:
            self._look_again(commands)

    def _look_again(self, commands: Path) -> None:
        """Run the tests that failed once more, if they are few; the layer counts as passed if all pass."""
        tests = failed_tests(self._cache)
        if scale.SCALE == "suite" and 0 < len(tests) <= SECOND_LOOK_COUNT_MAX:
            layer = self.failed[-1]
            if self._run("second look", str(commands / "pytest"), *tests, *self._cached) == 0:
                self.failed.remove(layer)
                self.unsteady += tests

    @property
    def _cached(self) -> Sequence[str]:
        return ("-o", f"cache_dir={self._cache}")

    def _run(self, name: str, *command: str) -> int:
        print(f"==> {name}: {' '.join(command).replace(f'{BIN}/', '')}", flush=True)
        with self._timed(name):
            code = subprocess.run(command, check=False).returncode
        if code:
            self.failed.append(name)
        return code

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - begun


def failed_tests(cache: Path) -> list[str]:
    """Return the ids of the tests that failed in the last run, without the groups that workers add to them."""
    found = cache / FAILED_TESTS
    ids = json.loads(found.read_text()) if found.exists() else {}
    return sorted(re.sub(r"(?<=[\w\]])@[^\]]+$", "", test) for test in ids)


def _shares(report: Path, folders: Sequence[str]) -> Mapping[str, float]:
    """Return what part of all tests' time each folder took, from a report in JUnit's form."""
    took: defaultdict[str, float] = defaultdict(float)
    if report.exists():
        for case in ET.parse(report).iter("testcase"):
            _, _, module = case.get("classname", "").partition(".")  # none where a module could not be collected
            took[module.partition(".")[0]] += float(case.get("time", 0))
        report.unlink()
    whole = sum(took[folder] for folder in folders)
    return {folder: took[folder] / whole if whole else 1 / len(folders) for folder in folders}


def table(seconds: Mapping[str, float]) -> str:
    """Return the minutes of each layer as lines, their sum last."""
    rows = [*seconds.items(), ("total", sum(seconds.values()))]
    return "\n".join(f"  {name:<12} {took / 60:5.1f}" for name, took in rows)


def run(layers: Layers, chosen: str = "all") -> None:
    """Run the chosen layers."""
    match chosen:
        case "quick":
            layers.quick()
        case "services":
            layers.served()
        case "serverless":
            layers.quick()
            layers.on_other_pythons()
        case _:
            with layers.services_meanwhile(), layers.serverless_beside():
                layers.check()
                layers.served()


def _come_behind() -> None:
    """Leave the processors to what runs in front."""
    os.nice(NICE)
    with suppress(OSError):  # a kernel that groups nothing has no such file
        AUTOGROUP.write_text(str(NICE))


def main(arguments: Sequence[str]) -> int:
    """Run the layers that the arguments name; return the exit code."""
    if BESIDE in arguments:
        _come_behind()
    print(f"==> counts: {scale.SCALE}; seeds from {scale.FIRST_SEED} on ({scale.FIRST_SEED_VARIABLE})", flush=True)
    with tempfile.TemporaryDirectory(prefix="bigchaindb-layers-") as folder:
        layers = Layers(Path(folder))
        try:
            run(layers, *arguments)
        finally:
            print(f"==> minutes by layer\n{table(layers.seconds)}", flush=True)
    for test in layers.unsteady:
        print(f"==> failed, and passed when it ran once more: {test}", flush=True)
    if layers.failed:
        print(f"==> failed: {', '.join(layers.failed)}", flush=True)
    return 1 if layers.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
