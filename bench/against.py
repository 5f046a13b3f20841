"""The same benchmarks at another commit, in alternating rounds, and the table that compares both.

Each commit runs its own benchmarks in its own environment, so that neither a renamed module nor another library
changes what the other one measures. Figures with the same words are compared.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
from nacl.signing import SigningKey

from bench.measure import Scale, thread_us_each
from bench.report import laid_out, number

ONE_ROUND: Final = """
import importlib, sys
from pathlib import Path
sys.path.insert(0, "")
from bench.measure import Scale
from bench.report import as_json
name, share, folder, cache = sys.argv[1:]
scale = Scale(rounds=1, share=float(share), folder=Path(folder), cache=Path(cache))
figures = [(name, one) for one in importlib.import_module("bench." + name).run(scale)]
sys.stdout.write(as_json(figures))
"""
"""Runs one round of one benchmark. It uses what every commit with a `bench` has."""

PROBE_COUNT: Final = 3_000
HEADINGS: Final = ("benchmark", "what", "here", "there", "here / there", "spread", "verify µs", "limit", "")


@dataclass(frozen=True)
class Side:
    """A checkout that is measured, with an environment of its own."""

    name: str
    folder: Path

    def measure(self, benchmark: str, scale: Scale) -> list[dict[str, object]]:
        """Run one round; return its figures as the table's JSON.

        Raises:
            click.ClickException: the benchmark failed, or this commit does not have it.
        """
        work = scale.folder / str(len(list(scale.folder.iterdir())))  # short: paths of sockets have 107 bytes
        work.mkdir()
        command = [str(self.folder / ".venv/bin/python"), "-c", ONE_ROUND, benchmark]
        command += [str(scale.share), str(work), str(scale.cache)]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise click.ClickException(
                f"the benchmark {benchmark!r} failed at {self.name} (exit code {done.returncode}); its output is above"
            )
        figures: list[dict[str, object]] = json.loads(done.stdout)
        return figures


@dataclass
class Pair:
    """The values of one figure on both sides, one a round."""

    unit: str
    limit: str
    more_is_better: bool
    here: list[float] = field(default_factory=list)
    there: list[float] = field(default_factory=list)
    probes: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    missed_count: int = 0

    @property
    def verdict(self) -> str:
        """`WORSE` than there beyond the spread, or `MISSED` its own limit in most rounds, or nothing."""
        if self.loss > 0:
            return "WORSE"
        return "MISSED" if self.missed_count * 2 > len(self.here) else ""

    @property
    def ratio(self) -> float | None:
        """The median here over the median there; None if a side has no value or there is nothing there."""
        if not self.here or not self.there or not statistics.median(self.there):
            return None
        return statistics.median(self.here) / statistics.median(self.there)

    @property
    def spread(self) -> float:
        """The larger of both sides' ranges over their medians: what rounds differ by without a change."""
        return max(
            (max(side) - min(side)) / abs(middle) if (middle := statistics.median(side)) else 0.0
            for side in (self.here, self.there)
            if side
        )

    @property
    def loss(self) -> float:
        """How much worse it is here than there beyond the spread, as a share; 0 or less: it is not."""
        if self.ratio is None or self.ratio <= 0:
            return 0.0
        worse = 1 / self.ratio if self.more_is_better else self.ratio
        return worse - 1 - self.spread


