"""network peers: the network.peers that each node of a network should have."""

import asyncio
from pathlib import Path

import click
import msgspec

from bigchaindb.cli.options import json_option
from bigchaindb.cli.output import put, put_json, say
from bigchaindb.cli.session import Session, pass_session
from bigchaindb.config import Settings
from bigchaindb.engine.cometbft import membership
from bigchaindb.engine.cometbft.files import Layout, is_network, node_id_of, others_of
from bigchaindb.engine.cometbft.overview import ANSWER_S_MAX
from bigchaindb.engine.cometbft.roster import Known, Listed, connected, known_of, lists
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.errors import CometBftUnavailable
from bigchaindb.identity import find


@click.command(
    "peers",
    epilog="""\b
Examples:
  bigchaindb network peers validators fifth
  bigchaindb network peers --json | jq -r '.[0].peers | join(",")'""",
)
@click.argument("files", metavar="[FILE]…", nargs=-1, type=click.Path(path_type=Path))
@json_option
@pass_session
def list_peers(session: Session, *, files: tuple[Path, ...], as_json: bool) -> None:
    """Print the network.peers that each node should have.

    A FILE holds lines of `network id`. This node is added and, while it runs, the nodes that are connected to it, with
    the addresses that they announce. Nothing is changed.
    """
    known: list[Known] = []
    for file in files:
        with file.open("rb") as opened:
            content = opened.read(membership.MEMBERS_BYTES_MAX + 1)
        known += known_of(membership.read_members(content), str(file))
    settings = session.load().settings
    known += _around(settings)
    found = lists(known)
    if as_json:
        put_json(msgspec.to_builtins(found))
        return
    for one in found:
        put(f"{one.node_id} {one.name}".rstrip())
        put(f"  {','.join(one.peers)}")
    if not found:
        say("No node is known: name files with lines of `bigchaindb network id`, or start the node first.")
    _compare(settings, found)


def _around(settings: Settings) -> list[Known]:
    """Return this node, if it is part of a network, and the nodes that are connected to it."""
    data = settings.database.path
    key = find(settings) if is_network(data) else None
    if key is None:
        return []
    known = []
    if settings.network.external_address is not None:
        known.append(Known("this node", f"{node_id_of(key)}@{settings.network.external_address}"))
    else:
        say("This node is in no list, as network.external_address is not set: set it to its address for other nodes.")

    async def ask() -> list[Known]:
        rpc = CometBftRpc(Layout(data).rpc, answer_s_max=ANSWER_S_MAX)
        try:
            return connected((await rpc.net_info()).peers)
        except CometBftUnavailable:  # the node is stopped: only its files are known
            return []
        finally:
            await rpc.close()

    return known + asyncio.run(ask())


def _compare(settings: Settings, found: list[Listed]) -> None:
    """Print the peers that this node's settings lack, if it is one of the nodes."""
    key = find(settings)
    own = None if key is None else next((one for one in found if one.node_id == node_id_of(key)), None)
    if key is None or own is None:
        return
    missing = [peer for peer in own.peers if peer not in others_of(settings.network, key)]
    if missing:
        say(f"This node's network.peers lacks {', '.join(missing)}.")
