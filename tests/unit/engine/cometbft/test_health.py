"""A node whose height stands still is not well, whatever its processes say; its operator is told once."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from msgspec import structs

from bigchaindb.engine.cometbft.health import COMPARE_S, DEGRADED_S, STALLED_S, Health
from bigchaindb.engine.cometbft.rpc_answers import (
    ConsensusPeer,
    ConsensusState,
    NetInfo,
    NodeInfo,
    NodeStatus,
    OwnRoundState,
    Peer,
    PeerState,
    RoundState,
    SyncInfo,
    Versions,
)
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.errors import CometBftUnavailable

NODE = NodeInfo(id="7f" * 20, version="0.38.26", moniker="one", versions=Versions(app=RULES_VERSION))


@dataclass
class Network:
    """CometBFT and a clock, as a test sets them."""

    now_s: float = 100.0
    height: int = 7
    peer_heights: list[int | None] = field(default_factory=lambda: [7])
    is_catching_up: bool = False
    is_away: bool = False
    peer_rules: list[int] = field(default_factory=lambda: [RULES_VERSION])
    compared: list[tuple[ConsensusState, NetInfo]] = field(default_factory=list)

    async def status(self) -> NodeStatus:
        if self.is_away:
            raise CometBftUnavailable("status: no answer")
        sync = SyncInfo(
            height=self.height,
            time=datetime.now(UTC),
            is_catching_up=self.is_catching_up,
        )
        return NodeStatus(node=NODE, sync=sync)

    async def consensus_state(self) -> ConsensusState:
        return ConsensusState(
            round_state=OwnRoundState(height=self.height + 1, round=0),
            peers=tuple(
                ConsensusPeer(
                    address="" if height is None else f"{number:040x}@one.example:26656",
                    state=None if height is None else PeerState(round_state=RoundState(height=height + 1, round=0)),
                )
                for number, height in enumerate(self.peer_heights)
            ),
        )

    async def net_info(self) -> NetInfo:
        return NetInfo(
            peers=tuple(
                Peer(
                    node=structs.replace(NODE, id=f"{number:040x}", versions=Versions(app=rules)),
                )
                for number, rules in enumerate(self.peer_rules)
            ),
        )


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def health(network: Network) -> Health:
    return Health(network, lambda: network.now_s, lambda consensus, net: network.compared.append((consensus, net)))


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the operator reads."""
    caplog.set_level(logging.INFO, "bigchaindb.engine.cometbft.health")
    return caplog


async def watch(health: Health, network: Network, seconds: float, *, undecided_count: int = 0) -> None:
    """Check health every half second, as the engine does."""
    for _ in range(int(seconds * 2)):
        await health.update(undecided_count)
        network.now_s += 0.5


async def test_a_node_follows_once_it_has_caught_up(
    health: Health, network: Network, said: pytest.LogCaptureFixture
) -> None:
    assert not health.is_following
    network.is_catching_up = True
    await health.update()
    assert (health.is_following, said.messages) == (False, [])
    network.is_catching_up = False
    await health.update()
    await health.update()
    assert (health.is_following, health.height) == (True, 7)
    assert said.messages == ["the node follows its network"]


async def test_a_node_that_is_held_does_not_follow_though_its_engine_has_caught_up(
    health: Health, said: pytest.LogCaptureFixture
) -> None:
    """Its key may not vote yet, and its engine will be started once more."""
    health.is_held = True
    await health.update()
    assert (health.has_caught_up, health.is_following, said.messages) == (True, False, [])
    health.is_held = False
    await health.update()
    assert health.is_following


async def test_a_node_whose_engine_is_away_does_not_follow(
    health: Health, network: Network, said: pytest.LogCaptureFixture
) -> None:
    await health.update()
    assert health.peer_count == 1
    network.is_away = True
    await health.update()
    await health.update()
    assert (health.is_following, health.peer_count) == (False, 0)
    assert said.messages == ["the node follows its network", "the node no longer follows its network"]


async def test_a_node_that_stands_still_while_peers_go_on_is_degraded_until_it_moves(
    health: Health, network: Network, said: pytest.LogCaptureFixture
) -> None:
    network.peer_heights = [7, 9, None]
    await watch(health, network, DEGRADED_S - 1)
    assert said.messages == ["the node follows its network"]
    await watch(health, network, 3 * COMPARE_S)
    assert said.messages[-1].startswith("degraded: ")
    network.height = 8  # behind as before, and moving
    await watch(health, network, 2 * COMPARE_S)
    assert not health.is_degraded
    assert said.messages == [
        "the node follows its network",
        "degraded: the height stands still and peers are ahead",
        "no longer degraded",
    ]


async def test_a_network_that_decides_nothing_of_what_waits_is_stalled_until_it_does(
    health: Health, network: Network, said: pytest.LogCaptureFixture
) -> None:
    """The node itself is well: too many of the others are away."""
    await watch(health, network, STALLED_S - 1, undecided_count=3)
    assert said.messages == ["the node follows its network"]
    await watch(health, network, STALLED_S, undecided_count=3)
    assert (health.is_stalled, health.is_degraded) == (True, False)
    network.height = 8
    await watch(health, network, STALLED_S, undecided_count=2)
    assert said.messages == [
        "the node follows its network",
        "nothing is decided: nodes of more than two thirds of the power must be connected",
        "the network decides again",
    ]
    (stalled,) = (record for record in said.records if record.levelno == logging.WARNING)
    assert vars(stalled)["undecided"] == 3
    assert vars(stalled)["height"] == 7


async def test_an_idle_network_is_well(health: Health, network: Network) -> None:
    """Nothing to decide for hours is no reason for an alarm; what comes then has its time."""
    await watch(health, network, 10 * DEGRADED_S)
    await watch(health, network, STALLED_S - 1, undecided_count=1)
    assert not health.is_degraded
    assert not health.is_stalled


async def test_peers_that_have_said_nothing_are_not_ahead(health: Health, network: Network) -> None:
    network.peer_heights = [None]
    await watch(health, network, 2 * DEGRADED_S)
    assert not health.is_degraded
    assert health.peer_count == 0


async def test_a_peer_of_other_rules_is_told_once_with_both_numbers(
    health: Health, network: Network, said: pytest.LogCaptureFixture
) -> None:
    """It stays connected, and nothing that it says counts: without a word, a network would just stand still."""
    network.peer_rules = [RULES_VERSION, 1]
    await watch(health, network, 3 * COMPARE_S)
    [record] = [one for one in said.records if one.levelno == logging.ERROR]
    assert record.getMessage() == "a peer has other rules, and its votes do not count"
    assert vars(record)["peer"] == f"{1:040x}"
    assert f"it has rules 1, and this program has rules {RULES_VERSION} (2: " in vars(record)["error"]
    network.peer_rules = []
    await watch(health, network, 2 * COMPARE_S)
    network.peer_rules = [1]
    await watch(health, network, 2 * COMPARE_S)
    assert [vars(one)["peer"] for one in said.records if one.levelno == logging.ERROR] == [f"{1:040x}", f"{0:040x}"]
