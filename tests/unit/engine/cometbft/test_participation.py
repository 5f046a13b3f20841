"""Who takes part: an operator must see a validator that is connected and does not sign, before a second one fails."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.commits import SILENT_COUNT
from bigchaindb.engine.cometbft.participation import VOTE_S_MAX, Participation
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rpc_answers import (
    CommitAnswer,
    ConsensusState,
    NetInfo,
    NodeInfo,
    OwnRoundState,
    Peer,
    RoundVotes,
    Versions,
    decoded,
)
from bigchaindb.engine.engine import ValidatorFigures
from bigchaindb.errors import CometBftUnavailable
from bigchaindb.transaction import KeyPair
from tests.support.networks import KEYS, address, validators

OWN, SECOND, THIRD, FOURTH = KEYS[:4]
NODE_IDS = {key: f"{number:040x}" for number, key in enumerate(KEYS[:4])}


def raw_address(key: KeyPair) -> bytes:
    return bytes.fromhex(address(key))


@dataclass
class Network:
    """Four validators as the first of them sees the others."""

    wanted: Sequence[KeyPair] = (SECOND, THIRD, FOURTH)
    height: int = 0
    now_s: float = 0.0
    is_following: bool = True
    connected: list[KeyPair] = field(default_factory=lambda: [SECOND, THIRD, FOURTH])

    def __post_init__(self) -> None:
        peers = [f"{NODE_IDS[key]}@one.example:26656" for key in self.wanted]
        set_ = validators(10, 10, 10, 10)
        self.seen = Participation(lambda: set_, lambda _: set_, own=raw_address(OWN), peers=peers)

    def decide(self, count: int, signed: Iterable[KeyPair]) -> None:
        flags = {raw_address(key): pb.BLOCK_ID_FLAG_COMMIT for key in signed}
        for _ in range(count):
            self.height += 1
            votes = [
                pb.VoteInfo(validator=pb.Validator(address=one), block_id_flag=flags.get(one, pb.BLOCK_ID_FLAG_ABSENT))
                for one in map(raw_address, KEYS[:4])
            ]
            self.seen.decided(
                pb.RequestFinalizeBlock(height=self.height + 1, decided_last_commit=pb.CommitInfo(votes=votes))
            )

    def observe(self, *rounds: Iterable[KeyPair]) -> None:
        """Take a look; `rounds` are who has voted in each round of the present height."""
        votes = tuple(
            RoundVotes(
                prevotes=tuple(
                    f"Vote{{{index}:{address(key)[:12].upper()} 9/00/SIGNED}}" if key in voters else "nil-Vote"
                    for index, key in enumerate(KEYS[:4])
                )
            )
            for voters in rounds
        )
        state = OwnRoundState(height=self.height + 1, round=max(0, len(rounds) - 1), votes=votes or None)
        peers = tuple(
            Peer(
                node=NodeInfo(id=NODE_IDS[key], version="0.38.26", moniker=key.public_key, versions=Versions(app=1)),
            )
            for key in self.connected
        )
        self.seen.observe(
            ConsensusState(round_state=state),
            NetInfo(peers=peers),
            height=self.height,
            is_following=self.is_following,
            now_s=self.now_s,
        )

    def of(self, key: KeyPair) -> ValidatorFigures:
        (found,) = [one for one in self.seen.figures() if one.public_key == key.public_key]
        return found


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "bigchaindb.engine.cometbft.participation")
    return caplog


def test_a_connected_validator_that_does_not_sign_is_seen(said: pytest.LogCaptureFixture) -> None:
    """One line when it begins, one when it is over, none for each block."""
    network = Network()
    network.decide(5, KEYS[:4])
    network.observe()
    assert said.messages == []
    network.decide(SILENT_COUNT - 1, [OWN, SECOND, THIRD])
    network.observe()
    assert network.of(FOURTH).signing
    network.decide(1, [OWN, SECOND, THIRD])
    for _ in range(3):
        network.observe()
        network.decide(2, [OWN, SECOND, THIRD])
    found = network.of(FOURTH)
    assert (found.connected, found.signing, found.signed_height) == (True, False, 5)
    assert (found.signed, found.blocks) == (5, 5 + SILENT_COUNT + 6)
    assert all(network.of(key).signing for key in (OWN, SECOND, THIRD))
    network.decide(2, KEYS[:4])
    network.observe()
    assert len(said.messages) == 1, "two blocks prove little"
    network.decide(1, KEYS[:4])
    network.observe()
    network.observe()
    assert said.messages == [
        "a validator does not sign: its signature is in none of the last blocks",
        "a validator signs again",
    ]
    about = vars(said.records[0])
    assert said.records[0].levelno == logging.WARNING
    assert (about["validator"], about["address"]) == (FOURTH.public_key, address(FOURTH).upper())
    assert (about["power"], about["connected"], about["signed_height"]) == (10, True, 5)


def test_a_node_whose_own_key_does_not_sign_says_so(said: pytest.LogCaptureFixture) -> None:
    network = Network()
    network.observe()
    network.decide(SILENT_COUNT, [SECOND, THIRD, FOURTH])
    network.observe()
    assert not network.of(OWN).signing
    assert said.messages == ["this node's own key does not sign: its signature is in none of the last blocks"]
    assert said.records[0].levelno == logging.ERROR


def test_a_validator_that_came_back_is_judged_by_what_came_since() -> None:
    """On an idle chain there is no block that it could have signed."""
    network = Network(connected=[SECOND, THIRD])
    network.decide(3, KEYS[:4])
    network.observe()
    network.decide(2 * SILENT_COUNT, [OWN, SECOND, THIRD])
    network.observe()
    assert not network.of(FOURTH).connected
    network.connected = [SECOND, THIRD, FOURTH]
    network.observe()
    found = network.of(FOURTH)
    assert (found.connected, found.signing) == (True, True)
    network.decide(SILENT_COUNT, [OWN, SECOND, THIRD])
    network.observe()
    assert not network.of(FOURTH).signing


def test_blocks_that_come_while_a_node_catches_up_raise_no_alarm(said: pytest.LogCaptureFixture) -> None:
    network = Network(is_following=False)
    network.observe()
    network.decide(2 * SILENT_COUNT, [OWN, SECOND, THIRD])
    network.observe()
    assert said.messages == []
    assert network.of(FOURTH).signing


def test_whoever_has_no_vote_on_a_height_that_is_not_decided_does_not_sign(said: pytest.LogCaptureFixture) -> None:
    """Half of the power is connected and silent: the commits of before look as ever."""
    network = Network()
    network.decide(5, KEYS[:4])
    network.observe()
    network.observe([OWN, SECOND])
    network.now_s += VOTE_S_MAX - 1
    network.observe([OWN, SECOND])
    assert network.of(FOURTH).signing
    network.now_s += 1
    network.observe([OWN, SECOND], [OWN])
    assert [network.of(key).signing for key in KEYS[:4]] == [True, True, False, False]
    assert said.messages == ["a validator does not sign: its signature is in none of the last blocks"] * 2
    network.decide(3, KEYS[:4])
    network.observe()
    assert all(network.of(key).signing for key in KEYS[:4])
    assert said.messages[2:] == ["a validator signs again"] * 2


def test_votes_of_rounds_long_past_do_not_count() -> None:
    network = Network()
    network.observe(KEYS[:4])
    network.now_s += VOTE_S_MAX
    network.observe(KEYS[:4], [OWN, SECOND], [OWN, SECOND])
    assert [network.of(key).signing for key in KEYS[:4]] == [True, True, False, False]


def test_a_node_with_a_single_peer_reaches_the_others_through_it() -> None:
    """Its operator must not be told that the network is halted."""
    network = Network(wanted=(SECOND,), connected=[SECOND])
    network.decide(5, KEYS[:4])
    network.observe()
    found = network.of(FOURTH)
    assert (found.connected, found.indirect, network.of(SECOND).indirect) == (True, True, False)
    network.connected = []
    network.observe()
    assert not network.of(FOURTH).connected


def test_who_was_a_peer_and_is_none_is_away() -> None:
    network = Network()
    network.decide(5, KEYS[:4])
    network.observe()
    network.connected = [SECOND]
    network.observe()
    assert [network.of(key).connected for key in KEYS[:4]] == [True, True, False, False]
    network = Network(connected=[SECOND])  # after a start: others are wanted and not there
    network.decide(5, KEYS[:4])
    network.observe()
    assert [network.of(key).connected for key in KEYS[:4]] == [True, True, False, False]


class Rpc:
    """CometBFT, which has the commits from a height on."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.asked: list[int] = []

    async def commit(self, height: int) -> CommitAnswer:
        self.asked.append(height)
        if height < self.base:
            raise CometBftUnavailable("commit: CometBFT refuses: height is not available")
        block_id = {"hash": "", "parts": {"total": 0, "hash": ""}}
        hashes = dict.fromkeys(
            (
                *("last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash"),
                *("app_hash", "last_results_hash", "evidence_hash", "proposer_address"),
            ),
            "",
        )
        header = {"version": {"block": "11"}, "chain_id": "n", "height": str(height), "time": "", **hashes}
        precommits = [
            {
                "block_id_flag": 2 if key is not FOURTH else 1,
                "validator_address": address(key).upper() if key is not FOURTH else "",
                "timestamp": "",
                "signature": None,
            }
            for key in KEYS[:4]
        ]
        commit = {"height": str(height), "round": 0, "block_id": block_id, "signatures": precommits}
        signed_header = {"header": {**header, "last_block_id": block_id}, "commit": commit}
        return decoded(json.dumps({"signed_header": signed_header, "canonical": True}).encode(), CommitAnswer)


async def test_what_was_signed_before_the_start_is_asked_once() -> None:
    network, rpc = Network(), Rpc(base=1)
    await network.seen.recall(cast("CometBftRpc", rpc), 0)
    assert rpc.asked == [], "there is no block yet"
    network.height = 29
    network.decide(1, KEYS[:4])
    for _ in range(2):
        await network.seen.recall(cast("CometBftRpc", rpc), 30)
    assert rpc.asked == list(range(29, 0, -1))
    found = network.of(FOURTH)
    assert (found.signed, found.blocks, found.signed_height) == (1, 30, 30)
    assert network.of(THIRD).signed == 30


async def test_a_chain_that_begins_later_has_fewer() -> None:
    network, rpc = Network(), Rpc(base=21)
    await network.seen.recall(cast("CometBftRpc", rpc), 30)
    assert rpc.asked == list(range(30, 19, -1))
    assert network.of(OWN).blocks == 10
