"""The bytes of a bundle: one form, and whatever has another is a transaction that breaks a rule."""

import pytest

from bigchaindb.ledger.bundle import (
    BUNDLE_MARK,
    bundle_of,
    bundled,
    carried_in,
    members_of,
    order_of,
    unbundled,
)
from bigchaindb.ledger.rejections import BLOCK_COUNT_MAX, VOTES_MARK

ONE, TWO, THREE = b'{"one":1}', b'{"two":2}', b'{"three":3}'
BUNDLE = bundle_of([ONE, TWO])


def test_the_form_of_a_bundle() -> None:
    """Nodes of all releases of these rules make the same bytes, and proofs do so again."""
    assert BUNDLE == b'\x01\x00\x00\x00\x09{"one":1}\x00\x00\x00\x09{"two":2}'
    assert members_of(BUNDLE) == (ONE, TWO)


@pytest.mark.parametrize(
    "carried",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(ONE, id="a transaction"),
        pytest.param(BUNDLE_MARK, id="a bundle of none"),
        pytest.param(BUNDLE[:-1], id="cut within a text"),
        pytest.param(BUNDLE[: len(BUNDLE_MARK) + 4 + len(ONE) + 3], id="cut within a length"),
        pytest.param(BUNDLE + b"\0", id="followed by something"),
        pytest.param(bundle_of([ONE, b""]), id="an empty text"),
        pytest.param(bundle_of([b"", ONE]), id="an empty text before another"),
        pytest.param(bundle_of([BUNDLE]), id="a bundle within"),
        pytest.param(bundle_of([ONE, VOTES_MARK + b"{}"]), id="votes within"),
        pytest.param(bundle_of([b"[]"]), id="no object"),
        pytest.param(bundle_of([b"{}"] * (BLOCK_COUNT_MAX + 1)), id="too many"),
        pytest.param(BUNDLE_MARK + b"\xff\xff\xff\xff{}", id="a length beyond the end"),
    ],
)
def test_what_is_no_bundle_stays_one_transaction(carried: bytes) -> None:
    assert members_of(carried) == ()
    assert unbundled([ONE, carried, TWO]) == (ONE, carried, TWO)
    assert order_of([carried]) == (0,)


def test_a_bundle_holds_as_many_as_a_block() -> None:
    full = [b"{}"] * BLOCK_COUNT_MAX
    assert members_of(bundle_of(full)) == tuple(full)
    assert [len(members_of(one)) for one in bundled([*full, ONE, TWO], 10**6)] == [BLOCK_COUNT_MAX, 2]


def test_transactions_of_bundles_stand_in_their_places() -> None:
    carried = [VOTES_MARK, bundle_of([ONE]), TWO, bundle_of([THREE, ONE])]
    assert unbundled(carried) == (VOTES_MARK, ONE, TWO, THREE, ONE)
    assert order_of(carried) == (0, 1, 0, 2)
    assert carried_in((0, 1, 0, 2), unbundled(carried)) == carried


def test_bundles_beyond_what_a_block_may_hold_stay_closed() -> None:
    full = bundle_of([b"{}"] * BLOCK_COUNT_MAX)
    assert len(unbundled([full, BUNDLE, BUNDLE])) == BLOCK_COUNT_MAX + 2 + 1
    assert unbundled([full, ONE, BUNDLE])[-2:] == (ONE, TWO)


@pytest.mark.parametrize("order", [(), (0,), (1,), (3,), (0, 0, 0), (2, 1)])
def test_the_order_of_others_carries_nothing(order: tuple[int, ...]) -> None:
    assert carried_in(order, [ONE, TWO]) is None


@pytest.mark.parametrize(
    ("bytes_max", "counts"),
    [(10**6, [3]), (len(BUNDLE), [2, 0]), (len(BUNDLE) - 1, [0, 0, 0]), (1, [0, 0, 0])],
)
def test_a_bundle_is_bounded_by_bytes_and_one_that_is_alone_is_none(bytes_max: int, counts: list[int]) -> None:
    made = bundled([ONE, TWO, THREE], bytes_max)
    assert [len(members_of(one)) for one in made] == counts
    assert unbundled(made) == (ONE, TWO, THREE)


def test_nothing_is_carried_by_nothing() -> None:
    assert bundled([], 100) == []
