"""The shop of examples/ works as `docs/how-to/build-an-http-service.md` says, with the real FastAPI."""

import json
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from bigchaindb.client import KeyPair, new_keypair, write_keypair
from tests.conftest import StartNode
from tests.support import installed
from tests.support.consumers import EXAMPLES
from tests.support.http import request
from tests.support.node import Node
from tests.support.ports import free_ports
from tests.support.waiting import until

SHOP = EXAMPLES / "fastapi-shop/app.py"
BUYER, OTHER = new_keypair(), new_keypair()


@pytest.fixture
def node(start_node: StartNode) -> Node:
    return start_node()


@pytest.fixture
def url(node: Node, tmp_path: Path) -> Iterator[str]:
    """The service, started as its page says."""
    shutil.copy(SHOP, tmp_path)
    write_keypair(tmp_path / "shop.json", new_keypair())
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{installed.CHECKOUT}:{sysconfig.get_path('purelib')}",
        "LEDGER": node.url,
        "KEY_FILE": str(tmp_path / "shop.json"),
    }
    python = installed.python_environment("fastapi")
    command = [str(python), "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "warning"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.poll() is None
            with suppress(OSError):
                return request("GET", f"{url}/sales").status == 200
            return False

        try:
            until(answers, what="the service")
            yield url
        finally:
            process.terminate()
            assert process.wait(60) == -signal.SIGTERM, "it ends with its client and its subscription"


def sell(url: str, asset: str, to: KeyPair) -> int:
    return post(f"{url}/bicycles/{asset}/sale", {"to": to.public_key})[0]


def post(url: str, body: object) -> tuple[int, dict[str, str]]:
    """Ask the service, whose phrases are its framework's."""
    asked = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(asked, timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_shop(url: str, node: Node) -> None:
    status, made = post(f"{url}/bicycles", {"serial": "a-1"})
    assert status == 201
    assert post(f"{url}/bicycles", {"serial": "a-1"}) == (201, made)
    assert [sell(url, made["id"], to) for to in (BUYER, BUYER, OTHER)] == [201, 201, 409]
    assert sell(url, "0" * 64, BUYER) == 404
    node.kill()
    node.start()
    status, second = post(f"{url}/bicycles", {"serial": "a-2"})
    assert (status, sell(url, second["id"], OTHER)) == (201, 201)
    until(lambda: len(request("GET", f"{url}/sales").json()) == 2, what="both sales")
    assert request("GET", f"{url}/sales").json() == [BUYER.public_key, OTHER.public_key]
