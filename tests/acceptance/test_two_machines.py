"""An application in Node and one in Go, on two machines, share a subscription over TLS with keys, and miss nothing."""

from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.support import consumers
from tests.support.consumers import LANGUAGES, consuming
from tests.support.installed import INSTALL_S
from tests.support.namespaces import machines
from tests.support.node import running_node
from tests.support.ports import free_ports
from tests.support.tls import Authority, settings_of
from tests.support.waiting import until
from tests.support.worked import WINDOW_COUNT, Assets, Work, definition

ASSET_COUNT: Final = 20
ROUNDS: Final = 5
"""Between two kills."""
EVERY_ADDRESS: Final = "0.0.0.0"
pytestmark = pytest.mark.timeout(INSTALL_S)


def test_both_miss_nothing_when_either_or_the_node_is_killed(trusted: Authority, tmp_path: Path) -> None:
    """docs/how-to/follow-the-ledger-from-any-language.md, "Share it between machines"."""
    [port] = free_ports(1)
    with ExitStack() as stack:
        others = stack.enter_context(machines(len(LANGUAGES)))
        addresses = ",".join(f"IP:{one}" for one in ("127.0.0.1", EVERY_ADDRESS, *(other.address for other in others)))
        settings = {
            **settings_of(trusted.sign(addresses)),
            "server": {"bind": f"{EVERY_ADDRESS}:{port}"},
            "access": {"anonymous": "read"},
        }
        node = stack.enter_context(running_node(tmp_path / "node", settings=settings))
        ours = node.new_key("ours", "--scopes", "read write subscribe:billing")
        assert node.put("subscriptions/billing", definition(), key=ours).status == 201
        assets, work = Assets(node, ASSET_COUNT, key=ours), Work(tmp_path / "billing")
        work.file.touch()

        def start(language: str) -> ExitStack:
            other = others[LANGUAGES.index(language)]
            file = tmp_path / f"{language}.key"
            if not file.exists():
                file.write_text(node.new_key(language, "--scopes", "subscribe:billing"))
            line = [*other.enter, *consumers.command(language, tmp_path / language)]
            url = f"wss://{other.address}:{port}/api/v1/subscriptions/billing?window={WINDOW_COUNT}"
            environment = {"BIGCHAINDB_ACCESS_KEY_FILE": str(file)}
            running = stack.enter_context(ExitStack())
            running.enter_context(consuming(line, url, work.file, environment=environment))
            return running

        applications = {language: start(language) for language in LANGUAGES}
        for language in (*LANGUAGES, None):
            assets.grow(ROUNDS)
            until(work.count, what="the first events")
            if language is None:
                with work.fault(repeats=2 * WINDOW_COUNT):
                    node.kill()
                node.start()
            else:
                with work.fault():
                    applications[language].close()
                assets.grow(1)
                applications[language] = start(language)
        assets.grow(ROUNDS)
        work.wait_for(assets.ids)
