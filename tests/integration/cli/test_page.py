"""`bigchaindb page`: from the control socket to a key of the page."""

import json
from urllib.parse import urlsplit

from tests.conftest import StartNode
from tests.support import made_secrets
from tests.support.http import Answer, request
from tests.support.node import Node


def exchange(node: Node, code: str) -> Answer:
    return request("POST", f"{node.url}/api/v1/access/exchange", {"code": code})


def test_it_gives_the_page_rights_that_outlive_a_crash_and_the_code_does_not(start_node: StartNode) -> None:
    node = start_node()
    printed = node.run("page", "--print")
    assert printed.returncode == 0, printed.stderr
    address = urlsplit(printed.stdout.strip())
    unused = node.run("page", "--print").stdout.strip().partition("=")[2]
    assert f"http://{address.netloc}" == f"http://localhost:{urlsplit(node.url).port}"
    settings = json.loads(node.configuration.read_text())
    settings["server"]["bind"] = "127.0.0.1:0"  # the node alone knows which port it took
    given = node.configuration.read_text()
    node.configuration.write_text(json.dumps(settings))
    assert urlsplit(node.run("page", "--print").stdout.strip()).port == urlsplit(node.url).port
    node.configuration.write_text(given)
    made = exchange(node, made_secrets.remember(address.fragment.removeprefix("code=")))
    key = made_secrets.remember(str(made.json()["key"]))
    listed = json.loads(node.run("access", "key", "list", "--json").stdout)
    assert [(one["name"], one["scopes"], one["state"]) for one in listed] == [
        ("page", "read operate subscribe:*", "good")
    ]
    door = node.run("access", "key", "new", "billing", "--scopes", "read")
    assert (door.returncode, "no key was made" in door.stderr) == (1, True)  # the page's key is not the first
    node.kill()
    node.start()
    assert exchange(node, made_secrets.remember(unused)).status == 401
    headers = {"Authorization": f"Bearer {key}"}
    assert request("GET", f"{node.url}/api/v1/access/self", headers=headers).json()["name"] == "page"
    assert node.run("access", "key", "revoke", listed[0]["id"]).returncode == 0
    assert request("GET", f"{node.url}/api/v1/access/self", headers=headers).status == 401


def test_a_node_that_is_down_or_has_no_page_gives_no_code(start_node: StartNode) -> None:
    node = start_node(settings={"page": {"enabled": False}})
    refused = node.run("page")
    assert (refused.returncode, "page.enabled is false" in refused.stderr) == (1, True)
    node.stop()
    down = node.run("page")
    assert (down.returncode, "run `bigchaindb start`" in down.stderr) == (1, True)
