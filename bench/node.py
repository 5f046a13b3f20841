"""A real node in a process of its own, as an operator starts it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.load import Plan, Seen, load
from bench.measure import Scale
from bench.processes import Process, answers, python
from tests.support.ports import free_ports
from tests.support.tls import Authority


class Node(Process):
    """A running node; its ports are free ones of the loopback interface.

    Attributes:
        start_s: seconds from the start of the process to the first answer over HTTP.
        authority: signed its certificate; None: it serves without TLS.
    """

    def __init__(
        self,
        folder: Path,
        *,
        plugins: Sequence[str] = (),
        settings: Mapping[str, Any] = MappingProxyType({}),
        is_secure: bool = False,
        module: str = "bigchaindb",
        environment: Mapping[str, str] | None = None,
        is_awaited: bool = True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.port, self.stream_port = free_ports(2)
        document = {
            "server": {"bind": f"127.0.0.1:{self.port}"},
            "wsserver": {"host": "127.0.0.1", "port": self.stream_port},
            "database": {"path": str(self.data)},
            "events_plugins": list(plugins),
            **settings,
        }
        self.authority: Path | None = None
        if is_secure:
            authority = Authority(folder / "tls")
            certificate, key = authority.sign()
            self.authority = authority.file
            document["tls"] = {"certificate_file": str(certificate), "private_key_file": str(key)}
        configuration = folder / "bigchaindb.json"
        configuration.write_text(json.dumps(document))
        command = python(module, "-c", str(configuration), "start")
        super().__init__(command, environment=environment, log=folder / "log")
        self.start_s = 0.0
        if is_awaited:
            self.start_s = self.wait_until(answers(self.port, "/api/v1/", self.authority))


def load_a_node(scale: Scale, plan: Plan, *, stream: bool = False, is_secure: bool = False) -> Seen:
    """Carry out `plan` on a fresh node, whose ports replace the plan's; every request must be accepted."""
    folder = scale.folder / f"node-{len(list(scale.folder.glob('node-*')))}"
    with Node(folder, is_secure=is_secure) as node:
        stream_port = node.stream_port if stream else 0
        plan = replace(plan, port=node.port, stream_port=stream_port, authority=str(node.authority or ""))
        seen = load(node, plan)
    assert set(seen.statuses) == {"202"}, (seen.statuses, seen.refusals)
    return seen
