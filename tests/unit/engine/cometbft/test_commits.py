"""Who signed the last blocks: what an operator reads of each validator rests on it."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bigchaindb.engine.cometbft.commits import AGAIN_COUNT, BLOCK_COUNT, SILENT_COUNT, Commits, SignedBlocks

ONE, TWO, NEW = (bytes([number]) * 20 for number in range(3))


def commits_of(signed: Sequence[bool], *, first: int = 1) -> Commits:
    """Make commits that `ONE` signs always, and `TWO` where it is said."""
    made = Commits()
    for height, is_signed in enumerate(signed, first):
        made.take(height, {ONE, TWO} if is_signed else {ONE}, set() if is_signed else {TWO})
    return made


@given(st.lists(st.booleans(), max_size=2 * BLOCK_COUNT))
def test_the_last_hundred_count_and_the_last_signature_is_known_for_longer(signed: list[bool]) -> None:
    commits = commits_of(signed)
    last = signed[-BLOCK_COUNT:]
    heights = [height for height, is_signed in enumerate(signed, 1) if is_signed]
    assert commits.of(TWO) == SignedBlocks(sum(last), len(last), heights[-1] if heights else None)
    assert commits.is_silent(TWO) == (len(last) >= SILENT_COUNT and not any(last[-SILENT_COUNT:]))
    assert commits.signs_again(TWO) == (len(last) >= AGAIN_COUNT and all(last[-AGAIN_COUNT:]))


@given(st.permutations(range(5, 25)), st.integers(1, 40))
def test_commits_may_come_in_any_order(heights: list[int], head: int) -> None:
    """Those of before the start are asked for while new ones come."""
    commits = Commits()
    for height in heights:
        commits.take(height, [ONE], [TWO])
    assert commits.of(ONE) == SignedBlocks(20, 20, 24)
    assert list(commits.missing(head)) == [height for height in range(head, 0, -1) if height not in heights]


def test_a_later_form_of_a_commit_takes_the_place_of_an_earlier_one() -> None:
    """A precommit that was late is added until the next block is proposed."""
    commits = commits_of([True, False])
    assert commits.of(TWO) == SignedBlocks(1, 2, 1)
    commits.take(2, [ONE, TWO], [])
    assert commits.of(TWO) == SignedBlocks(2, 2, 2)


def test_only_blocks_above_a_height_can_make_a_validator_silent() -> None:
    """One that was away and came back was not asked for its signature before."""
    commits = commits_of([False] * (SILENT_COUNT + 5))
    assert commits.is_silent(TWO, above=5)
    assert not commits.is_silent(TWO, above=6)


def test_a_new_validator_is_judged_by_blocks_that_it_could_sign() -> None:
    commits = commits_of([True] * 20)
    commits.take(21, [ONE, TWO, NEW], [])
    assert commits.of(NEW) == SignedBlocks(1, 1, 21)


def test_a_validator_that_comes_again_is_judged_by_blocks_since_then() -> None:
    """It was taken out because it was silent, and is elected again: no alarm before it could sign."""
    commits = commits_of([False] * SILENT_COUNT)
    assert commits.is_silent(TWO)
    commits.take(SILENT_COUNT + 1, [ONE], [])
    assert not commits.is_silent(TWO)
    commits.take(SILENT_COUNT + 2, [ONE, TWO], [])
    assert not commits.signs_again(TWO)
    for height in range(SILENT_COUNT + 3, 2 * SILENT_COUNT + 3):
        assert not commits.is_silent(TWO)
        commits.take(height, [ONE], [TWO])
    assert commits.is_silent(TWO)
    assert commits.of(TWO) == SignedBlocks(1, 2 * SILENT_COUNT + 1, SILENT_COUNT + 2)


def test_whoever_is_no_validator_any_more_is_forgotten() -> None:
    """Validators may come and go for years."""
    commits = commits_of([True] * 5)
    for height in range(6, 6 + BLOCK_COUNT):
        commits.take(height, [ONE], [])
    assert commits.of(TWO) == SignedBlocks(0, 0, None)
