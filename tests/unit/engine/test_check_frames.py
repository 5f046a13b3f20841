"""What comes from a check process is bounded and typed, though it is the node's own child."""

import pytest
from msgspec import msgpack

from bigchaindb.engine import check_frames as frames
from bigchaindb.engine.check_frames import Faulty, FrameError
from bigchaindb.errors import AmountError, CheckFailed, ThresholdTooDeep


def payload(*verdicts: frames.Verdict) -> bytes:
    return frames.verdicts_frame(verdicts)[frames.HEAD.size :]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (b"", "truncated"),
        (b"\xc1", "malformed"),
        (msgpack.encode([1]), "array"),
        (msgpack.encode([["Sound", {"id": 1}, True]]), "str"),
        (payload(Faulty("AmountError", "")), "1 verdicts on 2 documents"),
        (payload(Faulty("KeyError", ""), Faulty("StoreFull", "")), "no error is named 'KeyError'"),
    ],
)
def test_what_fits_no_batch_of_two_is_refused(found: bytes, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        frames.outcomes_of(found, 2)


def test_errors_keep_class_and_message() -> None:
    errors = [AmountError("too much: \N{SNOWMAN}"), ThresholdTooDeep(), AmountError("lone \ud800")]
    found = frames.outcomes_of(payload(*map(frames.faulty, errors)), 3)
    assert [(type(one), str(one)) for one in found[:2]] == [(type(one), str(one)) for one in errors[:2]]
    assert str(found[2]) == "lone \\ud800"


def test_a_defect_brings_the_end_of_its_traceback() -> None:
    [found] = frames.outcomes_of(payload(frames.defect(KeyError("a"), 10_000 * "x" + "end")), 1)
    assert isinstance(found, CheckFailed)
    assert str(found) == "KeyError('a')"
    assert len(found.__notes__[0]) == frames.TEXT_CHARS_MAX
    assert found.__notes__[0].endswith("xend")


def test_verdicts_are_bounded_by_what_was_sent() -> None:
    assert frames.verdicts_bytes_max([b"", b"x"]) == 2 * frames.VERDICT_BYTES + frames.GROWTH_MAX
