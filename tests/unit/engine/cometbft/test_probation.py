"""A key whose record of signatures is lost does not vote before a person has looked: it could vote twice."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.commits import BLOCK_COUNT
from bigchaindb.engine.cometbft.files import Layout, make_folders, put_validator_key, put_validator_state, write_genesis
from bigchaindb.engine.cometbft.genesis import GenesisValidator, NetworkGenesis
from bigchaindb.engine.cometbft.probation import BEGINNING_S, Probation
from bigchaindb.engine.cometbft.rpc import CometBftRpc
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.cometbft.signer import must_be_held, signed_height
from bigchaindb.errors import CometBftUnavailable, SignerUnknown
from bigchaindb.ledger.network import NetworkState, encode
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction import KeyPair
from tests.support.networks import KEYS, address, raw, validators

OWN, OTHER, STRANGER = KEYS[:3]
ADDRESS = bytes.fromhex(address(OWN))
ABSENT, FOR_BLOCK, FOR_NO_BLOCK = pb.BLOCK_ID_FLAG_ABSENT, pb.BLOCK_ID_FLAG_COMMIT, pb.BLOCK_ID_FLAG_NIL


def genesis(*keys: KeyPair, first: int = 1) -> NetworkGenesis:
    members = tuple(GenesisValidator(raw(key), 10) for key in keys)
    return NetworkGenesis("n", "2026-01-31T12:00:00Z", first, bytes(32), members, RULES_VERSION)


class Rpc:
    """CometBFT, which has commits of a chain: the flag of this node's own precommit by height."""

    def __init__(self, flags: dict[int, int]) -> None:
        self.flags = flags
        self.lowest: int | None = None
        self.is_away = False

    async def commit(self, height: int) -> object:
        if self.is_away:
            raise CometBftUnavailable("commit: no answer")
        self.lowest = height
        flag = self.flags.get(height, ABSENT)
        own = SimpleNamespace(block_id_flag=flag, validator_address="" if flag == ABSENT else ADDRESS.hex().upper())
        other = SimpleNamespace(block_id_flag=FOR_BLOCK, validator_address=address(OTHER).upper())
        return SimpleNamespace(signed_header=SimpleNamespace(commit=SimpleNamespace(signatures=(other, own))))


