"""Figures and the table that they stand in: each beside its limit, its peer of the same run, or both."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

HEADINGS: Final = ("what", "measured", "peer of the same run", "ratio", "limit", "")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A bound on a figure itself or on its ratio to the peer."""

    at: float
    kind: Literal["most", "least"]
    of: Literal["value", "ratio"] = "value"


def at_most(bound: float) -> Limit:
    """Bound the figure itself from above."""
    return Limit(at=bound, kind="most")


def at_least(bound: float) -> Limit:
    """Bound the figure itself from below."""
    return Limit(at=bound, kind="least")


def ratio_at_most(bound: float) -> Limit:
    """Bound figure / peer from above."""
    return Limit(at=bound, kind="most", of="ratio")


def ratio_at_least(bound: float) -> Limit:
    """Bound figure / peer from below."""
    return Limit(at=bound, kind="least", of="ratio")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
        peer: what the same run gave for something comparable, named by `peer_name`.
    """

    what: str
    value: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    limit: Limit | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the peer it is."""
        return self.value / self.peer if self.peer else None

    @property
    def holds(self) -> bool | None:
        """Whether it is within its limit; None without one."""
        if self.limit is None:
            return None
        judged = self.value if self.limit.of == "value" else self.ratio
        assert judged is not None, self.what
        return judged <= self.limit.at if self.limit.kind == "most" else judged >= self.limit.at

    def cells(self) -> tuple[str, ...]:
        """Return its line of the table."""
        peer = "" if self.peer is None else f"{number(self.peer)} {self.peer_name}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} x"
        verdict = {None: "", True: "ok", False: "MISSED"}[self.holds]
        return self.what, f"{number(self.value)} {self.unit}", peer, ratio, self._limit(), verdict

    def _limit(self) -> str:
        if self.limit is None:
            return ""
        sign = "<=" if self.limit.kind == "most" else ">="
        return f"{sign} {number(self.limit.at)} {'x' if self.limit.of == 'ratio' else self.unit}"


def number(value: float) -> str:
    """Write a number for people: three digits that count."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(figures: Iterable[tuple[str, Figure]]) -> str:
    """Lay out figures, grouped by the benchmark that they come from."""
    rows: list[Sequence[str]] = [("benchmark", *HEADINGS)]
    last = ""
    for name, figure in figures:
        rows.append(("" if name == last else name, *figure.cells()))
        last = name
    return laid_out(rows)


def laid_out(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns of text, the first as the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def as_json(figures: Iterable[tuple[str, Figure]]) -> str:
    """Return the same for machines: a list of objects."""
    return json.dumps(
        [
            {"benchmark": name, **asdict(figure), "ratio": figure.ratio, "holds": figure.holds}
            for name, figure in figures
        ],
        indent=2,
    )
