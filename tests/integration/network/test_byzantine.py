"""A faulty validator changes nothing but the log, which shows what it did: the same on all nodes, and proven.

Four validators, one of them faulty, and a node that only follows. The faulty one breaks each rule in turn and slanders
in its votes, under light load and on an idle chain; meanwhile an honest one is killed. Then a node joins late, and one
gets its ledger anew. What CometBFT itself wrote down is held against the events.
"""

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from bigchaindb.ledger import network as network_state
from bigchaindb.ledger.proofs.trusted import read_trust
from bigchaindb.ledger.proofs.verifying import verify
from bigchaindb.ledger.rejections import Rejection
from bigchaindb.ledger.validators import ValidatorSet
from bigchaindb.transaction.keys import decode_key
from tests.support import consensus_wal
from tests.support.byzantine_node import PROPOSALS
from tests.support.byzantine_story import (
    BYZANTINE,
    EVENT_S_MAX,
    LAST_HEIGHTS,
    Orders,
    Story,
    lines_of,
    make_faulty_network,
    records_of,
    tell,
    write_events,
)
from tests.support.consensus_wal import PREVOTE, SignedProposal, SignedVote
from tests.support.live_networks import CHAIN
from tests.support.processes import CHECKS_ENDED

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("byzantine")
    orders = Orders(folder / "orders")
    network = make_faulty_network(folder, orders)
    for member in network:
        write_events(member)
    try:
        yield tell(network, orders, count(1))
    finally:
        network.kill()


def test_each_kind_of_fault_is_on_record_for_its_reason(story: Story) -> None:
    found = {story.faults[one.name]: one.rejection.reason.split(" at ")[0] for one in story.records}
    votes = {name: "ImproperVoteError" for name in PROPOSALS if name.startswith("votes_")}
    votes["votes_twice"] = found["votes_twice"]  # the first may be right
    assert found == {
        "double_spend_within": "DoubleSpend",
        "double_spend_of_committed": "DoubleSpend",
        "bad_signature": "InvalidSignature",
        "malformed": "MalformedJson",
        "no_text": "MalformedJson",
        "empty": "MalformedJson",
        "not_canonical": "MalformedJson",
        "unknown_internal": "MalformedJson",
        "wake_within": "MalformedJson",
        "too_many": "ValidationError",
        "oversize": "MalformedJson",
        "crowd": "ValidationError",
        "bundle_of_garbage": "MalformedJson",
        "bundle_cut": "MalformedJson",
        "bundle_with_more": "MalformedJson",
        "bundle_within_bundle": "MalformedJson",
        "bundle_of_votes": "MalformedJson",
        "bundle_too_large": "MalformedJson",
        "bundle_repeated": "DuplicateTransaction",
        "bundles_too_many": "ValidationError",
        "double_spend_over_bundles": "DoubleSpend",
        **votes,
    }
    assert len(story.records) >= 20


def test_validators_lost_check_processes_meanwhile(story: Story) -> None:
    """What else is said here holds all the same: nobody votes for what was not checked, or against it."""
    for member in story.network.members[:BYZANTINE]:
        member.until_logged(CHECKS_ENDED)
        assert "critical" not in member.log


def test_what_a_third_of_the_power_has_not_seen_is_no_event(story: Story) -> None:
    assert story.unseen.name not in {record.name for record in story.records}


def test_an_idle_chain_wakes_for_the_event_and_is_silent_again(story: Story) -> None:
    assert any(one.is_lonely for one in story.idle), "no block without transactions was among them"
    for one in story.idle:
        assert one.event_s < EVENT_S_MAX, one
        assert one.silent_height <= one.proposed.name[0] + LAST_HEIGHTS, one


def test_plugins_of_all_nodes_got_the_same_bytes_once(story: Story) -> None:
    for member in story.network:
        assert lines_of(member) == story.log, member.folder.name


def test_all_ledgers_hold_the_same_proofs(story: Story) -> None:
    for member in story.network:
        assert records_of(member) == story.records, member.folder.name


