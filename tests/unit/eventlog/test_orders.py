"""Each order changes what it says and nothing else; a refusal names what helps. Source: P2, P3, P12, P13."""

from dataclasses import replace

import pytest

from bigchaindb.errors import OrderRefused
from bigchaindb.eventlog.facts import Discarded, Paused, Retried, Sought
from bigchaindb.eventlog.lane import WAITING, Lane, Progress, Stage, State
from bigchaindb.eventlog.numbering import TRANSACTIONS
from bigchaindb.eventlog.orders import (
    POSITION_COUNT_MAX,
    Discard,
    Effects,
    Known,
    Pause,
    Restart,
    Resume,
    Retry,
    Seek,
    apply,
    is_damage,
    not_enabled,
    still_enabled,
    way_on,
)
from bigchaindb.store.checksums import damaged


def test_a_lane_that_comes_to_damage_waits_for_a_backup() -> None:
    """A restart fails at the same event, and a seek passes over one that the ledger has."""
    advice = way_on("sales", State.FAILED, str(damaged("events", 3)))
    assert "`bigchaindb check`" in advice
    assert "`bigchaindb restore DIR`" in advice
    assert "restart" not in advice
    assert "seek" not in advice


@pytest.mark.parametrize("error", ["sales: No module named 'sales'", "no lane page; delete the file", ""])
def test_a_lane_that_failed_otherwise_waits_for_a_restart(error: str) -> None:
    assert not is_damage(error)
    assert "`bigchaindb plugins restart sales`" in way_on("sales", State.FAILED, error)


@pytest.mark.parametrize(
    ("state", "command"),
    [(State.PAUSED, "resume sales"), (State.BLOCKED, "discard sales POSITION"), (State.GAPPED, "seek sales WHERE")],
)
def test_a_lane_that_waits_for_a_person_names_the_command(state: State, command: str) -> None:
    assert f"`bigchaindb plugins {command}`" in way_on("sales", state, "")


@pytest.mark.parametrize("state", [State.BACKOFF, State.LIVE, State.CATCHING_UP])
def test_a_lane_that_waits_for_nobody_has_no_advice(state: State) -> None:
    assert way_on("sales", state, str(damaged("events", 3))) == ""


LIVE = Lane(State.LIVE, 1, Progress(2, 4, (3, 4), returning=(1,)))
PARKED = Known(parked={1: 2, 2: 5})


def blocked(*in_hand: int) -> Lane:
    return Lane(State.BLOCKED, 1, Progress(in_hand[0] - 1, in_hand[-1], in_hand), error="position 3: no")


def test_a_pause_leaves_the_process_to_finish() -> None:
    assert apply("sales", Pause(), LIVE, Known()) == Effects(ends_process=False, fact=Paused())


@pytest.mark.parametrize("state", sorted(WAITING - {State.PAUSED}))
def test_a_lane_that_waits_for_another_word_cannot_be_paused(state: State) -> None:
    with pytest.raises(OrderRefused, match=f"'sales' is {state}: it cannot be paused; why; it delivers"):
        apply("sales", Pause(), Lane(state, error="why"), Known())


@pytest.mark.parametrize("state", [State.PAUSED, State.BACKOFF])
def test_a_resume_starts_a_process(state: State) -> None:
    assert apply("sales", Resume(), Lane(state), Known()) == Effects(starts=True)


def test_a_resume_of_what_runs_is_refused() -> None:
    with pytest.raises(OrderRefused, match="'sales' is LIVE: it cannot be resumed; it is not paused"):
        apply("sales", Resume(), LIVE, Known())


def test_a_restart_does_not_pass_over_a_gap() -> None:
    assert apply("sales", Restart(), LIVE, Known()) == Effects(starts=True)
    with pytest.raises(OrderRefused, match="'sales' is GAPPED: it cannot be restarted; the log is another"):
        apply("sales", Restart(), Lane(State.GAPPED, error="the log is another"), Known())


@pytest.mark.parametrize(("state", "starts"), [(State.LIVE, True), (State.FAILED, True), (State.PAUSED, False)])
def test_a_seek_starts_a_process_but_within_a_pause(state: State, *, starts: bool) -> None:
    assert apply("sales", Seek("position:8"), Lane(state), Known(7)) == Effects(fact=Sought(7), starts=starts)


