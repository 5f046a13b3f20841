"""A network of real nodes on this machine."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.node import Node
from bigchaindb.engine.cometbft import files
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.transaction.keys import KeyPair, decode_key
from tests.support.cometbft import require_cometbft
from tests.support.ports import free_ports

CHAIN_ID: Final = "bench"
POWER: Final = 10


@contextmanager
def network(folder: Path, count: int) -> Iterator[list[Node]]:
    """Run so many validators of equal power; yield them once all answer over HTTP."""
    program = require_cometbft()
    keys = [KeyPair.from_seed(bytes([number]) * 32) for number in range(1, count + 1)]
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    peers = [f"{files.node_id_of(key)}@{address}" for key, address in zip(keys, addresses, strict=True)]
    validators = tuple(GenesisValidator(decode_key(key.public_key), POWER) for key in keys)
    genesis = NetworkGenesis(CHAIN_ID, "2026-01-01T00:00:00Z", 1, bytes(32), validators, RULES_VERSION).encode()
    with ExitStack() as running:
        nodes = []
        for number, (key, address) in enumerate(zip(keys, addresses, strict=True)):
            own = folder / f"node-{number}"
            data = own / "data"
            data.mkdir(parents=True)
            data.chmod(0o700)
            (data / "chain_id").write_text(f"{CHAIN_ID}\n")
            files.write_genesis(files.Layout(data), genesis)
            settings = {
                "keypair": {"private": key.private_key, "public": key.public_key},
                "network": {"bind": address, "peers": peers, "cometbft": str(program)},
            }
            nodes.append(running.enter_context(Node(own, settings=settings)))
        yield nodes
