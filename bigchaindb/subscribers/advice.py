"""Warnings for the author of a plugin, each of them once. Source: decision 0025; promise P10."""

from time import monotonic
from typing import Final

from bigchaindb.subscribers.gate import Gate
from bigchaindb.subscribers.window import Window

FULL_S: Final = 30.0
"""How long a full window may keep the plugin waiting before a warning names what each thread holds."""
_KEEPS: Final = (
    "this plugin keeps events after asking for the next: set ack_lag or explicit; what it was given before "
    "counts as done, and does not come again after a crash"
)
_SHOWN_MAX: Final = 5


class Advice:
    """Used under the lock of `Gate`."""

    def __init__(self, gate: Gate, window: Window) -> None:
        self._gate = gate
        self._window = window
        self._told: set[str] = set()

    def untold(self) -> list[str]:
        """Return the warnings that apply and were not returned before."""
        found: dict[str, str] = {}
        if self._window.keeps_events or any(hand.keeps_events for hand in self._window.hands):
            found["keeps"] = _KEEPS
        since_s = self._gate.full_since_s
        if since_s is not None and monotonic() - since_s >= FULL_S:
            found["full"] = (
                f"the plugin waits for an event while it holds as many as it may, for {FULL_S:.0f} s now: "
                f"{self._holders()}; settle them, or raise the window"
            )
        untold = [text for name, text in found.items() if name not in self._told]
        self._told.update(found)
        return untold

    def _holders(self) -> str:
        """Return which thread holds which positions, in words."""
        held: dict[str, list[int]] = {}
        for position, unanswered in self._window.unanswered.items():
            held.setdefault(unanswered.thread, []).append(position)
        for hand in self._window.hands:  # what it has to answer for stands above
            mine = [position for position in hand.positions if position not in self._window.unanswered]
            held.setdefault(hand.thread.name, []).extend(mine)
        threads = {name: sorted(positions) for name, positions in held.items() if positions}
        told = [f"thread {name!r} holds {_listed(positions)}" for name, positions in threads.items()]
        if waiting := [one.position for one in self._window.redeliveries]:
            told.append(f"{_listed(waiting)} wait to be delivered again")
        return "; ".join(told)


def _listed(positions: list[int]) -> str:
    """Name positions, and count them where there are many."""
    shown = ", ".join(map(str, positions[:_SHOWN_MAX]))
    more = f", … ({len(positions)})" if len(positions) > _SHOWN_MAX else ""
    return f"position{'s' if len(positions) > 1 else ''} {shown}{more}"
