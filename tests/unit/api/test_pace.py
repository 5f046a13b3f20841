import pytest

from bigchaindb.api.pace import SLOW_BYTES_PER_S, SLOW_S, Pace


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_nobody_waits_before_a_refusal() -> None:
    assert Pace(Clock()).wait_s(SLOW_BYTES_PER_S) == 0


def test_after_a_refusal_all_bodies_together_keep_the_pace() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.slow_down()
    assert [pace.wait_s(SLOW_BYTES_PER_S // 4) for _ in range(3)] == [0.25, 0.5, 0.75]
    clock.now_s += 0.5
    assert pace.wait_s(SLOW_BYTES_PER_S // 4) == 0.5
    clock.now_s += 0.49
    assert pace.wait_s(SLOW_BYTES_PER_S // 4) == pytest.approx(0.01 + 0.25)


def test_a_while_after_the_last_refusal_nobody_waits_any_more() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.slow_down()
    clock.now_s += SLOW_S / 2
    pace.slow_down()
    clock.now_s += SLOW_S
    assert pace.wait_s(SLOW_BYTES_PER_S) == 0
