"""What CometBFT is answered, over the real store: each call by itself, in the orders that crashes make of them."""

import pytest

from bigchaindb.engine.cometbft import abci_pb2 as pb
from bigchaindb.engine.cometbft.rules_version import RULES_VERSION
from bigchaindb.engine.engine import Mode
from bigchaindb.engine.intake import Intake
from bigchaindb.errors import CheckFailed, EngineError
from bigchaindb.ledger.bundle import bundle_of
from bigchaindb.ledger.rejections import (
    BLOCK_COUNT_MAX,
    BODY_COUNT_MAX,
    VOTES_MARK,
    WAKE_MARK,
    body_digest,
    decode_extension,
    decode_votes,
)
from bigchaindb.store.own import Rejections
from bigchaindb.transaction import Transaction
from tests.support.applications import ACCEPT, REJECT, Application, init_chain, request_of
from tests.support.chains import CHILD, PARENT, RIVAL, Coin, create
from tests.support.networks import KEYS, TIME, address, signed
from tests.support.poison import poisoned
from tests.support.pools import wordy

MANY = [create(number).body for number in range(10, 13)]


async def test_before_the_first_block_the_application_is_at_height_0(application: Application) -> None:
    info = await application.handlers.info(pb.RequestInfo(version="0.38.26"))
    assert (info.last_block_height, info.last_block_app_hash, info.app_version) == (0, b"", RULES_VERSION)
    await application.begin()
    assert (await application.handlers.info(pb.RequestInfo())).last_block_height == 0, "nothing is durable yet"


async def test_a_start_finds_the_last_block_that_is_durable(application: Application) -> None:
    """A block that was only executed is not there: CometBFT says it again."""
    await application.begin()
    decided = await application.decide(PARENT.body)
    about = request_of(2, (CHILD.body,), "next", TIME)
    await application.handlers.finalize_block(pb.RequestFinalizeBlock(**about))
    info = await application.handlers.info(pb.RequestInfo())
    assert (info.last_block_height, info.last_block_app_hash) == (1, decided.app_hash)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (init_chain(chain_id="another"), r"genesis\.json is of chain 'another', and this ledger is 'a-chain'"),
        (init_chain(initial_height=5), r"genesis\.json begins at 5, and this ledger ends at 0"),
    ],
)
async def test_a_genesis_that_does_not_fit_stops_the_node(
    application: Application, request_: pb.RequestInitChain, error: str
) -> None:
    with pytest.raises(EngineError, match=error):
        await application.handlers.init_chain(request_)


async def test_a_block_of_bundles_is_one_of_their_transactions(application: Application) -> None:
    await application.begin()
    carried = [bundle_of([PARENT.body, CHILD.body]), MANY[0], bundle_of(MANY[1:3])]
    assert await application.judge(*carried) == ACCEPT
    answer = await application.decide(*carried)
    assert len(answer.tx_results) == len(carried), "CometBFT counts what it carries"
    [logged] = application.committed[0].logged
    assert logged.block.transactions == (PARENT.body, CHILD.body, *MANY[:3])


async def test_what_a_rejected_bundle_holds_is_what_is_reported(application: Application) -> None:
    """The index counts the transactions inside, and so does the digest: a bundle has no part in the report."""
    await application.begin()
    assert await application.judge(bundle_of([PARENT.body, CHILD.body]), bundle_of([RIVAL.body])) == REJECT
    [rejection] = application.own.all()
    assert rejection.reason == "DoubleSpend at transactions[2]"
    assert application.own.body_of(rejection) == (PARENT.body, CHILD.body, RIVAL.body)
    assert rejection.body == body_digest((PARENT.body, CHILD.body, RIVAL.body))