def compare(names: Sequence[str], commit: str, scale: Scale) -> tuple[str, bool]:
    """Measure both sides in turn; return the table and whether a figure is worse beyond its spread."""
    sides = Side("here", Path.cwd()), checkout(commit, scale.cache)
    pairs: dict[tuple[str, str], Pair] = {}
    probes: list[float] = []
    for number_of_round in range(1, scale.rounds + 1):
        for name in names:
            for side in sides if number_of_round % 2 else sides[::-1]:  # a warm cache helps neither more often
                click.echo(f"==> round {number_of_round} of {scale.rounds}: {name} {side.name}", err=True)
                before = verify_us()
                figures = side.measure(name, scale)
                probe = (before + verify_us()) / 2
                probes.append(probe)
                for figure in figures:
                    _note(pairs, name, figure, probe, is_here=side is sides[0])
    worse = sum(pair.loss > 0 for pair in pairs.values())
    speed = f"libsodium's verify, just before and after each: {min(probes):.0f} to {max(probes):.0f} µs, median "
    lines = [
        f"here: the working tree; there: {sides[1].name}; medians of {scale.rounds} alternating rounds",
        f"{speed}{statistics.median(probes):.0f}",
        f"{worse} of {len(pairs)} figures are worse here beyond their spread; these and missed limits come first",
        "",
        _table(pairs),
    ]
    return "\n".join(lines), worse > 0


def checkout(commit: str, cache: Path) -> Side:
    """Return a checkout of the commit with its environment, made unless an earlier run left one.

    Raises:
        click.ClickException: git does not know the commit, or its environment cannot be made.
    """
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"], capture_output=True, text=True, check=False
    )
    if found.returncode != 0:
        raise click.ClickException(f"--against: git finds no commit {commit!r} in {Path.cwd()}; `git log` lists them")
    name = found.stdout.strip()[:12]
    folder = cache / "commits" / name
    if not (folder / ".venv/.ready").exists():
        click.echo(f"==> checkout of {name} in {folder}", err=True)
        subprocess.run(["git", "worktree", "prune"], check=True)
        if not folder.exists():
            subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(folder), name], check=True)
        if subprocess.run(["make", "-C", str(folder), "setup"], stdout=sys.stderr, check=False).returncode != 0:
            raise click.ClickException(f"--against: `make setup` failed in {folder}; its output is above")
    return Side(name, folder)


def verify_us() -> float:
    """Return what one Ed25519 verification costs now, in µs of this thread: the machine's own speed."""
    key = SigningKey(b"\x01" * 32)
    signed, public = key.sign(b"\x02" * 32), key.verify_key

    def verify() -> None:
        for _ in range(PROBE_COUNT):
            public.verify(signed)

    return thread_us_each(verify, PROBE_COUNT)


def _note(
    pairs: dict[tuple[str, str], Pair], name: str, figure: dict[str, object], probe: float, *, is_here: bool
) -> None:
    what, unit, value, limit = (figure[member] for member in ("what", "unit", "value", "limit"))
    assert isinstance(what, str)
    assert isinstance(unit, str)
    assert isinstance(value, int | float)
    of_value = limit if isinstance(limit, dict) else {}
    text = f"{'>=' if of_value['kind'] == 'least' else '<='} {number(of_value['at'])}" if of_value else ""
    if of_value and of_value["of"] == "ratio":
        text += " x"
    more = of_value["kind"] == "least" if of_value else unit.endswith("/s")
    pair = pairs.setdefault((name, what), Pair(unit, text, more))
    (pair.here if is_here else pair.there).append(value)
    pair.probes[0 if is_here else 1].append(probe)
    pair.missed_count += is_here and figure["holds"] is False


def _table(pairs: dict[tuple[str, str], Pair]) -> str:
    rows: list[tuple[str, ...]] = [HEADINGS]
    for (name, what), pair in sorted(pairs.items(), key=lambda item: (not item[1].verdict, -max(item[1].loss, 0.0))):
        here, there = (
            f"{number(statistics.median(side))} {pair.unit}" if side else "-" for side in (pair.here, pair.there)
        )
        ratio = "" if pair.ratio is None else f"{pair.ratio:.2f} x"
        speed = " / ".join(number(statistics.median(side)) if side else "-" for side in pair.probes)
        rows.append((name, what, here, there, ratio, f"{pair.spread:.0%}", speed, pair.limit, pair.verdict))
    return laid_out(rows)
