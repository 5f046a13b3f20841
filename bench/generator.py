"""The load generator, a process of its own: prebuilt requests, one in flight for each connection, no HTTP library.

Run by `bench.load.load` as `python -m bench.generator PLAN`. It connects, prints `ready`, waits for a line on standard
input (so that whoever measures can take CPU times right before), works, leaves what it saw in a file, prints `done`.
"""

import asyncio
import json
import resource
import ssl
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, cast

import uvloop

from bench.load import HEAD, Plan, Seen, seen_path

FINISH_S_MAX: Final = 120.0
"""Time after which a run counts as stuck."""


def _read_requests(path: str) -> list[tuple[str, bytes]]:
    data, at, found = Path(path).read_bytes(), 0, []
    while at < len(data):
        transaction_id, size = HEAD.unpack_from(data, at)
        at += HEAD.size
        found.append((transaction_id.decode(), data[at : at + size]))
        at += size
    return found


class _Lane(asyncio.Protocol):
    """One keep-alive connection with its own list of requests."""

    def __init__(self, requests: list[tuple[str, bytes]], run: "_Run") -> None:
        self._requests, self._run = requests, run
        self._next, self._sent_at, self._pending = 0, 0.0, b""
        self._due: list[float] = []
        self._confirmed = not requests
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's has the methods, not the base class

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._confirmed:
            self._run.fail(ConnectionError("the server closed a connection"))

    def start(self, first_s: float, every_s: float) -> None:
        """Begin: at once, or with a fixed pace from `first_s` on, `every_s` apart."""
        if every_s == 0.0:
            self._send(perf_counter())
            return
        begin = perf_counter() + first_s
        self._due = [begin + index * every_s for index in range(len(self._requests))]
        self._wait()

    def _wait(self) -> None:
        delay = self._due[self._next] - perf_counter()
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, lambda: self._send(perf_counter()))
        else:
            self._send(self._due[self._next])  # late because the answer before was: that wait counts

    def _send(self, at: float) -> None:
        self._sent_at = at
        transaction_id, request = self._requests[self._next]
        self._run.sent[transaction_id] = at
        self._next += 1
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._pending.lower().index(b"content-length:", 0, end) + 15
        size = end + 4 + int(self._pending[at : self._pending.index(b"\r", at)])
        if len(self._pending) < size:
            return
        answer, self._pending = self._pending[:size], self._pending[size:]
        self._answered(int(answer[9:12]), answer[end + 4 :])

    def _answered(self, status: int, body: bytes) -> None:
        if self._next > len(self._requests):
            self._asked(status)
            return
        self._run.note(status, perf_counter() - self._sent_at, body)
        if self._next < len(self._requests):
            if self._due:
                self._wait()
            else:
                self._send(perf_counter())
        elif self._run.plan.confirm:
            self._next += 1
            self._ask()
        else:
            self._finish()

    def _ask(self) -> None:
        path = f"/api/v1/transactions/{self._requests[-1][0]}"
        self.transport.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())

    def _asked(self, status: int) -> None:
        if status == 200:
            self._finish()
        else:
            asyncio.get_running_loop().call_later(0.005, self._ask)

    def _finish(self) -> None:
        self._confirmed = True
        self._run.lane_done()


class _Stream(asyncio.Protocol):
    """Reads the WebSocket stream: text frames from the server, never masked, never in fragments."""

    def __init__(self, run: "_Run") -> None:
        self._run, self._pending, self._open = run, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(
            b"GET /api/v1/streams/valid_transactions HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YmVuY2gtYmVuY2gtYmVuYw==\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        self._pending += data
        if not self._open:
            head, found, rest = self._pending.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head, head
            self._open, self._pending = True, rest
            self._run.stream_open.set()
        at = 0
        while (frame := _frame(self._pending, at)) is not None:
            kind, text, at = frame
            if kind == 1:
                self._run.arrived[json.loads(text)["transaction_id"]] = now
        self._pending = self._pending[at:]
        self._run.stream_moved()


def _frame(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Return opcode, payload and the place after the frame at `at`, or None if it is not all there."""
    if len(data) < at + 4:
        return None
    kind, size, begin = data[at] & 15, data[at + 1], at + 2
    if size == 126:
        size, begin = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
    elif size == 127:
        size, begin = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
    end = begin + size
    return None if len(data) < end else (kind, data[begin:end], end)


@dataclass(slots=True)
class _Run:
    """Everything that the connections note."""

    plan: Plan
    lanes_open: int
    done: "asyncio.Future[None]"
    stream_open: asyncio.Event = field(default_factory=asyncio.Event)
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    sent: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)

    def note(self, status: int, latency_s: float, body: bytes) -> None:
        self.statuses[str(status)] += 1
        self.latencies.append(latency_s)
        if status // 100 != 2 and len(self.refusals) < 3:
            self.refusals.append(body[:300].decode(errors="replace"))

    def lane_done(self) -> None:
        self.lanes_open -= 1
        self.stream_moved()

    def stream_moved(self) -> None:
        complete = not self.plan.stream_port or len(self.arrived) >= self._accepted()
        if self.lanes_open == 0 and complete and not self.done.done():
            self.done.set_result(None)

    def _accepted(self) -> int:
        return sum(count for status, count in self.statuses.items() if status.startswith("2"))

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


async def _work(plan: Plan) -> Seen:
    loop = asyncio.get_running_loop()
    requests = _read_requests(plan.requests)
    run = _Run(plan, plan.connection_count, loop.create_future())
    parts = [requests[index :: plan.connection_count] for index in range(plan.connection_count)]
    client = ssl.create_default_context(cafile=plan.authority) if plan.authority else None
    lanes = [await _connect(loop, plan.port, partial(_Lane, part, run), client) for part in parts]
    if plan.stream_port:
        await loop.create_connection(lambda: _Stream(run), "127.0.0.1", plan.stream_port, ssl=client)
        await run.stream_open.wait()
    print("ready", flush=True)
    sys.stdin.readline()
    used, begin = _own_cpu_s(), perf_counter()
    every_s = plan.connection_count / plan.per_s if plan.per_s else 0.0
    for index, lane in enumerate(lanes):
        lane.start(index * every_s / len(lanes), every_s)
    await asyncio.wait_for(run.done, FINISH_S_MAX)
    return Seen(
        seconds=perf_counter() - begin,
        client_cpu_s=_own_cpu_s() - used,
        statuses=dict(run.statuses),
        latencies=sorted(run.latencies),
        stream_latencies=sorted(at - run.sent[name] for name, at in run.arrived.items() if name in run.sent),
        refusals=run.refusals,
    )


async def _connect(
    loop: asyncio.AbstractEventLoop, port: int, make: Callable[[], _Lane], client: ssl.SSLContext | None
) -> _Lane:
    return (await loop.create_connection(make, "127.0.0.1", port, ssl=client))[1]


def _own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _main(plan: Plan) -> None:
    seen = uvloop.run(_work(plan))
    seen_path(plan).write_text(json.dumps(asdict(seen)))
    print("done", flush=True)


if __name__ == "__main__":
    _main(Plan(**json.loads(sys.argv[1])))
