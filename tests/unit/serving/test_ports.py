"""An address that cannot be listened on: the setting that is wrong is named."""

import os
import socket

import pytest

from bigchaindb.errors import StartupError
from bigchaindb.serving.listener import bind
from bigchaindb.serving.ports import naming, require_free


@pytest.mark.parametrize("host", ["nosuchhost.invalid", "192.0.2.1", "a" * 64])
@pytest.mark.parametrize(("key", "named"), [("wsserver.port", "wsserver.host"), ("server.bind", "server.bind")])
def test_a_host_that_is_none_of_this_machine_is_not_the_ports_fault(host: str, key: str, named: str) -> None:
    with pytest.raises(StartupError) as refused:
        require_free({key: (host, 9985)})
    assert str(refused.value).startswith(f"cannot listen on {host}:9985 ({named}): ")
    assert str(refused.value).endswith(f"; set {named} to a name or an address of this machine")


def test_a_port_that_is_taken_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            StartupError, match=r"\(wsserver\.port\): .*; stop that process, or set another wsserver.port"
        ):
            require_free({"wsserver.port": ("127.0.0.1", port)})


def test_a_port_that_is_taken_after_the_check_is_named_alike() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = ("127.0.0.1", holder.getsockname()[1])
        with pytest.raises(StartupError) as first:
            require_free({"wsserver.port": address})
        with pytest.raises(StartupError) as later, naming("wsserver.port", *address):
            bind(*address)
    assert str(later.value) == str(first.value)
    assert f"by process {os.getpid()} (" in str(later.value)
