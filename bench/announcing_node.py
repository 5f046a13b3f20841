"""A node that also writes each new head of its log, and when it announced it, to a bare socket.

Run as `bigchaindb` is, with the port of who listens in `ANNOUNCE_PORT`. So a consumer sees both over the same hops.
"""

import os
import socket
import struct
import time

from bigchaindb.cli import main
from bigchaindb.streams.hub import Hub

HEAD = struct.Struct("!Qd")


def announce_to(listener: socket.socket) -> None:
    """Have each hub of this process write its heads there, before its own listeners know them."""
    announce = Hub.announce

    def announce_too(hub: Hub, head: int) -> None:
        listener.sendall(HEAD.pack(head, time.monotonic()))
        announce(hub, head)

    Hub.announce = announce_too  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    listening = socket.create_connection(("127.0.0.1", int(os.environ["ANNOUNCE_PORT"])))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    announce_to(listening)
    main()