async def test_a_block_is_proposed_from_the_pool_whatever_the_mempool_says(application: Application) -> None:
    """A mempool drops silently when it is full."""
    await application.begin()
    for one in (PARENT, CHILD):
        await application.intake.submit(one.body, Mode.SYNC)
    answer = await application.handlers.prepare_proposal(application.propose())
    assert list(answer.txs) == [bundle_of([PARENT.body, CHILD.body])]
    assert application.intake.proposed == {PARENT.id, CHILD.id}
    assert await application.judge(*answer.txs) == ACCEPT


async def test_a_proposal_holds_one_dear_transaction_and_all_others(application: Application) -> None:
    """Each takes tens of milliseconds on every node, and behind others a full block would leave it out for ever."""
    dear, another = wordy(1, 7_500), wordy(2, 7_500)  # the pool holds no more of them
    await application.begin()
    for one in (PARENT, dear, another, CHILD):
        await application.intake.submit(one.body, Mode.SYNC)
    answer = await application.handlers.prepare_proposal(application.propose())
    assert list(answer.txs) == [bundle_of([dear.body, PARENT.body, CHILD.body])]
    assert await application.judge(*answer.txs) == ACCEPT


async def test_a_proposal_is_within_the_bytes_that_it_may_have(application: Application) -> None:
    await application.begin()
    for one in (PARENT, CHILD):
        await application.intake.submit(one.body, Mode.SYNC)
    request = application.propose()
    request.max_tx_bytes = len(PARENT.body) + len(CHILD.body) + 15
    answer = await application.handlers.prepare_proposal(request)
    assert list(answer.txs) == [PARENT.body]


async def test_a_rejected_proposal_stays_rejected_over_a_restart(application: Application) -> None:
    await application.begin()
    assert await application.judge(PARENT.body, PARENT.body) == REJECT
    assert await application.judge(PARENT.body, PARENT.body) == REJECT
    [said] = Rejections(application.store.node).all()
    assert (said.height, said.reason) == (1, "DuplicateTransaction at transactions[1]")
    assert (said.proposer, said.time) == (address(KEYS[1]), TIME)
    again = Application(application.store)
    await again.begin()
    assert await again.judge(PARENT.body, PARENT.body) == REJECT
    await again.close()


async def test_a_rejection_is_said_with_the_next_vote_and_wakes_an_idle_chain(application: Application) -> None:
    await application.begin()
    assert (await application.check(WAKE_MARK + b"1")).code != 0
    await application.judge(b"no transaction", name="bad")
    extension = (await application.handlers.extend_vote(pb.RequestExtendVote())).vote_extension
    assert [one.reason for one in decode_extension(extension)] == ["MalformedJson at transactions[0]"]
    await application.decide(PARENT.body)
    [wake] = application.woken
    assert (await application.check(wake)).code == 0
    assert (await application.check(WAKE_MARK + b"of another")).code != 0, "it could fill the mempool"
    assert (await application.check(VOTES_MARK + b"{}")).code != 0, "nobody submits votes"


async def test_what_three_of_four_have_rejected_becomes_an_event(application: Application) -> None:
    await application.begin()
    await application.judge(b"no transaction", name="bad")
    [said] = application.own.all()
    await application.decide()
    extensions = [signed(key, said, height=1) for key in KEYS[:3]]
    votes = [
        pb.ExtendedVoteInfo(
            validator=pb.Validator(address=bytes.fromhex(one.validator), power=10),
            vote_extension=one.extension,
            extension_signature=one.signature,
            block_id_flag=pb.BLOCK_ID_FLAG_COMMIT,
        )
        for one in extensions
    ]
    nil = pb.ExtendedVoteInfo(
        validator=pb.Validator(address=bytes.fromhex(address(KEYS[3])), power=10),
        vote_extension=b"",
        block_id_flag=pb.BLOCK_ID_FLAG_NIL,
    )
    proposed = await application.handlers.prepare_proposal(application.propose([*votes, nil]))
    assert [one.validator for one in decode_votes(proposed.txs[0]).extensions] == sorted(
        one.validator for one in extensions
    )
    assert await application.judge(*proposed.txs) == ACCEPT
    decided = await application.decide(*proposed.txs)
    assert len(decided.tx_results) == len(proposed.txs)
    [logged] = application.committed[-1].logged
    assert (logged.event.type, logged.event.height, logged.event.reason) == (2, 1, "MalformedJson at transactions[0]")
    assert not application.ledger.has_fresh()


