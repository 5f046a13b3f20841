"""A node whose shell lets a process have few files open: clients that only connect must not stop it."""

import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bigchaindb.transaction.build import create
from tests.support.node import COMMAND, running_node
from tests.support.served import KEY

WARNING = "the system lets the node have fewer files open than clients may connect"


@pytest.mark.parametrize(("which", "is_told"), [("-S", False), ("-H", True)])
def test_idle_clients_leave_room_to_read_the_ledger(tmp_path: Path, which: str, *, is_told: bool) -> None:
    limited = (
        "sh",
        "-c",
        f'ulimit -S -n 100; ulimit {which} -n {1_000 if is_told else 100}; exec "$@"',
        "sh",
        *COMMAND,
    )
    with running_node(tmp_path, command=limited) as node, ExitStack() as idle:
        for _ in range(150):
            idle.enter_context(closing(socket.create_connection(("127.0.0.1", node.port))))
        assert node.post(create([KEY]).body).status == 202
        assert (WARNING in node.log) == is_told
        assert node.stop() == 0