class Case:
    """A node whose key is held."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.probation = Probation(layout, OWN, ADDRESS, is_held=True)
        self.restart_count = 0
        write_genesis(layout, genesis(OWN, OTHER).encode())
        put_validator_state(layout, height=0, round_=0, step=0)
        put_validator_key(layout, STRANGER)

    async def restart(self) -> None:
        assert json.loads(self.layout.validator_key.read_text())["address"] == address(OWN).upper()
        self.restart_count += 1

    async def conclude(self, rpc: Rpc, height: int, *, power: int = 10) -> None:
        set_ = validators(power, 10)
        await self.probation.conclude(cast("CometBftRpc", rpc), height, set_, self.restart)

    @property
    def signs_with_own(self) -> bool:
        return bool(json.loads(self.layout.validator_key.read_text())["address"] == address(OWN).upper())


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(Layout(tmp_path))


async def test_a_key_without_signatures_may_vote_on_the_next_height(case: Case) -> None:
    rpc = Rpc({})
    await case.conclude(rpc, 250)
    assert (case.probation.is_held, case.restart_count, case.signs_with_own) == (False, 1, True)
    assert signed_height(case.layout) == 250, "nothing of the blocks that are there is signed any more"
    assert rpc.lowest == 250 - BLOCK_COUNT + 1


async def test_of_a_chain_without_blocks_nothing_is_forbidden(case: Case) -> None:
    await case.conclude(Rpc({}), 0)
    assert (case.restart_count, case.signs_with_own, signed_height(case.layout)) == (1, True, 0)


@pytest.mark.parametrize("flag", [FOR_BLOCK, FOR_NO_BLOCK])
@pytest.mark.parametrize("height", [250, 151])
async def test_a_key_that_has_signed_one_of_the_last_blocks_does_not_vote(case: Case, height: int, flag: int) -> None:
    with pytest.raises(SignerUnknown, match=f"has signed block {height} .*`bigchaindb network signed 251`"):
        await case.conclude(Rpc({height: flag}), 250)
    assert (case.probation.is_held, case.restart_count, case.signs_with_own) == (True, 0, False)
    assert not case.layout.validator_state.exists(), "the next start is refused at once"


async def test_signatures_of_long_ago_and_of_who_has_no_power_are_of_no_account(case: Case) -> None:
    await case.conclude(Rpc({150: FOR_BLOCK}), 250)
    assert not case.probation.is_held


async def test_who_has_no_power_votes_on_nothing_that_it_may_have_voted_on(case: Case) -> None:
    await case.conclude(Rpc({250: FOR_BLOCK}), 250, power=0)
    assert (case.probation.is_held, signed_height(case.layout)) == (False, 250)


async def test_a_chain_that_went_on_from_a_ledger_is_looked_at_from_its_beginning(case: Case) -> None:
    case.layout.genesis.write_bytes(genesis(OWN, OTHER, first=245).encode())
    rpc = Rpc({})
    await case.conclude(rpc, 250)
    assert rpc.lowest == 245


async def test_where_cometbft_does_not_answer_the_key_stays_held(case: Case) -> None:
    rpc = Rpc({})
    rpc.is_away = True
    with pytest.raises(CometBftUnavailable):
        await case.conclude(rpc, 250)
    assert (case.probation.is_held, signed_height(case.layout), case.signs_with_own) == (True, 0, False)


def test_an_empty_chain_is_believed_once_it_can_begin_or_after_a_while(case: Case) -> None:
    """A peer that is new itself, or is restored as well, has no blocks either."""
    seen = case.probation.has_seen_head
    assert seen(1, can_begin=False, now_s=0)
    assert seen(0, can_begin=True, now_s=0)
    assert not seen(0, can_begin=False, now_s=5)
    assert not seen(0, can_begin=False, now_s=5 + BEGINNING_S - 1)
    assert seen(0, can_begin=False, now_s=5 + BEGINNING_S)


def decided(height: int, flag: pb.BlockIDFlag.ValueType) -> pb.RequestFinalizeBlock:
    vote = pb.VoteInfo(validator=pb.Validator(address=ADDRESS), block_id_flag=flag)
    return pb.RequestFinalizeBlock(height=height + 1, decided_last_commit=pb.CommitInfo(votes=[vote]))


def test_a_signature_that_the_record_lacks_stops_the_node(case: Case) -> None:
    """A second node has the key, or an older record was put back."""
    case.probation.decided(decided(8, FOR_BLOCK))  # held: it is judged at the head
    free = Probation(case.layout, OWN, ADDRESS, is_held=False)
    free.decided(decided(8, ABSENT))
    put_validator_state(case.layout, height=9, round_=0, step=3)
    free.decided(decided(8, FOR_BLOCK))
    free.decided(decided(9, FOR_BLOCK))
    for flag in (FOR_BLOCK, FOR_NO_BLOCK):
        with pytest.raises(SignerUnknown, match=r"a signature of this node's key at height 10, and .* ends at 9"):
            free.decided(decided(10, flag))
    put_validator_state(case.layout, height=11, round_=0, step=1)
    free.decided(decided(10, FOR_BLOCK))


def test_who_is_held(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    make_folders(layout)
    many, alone = genesis(OWN, OTHER), genesis(OWN)
    assert must_be_held(layout, OWN, many, None, has_peers=False)
    assert must_be_held(layout, STRANGER, many, None, has_peers=False), "it may have been elected"
    assert must_be_held(layout, OTHER, alone, None, has_peers=False)
    assert not must_be_held(layout, OWN, alone, None, has_peers=False), "nobody could tell it"
    assert must_be_held(layout, OWN, alone, None, has_peers=True), "others may have been elected since"
    elected = encode(NetworkState.begin(ValidatorSet.of([(raw(OWN), 10), (raw(OTHER), 10)]), 5))
    assert must_be_held(layout, OWN, alone, elected, has_peers=False)
    put_validator_state(layout, height=0, round_=0, step=0)
    assert must_be_held(layout, OWN, many, None, has_peers=False)
    put_validator_state(layout, height=1, round_=0, step=0)
    assert not must_be_held(layout, OWN, many, None, has_peers=False)