async def test_an_extension_that_is_none_is_refused(application: Application) -> None:
    await application.begin()
    statuses = [
        (
            await application.handlers.verify_vote_extension(
                pb.RequestVerifyVoteExtension(vote_extension=extension, validator_address=bytes(20), height=1)
            )
        ).status
        for extension in (b"", b"garbage")
    ]
    assert statuses == [pb.ResponseVerifyVoteExtension.ACCEPT, pb.ResponseVerifyVoteExtension.REJECT]


async def test_a_block_that_this_node_rejected_is_never_executed(application: Application) -> None:
    await application.begin()
    await application.judge(b"no transaction")
    with pytest.raises(EngineError, match="which this node rejected: MalformedJson at"):
        await application.decide(b"no transaction")
    assert application.store.writer.tip().height == 0


async def test_a_block_that_breaks_a_rule_is_never_executed(application: Application) -> None:
    """In block sync nobody asks for a verdict before."""
    await application.begin()
    with pytest.raises(EngineError, match=r"which breaks a rule: InputDoesNotExist at transactions\[0\]"):
        await application.decide(CHILD.body)


async def test_a_block_that_is_said_twice_is_written_once(application: Application) -> None:
    """CometBFT died between the two calls."""
    await application.begin()
    about = request_of(1, (PARENT.body,), "block", TIME)
    first = await application.handlers.finalize_block(pb.RequestFinalizeBlock(**about))
    assert await application.decide(PARENT.body) == first
    assert application.store.writer.tip().position == 1


async def test_an_empty_block_changes_the_height_alone(application: Application) -> None:
    await application.begin()
    before = (await application.decide(PARENT.body)).app_hash
    assert (await application.decide()).app_hash == before
    tip = application.store.writer.tip()
    assert (tip.height, tip.position) == (2, 1)


async def test_more_transactions_than_a_block_may_have_are_voted_down(application: Application) -> None:
    await application.begin()
    assert await application.judge(*[b"{}"] * (BLOCK_COUNT_MAX + 1)) == REJECT
    assert application.own.all()[0].reason == "ValidationError at transactions"


@pytest.mark.usefixtures("poison")
async def test_a_proposal_that_cannot_be_checked_is_not_voted_on(application: Application) -> None:
    """No answer is no reason to reject: it is as if this node had crashed, and nothing is on record."""
    await application.begin()
    with pytest.raises(CheckFailed):
        await application.judge(PARENT.body, poisoned("die").body)
    assert not application.own.all()
    assert await application.judge(PARENT.body, name="another") == ACCEPT


async def test_too_many_transactions_are_not_even_read(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block has room for two million empty ones: reading them would stop each validator for a minute."""
    await application.begin()
    monkeypatch.delattr(Intake, "judge")
    assert await application.judge(*[b""] * (BODY_COUNT_MAX + 1)) == REJECT


async def test_a_candidate_that_became_invalid_is_reported_not_proposed(application: Application) -> None:
    """A rival was committed while nobody told the pool."""
    await application.begin()
    await application.decide(PARENT.body)
    stale: list[Transaction] = [CHILD]
    for one in stale:
        await application.intake.submit(one.body, Mode.SYNC)
    application.intake.pool._spent.clear()  # as if it had not been seen
    await application.decide(RIVAL.body)
    application.intake.pool._spent.update({Coin(PARENT).ref: CHILD.id})
    answer = await application.handlers.prepare_proposal(application.propose())
    assert list(answer.txs) == []
    assert CHILD.id not in application.intake.pool
    assert application.intake.figures.rejected_count == 1