def test_p2_a_retry_brings_back_what_is_parked() -> None:
    assert apply("sales", Retry(), LIVE, PARKED).fact == Retried({1: 2, 2: 5})
    effects = apply("sales", Retry((1, 2)), blocked(3, 4), PARKED)
    assert effects.returning == {1: 2, 2: 5}


def test_a_retry_of_a_blocked_lane_is_about_what_blocks_it() -> None:
    """The list may be long, and what blocks the lane is not on it."""
    assert apply("sales", Retry(), blocked(3, 4), PARKED).fact == Retried({})


def test_p6_what_is_settled_while_the_process_ends_does_not_come_again() -> None:
    effects = apply("sales", Retry(), LIVE, PARKED)
    ended = replace(LIVE, stages={1: Stage.RETURNED})
    assert effects.among({1: 2, 2: 6}, ended).returning == {2: 6}
    assert effects.among({}, LIVE).returning == {}
    paused = apply("sales", Pause(), LIVE, PARKED)
    assert (paused.returning, paused.among({}, LIVE)) == ({}, paused)


@pytest.mark.parametrize("order", [Retry((1, 4)), Discard((1, 4))])
def test_only_what_is_parked_is_retried_or_discarded(order: Retry | Discard) -> None:
    with pytest.raises(OrderRefused, match="'sales': position 4 is not parked"):
        apply("sales", order, LIVE, PARKED)


def test_an_error_names_what_the_lane_is_of_and_places_as_people_write_them() -> None:
    """Whoever consumes a subscription knows no plugin of that name, and no number of 43 bits."""
    known = Known(kind="subscription", numbering=TRANSACTIONS)
    with pytest.raises(OrderRefused, match="subscription 'sales': position 41:3 is not parked"):
        apply("sales", Discard((TRANSACTIONS.number(41, 3),)), LIVE, known)
    with pytest.raises(OrderRefused, match="subscription 'sales' is LIVE: it cannot be resumed"):
        apply("sales", Resume(), LIVE, known)


@pytest.mark.parametrize("positions", [None, ()])
def test_a_retry_of_nothing_is_refused(positions: tuple[int, ...] | None) -> None:
    with pytest.raises(OrderRefused, match="'sales': no event is parked"):
        apply("sales", Retry(positions), LIVE, Known())


@pytest.mark.parametrize("kind", [Retry, Discard])
def test_one_order_names_a_thousand_events_at_most(kind: type[Retry] | type[Discard]) -> None:
    most = tuple(range(1, POSITION_COUNT_MAX + 1))
    assert apply("sales", kind(most), LIVE, Known(parked=dict.fromkeys(most, 1)))
    with pytest.raises(OrderRefused, match="1001 positions at once, the most is 1000"):
        apply("sales", kind((*most, 1001)), LIVE, Known())


def test_what_is_parked_is_discarded_beside_the_process() -> None:
    assert apply("sales", Discard((2,)), LIVE, PARKED) == Effects(ends_process=False, forgotten=(2,))


def test_what_came_back_is_discarded_without_the_process() -> None:
    """It may have the event in hand."""
    assert apply("sales", Discard((1, 2)), LIVE, PARKED) == Effects(fact=Discarded((1, 2)), forgotten=(1, 2))


def test_what_blocks_the_lane_is_discarded_though_it_is_not_parked() -> None:
    assert apply("sales", Discard((3,)), blocked(3, 4), Known()) == Effects(fact=Discarded((3,)), forgotten=(3,))
    with pytest.raises(OrderRefused, match="position 3 is not parked"):
        apply("sales", Discard((3, 5)), blocked(3, 4), Known())


@pytest.mark.parametrize(("enabled", "listed"), [((), "none"), (("one", "two"), "one, two")])
def test_an_order_to_nobody_names_who_is_there(enabled: tuple[str, ...], listed: str) -> None:
    text = f"no events plugin 'three' is enabled, and no subscription has that name; there are: {listed}"
    assert str(not_enabled("three", enabled)) == text


def test_a_plugin_that_is_enabled_is_not_forgotten() -> None:
    assert str(still_enabled("one")) == "events plugin 'one' is enabled; disable it first"