def test_slander_is_nowhere_on_the_chain(story: Story) -> None:
    with closing(sqlite3.connect(story.network[0].data / "ledger.db")) as connection:
        ((state,),) = connection.execute("SELECT state FROM network").fetchall()
    said = [one.rejection for one in network_state.decode(state).open]
    assert {(one.height, one.body) for one in said} <= story.faults.keys()
    assert {record.name for record in story.records} <= story.faults.keys()


def test_no_honest_block_is_on_record(story: Story) -> None:
    assert {record.rejection.proposer for record in story.records} == {story.network[BYZANTINE].address}


def test_each_record_is_proven_by_the_genesis_alone(story: Story) -> None:
    trust = read_trust(story.network.genesis.encode())
    for record in story.records:
        verified = verify(story.proofs[record.position], trust)
        assert (verified.kind, verified.reason) == ("rejection-2", record.rejection.reason)
        assert verified.body == story.body(record.position)


def test_each_record_is_what_consensus_wrote_down(story: Story) -> None:
    """The proposal under the accused validator's signature, and more than 2/3 of the power against it.

    The nodes' own logs together show it of every record. Most do so alone, not all: a node that is late goes on to the
    next round as soon as it has the precommits, whatever prevotes it has.
    """
    validators = ValidatorSet.of((decode_key(member.key.public_key), 10) for member in story.network.members[:4])
    together = [seen for log in story.logs_of_consensus.values() for seen in log]
    for record in story.records:
        # The verdict of the killed one may have become durable without its vote: it says so after its restart.
        assert is_shown(record.rejection, together, validators) or record.name == story.interrupted.name, record
    for number, seen in story.logs_of_consensus.items():
        shown_count = sum(is_shown(record.rejection, seen, validators) for record in story.records)
        assert shown_count >= len(story.records) / 2, (number, shown_count)


def is_shown(said: Rejection, seen: Sequence[consensus_wal.Seen], validators: ValidatorSet) -> bool:
    accused = validators.by_address[bytes.fromhex(said.proposer)]
    rounds = {
        one.round
        for one in seen
        if isinstance(one, SignedProposal) and (one.height, one.block_id.hash.hex()) == (said.height, said.block)
        if one.is_by(accused, CHAIN)
    }
    return any(validators.is_decisive(power_against(said.height, round_, seen, validators)) for round_ in rounds)


def power_against(height: int, round_: int, seen: Sequence[consensus_wal.Seen], validators: ValidatorSet) -> int:
    against = {
        one.validator
        for one in seen
        if isinstance(one, SignedVote) and (one.type, one.height, one.round) == (PREVOTE, height, round_)
        if one.block_id is None and one.is_by(validators.by_address[one.validator], CHAIN)
    }
    return sum(map(validators.power_of, against))


def test_the_command_line_verifies_a_record(story: Story, tmp_path: Path) -> None:
    record = story.records[0]
    proof, genesis = tmp_path / "proof.json", tmp_path / "genesis.json"
    proof.write_bytes(story.proofs[record.position])
    genesis.write_bytes(story.network.genesis.encode())
    done = story.network[0].run("verify", str(proof), "--validators", str(genesis))
    assert done.returncode == 0, done.stderr
    assert record.rejection.reason in done.stdout


def test_the_checksum_is_that_of_the_standard() -> None:
    assert consensus_wal.crc32c(b"123456789") == 0xE3069283
    assert consensus_wal.crc32c(bytes(32)) == 0x8A9136AA


def test_a_consensus_log_may_end_within_a_frame_and_hides_no_damage() -> None:
    frame = struct.pack(">II", consensus_wal.crc32c(b"seen"), 4) + b"seen"
    assert list(consensus_wal.frames(frame + frame[:-1])) == [b"seen"]
    with pytest.raises(ValueError, match="offset 12: the checksum"):
        list(consensus_wal.frames(frame + frame[:-1] + b"?"))
