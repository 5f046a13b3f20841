"""The group `network`."""

import click

from bigchaindb.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    places={
        "id": (
            "network_members:show_id",
            "Print this node's identity as a line for the file of `network init --validators`.",
        ),
        "init": ("network_members:init", "Found a network with this node in it."),
        "join": ("network_members:join", "Join the network of the file GENESIS."),
        "signed": ("network_members:signed", "Forbid this node's key to sign anything up to HEIGHT."),
        "status": ("network_status:status", "Print the state of this node in its network."),
        "peers": ("network_peers:list_peers", "Print the network.peers that each node should have."),
    },
)
def network() -> None:
    """Make this node part of a network, whose nodes vote on one ledger.

    Each operator sends the line of `network id` to one operator, who gathers the lines in a file and runs
    `network init`. The others run `network join` with the genesis.json that it writes. Then all start their nodes.
    """
