"""Which nodes each node is to be connected to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.engine.cometbft.membership import read_members
from bigchaindb.engine.cometbft.roster import Known, connected, known_of, lists
from bigchaindb.engine.cometbft.rpc_answers import NodeInfo, Peer, Versions
from bigchaindb.errors import ConfigurationError
from tests.support.networks import KEYS

IDS = [f"{number:040x}" for number in range(4)]


@given(st.lists(st.integers(0, 3), max_size=8))
def test_each_node_names_all_others_once(numbers: list[int]) -> None:
    found = lists(Known("", f"{IDS[number]}@one.example:{port}") for port, number in enumerate(numbers, 26656))
    assert [one.node_id for one in found] == [IDS[number] for number in dict.fromkeys(numbers)]
    for one in found:
        assert {peer.partition("@")[0] for peer in one.peers} == {other.node_id for other in found if other is not one}


def test_the_first_word_on_a_node_counts() -> None:
    """The file that its operator gave, before what a peer says of itself."""
    first, second = lists([Known("a", f"{IDS[0]}@a:1"), Known("b", f"{IDS[1]}@b:1"), Known("", f"{IDS[0]}@x:1")])
    assert (first.name, second.peers) == ("a", (f"{IDS[0]}@a:1",))


def test_a_line_without_an_address_is_refused() -> None:
    lines = f'{{"public_key": "{KEYS[0].public_key}", "name": "node-1"}}'.encode()
    with pytest.raises(ConfigurationError, match=r"validators: node-1 has no `peer`, .* set network\.external_address"):
        known_of(read_members(lines), "validators")


@pytest.mark.parametrize(("moniker", "name"), [("m" * 44, "m" * 44), ("m" * 45, ""), ("\x1b[2J", "")])
def test_a_name_that_could_change_a_terminal_is_left_out(moniker: str, name: str) -> None:
    node = NodeInfo(
        id=IDS[0],
        version="0.38.26",
        moniker=moniker,
        versions=Versions(app=1),
        listens_at="tcp://one.example:26656",
    )
    (found,) = connected([Peer(node=node)])
    assert found.name == name


@pytest.mark.parametrize(
    ("listens_at", "peer"),
    [
        ("tcp://one.example:26656", "one.example:26656"),
        ("tcp://[::1]:26656", "[::1]:26656"),
        ("tcp://0.0.0.0:26656", None),
        ("tcp://[::]:26656", None),
        ("", None),
        ("tcp://a b:1", None),
        ("tcp://one.example:99999", None),
    ],
)
def test_a_peer_is_known_by_where_it_says_to_listen(listens_at: str, peer: str | None) -> None:
    node = NodeInfo(id=IDS[0], version="0.38.26", moniker="m", versions=Versions(app=1), listens_at=listens_at)
    found = connected([Peer(node=node)])
    assert found == ([] if peer is None else [Known("m", f"{IDS[0]}@{peer}")])
