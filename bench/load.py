"""Asking the load generator to do something, and what it saw.

The generator (`bench.generator`) is a process of its own, so that its CPU time is nobody else's. Requests are built
beforehand, into a file; while it runs it only writes them and looks at the status of the answers.
"""

import json
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.measure import median
from bench.processes import Process, python

HEAD: Final = struct.Struct("!64sI")
"""Of a record in a file of requests: the transaction's id, the length of the request that follows."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The requests of a run and their target.

    Attributes:
        requests: file of records: id of the transaction (64 bytes), length (4), the whole request.
        connection_count: request i goes out on connection i modulo this, when the one before it is answered.
        per_s: pace of all connections together; 0 sends the next as soon as one is answered.
        stream_port: follow the WebSocket stream there, too; 0 does not.
        authority: file of the authority that signed the server's certificate; empty: there is no TLS.
        confirm: at the end, ask on each connection for the last transaction that was accepted until it is there.
    """

    port: int
    requests: str
    connection_count: int
    per_s: float = 0.0
    stream_port: int = 0
    authority: str = ""
    confirm: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The findings of the generator, times in seconds.

    Attributes:
        seconds: from the first request to the last answer, or with `confirm` until everything was committed.
        client_cpu_s: the generator's own CPU time; `server_cpu_s` the server's over the same time.
        latencies: of answers, sorted; `stream_latencies` from sending to the WebSocket message.
        refusals: first bodies of answers that were no 2xx.
    """

    seconds: float
    client_cpu_s: float
    statuses: dict[str, int]
    latencies: list[float]
    stream_latencies: list[float]
    refusals: list[str]
    server_cpu_s: float = 0.0


def percentile(sorted_values: list[float], share: float) -> float:
    """Return the value below which `share` of them lie."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def write_requests(path: Path, documents: Iterable[tuple[str, bytes]], mode: str) -> Path:
    """Build the POST requests of `documents` into a file."""
    with path.open("wb") as file:
        for transaction_id, body in documents:
            request = (
                f"POST /api/v1/transactions?mode={mode} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode() + body
            file.write(HEAD.pack(transaction_id.encode(), len(request)) + request)
    return path


def write_asks(path: Path, targets: Iterable[str]) -> Path:
    """Build GET requests, for what is below `/api/v1/`, into a file."""
    with path.open("wb") as file:
        for target in targets:
            request = f"GET /api/v1/{target} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
            file.write(HEAD.pack(b"", len(request)) + request)
    return path


def load(server: Process, plan: Plan) -> Seen:
    """Run the generator against `server` and add the server's CPU time of just that time."""
    command = python("bench.generator", json.dumps(asdict(plan)))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", "the generator did not connect"
        before = server.cpu_s()
        child.stdin.write("go\n")
        child.stdin.flush()
        assert child.stdout.readline() == "done\n", "the generator failed"
        used = server.cpu_s() - before
    return Seen(**{**json.loads(seen_path(plan).read_bytes()), "server_cpu_s": used})


def seen_path(plan: Plan) -> Path:
    """Return the file that the generator leaves its findings in."""
    return Path(f"{plan.requests}.seen")


def per_s(seen: Sequence[Seen]) -> float:
    """Return the answers of a second in the median of several runs."""
    return median(len(one.latencies) / one.seconds for one in seen)


def server_us(seen: Sequence[Seen]) -> float:
    """Return the server's CPU time of an answer, in microseconds, in the median of several runs."""
    return median(one.server_cpu_s * 1e6 / len(one.latencies) for one in seen)
