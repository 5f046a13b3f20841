"""A node whose shell lets a process have few files open: clients that only connect must not stop it."""

import socket
from contextlib import ExitStack, closing
from http import HTTPStatus
from itertools import count
from pathlib import Path

import pytest

from bigchaindb.transaction.build import create
from tests.support.node import COMMAND, Node, running_node
from tests.support.served import KEY
from tests.support.waiting import until

WARNING = "the limit on open files is too low for all allowed connections"
_serials = count()


@pytest.mark.parametrize(("soft", "hard", "is_low"), [(100, "unlimited", False), (300, "300", True)])
def test_idle_clients_leave_room_to_read_the_ledger(tmp_path: Path, soft: int, hard: str, *, is_low: bool) -> None:
    """The soft limit is raised; where the hard one is too low, fewer clients are let in than would use it up."""
    limited = ("sh", "-c", f'ulimit -S -n {soft}; ulimit -H -n {hard}; exec "$@"', "sh", *COMMAND)
    with running_node(tmp_path, command=limited) as node:
        with ExitStack() as idle:
            for _ in range(350):
                idle.enter_context(closing(socket.create_connection(("127.0.0.1", node.port))))
            taken = posts(node)
        assert taken is not is_low
        until(lambda: posts(node), what="a transaction to be taken")
        if is_low:
            node.until_logged(WARNING)
        else:
            assert WARNING not in node.log
        assert node.stop() == 0


def posts(node: Node) -> bool:
    """Whether a transaction is taken: a node without descriptors answers 503, or closes before it has read it."""
    try:
        return node.post(create([KEY], data={"serial": next(_serials)}).body).status == HTTPStatus.ACCEPTED
    except OSError:
        return False
